#include "src/server/slot_source.h"

#include <algorithm>
#include <utility>

#include "cluster/model/slot.h"
#include "persistence/rdb/dump.h"
#include "src/base/format_number.h"
#include "src/command/key_extract.h"
#include "src/command/write_guard.h"
#include "src/commands/key/payload.h"
#include "src/effects/version_notes.h"

namespace hearth {
namespace {

bool is_flush(const Effect& effect) {
  return equals_ignore_case(effect.argv[0], "FLUSHALL") ||
         equals_ignore_case(effect.argv[0], "FLUSHDB");
}

}  // namespace

SlotSource::SlotSource(Engine& engine, const CommandTable& commands, const cluster::SlotSet& slots)
    : engine_(engine), commands_(commands) {
  slots.for_each([this](Slot slot) { slots_.push_back(slot); });
}

void SlotSource::append(const CommittedUnit& unit) {
  if (chunks_.empty() || chunks_.back().size() >= kChunk) {
    chunks_.push_back(std::exchange(spare_, {}));
    chunks_.back().reserve(kChunk + kChunk / 8);
    stream_.forget_database();  // each chunk can be read by itself
  }
  std::string& chunk = chunks_.back();
  const std::size_t before = chunk.size();
  stream_.append(unit, chunk);
  waiting_bytes_ += chunk.size() - before;
}

void SlotSource::give_back(std::string chunk) {
  chunk.clear();
  if (chunk.capacity() <= 2 * kChunk) spare_ = std::move(chunk);
}

std::string SlotSource::take_chunk() {
  std::string chunk = std::move(chunks_.front());
  chunks_.pop_front();
  waiting_bytes_ -= chunk.size();
  return chunk;
}

bool SlotSource::has_keys(const Effect& effect) {
  const std::vector<std::string_view> words(effect.argv.begin(), effect.argv.end());
  const Command* command = commands_.resolve(words);
  return command != nullptr && extract_keys(*command, words, positions_) && !positions_.empty();
}

// Messages about warm epochs: those of the target know nothing of these slots.
bool SlotSource::is_of_epoch(const Effect& effect) {
  const std::vector<std::string_view> words(effect.argv.begin(), effect.argv.end());
  return equals_ignore_case(words[0], "ECHO") && !key_of_version_echo(words);
}

void SlotSource::note_keys(const Effect& effect) {
  if (!has_keys(effect)) return;
  for (const KeyPosition& p : positions_) {
    // MOVE and COPY reach another database than their own.
    for (DbIndex db = 0; db < engine_.keyspace().db_count(); ++db)
      noted_.emplace(db, effect.argv[p.index]);
  }
}

void SlotSource::note(const CommittedUnit& unit) {
  const std::optional<Slot> walked =
      at_ == slots_.size() ? std::nullopt : std::optional<Slot>(slots_[at_]);
  passed_.clear();
  for (const Effect& effect : unit.effects) {
    if ((effect.targets & Effect::kToReplicas) == 0) continue;
    if (is_flush(effect)) {
      flushed_ = true;
      continue;
    }
    const std::optional<Slot> slot = slot_of_effect(commands_, effect, positions_);
    if (!slot || is_of_epoch(effect)) continue;
    if (slot == walked)
      note_keys(effect);
    else if (through_.has(*slot))
      passed_.push_back(effect);
  }
  if (!passed_.empty()) append({passed_, {}, unit.together});
}

void SlotSource::send_entry(DbIndex db, const Entry& entry) {
  const config::Settings& settings = engine_.settings();
  rdb::EncodeOptions options = commands::encode_options(settings, engine_.now());
  options.compression = rdb::Compression::kOff;  // bytes are cheaper here than time
  Effect effect;
  effect.db = db;
  effect.slot = slots_[at_];
  effect.argv = {"RESTORE", std::string(entry.key()),
                 int64_text(entry.has_deadline() ? entry.deadline() : 0),
                 rdb::dump_payload(entry, options), "REPLACE"};
  if (entry.has_deadline()) effect.argv.emplace_back("ABSTTL");
  const KeyEnvironment& env = engine_.environment();
  if (env.lfu) {
    effect.argv.emplace_back("FREQ");
    effect.argv.push_back(
        int64_text(access_clock::lfu_counter(entry.access(), env.clock, env.lfu_params)));
  } else {
    effect.argv.emplace_back("IDLETIME");
    effect.argv.push_back(int64_text(access_clock::lru_idle_ms(entry.access(), env.clock) / 1000));
  }
  append({{&effect, 1}, {}, false});
}

void SlotSource::send_key(DbIndex db, std::string_view name) {
  Keys keys(engine_.environment(), db);
  const Found at = keys.database().find(keys.make_ref(name));
  if (at) return send_entry(db, *at);
  Effect gone;
  gone.db = db;
  gone.slot = slots_[at_];
  gone.argv = {"DEL", std::string(name)};
  append({{&gone, 1}, {}, false});
}

void SlotSource::next_slot() {
  through_.add(slots_[at_]);
  ++at_;
  db_ = 0;
  cursor_ = 0;
}

void SlotSource::find_gone() {
  has_gone_ = true;
  const DbIndex databases = engine_.keyspace().db_count();
  for (DbIndex db = 0; db < databases; ++db) {
    for_each_gone_note(
        engine_.keyspace().db(db).tombstones(),
        [&](std::uint64_t key) { return through_.has(Tombstones::slot_of(key)); },
        [&](std::string note) {
          gone_.push_back({db, std::move(note)});
        });
  }
}

void SlotSource::walk(std::size_t bytes_most, std::size_t keys_most) {
  const DbIndex databases = engine_.keyspace().db_count();
  // A slot that has nothing costs a look; so do the empty buckets of a large table.
  std::size_t looks = keys_most;
  while (!is_walked() && waiting_bytes_ < bytes_most && looks > 0) {
    --looks;
    if (at_ == slots_.size()) {
      if (!has_gone_) find_gone();
      if (gone_.empty()) continue;
      Effect versions;
      versions.db = gone_.front().db;
      versions.argv = {"ECHO", std::move(gone_.front().note)};
      gone_.pop_front();
      append({{&versions, 1}, {}, false});
    } else if (db_ < databases) {
      const Database& db = engine_.keyspace().db(db_);
      if (db.stored_in_slot(slots_[at_]) > 0) {
        std::size_t seen = 0;
        cursor_ = db.scan_slot(slots_[at_], cursor_, [&](const Entry& e) {
          send_entry(db_, e);
          ++seen;
        });
        looks -= std::min(looks, seen);
      } else {
        cursor_ = 0;
      }
      if (cursor_ == 0) ++db_;
    } else if (!noted_.empty()) {
      const auto key = noted_.extract(noted_.begin());
      send_key(key.value().first, key.value().second);
    } else {
      next_slot();
    }
  }
}

}  // namespace hearth

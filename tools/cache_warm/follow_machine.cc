#include "tools/cache_warm/follow_machine.h"

#include <fmt/core.h>

#include <algorithm>

#include "cluster/model/slot.h"
#include "tools/client/command_text.h"

namespace hearth::warm {
namespace {

constexpr AckLedger::Note note_of(std::size_t mapping, bool is_delete) {
  return static_cast<AckLedger::Note>(mapping << 1 | (is_delete ? 1U : 0U));
}

}  // namespace

FollowMachine::FollowMachine(const std::vector<Mapping>& mappings, ChangeRouter& router,
                             FollowPort& port)
    : port_(port), router_(router), mappings_(mappings) {
  for (const auto& mapping : mappings) tallies_.emplace_back().name = mapping.name;
}

Result<void> FollowMachine::take(const Change& change, UnixMillis now) {
  if (change.kind == ChangeKind::kShape) return {};
  if (change.kind != ChangeKind::kCommit) {
    ++counts_.changes;
    has_rows_ = true;
    transaction_ = change.transaction;
    return router_.route(change, now, *this);
  }
  counts_.transactions += has_rows_ ? 1 : 0;
  has_rows_ = false;
  const AckLedger::Mark mark{change.position, change.committed};
  if (wanted_count_ > 0) {
    mark_ = mark;
  } else {
    ledger_.mark(mark.position, mark.committed);
  }
  return {};
}

Result<void> FollowMachine::put(std::size_t mapping, const Unit& unit) {
  if (unit.outcome == RowOutcome::kBad) reject(mapping, unit.key, unit.problem);
  for (const Write& one : unit.writes)
    HEARTH_TRY_VOID(submit(mapping, one.bytes, one.key, one.slot, one.is_delete));
  return {};
}

Result<void> FollowMachine::settle() {
  while (wanted_count_ > 0) {
    auto batches = std::move(wanted_);
    wanted_.clear();
    wanted_keys_.clear();
    wanted_count_ = 0;
    for (Batch& batch : batches) HEARTH_TRY_VOID(read_batch(batch));
    transactions_.clear();
  }
  if (!mark_) return {};
  ledger_.mark(mark_->position, mark_->committed);
  mark_.reset();
  return {};
}

Result<void> FollowMachine::read_batch(Batch& batch) {
  counts_.rows_read_again += batch.values.size();
  const auto take = [&](const Unit& unit) -> Result<void> {
    if (unit.outcome == RowOutcome::kBad) reject(batch.mapping, unit.key, unit.problem);
    for (const Write& one : unit.writes) {
      batch.keys.erase(std::string(one.key));
      HEARTH_TRY_VOID(submit(batch.mapping, one.bytes, one.key, one.slot, one.is_delete));
    }
    return {};
  };
  HEARTH_TRY_VOID(
      port_.read_rows(batch.mapping, *batch.columns, batch.values, transactions_, take));
  for (const auto& key : batch.keys) {
    command_.clear();
    client::append_command(command_, {"DEL", key});
    HEARTH_TRY_VOID(submit(batch.mapping, command_, key, cluster::slot_of(key), true));
  }
  return {};
}

// ---- effects ----

Result<void> FollowMachine::settle_key(std::string_view key) {
  if (wanted_count_ == 0 || !wanted_keys_.contains(std::string(key))) return {};
  return settle();
}

Result<void> FollowMachine::write(std::size_t mapping, const Write& write) {
  HEARTH_TRY_VOID(settle_key(write.key));
  return submit(mapping, write.bytes, write.key, write.slot, write.is_delete);
}

Result<void> FollowMachine::erase(std::size_t mapping, std::string_view key) {
  HEARTH_TRY_VOID(settle_key(key));
  command_.clear();
  client::append_command(command_, {"DEL", key});
  return submit(mapping, command_, key, cluster::slot_of(key), true);
}

Result<void> FollowMachine::read_again(std::size_t mapping, RowsWanted wanted) {
  const auto is_it = [&](const Batch& batch) {
    return batch.mapping == mapping && batch.columns == wanted.columns;
  };
  auto found = std::find_if(wanted_.begin(), wanted_.end(), is_it);
  if (found == wanted_.end()) {
    wanted_.push_back({.mapping = mapping, .columns = wanted.columns});
    found = wanted_.end() - 1;
  }
  std::string text;
  for (const auto& value : wanted.values) text += fmt::format("{}:{}", value.size(), value);
  for (auto& key : wanted.keys) {
    wanted_keys_.insert(key);
    found->keys.insert(std::move(key));
  }
  if (transactions_.empty() || transactions_.back() != transaction_)
    transactions_.push_back(transaction_);
  if (!found->seen.insert(std::move(text)).second) return {};
  found->values.push_back(std::move(wanted.values));
  ++wanted_count_;
  return wanted_count_ < kWantedMax ? Result<void>{} : settle();
}

// Deleting by a search must not overtake what was sent, and what follows must not overtake it.
Result<void> FollowMachine::erase_all(std::size_t mapping) {
  HEARTH_TRY_VOID(settle());
  HEARTH_TRY_VOID(sink_->finish(std::nullopt));
  HEARTH_TRY(const std::uint64_t count, port_.erase_keys(mapping));
  tallies_[mapping].keys_deleted += count;
  return {};
}

void FollowMachine::reject(std::size_t mapping, std::string_view key, std::string_view reason) {
  ++tallies_[mapping].rows_bad;
  port_.report(mapping, key, reason);
}

Result<void> FollowMachine::submit(std::size_t mapping, std::string_view bytes,
                                   std::string_view key, Slot slot, bool is_delete) {
  client::Operation operation;
  operation.bytes = bytes;
  operation.key = key;
  operation.slot = slot;
  operation.tag = ledger_.issue(note_of(mapping, is_delete));
  tallies_[mapping].bytes += bytes.size();
  ++tallies_[mapping].rows_read;
  return sink_->put(operation);
}

// ---- fates ----

void FollowMachine::on_done(std::uint64_t tag) {
  const AckLedger::Note note = ledger_.done(tag);
  MappingTally& tally = tallies_[note >> 1];
  ++tally.rows_stored;
  ++((note & 1) != 0 ? tally.keys_deleted : tally.keys_written);
}

void FollowMachine::on_refused(std::uint64_t tag, std::string_view key, std::string_view error) {
  const std::size_t mapping = ledger_.done(tag) >> 1;
  reject(mapping, key, fmt::format("the server refused it: {}", error));
}

}  // namespace hearth::warm

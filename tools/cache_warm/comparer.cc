#include "tools/cache_warm/comparer.h"

#include <fmt/core.h>

#include <algorithm>

#include "cluster/model/slot.h"
#include "src/base/hash.h"
#include "src/base/parse_number.h"
#include "tools/client/command_text.h"
#include "tools/warm_mapping/fingerprint.h"

namespace hearth::warm {
namespace {

constexpr std::uint64_t kKeySeed = 0x6b657973;

std::uint64_t key_hash(std::string_view key) { return hash_bytes(key, kKeySeed); }

// A glob that matches exactly the texts that begin with `prefix`.
std::string prefix_pattern(std::string_view prefix) {
  std::string out;
  for (const char c : prefix) {
    if (std::string_view("*?[]\\").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out + "*";
}

}  // namespace

std::string read_command(ValueKind kind, std::string_view key) {
  std::string out;
  switch (kind) {
    case ValueKind::kString:
    case ValueKind::kJson: client::append_command(out, {"GET", key}); break;
    case ValueKind::kHash: client::append_command(out, {"HGETALL", key}); break;
    case ValueKind::kList: client::append_command(out, {"LRANGE", key, "0", "-1"}); break;
    case ValueKind::kSet: client::append_command(out, {"SMEMBERS", key}); break;
    case ValueKind::kZset:
      client::append_command(out, {"ZRANGE", key, "0", "-1", "WITHSCORES"});
      break;
  }
  return out;
}

Result<std::optional<std::uint64_t>> fingerprint_of_reply(ValueKind kind, const RespValue& reply) {
  Fingerprint print(kind);
  if (kind == ValueKind::kString || kind == ValueKind::kJson) {
    if (reply.is_null()) return std::optional<std::uint64_t>{};
    print.add(reply.text());
    return std::optional(print.value());
  }
  const auto items = reply.items();
  if (items.empty()) return std::optional<std::uint64_t>{};
  const bool has_pairs = kind == ValueKind::kHash || kind == ValueKind::kZset;
  if (has_pairs && items.size() % 2 != 0)
    return fail(ErrorCode::kCorrupt, "an odd number of names and values");
  for (std::size_t i = 0; i < items.size(); i += has_pairs ? 2 : 1) {
    if (kind == ValueKind::kHash) {
      print.add_field(items[i].text(), items[i + 1].text());
    } else if (kind == ValueKind::kZset) {
      const auto score = parse_double(items[i + 1].text());
      if (!score) return fail(ErrorCode::kCorrupt, "a score that is no number");
      print.add_member(items[i].text(), *score);
    } else {
      print.add(items[i].text());
    }
  }
  return std::optional(print.value());
}

Result<void> Comparer::take(const Unit& unit, const UnitOrigin& origin) {
  for (const Write& write : unit.writes) {
    const std::uint64_t hash = key_hash(write.key);
    if (options_.remembers_keys && !write.is_delete) keys_.insert(hash);
    if (static_cast<double>(hash >> 11) * 0x1.0p-53 >= options_.sample) continue;
    Question& asked = questions_.emplace_back();
    if (options_.repair) asked.bytes = write.bytes;
    asked.key = write.key;
    asked.mapping = origin.mapping;
    asked.row = unit.first_row;
    asked.fingerprint = write.fingerprint;
    asked.slot = write.slot;
    asked.kind = write.kind;
    asked.is_delete = write.is_delete;
    const std::string bytes = read_command(write.kind, write.key);
    client::Operation operation;
    operation.bytes = bytes;
    operation.key = std::string_view(bytes).substr(bytes.find(write.key), write.key.size());
    operation.slot = write.slot;
    operation.tag = first_tag_ + questions_.size() - 1;
    operation.capture = true;
    HEARTH_TRY_VOID(client_->submit(operation));
  }
  tally_.rows_stored += unit.rows;
  return send_repairs();
}

Result<void> Comparer::send_repairs() {
  while (!repairs_.empty()) {
    Question repair = std::move(repairs_.front());
    repairs_.pop_front();
    const std::string bytes = repair.bytes;
    questions_.push_back(std::move(repair));
    client::Operation operation;
    operation.bytes = bytes;
    operation.key = std::string_view(bytes).substr(bytes.find(questions_.back().key),
                                                   questions_.back().key.size());
    operation.slot = questions_.back().slot;
    operation.tag = first_tag_ + questions_.size() - 1;
    HEARTH_TRY_VOID(client_->submit(operation));
  }
  return {};
}

Result<void> Comparer::idle(milliseconds wait) {
  client_->flush();
  return client_->turn(wait);
}

Result<void> Comparer::settle(std::optional<milliseconds> limit) {
  do {
    HEARTH_TRY_VOID(send_repairs());
    HEARTH_TRY_VOID(client_->drain(limit));
  } while (!repairs_.empty());
  return {};
}

void Comparer::on_done(std::uint64_t tag) {
  ++tally_.keys_repaired;
  end(question(tag));
}

void Comparer::on_reply(std::uint64_t tag, RespValue reply) {
  Question& asked = question(tag);
  const auto found = fingerprint_of_reply(asked.kind, reply);
  if (!found) {
    judge(asked, 0, found.error().context);
  } else {
    judge(asked, *found, "");
  }
}

void Comparer::on_refused(std::uint64_t tag, std::string_view, std::string_view error) {
  Question& asked = question(tag);
  if (asked.is_repair) {
    job_.rejects.add({job_.plan.mappings[asked.mapping].name, asked.row, asked.key,
                      fmt::format("the server refused it: {}", error)});
    return end(asked);
  }
  judge(asked, 0, error);
}

// `found` 0 is a value that cannot be compared, because it has another type.
void Comparer::judge(Question& asked, std::optional<std::uint64_t> found, std::string_view why) {
  const bool is_same = asked.is_delete ? !found : found && *found == asked.fingerprint;
  if (is_same) {
    ++tally_.keys_same;
    return end(asked);
  }
  const bool is_missing = !found.has_value();
  ++(is_missing ? tally_.keys_missing : tally_.keys_different);
  if (options_.repair) {
    Question repair = asked;
    repair.is_repair = true;
    repairs_.push_back(std::move(repair));
  } else {
    job_.rejects.add({job_.plan.mappings[asked.mapping].name, asked.row, asked.key,
                      is_missing        ? std::string_view("missing in the cache")
                      : asked.is_delete ? std::string_view("deleted, and still in the cache")
                      : why.empty()     ? std::string_view("different in the cache")
                                        : why});
  }
  end(asked);
}

void Comparer::end(Question& asked) {
  asked.is_answered = true;
  while (!questions_.empty() && questions_.front().is_answered) {
    questions_.pop_front();
    ++first_tag_;
  }
}

Result<std::uint64_t> count_orphans(const OrphanSearch& search, const Clock& clock,
                                    const std::atomic<bool>& interrupt, const Mapping& mapping,
                                    const std::unordered_set<std::uint64_t>& keys,
                                    const std::function<void(std::string_view key)>& tell) {
  class Silent final : public client::CompletionSink {
   public:
    void on_done(std::uint64_t) override {}
    void on_reply(std::uint64_t, RespValue) override {}
    void on_refused(std::uint64_t, std::string_view, std::string_view) override {}
  } silent;
  std::uint64_t count = 0;
  for (const Output& output : mapping.outputs) {
    const std::string pattern = prefix_pattern(output.key.prefix());
    for (const auto& node : search.nodes) {
      client::DispatcherOptions options = search.options;
      options.seeds = {node};
      options.single = true;
      client::Client client(std::move(options), clock, silent, &interrupt);
      HEARTH_TRY_VOID(client.connect());
      std::string cursor = "0";
      do {
        HEARTH_TRY(const RespValue reply,
                   client.call({"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"}));
        const auto parts = reply.items();
        if (parts.size() != 2) {
          return fail(ErrorCode::kIo, fmt::format("{}: SCAN: {}", node.str(), reply.text()));
        }
        cursor = parts[0].text();
        for (const auto& found : parts[1].items()) {
          if (keys.contains(key_hash(found.text()))) continue;
          ++count;
          tell(found.text());
          if (search.removes) HEARTH_TRY_VOID(client.call({"DEL", found.text()}, found.text()));
        }
      } while (cursor != "0");
    }
  }
  return count;
}

}  // namespace hearth::warm

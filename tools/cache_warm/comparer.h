// Compares what the cache holds with what the rows say, and mends it on request.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "tools/cache_warm/consumer.h"
#include "tools/cache_warm/job.h"
#include "tools/client/client.h"
#include "tools/warm_mapping/mapping.h"

namespace hearth::warm {

// The fingerprint of a value as a server answers it; nothing for an absent key. Errors: kCorrupt:
// the answer has another shape.
Result<std::optional<std::uint64_t>> fingerprint_of_reply(ValueKind kind, const RespValue& reply);

// The command that reads a value of that kind.
[[nodiscard]] std::string read_command(ValueKind kind, std::string_view key);

class Comparer final : public UnitConsumer, public client::CompletionSink {
 public:
  struct Options {
    bool repair = false;          // keys that are missing or different are written
    double sample = 1;            // of the keys, chosen by their hash
    bool remembers_keys = false;  // for the search for orphans; 8 bytes and more a key
  };
  Comparer(Job& job, Options options) : job_(job), options_(options) {}
  void ask(client::Client& client) { client_ = &client; }

  Result<void> take(const Unit& unit, const UnitOrigin& origin) override;
  Result<void> idle(milliseconds wait) override;
  Result<void> settle(std::optional<milliseconds> limit) override;
  MappingTally collect() override { return std::exchange(tally_, MappingTally{}); }

  void on_done(std::uint64_t tag) override;
  void on_reply(std::uint64_t tag, RespValue reply) override;
  void on_refused(std::uint64_t tag, std::string_view key, std::string_view error) override;

  // The hashes of all keys that rows map to.
  [[nodiscard]] const std::unordered_set<std::uint64_t>& keys() const { return keys_; }

 private:
  struct Question {
    std::string bytes;  // of the write, when it may be needed
    std::string key;
    std::size_t mapping = 0;
    std::uint64_t row = 0;
    std::uint64_t fingerprint = 0;
    Slot slot = 0;
    ValueKind kind = ValueKind::kString;
    bool is_delete = false;
    bool is_repair = false;
    bool is_answered = false;
  };
  Question& question(std::uint64_t tag) {
    return questions_[static_cast<std::size_t>(tag - first_tag_)];
  }
  void judge(Question& asked, std::optional<std::uint64_t> found, std::string_view why);
  void end(Question& asked);
  Result<void> send_repairs();

  Job& job_;
  Options options_;
  client::Client* client_ = nullptr;
  std::deque<Question> questions_;  // by tag, from first_tag_ on
  std::uint64_t first_tag_ = 0;
  std::deque<Question> repairs_;  // to be written when the stack is clear
  std::unordered_set<std::uint64_t> keys_;
  MappingTally tally_;
};

// Looks through the keys of the nodes for those that begin like the mapping's keys and belong to no
// row. Removes them when `removes`. Errors: kIo, kBusy.
struct OrphanSearch {
  client::DispatcherOptions options;
  std::vector<client::Endpoint> nodes;
  bool removes = false;
};
Result<std::uint64_t> count_orphans(const OrphanSearch& search, const Clock& clock,
                                    const std::atomic<bool>& interrupt, const Mapping& mapping,
                                    const std::unordered_set<std::uint64_t>& keys,
                                    const std::function<void(std::string_view key)>& tell);

}  // namespace hearth::warm

// Sends the writes of units and keeps account of them until every one has its answer.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tools/cache_warm/consumer.h"
#include "tools/cache_warm/job.h"
#include "tools/cache_warm/sink.h"

namespace hearth::warm {

class Sender final : public UnitConsumer, public client::CompletionSink {
 public:
  explicit Sender(Job& job) : job_(job) {}
  // The sink tells fates to this object; so it is made after it.
  void send_to(RowSink& sink) { sink_ = &sink; }

  Result<void> take(const Unit& unit, const UnitOrigin& origin) override;
  Result<void> idle(milliseconds wait) override { return sink_->idle(wait); }
  Result<void> settle(std::optional<milliseconds> limit) override { return sink_->finish(limit); }
  MappingTally collect() override { return std::exchange(tally_, MappingTally{}); }

  void on_done(std::uint64_t tag) override;
  void on_kept(std::uint64_t tag) override;
  void on_reply(std::uint64_t tag, RespValue) override { on_done(tag); }
  void on_refused(std::uint64_t tag, std::string_view key, std::string_view error) override;

 private:
  // A write that is on its way. The last one of its unit stands for the rows of the unit.
  struct Entry {
    std::uint64_t holder = 0;  // the tag of that last one
    std::uint64_t rows = 0;    // of the holder: those of the unit; of others 0
    std::uint64_t first_row = 0;
    std::uint32_t mapping = 0;
    bool is_done = false;
    bool is_bad = false;
    bool is_delete = false;
    bool only_if_absent = false;
    std::unique_ptr<const std::vector<std::string>> primary_key;
  };

  Entry& entry(std::uint64_t tag) { return entries_[static_cast<std::size_t>(tag - first_tag_)]; }
  void end(Entry& entry);

  Job& job_;
  RowSink* sink_ = nullptr;
  std::deque<Entry> entries_;    // by tag, from first_tag_ on
  std::uint64_t first_tag_ = 0;  // everything before is answered
  MappingTally tally_;
};

}  // namespace hearth::warm

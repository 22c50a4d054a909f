// The load itself: every mapping of a plan, from the source to the sink.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "src/base/time.h"
#include "tools/cache_warm/mapping.h"
#include "tools/cache_warm/progress.h"
#include "tools/cache_warm/rate_limit.h"
#include "tools/cache_warm/rejects.h"
#include "tools/cache_warm/row_encoder.h"
#include "tools/cache_warm/sink.h"
#include "tools/cache_warm/source.h"

namespace hearth::warm {

struct MappingTally {
  std::string name;
  std::uint64_t rows_read = 0;
  std::uint64_t rows_stored = 0;   // acknowledged by the server
  std::uint64_t rows_bad = 0;      // not encodable, or refused by the server
  std::uint64_t rows_expired = 0;  // their time to live was over
  std::uint64_t bytes = 0;         // of the commands
  double seconds = 0;
};

enum class LoadEnd : std::uint8_t {
  kComplete,
  kInterrupted,
  kTooManyErrors,
  kSourceFailed,
  kTargetFailed
};

struct LoadReport {
  LoadEnd end = LoadEnd::kComplete;
  std::string reason;                  // of a failure
  std::vector<MappingTally> mappings;  // those that were begun
  double seconds = 0;

  [[nodiscard]] MappingTally total() const;
  // Rows read that are neither stored, nor bad, nor expired: their fate is not known.
  [[nodiscard]] std::uint64_t unconfirmed() const;
};

class Loader final : public client::CompletionSink {
 public:
  Loader(const WarmPlan& plan, const Clock& clock, Progress& progress, RejectLog& rejects,
         const std::atomic<bool>& interrupt)
      : plan_(plan), clock_(clock), progress_(progress), rejects_(rejects), interrupt_(interrupt) {}

  // Reads everything and waits for every answer. An interrupt stops the reading; what was sent is
  // still waited for, a few seconds at most.
  LoadReport run(Source& source, RowSink& sink);

  // Reads everything and stores nothing; prints the first `shown` keys and values of each mapping.
  LoadReport dry_run(Source& source, std::uint64_t shown);

  void on_done(std::uint64_t tag) override;
  void on_reply(std::uint64_t, RespValue) override {}
  void on_refused(std::uint64_t tag, std::string_view key, std::string_view error) override;

 private:
  // Ends a mapping early, with the reason in the report. Empty: go on.
  struct Stop {
    LoadEnd end;
    std::string reason;
  };
  using MaybeStop = std::optional<Stop>;

  MaybeStop load_mapping(std::size_t index, Source& source, RowSink& sink);
  MaybeStop load_part(std::size_t index, Source& source, const Partition& part, RowSink& sink);
  MaybeStop wait_for_rate(RateLimit& limit, RowSink& sink);
  void reject(std::size_t mapping, std::uint64_t row, std::string_view key,
              std::string_view reason);
  void show_progress(const MappingTally& tally, MonoTime now);
  [[nodiscard]] static Stop target_stop(const Error& error);

  const WarmPlan& plan_;
  const Clock& clock_;
  Progress& progress_;
  RejectLog& rejects_;
  const std::atomic<bool>& interrupt_;
  LoadReport report_;
};

}  // namespace hearth::warm

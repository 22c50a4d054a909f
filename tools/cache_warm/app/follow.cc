#include "tools/cache_warm/app/follow.h"

#include <fmt/core.h>

#include "tools/cache_warm/summary.h"

namespace hearth::warm {
namespace {

Result<std::unique_ptr<ChangeStream>> open_stream(const ChangeRouter& router,
                                                  const std::string& name,
                                                  const SourceOptions& source, const Clock& clock) {
  FollowOptions options;
  options.source = source;
  options.name = name;
  options.tables = router.tables();
  options.clock = &clock;
  return open_change_stream(options);
}

// Adds the things that the database lacks to `missing`, also when a mapping is refused.
Result<void> look_for_missing(const WarmPlan& plan, const std::string& name,
                              const SourceOptions& source, const Clock& clock,
                              std::vector<std::string>& missing) {
  HEARTH_TRY(auto router, ChangeRouter::make(plan.mappings));
  if (router.is_empty()) return {};
  HEARTH_TRY(const auto stream, open_stream(router, name, source, clock));
  HEARTH_TRY(missing, stream->missing());
  for (std::size_t i = 0; i < router.tables().size(); ++i)
    HEARTH_TRY_VOID(router.set_shape(i, stream->shape(i)));
  return {};
}

class NobodyAsks final : public client::CompletionSink {
 public:
  void on_done(std::uint64_t) override {}
  void on_reply(std::uint64_t, RespValue) override {}
  void on_refused(std::uint64_t, std::string_view, std::string_view) override {}
};

}  // namespace

int check_follow(const WarmPlan& plan, const std::string& name, const SourceOptions& source,
                 const Clock& clock, bool& is_well) {
  std::vector<std::string> missing;
  const auto looked = look_for_missing(plan, name, source, clock, missing);
  if (!looked) fmt::print("follow:\n  {}\n", looked.error().context);
  if (!missing.empty()) fmt::print("follow needs what is missing here (a load does not):\n");
  for (const auto& statement : missing) fmt::print("{}\n", statement);
  is_well = is_well && looked && missing.empty();
  return kExitAllStored;
}

Result<void> drop_follow(const WarmPlan& plan, const std::string& name, const SourceOptions& source,
                         const Clock& clock) {
  HEARTH_TRY(const auto router, ChangeRouter::make(plan.mappings));
  HEARTH_TRY(const auto stream, open_stream(router, name, source, clock));
  HEARTH_TRY_VOID(stream->drop());
  NobodyAsks nobody;
  client::Client target(client_options(plan.target, 1), clock, nobody, source.interrupt);
  HEARTH_TRY_VOID(target.connect());
  return drop_follow_state(target, name);
}

std::vector<Gauge> follow_gauges(const FollowStatus& status) {
  return {
      {"cache_warm_follow_streaming", "1 while changes are taken.",
       status.is_streaming ? 1.0 : 0.0},
      {"cache_warm_follow_lag_bytes", "Bytes of the database's log that are not acknowledged.",
       static_cast<double>(status.lag_bytes)},
      {"cache_warm_follow_lag_seconds", "Age of the oldest commit that is not acknowledged.",
       status.lag_seconds},
      {"cache_warm_follow_changes", "Changes of rows since the start.",
       static_cast<double>(status.counts.changes)},
      {"cache_warm_follow_transactions", "Commits with changes since the start.",
       static_cast<double>(status.counts.transactions)},
      {"cache_warm_follow_rows_read_again", "Rows read again for a change.",
       static_cast<double>(status.counts.rows_read_again)},
      {"cache_warm_follow_loads", "Loads since the start.", static_cast<double>(status.loads)},
      {"cache_warm_follow_reconnects", "Lost connections since the start.",
       static_cast<double>(status.reconnects)},
  };
}

std::string follow_text(const FollowStatus& status) {
  MappingTally sum;
  for (const auto& tally : status.tallies) sum.add(tally);
  return fmt::format(
      "followed {} changes in {} transactions: {} keys written, {} deleted, {} bad; saved position "
      "{}\n",
      grouped(status.counts.changes), grouped(status.counts.transactions),
      grouped(sum.keys_written), grouped(sum.keys_deleted), grouped(sum.rows_bad), status.position);
}

std::string follow_json(const LoadReport& report, const FollowStatus& status) {
  std::string text = summary_json(report);
  // The object of a load, with what only `follow` has.
  text.resize(text.rfind('}'));
  std::string members;
  for (const Gauge& gauge : follow_gauges(status))
    members += fmt::format(",\"{}\":{}", std::string_view(gauge.name).substr(11), gauge.value);
  return fmt::format("{}{},\"position\":\"{}\"}}\n", text, members, status.position);
}

}  // namespace hearth::warm

#include "tools/cache_warm/summary.h"

#include <fmt/core.h>

#include "tools/cache_warm/json.h"
#include "tools/cache_warm/progress.h"

namespace hearth::warm {
namespace {

std::string_view end_word(LoadEnd end) {
  switch (end) {
    case LoadEnd::kComplete: return "complete";
    case LoadEnd::kInterrupted: return "interrupted";
    case LoadEnd::kTooManyErrors: return "too_many_errors";
    case LoadEnd::kSourceFailed: return "source_failed";
    case LoadEnd::kTargetFailed: return "target_failed";
  }
  return "";
}

double per_second(std::uint64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

std::string json_text(std::string_view text) {
  Buffer out;
  if (!append_json_string(out, text)) return "\"(not UTF-8)\"";
  return std::string(out.view());
}

std::string tally_json(const MappingTally& tally, double seconds) {
  return fmt::format(
      "\"rows_read\":{},\"rows_stored\":{},\"rows_bad\":{},\"rows_expired\":{},\"bytes\":{},"
      "\"seconds\":{:.6f},"
      "\"rows_per_second\":{:.0f}",
      tally.rows_read, tally.rows_stored, tally.rows_bad, tally.rows_expired, tally.bytes, seconds,
      per_second(tally.rows_stored, seconds));
}

}  // namespace

ExitCode exit_code_of(const LoadReport& report) {
  switch (report.end) {
    case LoadEnd::kInterrupted: return kExitInterrupted;
    case LoadEnd::kTooManyErrors: return kExitTooManyErrors;
    case LoadEnd::kSourceFailed: return kExitSource;
    case LoadEnd::kTargetFailed: return kExitTarget;
    case LoadEnd::kComplete: break;
  }
  return report.total().rows_bad > 0 ? kExitSomeBad : kExitAllStored;
}

std::string summary_text(const LoadReport& report) {
  std::string text;
  for (const auto& one : report.mappings) {
    text +=
        fmt::format("{}: {} rows read, {} stored in {:.2f} s ({} rows/s, {:.1f} MB/s)", one.name,
                    grouped(one.rows_read), grouped(one.rows_stored), one.seconds,
                    grouped(static_cast<std::uint64_t>(per_second(one.rows_stored, one.seconds))),
                    per_second(one.bytes, one.seconds) / 1e6);
    if (one.rows_bad > 0) text += fmt::format(", {} bad", grouped(one.rows_bad));
    if (one.rows_expired > 0)
      text += fmt::format(", {} already expired", grouped(one.rows_expired));
    text += '\n';
  }
  if (report.end != LoadEnd::kComplete) text += fmt::format("stopped: {}\n", report.reason);
  if (const auto open = report.unconfirmed(); open > 0) {
    text += fmt::format("{} rows were sent and not confirmed\n", grouped(open));
  }
  return text;
}

std::string summary_json(const LoadReport& report, const client::DispatcherCounters& counters,
                         std::size_t nodes) {
  std::string mappings;
  for (const auto& one : report.mappings) {
    mappings += fmt::format("{}{{\"name\":{},{}}}", mappings.empty() ? "" : ",",
                            json_text(one.name), tally_json(one, one.seconds));
  }
  return fmt::format(
      "{{\"result\":\"{}\",\"exit_code\":{},\"reason\":{},{},\"rows_unconfirmed\":{},\"nodes\":{},"
      "\"retried\":{},"
      "\"moved\":{},\"asked\":{},\"postponed\":{},\"connections_lost\":{},\"mappings\":[{}]}}\n",
      end_word(report.end), static_cast<int>(exit_code_of(report)), json_text(report.reason),
      tally_json(report.total(), report.seconds), report.unconfirmed(), nodes, counters.retried,
      counters.moved, counters.asked, counters.postponed, counters.links_lost, mappings);
}

}  // namespace hearth::warm

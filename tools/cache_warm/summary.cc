#include "tools/cache_warm/summary.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

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
    case LoadEnd::kRefused: return "refused";
    case LoadEnd::kMemoryFull: return "memory_full";
    case LoadEnd::kDataLost: return "data_lost";
  }
  return "";
}

double per_second(std::uint64_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

nlohmann::ordered_json tally_json(const MappingTally& tally, double seconds) {
  return {{"rows_read", tally.rows_read},
          {"rows_stored", tally.rows_stored},
          {"rows_bad", tally.rows_bad},
          {"rows_expired", tally.rows_expired},
          {"rows_skipped", tally.rows_skipped},
          {"rows_resumed", tally.rows_resumed},
          {"rows_hot", tally.rows_hot},
          {"rows_again", tally.rows_again},
          {"keys_written", tally.keys_written},
          {"keys_deleted", tally.keys_deleted},
          {"keys_kept", tally.keys_kept},
          {"keys_same", tally.keys_same},
          {"keys_missing", tally.keys_missing},
          {"keys_different", tally.keys_different},
          {"keys_orphaned", tally.keys_orphaned},
          {"keys_repaired", tally.keys_repaired},
          {"bytes", tally.bytes},
          {"seconds", seconds},
          {"rows_per_second", static_cast<std::uint64_t>(per_second(tally.rows_stored, seconds))}};
}

std::string load_line(const MappingTally& one) {
  std::string text =
      fmt::format("{}: {} rows read, {} stored in {:.2f} s ({} rows/s, {:.1f} MB/s)", one.name,
                  grouped(one.rows_read), grouped(one.rows_stored), one.seconds,
                  grouped(static_cast<std::uint64_t>(per_second(one.rows_stored, one.seconds))),
                  per_second(one.bytes, one.seconds) / 1e6);
  const auto also = [&](std::uint64_t count, std::string_view what) {
    if (count > 0) text += fmt::format(", {} {}", grouped(count), what);
  };
  also(one.rows_hot, "hot rows came first");
  also(one.rows_again, "read again");
  also(one.rows_resumed, "stored before");
  also(one.rows_bad, "bad");
  also(one.rows_expired, "already expired");
  also(one.rows_skipped, "passed over");
  also(one.keys_deleted, "keys deleted");
  also(one.keys_kept, "keys kept");
  return text;
}

std::string comparison_line(const MappingTally& one) {
  std::string text = fmt::format("{}: {} rows read, {} keys the same, {} missing, {} different",
                                 one.name, grouped(one.rows_read), grouped(one.keys_same),
                                 grouped(one.keys_missing), grouped(one.keys_different));
  if (one.keys_orphaned > 0) text += fmt::format(", {} orphans", grouped(one.keys_orphaned));
  if (one.keys_repaired > 0) text += fmt::format(", {} repaired", grouped(one.keys_repaired));
  return text;
}

}  // namespace

ExitCode exit_code_of(const LoadReport& report) {
  switch (report.end) {
    case LoadEnd::kInterrupted: return kExitInterrupted;
    case LoadEnd::kTooManyErrors: return kExitTooManyErrors;
    case LoadEnd::kSourceFailed: return kExitSource;
    case LoadEnd::kTargetFailed: return kExitTarget;
    case LoadEnd::kRefused: return kExitUsage;
    case LoadEnd::kMemoryFull:
    case LoadEnd::kDataLost: return kExitKeysLost;
    case LoadEnd::kComplete: break;
  }
  const MappingTally sum = report.total();
  const std::uint64_t wrong = sum.keys_missing + sum.keys_different + sum.keys_orphaned;
  return sum.rows_bad > 0 || wrong > sum.keys_repaired ? kExitSomeBad : kExitAllStored;
}

std::string summary_text(const LoadReport& report, bool compares) {
  std::string text;
  for (const auto& one : report.mappings)
    text += (compares ? comparison_line(one) : load_line(one)) + "\n";
  if (report.reloads > 0)
    text += fmt::format("{} nodes restarted; their keys were loaded again\n", report.restarts);
  if (report.source_losses > 0)
    text += fmt::format("the database was lost and reached again {} times\n", report.source_losses);
  if (report.keys_evicted > 0)
    text += fmt::format("{} keys were evicted meanwhile\n", grouped(report.keys_evicted));
  if (report.end != LoadEnd::kComplete) text += fmt::format("stopped: {}\n", report.reason);
  if (const auto open = report.unconfirmed(); open > 0) {
    text += fmt::format("{} rows were sent and not confirmed\n", grouped(open));
  }
  return text;
}

std::string summary_json(const LoadReport& report) {
  nlohmann::ordered_json out = {{"result", end_word(report.end)},
                                {"exit_code", static_cast<int>(exit_code_of(report))},
                                {"reason", report.reason}};
  out.update(tally_json(report.total(), report.seconds));
  out["rows_unconfirmed"] = report.unconfirmed();
  out["nodes"] = report.nodes;
  out["nodes_restarted"] = report.restarts;
  out["reloads"] = report.reloads;
  out["source_losses"] = report.source_losses;
  out["keys_evicted"] = report.keys_evicted;
  out["retried"] = report.counters.retried;
  out["moved"] = report.counters.moved;
  out["asked"] = report.counters.asked;
  out["postponed"] = report.counters.postponed;
  out["repeated"] = report.counters.repeated;
  out["connections_lost"] = report.counters.links_lost;
  out["notes"] = report.notes;
  out["mappings"] = nlohmann::ordered_json::array();
  for (const auto& one : report.mappings) {
    nlohmann::ordered_json entry = {{"name", one.name}};
    entry.update(tally_json(one, one.seconds));
    out["mappings"].push_back(std::move(entry));
  }
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace hearth::warm

#include "tools/cache_warm/node_info.h"

#include <algorithm>

#include "src/base/parse_number.h"

namespace hearth::warm {
namespace {

constexpr int kSlowPings = 3;
constexpr double kSlower = 0.7;
constexpr double kFaster = 1.1;
constexpr double kLeastRate = 200;
// A limit so far above what is sent limits nothing.
constexpr double kNoLimit = 3;

// "db0:keys=12,expires=0,..."
std::uint64_t keys_in(std::string_view value) {
  constexpr std::string_view kKeys = "keys=";
  if (!value.starts_with(kKeys)) return 0;
  value.remove_prefix(kKeys.size());
  return parse_uint64(value.substr(0, value.find(','))).value_or(0);
}

}  // namespace

std::optional<NodeInfo> parse_node_info(std::string_view text) {
  NodeInfo info;
  bool is_info = false;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = line.substr(colon + 1);
    const auto number = parse_uint64(value).value_or(0);
    if (name == "run_id") {
      info.run_id = value;
      is_info = true;
    } else if (name == "evicted_keys") {
      info.evicted_keys = number;
    } else if (name == "used_memory") {
      info.used_memory = number;
    } else if (name == "maxmemory") {
      info.max_memory = number;
    } else if (name == "maxmemory_policy") {
      info.policy = value;
    } else if (name.starts_with("db") && value.starts_with("keys=")) {
      info.keys += keys_in(value);
    }
  }
  return is_info ? std::optional(std::move(info)) : std::nullopt;
}

double Pacer::next(microseconds slowest_ping, double rows_per_second) {
  if (slowest_ping > limit_) {
    if (++slow_in_a_row_ < kSlowPings) return rate_;
    const double now =
        rate_ > 0 ? std::min(rate_, std::max(rows_per_second, kLeastRate)) : rows_per_second;
    return rate_ = std::max(kLeastRate, now * kSlower);
  }
  slow_in_a_row_ = 0;
  if (rate_ == 0) return 0;
  rate_ *= kFaster;
  if (rate_ > std::max(kLeastRate * kNoLimit, rows_per_second * kNoLimit)) rate_ = 0;
  return rate_;
}

}  // namespace hearth::warm

#include "tools/warm_mapping/ttl.h"

#include <algorithm>
#include <array>
#include <utility>

#include "src/base/hash.h"
#include "src/base/parse_number.h"

namespace hearth::warm {
namespace {

constexpr std::int64_t kLongestMs = std::int64_t{100} * 366 * 86'400'000;
// Fixed, so that every run of every build computes the same times.
constexpr std::uint64_t kJitterSeed = 0x7472656d626c6573ULL;

struct TimeUnit {
  std::string_view name;
  std::int64_t ms;
};
constexpr std::array<TimeUnit, 5> kUnits{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};

}  // namespace

std::optional<milliseconds> parse_duration(std::string_view text) {
  std::int64_t total = 0;
  std::int64_t smallest = kLongestMs + 1;
  while (!text.empty()) {
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    const auto letters = std::min(text.find_first_of("0123456789", digits), text.size()) - digits;
    const auto number = parse_uint64(text.substr(0, digits));
    const auto name = text.substr(digits, letters);
    const auto unit = std::find_if(kUnits.begin(), kUnits.end(),
                                   [&](const TimeUnit& u) { return u.name == name; });
    if (!number || unit == kUnits.end() || unit->ms >= smallest) return std::nullopt;
    if (*number > static_cast<std::uint64_t>((kLongestMs - total) / unit->ms)) return std::nullopt;
    total += static_cast<std::int64_t>(*number) * unit->ms;
    smallest = unit->ms;
    text.remove_prefix(digits + letters);
  }
  if (total == 0) return std::nullopt;
  return milliseconds{total};
}

std::optional<double> parse_percent(std::string_view text) {
  if (!text.ends_with('%')) return std::nullopt;
  const auto number = parse_double(text.substr(0, text.size() - 1));
  if (!number || *number < 0 || *number > 100) return std::nullopt;
  return *number / 100;
}

milliseconds jittered_ttl(milliseconds ttl, double fraction, std::string_view key) {
  if (fraction <= 0) return ttl;
  // 53 bits of the hash as a number in [-1, 1).
  const double unit = static_cast<double>(hash_bytes(key, kJitterSeed) >> 11) * 0x1.0p-52 - 1.0;
  const auto shift = static_cast<std::int64_t>(static_cast<double>(ttl.count()) * fraction * unit);
  return milliseconds{std::max<std::int64_t>(1, ttl.count() + shift)};
}

}  // namespace hearth::warm

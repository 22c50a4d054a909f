#include "tools/warm_mapping/lifetime.h"

#include <cmath>

#include "src/base/parse_number.h"
#include "tools/warm_mapping/civil_time.h"
#include "tools/warm_mapping/ttl.h"

namespace hearth::warm {
namespace {

constexpr double kLongestSeconds = 100.0 * 366 * 86'400;
// Points in time up to about the year 5138, in seconds since 1970.
constexpr double kLatestSeconds = 1e11;
constexpr std::int64_t kMsPerDay = 86'400'000;

std::optional<double> seconds_of(const Cell& cell) {
  switch (cell.type) {
    case CellType::kInteger: return static_cast<double>(cell.integer);
    case CellType::kUnsigned: return static_cast<double>(cell.as_unsigned());
    case CellType::kReal: return cell.real;
    case CellType::kDecimal:
    case CellType::kText: return parse_double(cell.bytes);
    default: return std::nullopt;
  }
}

// A point in time in milliseconds since 1970; kForever for one that never comes.
std::optional<std::int64_t> deadline_of(const Cell& cell) {
  const bool endless = cell.integer == kForever;
  switch (cell.type) {
    case CellType::kDate: return endless ? kForever : cell.integer * kMsPerDay;
    case CellType::kTimestamp:
    case CellType::kTimestampTz: return endless ? kForever : cell.integer / 1000;
    default: break;
  }
  if (const auto number = seconds_of(cell)) {
    if (!(std::fabs(*number) <= kLatestSeconds)) return std::nullopt;
    return static_cast<std::int64_t>(*number * 1000);
  }
  if (cell.type != CellType::kText) return std::nullopt;
  const auto micros = parse_timestamp(cell.bytes);
  if (!micros) return std::nullopt;
  return *micros / 1000;
}

}  // namespace

std::optional<Lifetime> lifetime_of(const Output& output, const Cell& cell, std::string_view key,
                                    UnixMillis now) {
  Lifetime life;
  life.length = output.ttl;
  if (!cell.is_null() && !output.expires_at.empty()) {
    const auto deadline = deadline_of(cell);
    if (!deadline) return std::nullopt;
    life.length.reset();
    if (*deadline != kForever) life.deadline = UnixMillis{*deadline};
    life.is_over = *deadline <= now.ms;
    return life;
  }
  if (!cell.is_null() && !output.ttl_column.empty()) {
    const auto length = seconds_of(cell);
    if (!length || !(std::fabs(*length) <= kLongestSeconds)) return std::nullopt;
    life.length = milliseconds{static_cast<std::int64_t>(*length * 1000)};
    life.is_over = life.length->count() <= 0;
  }
  if (life.length && !life.is_over)
    life.length = jittered_ttl(*life.length, output.ttl_jitter, key);
  return life;
}

}  // namespace hearth::warm

// What the user sees while rows move.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/time.h"

namespace hearth::warm {

// "1,234,567"
[[nodiscard]] std::string grouped(std::uint64_t number);
// "0:07", "12:34", "1:02:03"
[[nodiscard]] std::string clock_text(seconds length);

struct ProgressState {
  std::string_view name;
  std::uint64_t rows = 0;  // done: stored, bad or skipped
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> rows_expected;
  double rows_per_second = 0;  // of the last moments
  double bytes_per_second = 0;
  double average_rate = 0;  // rows per second since the start, which the ETA goes by
  std::uint64_t bad = 0;
};
// One line without its end: with a bar for terminals, without one for logs.
[[nodiscard]] std::string progress_text(const ProgressState& state, bool with_bar);

enum class ProgressStyle : std::uint8_t { kBar, kLines, kSilent };

// Prints to stderr: a bar that redraws itself ten times a second, or a line every five seconds.
class Progress {
 public:
  explicit Progress(ProgressStyle style) : style_(style) {}

  void begin(std::string_view name, std::optional<std::uint64_t> rows_expected, MonoTime now);
  void update(std::uint64_t rows, std::uint64_t bytes, std::uint64_t bad, MonoTime now);
  void end();
  // Removes the bar, so that other text can be printed; the next update draws it again.
  void clear();

 private:
  ProgressStyle style_;
  std::string name_;
  std::optional<std::uint64_t> rows_expected_;
  MonoTime begun_{};
  MonoTime shown_at_{};
  std::uint64_t shown_rows_ = 0;
  std::uint64_t shown_bytes_ = 0;
  bool drawn_ = false;
};

}  // namespace hearth::warm

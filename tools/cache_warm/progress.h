// The progress line, while rows move and while they do not.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <mutex>
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
  std::string name;
  std::uint64_t rows = 0;  // done: stored, bad or passed over
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> rows_expected;
  double rows_per_second = 0;  // of the last moments
  double bytes_per_second = 0;
  double average_rate = 0;  // rows per second since the start, which the ETA goes by
  std::uint64_t bad = 0;
  std::string waiting;  // what for; empty: rows move
  std::string note;     // stands at the end of the line
};
// One line without its end, of at most `width` characters: what matters least is left out first.
// With a bar for terminals, without one for logs.
[[nodiscard]] std::string progress_text(const ProgressState& state, bool with_bar,
                                        std::size_t width);

enum class ProgressStyle : std::uint8_t { kBar, kLines, kSilent };

// Prints to stderr: a bar that redraws itself ten times a second, or a line every five seconds, and
// at once when something is waited for. Any thread may print a line; one ticks.
class Progress {
 public:
  // `width` tells how many columns the terminal has now.
  Progress(ProgressStyle style, std::function<std::size_t()> width)
      : style_(style), width_(std::move(width)) {}

  void begin(std::string_view name, std::optional<std::uint64_t> rows_expected, MonoTime now);
  void update(std::uint64_t rows, std::uint64_t bytes, std::uint64_t bad, std::string waiting,
              MonoTime now);
  // Shown at the end of the line from now on.
  void note(std::string text);
  // A line of its own; the bar is drawn again with the next update.
  void print(std::string_view line);
  void end();

 private:
  void clear_bar();
  ProgressStyle style_;
  std::function<std::size_t()> width_;
  std::mutex mutex_;
  std::string name_;
  std::string note_;
  std::optional<std::uint64_t> rows_expected_;
  MonoTime begun_{};
  MonoTime shown_at_{};
  std::uint64_t shown_rows_ = 0;
  std::uint64_t shown_bytes_ = 0;
  bool was_waiting_ = false;
  bool drawn_ = false;
};

}  // namespace hearth::warm

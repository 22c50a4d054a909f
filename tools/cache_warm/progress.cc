#include "tools/cache_warm/progress.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace hearth::warm {
namespace {

constexpr microseconds kBarEvery{100'000};
constexpr microseconds kLineEvery{5'000'000};
constexpr int kBarWidth = 24;

std::string short_rate(double rate) {
  if (rate >= 1e6) return fmt::format("{:.2f}M", rate / 1e6);
  if (rate >= 1e4) return fmt::format("{:.0f}K", rate / 1e3);
  return fmt::format("{:.0f}", rate);
}

}  // namespace

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<std::size_t>(at), ",");
  }
  return text;
}

std::string clock_text(seconds length) {
  const auto total = length.count();
  if (total >= 3600)
    return fmt::format("{}:{:02}:{:02}", total / 3600, total / 60 % 60, total % 60);
  return fmt::format("{}:{:02}", total / 60, total % 60);
}

std::string progress_text(const ProgressState& state, bool with_bar, std::size_t width) {
  const bool has_end = state.rows_expected && *state.rows_expected > 0;
  const double part = !has_end ? 0
                               : std::min(1.0, static_cast<double>(state.rows) /
                                                   static_cast<double>(*state.rows_expected));
  std::string bar;
  if (has_end && with_bar) {
    const auto full = static_cast<std::size_t>(part * kBarWidth);
    bar = "  [" + std::string(full, '#') + std::string(kBarWidth - full, '-') + "]";
  }
  const std::string percent = has_end ? fmt::format("  {:3.0f}%", part * 100) : "";
  const std::string count = fmt::format("  {} rows", grouped(state.rows));
  std::string rate;
  std::string speed;
  std::string left;
  if (state.waiting.empty()) {
    rate = fmt::format("  {} rows/s", short_rate(state.rows_per_second));
    speed = fmt::format("  {:.1f} MB/s", state.bytes_per_second / 1e6);
    if (has_end && state.average_rate > 0 && *state.rows_expected > state.rows) {
      const double rest =
          static_cast<double>(*state.rows_expected - state.rows) / state.average_rate;
      left = "  ETA " + clock_text(seconds{std::llround(rest)});
    }
  }
  const std::string bad = state.bad > 0 ? fmt::format("  {} bad", grouped(state.bad)) : "";
  const std::string waiting = state.waiting.empty() ? "" : "  waiting for " + state.waiting;
  const std::string note = state.note.empty() ? "" : "  " + state.note;
  std::string text;
  for (int left_out = 0; left_out < 5; ++left_out) {
    text = state.name;
    if (left_out < 2) text += bar;
    text += percent;
    if (left_out < 4) text += count;
    if (left_out < 3) text += rate;
    if (left_out < 1) text += speed;
    text += left;
    text += bad;
    text += waiting;
    text += note;
    if (text.size() <= width) return text;
  }
  return text.substr(0, width);
}

void Progress::begin(std::string_view name, std::optional<std::uint64_t> rows_expected,
                     MonoTime now) {
  const std::scoped_lock lock(mutex_);
  name_ = name;
  note_.clear();
  rows_expected_ = rows_expected;
  begun_ = shown_at_ = now;
  shown_rows_ = shown_bytes_ = 0;
}

void Progress::update(std::uint64_t rows, std::uint64_t bytes, std::uint64_t bad,
                      std::string waiting, MonoTime now) {
  const std::scoped_lock lock(mutex_);
  const bool is_news = !waiting.empty() && !was_waiting_;
  const auto since = now - shown_at_;
  const bool is_bar = style_ == ProgressStyle::kBar;
  if (style_ == ProgressStyle::kSilent) return;
  if (!is_news && since < (is_bar ? kBarEvery : kLineEvery)) return;
  was_waiting_ = !waiting.empty();
  const double span = std::max(1e-6, static_cast<double>(since.count()) / 1e6);
  ProgressState state;
  state.name = name_;
  state.rows = rows;
  state.bytes = bytes;
  state.rows_expected = rows_expected_;
  state.rows_per_second = static_cast<double>(rows - std::min(rows, shown_rows_)) / span;
  state.bytes_per_second = static_cast<double>(bytes - std::min(bytes, shown_bytes_)) / span;
  state.average_rate =
      static_cast<double>(rows) / std::max(1e-6, static_cast<double>((now - begun_).count()) / 1e6);
  state.bad = bad;
  state.waiting = std::move(waiting);
  state.note = note_;
  // The last column stays free: some terminals wrap when it is written to.
  const std::size_t width = is_bar ? std::max<std::size_t>(width_(), 20) - 1 : 1'000;
  fmt::print(stderr, "{}{}{}", is_bar ? "\r" : "", progress_text(state, is_bar, width),
             is_bar ? "\033[K" : "\n");
  std::fflush(stderr);
  drawn_ = is_bar;
  shown_at_ = now;
  shown_rows_ = rows;
  shown_bytes_ = bytes;
}

void Progress::note(std::string text) {
  const std::scoped_lock lock(mutex_);
  note_ = std::move(text);
}

void Progress::clear_bar() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\033[K");
  drawn_ = false;
}

void Progress::print(std::string_view line) {
  const std::scoped_lock lock(mutex_);
  clear_bar();
  fmt::print(stderr, "{}\n", line);
  std::fflush(stderr);
}

void Progress::end() {
  const std::scoped_lock lock(mutex_);
  clear_bar();
  std::fflush(stderr);
}

}  // namespace hearth::warm

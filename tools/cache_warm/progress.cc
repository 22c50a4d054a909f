#include "tools/cache_warm/progress.h"

#include <fmt/core.h>

#include <algorithm>

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

std::string progress_text(const ProgressState& state, bool with_bar) {
  std::string text(state.name);
  if (state.rows_expected && *state.rows_expected > 0) {
    const double part =
        std::min(1.0, static_cast<double>(state.rows) / static_cast<double>(*state.rows_expected));
    if (with_bar) {
      const auto full = static_cast<std::size_t>(part * kBarWidth);
      text += "  [" + std::string(full, '#') + std::string(kBarWidth - full, '-') + "]";
    }
    text += fmt::format("  {:3.0f}%", part * 100);
  }
  text += fmt::format("  {} rows  {} rows/s  {:.1f} MB/s", grouped(state.rows),
                      short_rate(state.rows_per_second), state.bytes_per_second / 1e6);
  if (state.rows_expected && state.average_rate > 0 && *state.rows_expected > state.rows) {
    const double left = static_cast<double>(*state.rows_expected - state.rows) / state.average_rate;
    text += "  ETA " + clock_text(seconds{static_cast<std::int64_t>(left + 0.5)});
  }
  if (state.bad > 0) text += fmt::format("  {} bad", grouped(state.bad));
  return text;
}

void Progress::begin(std::string_view name, std::optional<std::uint64_t> rows_expected,
                     MonoTime now) {
  name_ = name;
  rows_expected_ = rows_expected;
  begun_ = shown_at_ = now;
  shown_rows_ = shown_bytes_ = 0;
}

void Progress::update(std::uint64_t rows, std::uint64_t bytes, std::uint64_t bad, MonoTime now) {
  const auto since = now - shown_at_;
  if (style_ == ProgressStyle::kSilent ||
      since < (style_ == ProgressStyle::kBar ? kBarEvery : kLineEvery))
    return;
  const double span = static_cast<double>(since.count()) / 1e6;
  ProgressState state;
  state.name = name_;
  state.rows = rows;
  state.bytes = bytes;
  state.rows_expected = rows_expected_;
  state.rows_per_second = static_cast<double>(rows - shown_rows_) / span;
  state.bytes_per_second = static_cast<double>(bytes - shown_bytes_) / span;
  state.average_rate =
      static_cast<double>(rows) / (static_cast<double>((now - begun_).count()) / 1e6);
  state.bad = bad;
  const bool bar = style_ == ProgressStyle::kBar;
  fmt::print(stderr, "{}{}{}", bar ? "\r" : "", progress_text(state, bar), bar ? "\033[K" : "\n");
  std::fflush(stderr);
  drawn_ = bar;
  shown_at_ = now;
  shown_rows_ = rows;
  shown_bytes_ = bytes;
}

void Progress::clear() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  drawn_ = false;
}

void Progress::end() { clear(); }

}  // namespace hearth::warm

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/log.h"
#include "tests/sim/options.h"

namespace hearth::sim {
namespace {

struct Chosen {
  std::optional<std::uint64_t> seed;
  int count = 0;
  double minutes = 0;
  std::size_t story = 0;
  std::uint64_t first = 0;  // of those that were not tried before
};

Chosen& chosen() {
  static Chosen all;
  return all;
}

// The text behind "--name=" in one of the arguments.
std::optional<std::string> option(int argc, char** argv, std::string_view name) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with(name)) return std::string(argument.substr(name.size()));
  }
  return std::nullopt;
}

void read_options(int argc, char** argv) {
  if (const auto seed = option(argc, argv, "--seed="))
    chosen().seed = std::strtoull(seed->c_str(), nullptr, 10);
  if (const auto count = option(argc, argv, "--seeds=")) chosen().count = std::atoi(count->c_str());
  if (const auto minutes = option(argc, argv, "--minutes="))
    chosen().minutes = std::atof(minutes->c_str());
  if (const auto lines = option(argc, argv, "--story="))
    chosen().story = static_cast<std::size_t>(std::atoi(lines->c_str()));
  chosen().first = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch() /
                                              std::chrono::milliseconds{1});
}

}  // namespace

std::size_t story_lines() { return chosen().story; }

Seeds::Iterator::Iterator(const Seeds& seeds)
    : seeds_(seeds),
      until_(std::chrono::steady_clock::now() +
             std::chrono::milliseconds(static_cast<std::int64_t>(chosen().minutes * 60'000))) {
  const Chosen& all = chosen();
  seed_ = all.seed ? *all.seed : all.count > 0 || all.minutes > 0 ? all.first : 1;
}

Seeds::Iterator& Seeds::Iterator::operator++() {
  const Chosen& all = chosen();
  ++index_;
  if (all.seed) {
    is_over_ = true;
  } else if (all.minutes > 0) {
    is_over_ = std::chrono::steady_clock::now() >= until_;
    ++seed_;
  } else if (all.count > 0) {
    is_over_ = index_ >= all.count;
    ++seed_;
  } else {
    is_over_ = index_ >= seeds_.count_;
    seed_ += 7919;
  }
  return *this;
}

}  // namespace hearth::sim

int main(int argc, char** argv) {
  // Many nodes would write one log, with times that are not theirs.
  hearth::log::set_level(hearth::log::Level::kNothing);
  hearth::sim::read_options(argc, argv);
  doctest::Context context(argc, argv);
  return context.run();
}

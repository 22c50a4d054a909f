// The command line of the simulator's tests.
//
//   --seed=N      random scenarios run with this seed alone: what a failure prints
//   --seeds=N     with N seeds that were not tried before, which follow the time of day
//   --minutes=M   with such seeds for M minutes each
//   --story=N     a failure also tells the last N lines that the nodes logged, and what each sees
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace hearth::sim {

// The seeds that one random scenario runs with: those of the command line, or `count` fixed ones.
//
//   for (const auto seed : seeds(4)) ...
class Seeds {
 public:
  struct End {};
  class Iterator {
   public:
    explicit Iterator(const Seeds& seeds);
    std::uint64_t operator*() const { return seed_; }
    Iterator& operator++();
    bool operator==(End) const { return is_over_; }

   private:
    const Seeds& seeds_;
    int index_ = 0;
    std::uint64_t seed_ = 0;
    std::chrono::steady_clock::time_point until_;
    bool is_over_ = false;
  };

  explicit Seeds(int count) : count_(count) {}
  [[nodiscard]] Iterator begin() const { return Iterator(*this); }
  [[nodiscard]] static End end() { return {}; }

 private:
  int count_;
};

// Lines of the story that a failure tells; 0: none.
[[nodiscard]] std::size_t story_lines();

[[nodiscard]] inline Seeds seeds(int count) { return Seeds(count); }

}  // namespace hearth::sim

// Values as 64 bits, the same for what a mapping makes and for what a server answers: equal values
// have equal fingerprints; two others agree by chance once in 2^64.
#pragma once

#include <cstdint>
#include <string_view>

#include "tools/warm_mapping/mapping.h"

namespace hearth::warm {

// Adds the parts of a value in turn. Fields of a hash and members of a set or zset may come in any
// order; items of a list may not.
class Fingerprint {
 public:
  explicit Fingerprint(ValueKind kind) : kind_(kind) {}
  void add(std::string_view text);  // a string, an item, a member
  void add_field(std::string_view name, std::string_view value);
  void add_member(std::string_view member, double score);
  // Never 0.
  [[nodiscard]] std::uint64_t value() const { return sum_ == 0 ? 1 : sum_; }

 private:
  ValueKind kind_;
  std::uint64_t sum_ = 0;
};

}  // namespace hearth::warm

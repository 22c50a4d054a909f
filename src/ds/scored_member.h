// ScoredMember: a member of a large sorted set with its score, in one allocation. The tree and the
// index of the set both point to it.
//
//   offset 0   score, double
//          8   length, 1 byte; 255: a u64 with the length follows
//              member bytes
//
// A member of up to 23 bytes takes 32. Members are ordered by score, then by bytes. Scores are
// never NaN.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "src/base/bytes.h"

namespace hearth::ds {

class ScoredMember {
 public:
  ScoredMember(const ScoredMember&) = delete;
  ScoredMember& operator=(const ScoredMember&) = delete;

  static ScoredMember* make(std::string_view member, double score);
  static void free(ScoredMember* node);

  [[nodiscard]] double score() const { return score_; }
  void set_score(double score) { score_ = score; }
  [[nodiscard]] std::string_view member() const {
    const char* p = reinterpret_cast<const char*>(this) + sizeof(double);
    const auto length = static_cast<unsigned char>(*p);
    if (length == kWide) [[unlikely]]
      return {p + 1 + 8, load_le<std::uint64_t>(p + 1)};
    return {p + 1, length};
  }
  // Bytes asked of the allocator.
  [[nodiscard]] std::size_t bytes() const { return bytes_for(member().size()); }

 private:
  static constexpr unsigned char kWide = 255;
  ScoredMember() = default;
  static std::size_t bytes_for(std::size_t length) {
    return sizeof(double) + 1 + (length < kWide ? 0 : 8) + length;
  }

  double score_;
};

// The order of all sorted sets.
[[nodiscard]] inline bool scored_less(double a_score, std::string_view a, double b_score,
                                      std::string_view b) {
  if (a_score != b_score) return a_score < b_score;
  return a < b;
}

}  // namespace hearth::ds

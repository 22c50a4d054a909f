// ScorePack: the members and scores of a small sorted set, in order, in one allocation.
//
//   bytes u32 | count u32 | member, score | member, score ...
//
// A member is an element as element.h has it. A score that is an integer is an integer element;
// others are 0xFE and 4 bytes, if a float is exact, or 0xFF and the 8 bytes of the double. Ten
// members of 10 bytes with scores up to 4095 take 138 bytes. Never leaves memory: files get a
// listpack.
//
// Ordered by score, then by the bytes of the member; members are distinct, scores never NaN. The
// methods trust their caller in that. Positions are byte offsets; an edit invalidates all of them.
// Everything but first(), next() and get() is O(bytes). At most kBytesMax in all: ask fits() first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "src/base/bytes.h"
#include "src/ds/element.h"

namespace hearth::ds {

class ScorePack {
 public:
  using Position = std::uint32_t;
  static constexpr Position kEnd = 0;  // no element has it
  static constexpr std::size_t kBytesMax = std::size_t{1} << 30;

  struct Place {
    Position at = kEnd;
    std::uint32_t index = 0;  // how many elements stand before it
  };

  ScorePack();
  ~ScorePack();
  ScorePack(ScorePack&& other) noexcept : bytes_(std::exchange(other.bytes_, nullptr)) {}
  ScorePack& operator=(ScorePack&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ScorePack(const ScorePack&) = delete;
  ScorePack& operator=(const ScorePack&) = delete;
  [[nodiscard]] ScorePack clone() const;

  [[nodiscard]] std::size_t total_bytes() const { return load_le<std::uint32_t>(bytes_); }
  [[nodiscard]] std::size_t size() const { return load_le<std::uint32_t>(bytes_ + 4); }
  [[nodiscard]] bool fits(std::size_t length) const {
    return total_bytes() + length + 64 <= kBytesMax;
  }

  // kEnd where there is none.
  [[nodiscard]] Position first() const { return size() == 0 ? kEnd : kHeader; }
  [[nodiscard]] Position next(Position at) const {
    const Position behind = behind_member(at) + score_size(bytes_ + behind_member(at));
    return behind == total_bytes() ? kEnd : behind;
  }
  // The index-th element, which must exist. O(index).
  [[nodiscard]] Position at(std::size_t index) const;
  // scratch: kInt64TextMax bytes, holds a member that is a number.
  [[nodiscard]] std::string_view member(Position at, char* scratch) const {
    return element_at(bytes_ + at).text(scratch);
  }
  [[nodiscard]] double score(Position at) const { return score_at(bytes_ + behind_member(at)); }

  // Where the member stands; at == kEnd if it is not there.
  [[nodiscard]] Place find(std::string_view member) const;
  // The first element for which before(score, member) does not hold; kEnd and size() if there is
  // none.
  template <typename Before>
  [[nodiscard]] Place partition(Before&& before) const;

  // The member must not be there, nor point into the pack.
  void insert(std::string_view member, double score);
  // `member` stands at `at` and gets another score and place.
  void rescore(Position at, std::string_view member, double score);
  // Takes `count` elements out, from `at` on; they must exist.
  void erase(Position at, std::size_t count);

 private:
  static constexpr Position kHeader = 8;

  explicit ScorePack(char* bytes) : bytes_(bytes) {}
  [[nodiscard]] Position behind_member(Position at) const {
    return static_cast<Position>(at + layout_at(bytes_ + at, 5).size());
  }
  static Position score_size(const char* p);
  static double score_at(const char* p);
  void resize_gap(std::size_t at, std::size_t old_size, std::size_t new_size);

  char* bytes_;
};

template <typename Before>
ScorePack::Place ScorePack::partition(Before&& before) const {
  char scratch[kInt64TextMax];
  Place place{first(), 0};
  while (place.at != kEnd && before(score(place.at), member(place.at, scratch))) {
    place.at = next(place.at);
    ++place.index;
  }
  return place;
}

}  // namespace hearth::ds

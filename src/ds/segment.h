// Segment: a sequence of byte strings and integers in one allocation of at most 64 KiB, with room
// at both ends: adding or taking at either end is O(length), amortized.
//
//   begin u16 | end u16 | capacity u16 | count u16 | room | elements | room
//
// The elements are those of a listpack (listpack.h), so that they can be copied into one and out
// of one as they are, and walked in both directions. Never leaves memory as a whole.
//
// Positions are byte offsets; an edit invalidates all of them but the one it returns. Ask fits()
// before adding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "src/base/bytes.h"
#include "src/ds/back_length.h"
#include "src/ds/element.h"

namespace hearth::ds {

class Segment {
 public:
  using Position = std::uint32_t;
  static constexpr Position kEnd = 0;  // no element has it
  static constexpr std::size_t kDataMost = 65000;

  Segment() = default;  // holds no memory until something is added
  ~Segment();
  Segment(Segment&& other) noexcept : bytes_(std::exchange(other.bytes_, nullptr)) {}
  Segment& operator=(Segment&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  [[nodiscard]] Segment clone() const;
  // Of trusted element bytes, at most kDataMost of them.
  [[nodiscard]] static Segment from_elements(std::string_view elements, std::size_t count);

  [[nodiscard]] std::size_t size() const { return bytes_ == nullptr ? 0 : count(); }
  [[nodiscard]] std::size_t data_bytes() const { return bytes_ == nullptr ? 0 : end() - begin(); }
  [[nodiscard]] std::size_t allocated_bytes() const { return bytes_ == nullptr ? 0 : capacity(); }
  [[nodiscard]] std::string_view elements() const {
    return bytes_ == nullptr ? std::string_view()
                             : std::string_view(bytes_ + begin(), data_bytes());
  }
  // Whether a string of this length can still be added.
  [[nodiscard]] bool fits(std::size_t length) const {
    return data_bytes() + length + kElementOverhead <= kDataMost;
  }

  // kEnd where there is none.
  [[nodiscard]] Position first() const { return size() == 0 ? kEnd : begin(); }
  [[nodiscard]] Position last() const { return size() == 0 ? kEnd : before(end()); }
  [[nodiscard]] Position next(Position at) const {
    const auto behind = static_cast<Position>(at + stored_size_at(bytes_ + at));
    return behind == end() ? kEnd : behind;
  }
  [[nodiscard]] Position previous(Position at) const { return at == begin() ? kEnd : before(at); }
  // The index-th element, which must exist. Walks from the nearer end.
  [[nodiscard]] Position at(std::size_t index) const;
  [[nodiscard]] Element get(Position at) const { return element_at(bytes_ + at); }
  [[nodiscard]] bool matches(Position at, const ElementMatcher& matcher) const {
    return matcher.matches(bytes_ + at, layout_at(bytes_ + at, 5));
  }

  // `text` must not point into the segment.
  void push_front(const EncodedElement& e);
  void push_back(const EncodedElement& e);
  // Takes the first or the last element off; there must be one.
  void pop_front();
  void pop_back();
  // Before the element at `at`, which exists. Returns the new element's position.
  Position insert(Position at, const EncodedElement& e);
  Position replace(Position at, const EncodedElement& e);
  // Takes `count` elements out, which exist, from `at` on; returns the position behind them, kEnd
  // if that is the end.
  Position erase(Position at, std::size_t count = 1);
  // The elements from the index-th on go into a segment of their own. 0 < index < size().
  [[nodiscard]] Segment split(std::size_t index);
  // Takes all of the other's elements behind its own; they must fit.
  void append(const Segment& other);

 private:
  static constexpr Position kHeader = 8;
  static constexpr std::size_t kElementOverhead = 8;

  [[nodiscard]] Position begin() const { return load_le<std::uint16_t>(bytes_); }
  [[nodiscard]] Position end() const { return load_le<std::uint16_t>(bytes_ + 2); }
  [[nodiscard]] std::size_t capacity() const { return load_le<std::uint16_t>(bytes_ + 4); }
  [[nodiscard]] std::size_t count() const { return load_le<std::uint16_t>(bytes_ + 6); }
  void set_begin(std::size_t v) { store_le(bytes_, static_cast<std::uint16_t>(v)); }
  void set_end(std::size_t v) { store_le(bytes_ + 2, static_cast<std::uint16_t>(v)); }
  void set_count(std::size_t v) { store_le(bytes_ + 6, static_cast<std::uint16_t>(v)); }
  [[nodiscard]] Position before(Position at) const {
    const std::uint64_t body = read_back_length(bytes_ + at - 1);
    return static_cast<Position>(at - body - back_length_size(body));
  }
  void make_room(bool in_front, std::size_t bytes);
  void reallocate(std::size_t capacity, std::size_t begin);
  void resize_gap(Position at, std::size_t old_size, std::size_t new_size);
  void give_back();

  char* bytes_ = nullptr;
};

}  // namespace hearth::ds

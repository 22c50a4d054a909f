// Pack: a sequence of byte strings and integers in one allocation, read forwards.
//
//   bytes u32 | count u16 (65535: that many or more) | elements (element.h)
//
// A listpack without what only walking backwards needs: a byte less for each short element, which
// is what makes a hash of ten fields fit the next smaller size class. Never leaves memory: files
// get a listpack.
//
// Positions are byte offsets; an edit invalidates all of them but the one it returns. Every edit is
// O(bytes behind the position). At most kBytesMax in all: ask fits() first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "src/base/bytes.h"
#include "src/ds/element.h"

namespace hearth::ds {

class Pack {
 public:
  using Position = std::uint32_t;
  static constexpr Position kEnd = 0;  // no element has it
  static constexpr std::size_t kBytesMax = std::size_t{1} << 30;

  Pack();
  ~Pack();
  Pack(Pack&& other) noexcept : bytes_(std::exchange(other.bytes_, nullptr)) {}
  Pack& operator=(Pack&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  Pack(const Pack&) = delete;
  Pack& operator=(const Pack&) = delete;
  [[nodiscard]] Pack clone() const;

  [[nodiscard]] std::size_t total_bytes() const { return load_le<std::uint32_t>(bytes_); }
  // O(1) up to 65534 elements, else O(n).
  [[nodiscard]] std::size_t size() const {
    const std::uint16_t count = load_le<std::uint16_t>(bytes_ + 4);
    return count != kManyElements ? count : counted();
  }
  [[nodiscard]] bool empty() const { return total_bytes() == kHeader; }
  // Whether strings of this length in all, one to four of them, can still be added.
  [[nodiscard]] bool fits(std::size_t length) const {
    return total_bytes() + length + 64 <= kBytesMax;
  }

  // kEnd where there is none.
  [[nodiscard]] Position first() const { return empty() ? kEnd : kHeader; }
  [[nodiscard]] Position next(Position at) const {
    const auto behind = static_cast<Position>(at + layout_at(bytes_ + at, 5).size());
    return behind == total_bytes() ? kEnd : behind;
  }
  [[nodiscard]] Element get(Position at) const { return element_at(bytes_ + at); }
  // The index-th element, which must exist. O(index).
  [[nodiscard]] Position at(std::size_t index) const;
  // The first element equal to `text`, looking at the first and then at every (skip+1)-th.
  [[nodiscard]] Position find(std::string_view text, unsigned skip = 0) const;

  // `text` must not point into the pack.
  void append(std::string_view text);
  void append_number(std::int64_t number);
  // Return the position of the element with its new value.
  Position replace(Position at, std::string_view text);
  Position replace_number(Position at, std::int64_t number);
  // Takes `count` elements out, from `at` on; returns the position behind them.
  Position erase(Position at, std::size_t count = 1);

 private:
  static constexpr Position kHeader = 6;
  static constexpr std::uint16_t kManyElements = 65535;

  explicit Pack(char* bytes) : bytes_(bytes) {}
  [[nodiscard]] std::size_t counted() const;
  void set_count(std::size_t count);
  void resize_gap(std::size_t at, std::size_t old_size, std::size_t new_size);
  void append(const EncodedElement& element);
  Position replace(Position at, const EncodedElement& element);

  char* bytes_;
};

}  // namespace hearth::ds

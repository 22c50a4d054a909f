// Listpack: a sequence of byte strings and integers in one allocation.
//
// The bytes are the public "listpack" format, so that they can be written to and read from RDB
// files and DUMP payloads as they are:
//
//   total bytes u32 LE | count u16 LE (65535: unknown) | elements | 0xFF
//   element = encoding and data (element.h) | length of that, readable from behind (7 bits per
//   byte)
//
// Source: "Listpack specification" (public, by the author of the format). A string that is the
// canonical text of an integer is stored as that integer; reading gives back the same text.
//
// Positions are byte offsets; an edit invalidates all of them but the one it returns. Every edit is
// O(bytes behind the position). At most kBytesMax in all: ask fits() first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "src/base/result.h"
#include "src/ds/element.h"

namespace hearth::ds {

class Listpack {
 public:
  using Position = std::uint32_t;
  static constexpr Position kEnd = 0;  // no element has it
  static constexpr std::size_t kBytesMax = std::size_t{1} << 30;
  static constexpr std::size_t kEmptyBytes = 7;

  using Element = ds::Element;

  Listpack();
  ~Listpack();
  Listpack(Listpack&& other) noexcept : bytes_(other.bytes_) { other.bytes_ = nullptr; }
  Listpack& operator=(Listpack&& other) noexcept;
  Listpack(const Listpack&) = delete;
  Listpack& operator=(const Listpack&) = delete;
  [[nodiscard]] Listpack clone() const;

  // A copy of untrusted bytes, if validate() accepts them.
  [[nodiscard]] static Result<Listpack> from_bytes(std::string_view bytes);
  // Checks header, every element's bounds and back length, the end mark and the count. Reads no
  // byte outside of `bytes`; O(bytes). The error's context names the offset.
  [[nodiscard]] static Result<void> validate(std::string_view bytes);

  [[nodiscard]] std::string_view bytes() const { return {bytes_, total_bytes()}; }
  [[nodiscard]] std::size_t total_bytes() const;
  // O(1) up to 65534 elements, else O(n).
  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] bool empty() const { return total_bytes() == kEmptyBytes; }
  // Whether a string of this length can still be added.
  [[nodiscard]] bool fits(std::size_t length) const {
    return total_bytes() + length + 16 <= kBytesMax;
  }

  // kEnd where there is none.
  [[nodiscard]] Position first() const;
  [[nodiscard]] Position last() const;
  [[nodiscard]] Position next(Position at) const;
  [[nodiscard]] Position previous(Position at) const;
  // The index-th element; negative counts from the end, -1 the last. Walks from the nearer end.
  [[nodiscard]] Position at(std::int64_t index) const;
  [[nodiscard]] Element get(Position at) const;

  // The first element equal to `text`, looking at `from` and then at every (skip+1)-th element.
  [[nodiscard]] Position find(std::string_view text, Position from, unsigned skip = 0) const;

  void append(std::string_view text);
  void append_number(std::int64_t number);
  // Before the element at `at`; kEnd appends. Returns the new element's position.
  Position insert(Position at, std::string_view text);
  Position insert_number(Position at, std::int64_t number);
  // Returns the position of the element with its new value.
  Position replace(Position at, std::string_view text);
  Position replace_number(Position at, std::int64_t number);
  // Takes `count` elements out, from `at` on; returns the position behind them.
  Position erase(Position at, std::size_t count = 1);
  void clear();

 private:
  explicit Listpack(char* bytes) : bytes_(bytes) {}
  [[nodiscard]] Position end_offset() const;
  void count_one_more();

  char* bytes_;
};

}  // namespace hearth::ds

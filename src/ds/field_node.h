// FieldNode: a field, its value and an optional deadline in one allocation: what a large hash
// stores in its table.
//
//   offset 0   flags: which parts follow, and how wide the lengths are
//          1   [deadline, i64 ms]                if it has one
//              field length, 1 byte (8 if the field is longer than 255)
//              value length, 1 byte (8 if the value is longer than 255)
//              field bytes, value bytes
//
// A 16-byte field with a 12-byte value is 31 bytes. Never changes its size in place: the functions
// that return a node may have moved it, and the argument is gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "src/base/bytes.h"

namespace hearth::ds {

class FieldNode {
 public:
  static constexpr std::int64_t kNoDeadline = -1;

  FieldNode(const FieldNode&) = delete;
  FieldNode& operator=(const FieldNode&) = delete;

  static FieldNode* make(std::string_view field, std::string_view value, std::int64_t deadline);
  // The same field with another value and deadline. `value` must not point into the node.
  [[nodiscard]] static FieldNode* assign(FieldNode* node, std::string_view value,
                                         std::int64_t deadline);
  static void free(FieldNode* node);

  [[nodiscard]] bool has_deadline() const { return (flags_ & kHasDeadline) != 0; }
  [[nodiscard]] std::int64_t deadline() const {
    return has_deadline() ? load_le<std::int64_t>(fields()) : kNoDeadline;
  }
  [[nodiscard]] std::string_view field() const {
    const char* p = lengths();
    const std::size_t length = read_length(p, (flags_ & kWideField) != 0);
    return {p + field_width() + value_width(), length};
  }
  [[nodiscard]] std::string_view value() const {
    const char* p = lengths();
    const std::size_t skip = read_length(p, (flags_ & kWideField) != 0);
    const std::size_t length = read_length(p + field_width(), (flags_ & kWideValue) != 0);
    return {p + field_width() + value_width() + skip, length};
  }
  // Bytes asked of the allocator.
  [[nodiscard]] std::size_t bytes() const {
    const std::string_view v = value();
    return static_cast<std::size_t>(v.data() + v.size() - reinterpret_cast<const char*>(this));
  }

 private:
  static constexpr std::uint8_t kHasDeadline = 1, kWideField = 2, kWideValue = 4;
  FieldNode() = default;

  static std::size_t read_length(const char* p, bool wide) {
    return wide ? load_le<std::uint64_t>(p) : static_cast<unsigned char>(*p);
  }
  [[nodiscard]] std::size_t field_width() const { return (flags_ & kWideField) != 0 ? 8 : 1; }
  [[nodiscard]] std::size_t value_width() const { return (flags_ & kWideValue) != 0 ? 8 : 1; }
  [[nodiscard]] const char* fields() const { return reinterpret_cast<const char*>(this) + 1; }
  [[nodiscard]] const char* lengths() const { return fields() + (has_deadline() ? 8 : 0); }

  std::uint8_t flags_;
};

}  // namespace hearth::ds

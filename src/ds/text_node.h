// TextNode: a byte string in one allocation: what a large set stores in its table.
//
//   length u8, or 255 and u64 LE | bytes
//
// A member of up to 15 bytes takes 16, one of up to 31 takes 32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "src/base/bytes.h"
#include "src/base/check.h"

namespace hearth::ds {

class TextNode {
 public:
  TextNode(const TextNode&) = delete;
  TextNode& operator=(const TextNode&) = delete;

  static TextNode* make(std::string_view text) {
    const std::size_t head = head_size(text.size());
    auto* bytes = static_cast<char*>(std::malloc(head + text.size()));
    HEARTH_CHECK(bytes != nullptr);
    *bytes = static_cast<char>(head == 1 ? text.size() : kLong);
    if (head > 1) store_le(bytes + 1, static_cast<std::uint64_t>(text.size()));
    text.copy(bytes + head, text.size());
    return reinterpret_cast<TextNode*>(bytes);
  }
  static void free(TextNode* node) { std::free(node); }

  [[nodiscard]] std::string_view text() const {
    const char* p = reinterpret_cast<const char*>(this);
    if (short_length_ != kLong) [[likely]]
      return {p + 1, short_length_};
    return {p + 9, load_le<std::uint64_t>(p + 1)};
  }
  // Bytes asked of the allocator.
  [[nodiscard]] std::size_t bytes() const {
    const std::size_t length = text().size();
    return head_size(length) + length;
  }

 private:
  static constexpr unsigned kLong = 255;
  TextNode() = default;
  static std::size_t head_size(std::size_t length) { return length < kLong ? 1 : 9; }

  std::uint8_t short_length_;
};

}  // namespace hearth::ds

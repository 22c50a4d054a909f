// TextNode: a byte string in one allocation: what a large set stores in its table.
//
//   length u8, or 255 and u64 LE | bytes
//
// A string that just fills a size of the allocator (8, 16, 32 or 48 bytes) stands there without its
// length, which would cost the next larger size: the length is in the low bits of the address that
// serves as the node's pointer. So a member of 16 bytes takes 16, one of 17 to 31 takes 32.
//
// The pointer is not what the allocator gave: only make() and free() know about it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <string_view>

#include "src/base/bytes.h"
#include "src/base/check.h"

namespace hearth::ds {

class TextNode {
 public:
  TextNode(const TextNode&) = delete;
  TextNode& operator=(const TextNode&) = delete;

  static TextNode* make(std::string_view text) {
    const unsigned mark = mark_of(text.size());
    const std::size_t head = mark != 0 ? 0 : head_size(text.size());
    auto* bytes = static_cast<char*>(std::malloc(head + text.size()));
    HEARTH_CHECK(bytes != nullptr && (reinterpret_cast<std::uintptr_t>(bytes) & kMarkMask) == 0);
    if (head > 0) *bytes = static_cast<char>(head == 1 ? text.size() : kLong);
    if (head > 1) store_le(bytes + 1, static_cast<std::uint64_t>(text.size()));
    text.copy(bytes + head, text.size());
    return reinterpret_cast<TextNode*>(bytes + mark);
  }
  static void free(TextNode* node) { std::free(const_cast<char*>(node->base())); }

  [[nodiscard]] std::string_view text() const {
    const unsigned mark = this->mark();
    const char* p = base();
    if (mark != 0) return {p, kExactLengths[mark]};
    const auto length = static_cast<unsigned char>(*p);
    if (length != kLong) [[likely]]
      return {p + 1, length};
    return {p + 9, load_le<std::uint64_t>(p + 1)};
  }
  // Bytes asked of the allocator.
  [[nodiscard]] std::size_t bytes() const {
    const std::size_t length = text().size();
    return mark() != 0 ? length : head_size(length) + length;
  }

 private:
  static constexpr unsigned kLong = 255;
  // Allocations are aligned to 8 bytes at the least.
  static constexpr std::uintptr_t kMarkMask = 7;
  static constexpr std::uint8_t kExactLengths[] = {0, 8, 16, 32, 48};

  TextNode() = default;
  static std::size_t head_size(std::size_t length) { return length < kLong ? 1 : 9; }
  static unsigned mark_of(std::size_t length) {
    for (unsigned mark = 1; mark < std::size(kExactLengths); ++mark) {
      if (length == kExactLengths[mark]) return mark;
    }
    return 0;
  }
  [[nodiscard]] unsigned mark() const {
    return static_cast<unsigned>(reinterpret_cast<std::uintptr_t>(this) & kMarkMask);
  }
  [[nodiscard]] const char* base() const { return reinterpret_cast<const char*>(this) - mark(); }

  // Never touched by name: a node of this type begins `mark` bytes further on.
  [[maybe_unused]] char first_;
};
static_assert(alignof(TextNode) == 1);

}  // namespace hearth::ds

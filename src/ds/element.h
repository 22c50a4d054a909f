// One element of a packed sequence: a byte string or an integer in its shortest form.
//
//   0xxxxxxx                 integer 0 .. 127
//   10xxxxxx  data           string up to 63 bytes
//   110xxxxx xxxxxxxx        13-bit signed integer
//   1110xxxx xxxxxxxx data   string up to 4095 bytes
//   11110000 u32 LE   data   string
//   11110001 .. 11110100     integer of 2, 3, 4, 8 bytes LE
//
// These are the encodings of the public listpack format, without what listpack puts behind each
// element. Shared by Listpack and Pack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "src/base/bytes.h"
#include "src/base/format_number.h"

namespace hearth::ds {

// A decoded element, borrowed from where it stands.
struct Element {
  const char* data = nullptr;  // null for integers
  std::uint64_t length = 0;
  std::int64_t number = 0;

  [[nodiscard]] bool is_number() const { return data == nullptr; }
  // scratch: kInt64TextMax bytes, holds the text of an integer.
  [[nodiscard]] std::string_view text(char* scratch) const {
    if (data != nullptr) return {data, length};
    return {scratch, format_int64(number, scratch)};
  }
};

// How an element is laid out: the part in front of the data, and the data.
struct ElementLayout {
  std::uint32_t head = 0;  // bytes of encoding and length; 0 if it is no element
  std::uint64_t data = 0;
  bool is_string = false;

  [[nodiscard]] std::uint64_t size() const { return head + data; }
};

// room: bytes that may be read, at least 1. The data may pass them.
[[nodiscard]] inline ElementLayout layout_at(const char* p, std::size_t room) {
  const unsigned char c = static_cast<unsigned char>(*p);
  if ((c & 0x80) == 0) return {1, 0, false};
  if ((c & 0xc0) == 0x80) return {1, c & 0x3fU, true};
  if ((c & 0xe0) == 0xc0) return {1, 1, false};
  if ((c & 0xf0) == 0xe0) {
    if (room < 2) return {};
    return {2, (c & 0x0fU) << 8 | static_cast<unsigned char>(p[1]), true};
  }
  switch (c) {
    case 0xf0:
      if (room < 5) return {};
      return {5, load_le<std::uint32_t>(p + 1), true};
    case 0xf1: return {1, 2, false};
    case 0xf2: return {1, 3, false};
    case 0xf3: return {1, 4, false};
    case 0xf4: return {1, 8, false};
    default: return {};
  }
}

// The value of an integer element, whose bytes are all there.
[[nodiscard]] std::int64_t element_number(const char* p);

// p is trusted.
[[nodiscard]] inline Element element_at(const char* p) {
  const ElementLayout layout = layout_at(p, 5);
  if (layout.is_string) return {p + layout.head, layout.data, 0};
  return {nullptr, 0, element_number(p)};
}

// A text to be looked for, with the integer it may be stored as.
class ElementMatcher {
 public:
  explicit ElementMatcher(std::string_view text);
  [[nodiscard]] bool matches(const char* p, const ElementLayout& layout) const {
    if (layout.is_string) {
      return layout.data == text_.size() &&
             std::memcmp(p + layout.head, text_.data(), text_.size()) == 0;
    }
    return number_ && element_number(p) == *number_;
  }

 private:
  std::string_view text_;
  std::optional<std::int64_t> number_;
};

// An element ready to be written: the head here, the string by reference.
struct EncodedElement {
  char head[9];
  std::size_t head_size = 0;
  std::string_view data;

  [[nodiscard]] std::uint64_t size() const { return head_size + data.size(); }
  void write(char* out) const {
    if (head_size == 1)
      *out = head[0];
    else
      std::memcpy(out, head, head_size);
    if (!data.empty()) std::memcpy(out + head_size, data.data(), data.size());
  }
};
[[nodiscard]] EncodedElement encoded_number(std::int64_t v);
[[nodiscard]] EncodedElement encoded_long_or_number(std::string_view text);

// The canonical text of an integer becomes that integer.
[[nodiscard]] inline EncodedElement encoded_text(std::string_view text) {
  // Most texts are short, and their first byte tells that they are no number.
  if (text.empty() || text.size() >= 64 || static_cast<unsigned char>(text[0]) <= '9')
    return encoded_long_or_number(text);
  EncodedElement e;
  e.head[0] = static_cast<char>(0x80 | text.size());
  e.head_size = 1;
  e.data = text;
  return e;
}

}  // namespace hearth::ds

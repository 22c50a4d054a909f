#include "src/ds/element.h"

#include <limits>

#include "src/base/parse_number.h"
#include "src/ds/raw_bytes.h"

namespace hearth::ds {
namespace {

std::int64_t sign_extended(std::uint64_t value, unsigned bits) {
  const unsigned shift = 64 - bits;
  return static_cast<std::int64_t>(value << shift) >> shift;
}

}  // namespace

std::int64_t element_number(const char* p) {
  const unsigned char c = byte_at(p);
  if ((c & 0x80) == 0) return c;
  if ((c & 0xe0) == 0xc0) return sign_extended((c & 0x1fU) << 8 | byte_at(p + 1), 13);
  switch (c) {
    case 0xf1: return load_le<std::int16_t>(p + 1);
    case 0xf2:
      return sign_extended(
          load_le<std::uint16_t>(p + 1) | static_cast<std::uint64_t>(byte_at(p + 3)) << 16, 24);
    case 0xf3: return load_le<std::int32_t>(p + 1);
    default: return load_le<std::int64_t>(p + 1);
  }
}

ElementMatcher::ElementMatcher(std::string_view text) : text_(text), number_(parse_int64(text)) {}

EncodedElement encoded_number(std::int64_t v) {
  EncodedElement e;
  const auto u = static_cast<std::uint64_t>(v);
  if (v >= 0 && v <= 127) {
    e.head[0] = static_cast<char>(v);
    e.head_size = 1;
  } else if (v >= -4096 && v <= 4095) {
    e.head[0] = static_cast<char>(0xc0 | ((u >> 8) & 0x1f));
    e.head[1] = static_cast<char>(u & 0xff);
    e.head_size = 2;
  } else if (v >= std::numeric_limits<std::int16_t>::min() &&
             v <= std::numeric_limits<std::int16_t>::max()) {
    e.head[0] = static_cast<char>(0xf1);
    store_le(e.head + 1, static_cast<std::int16_t>(v));
    e.head_size = 3;
  } else if (v >= -(1 << 23) && v < (1 << 23)) {
    e.head[0] = static_cast<char>(0xf2);
    store_le(e.head + 1, static_cast<std::uint16_t>(u));
    e.head[3] = static_cast<char>((u >> 16) & 0xff);
    e.head_size = 4;
  } else if (v >= std::numeric_limits<std::int32_t>::min() &&
             v <= std::numeric_limits<std::int32_t>::max()) {
    e.head[0] = static_cast<char>(0xf3);
    store_le(e.head + 1, static_cast<std::int32_t>(v));
    e.head_size = 5;
  } else {
    e.head[0] = static_cast<char>(0xf4);
    store_le(e.head + 1, v);
    e.head_size = 9;
  }
  return e;
}

EncodedElement encoded_long_or_number(std::string_view text) {
  if (const auto number = parse_int64(text)) return encoded_number(*number);
  EncodedElement e;
  e.data = text;
  if (text.size() < 64) {
    e.head[0] = static_cast<char>(0x80 | text.size());
    e.head_size = 1;
  } else if (text.size() < 4096) {
    e.head[0] = static_cast<char>(0xe0 | (text.size() >> 8));
    e.head[1] = static_cast<char>(text.size() & 0xff);
    e.head_size = 2;
  } else {
    e.head[0] = static_cast<char>(0xf0);
    store_le(e.head + 1, static_cast<std::uint32_t>(text.size()));
    e.head_size = 5;
  }
  return e;
}

}  // namespace hearth::ds

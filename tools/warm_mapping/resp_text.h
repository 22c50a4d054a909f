// Commands as bytes, written into a Buffer.
#pragma once

#include <cstring>
#include <string_view>

#include "src/base/format_number.h"
#include "tools/warm_mapping/buffer.h"

namespace hearth::warm {

inline void append_resp_header(Buffer& out, char mark, std::size_t number) {
  char* p = out.room(kInt64TextMax + 3);
  *p = mark;
  const std::size_t digits = format_uint64(number, p + 1);
  p[digits + 1] = '\r';
  p[digits + 2] = '\n';
  out.advance(digits + 3);
}

inline void append_resp_bulk(Buffer& out, std::string_view bytes) {
  append_resp_header(out, '$', bytes.size());
  char* p = out.room(bytes.size() + 2);
  if (!bytes.empty()) std::memcpy(p, bytes.data(), bytes.size());
  p[bytes.size()] = '\r';
  p[bytes.size() + 1] = '\n';
  out.advance(bytes.size() + 2);
}

inline void append_resp_number(Buffer& out, std::int64_t number) {
  char digits[kInt64TextMax];
  append_resp_bulk(out, {digits, format_int64(number, digits)});
}

}  // namespace hearth::warm

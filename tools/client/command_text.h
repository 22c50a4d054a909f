// Commands as the bytes that travel: RESP arrays of bulks.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "src/base/format_number.h"

namespace hearth::client {

// Appends "<mark><number>\r\n".
inline void append_header(std::string& out, char mark, std::size_t number) {
  char text[kInt64TextMax + 3];
  text[0] = mark;
  const std::size_t digits = format_uint64(number, text + 1);
  text[digits + 1] = '\r';
  text[digits + 2] = '\n';
  out.append(text, digits + 3);
}

inline void append_bulk(std::string& out, std::string_view bytes) {
  append_header(out, '$', bytes.size());
  out.append(bytes);
  out.append("\r\n", 2);
}

inline void append_command(std::string& out, std::span<const std::string_view> args) {
  append_header(out, '*', args.size());
  for (const auto arg : args) append_bulk(out, arg);
}
inline void append_command(std::string& out, std::initializer_list<std::string_view> args) {
  append_command(out, std::span<const std::string_view>(args.begin(), args.size()));
}

// The length of the first command in bytes that append_command made; they are ours, so a
// malformed one is a bug and stops the process. O(arguments).
[[nodiscard]] std::size_t command_length(std::string_view commands);

// The same commands with an ASKING before each, and back.
[[nodiscard]] std::string with_asking(std::string_view commands);
[[nodiscard]] std::string without_asking(std::string_view commands);

}  // namespace hearth::client

// Bytes as a quoted, printable text.
#pragma once

#include <string>
#include <string_view>

namespace hearth {

// "abc\x00\n" with \\ \" \n \r \t \a \b and \xHH for what does not print. Appends to `out`.
void append_quoted(std::string& out, std::string_view bytes);
[[nodiscard]] inline std::string quoted(std::string_view bytes) {
  std::string out;
  append_quoted(out, bytes);
  return out;
}

}  // namespace hearth

#include "tools/client/command_text.h"

#include "src/base/check.h"
#include "src/base/parse_number.h"

namespace hearth::client {
namespace {

// Reads "<mark><number>\r\n" at `at` and moves past it.
std::size_t read_header(std::string_view text, std::size_t& at, char mark) {
  HEARTH_CHECK(at < text.size() && text[at] == mark);
  const auto end = text.find('\r', at);
  HEARTH_CHECK(end != std::string_view::npos);
  const auto number = parse_uint64(text.substr(at + 1, end - at - 1));
  HEARTH_CHECK(number.has_value());
  at = end + 2;
  return static_cast<std::size_t>(*number);
}

}  // namespace

std::size_t command_length(std::string_view commands) {
  std::size_t at = 0;
  for (std::size_t args = read_header(commands, at, '*'); args > 0; --args) {
    const std::size_t length = read_header(commands, at, '$');
    at += length + 2;
  }
  HEARTH_CHECK(at <= commands.size());
  return at;
}

std::string with_asking(std::string_view commands) {
  std::string out;
  while (!commands.empty()) {
    const std::size_t length = command_length(commands);
    append_command(out, {"ASKING"});
    out.append(commands.substr(0, length));
    commands.remove_prefix(length);
  }
  return out;
}

std::string without_asking(std::string_view commands) {
  std::string out;
  while (!commands.empty()) {
    commands.remove_prefix(command_length(commands));
    const std::size_t length = command_length(commands);
    out.append(commands.substr(0, length));
    commands.remove_prefix(length);
  }
  return out;
}

}  // namespace hearth::client

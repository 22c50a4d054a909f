// Texts about the parameters: --help, the manual page, and which name was meant.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hearth::config {

// The name or other spelling of a parameter that a misspelt word is closest to; nothing if none is
// close. Hidden parameters are not told.
[[nodiscard]] std::optional<std::string_view> nearest_parameter(std::string_view word);

// The answer to `--help [topic]`: the usage and the topics, all parameters of a topic with their
// defaults and meanings, or one parameter. known: false if the topic is neither.
struct Help {
  std::string text;
  bool known = true;
};
[[nodiscard]] Help help(std::string_view topic);

// Every parameter that is not hidden, as the manual page lists options (man(7) macros).
[[nodiscard]] std::string manual_options();

}  // namespace hearth::config

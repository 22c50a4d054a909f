// Lines of a configuration file: words with quotes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::config {

// Splits a line at blanks. Double quotes know \n \r \t \b \a \\ \" and \xHH; single quotes only \'.
// A closing quote must be followed by a blank or the end. Nothing if the quotes do not balance.
[[nodiscard]] std::optional<std::vector<std::string>> split_words(std::string_view line);

// The word in double quotes, with escapes for what is not printable ASCII.
[[nodiscard]] std::string quoted(std::string_view word);

// The word as it is if it reads back as itself, else quoted.
[[nodiscard]] std::string quoted_if_needed(std::string_view word);

}  // namespace hearth::config

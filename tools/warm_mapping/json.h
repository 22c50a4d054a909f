// JSON as it is written for rows, and the check of JSON that comes from a column.
#pragma once

#include <cstdint>
#include <string_view>

#include "tools/warm_mapping/buffer.h"

namespace hearth::warm {

// Appends text as a JSON string. Returns false, with something incomplete appended, when the text
// is not valid UTF-8 (surrogates, overlong forms and values above U+10FFFF are not).
// Control characters, '"' and '\' are escaped; everything else goes through as it is.
[[nodiscard]] bool append_json_string(Buffer& out, std::string_view text);

// Appends a number in JSON's form. Returns false for infinity and NaN, which JSON cannot say.
[[nodiscard]] bool append_json_number(Buffer& out, double number);

// Appends bytes as a JSON string of base64 (RFC 4648, with padding).
void append_json_base64(Buffer& out, std::string_view bytes);

enum class JsonCheck : std::uint8_t { kGood, kMalformed, kTooDeep };

// Nesting that is accepted; databases set limits of their own far below or close to it.
inline constexpr int kJsonDepthMax = 2048;

// kGood when text is exactly one JSON value (RFC 8259) in valid UTF-8. O(text), constant memory.
[[nodiscard]] JsonCheck check_json(std::string_view text);
[[nodiscard]] inline bool is_json(std::string_view text) {
  return check_json(text) == JsonCheck::kGood;
}

}  // namespace hearth::warm

// The one pattern matcher: KEYS, SCAN, PSUBSCRIBE, CONFIG GET.
#pragma once

#include <string_view>

namespace hearth {

enum class GlobCase : bool { kSensitive, kIgnore };

// '*' any run, '?' any byte, "[abc]" "[^a-z]" classes, '\' takes the next byte literally.
// An unclosed class ends with the pattern. O(pattern * text) in the worst case: on a mismatch only
// the last '*' is tried again, so many stars cost no more than one. A pattern that needs more than
// 1000 of them, the trailing one not counted, matches nothing (observed behaviour of the field).
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view text,
                              GlobCase mode = GlobCase::kSensitive) noexcept;

}  // namespace hearth

#include "src/base/glob.h"

#include <cstddef>
#include <utility>

#include "src/base/parse_number.h"

namespace hearth {
namespace {

char fold(char c, GlobCase mode) noexcept { return mode == GlobCase::kIgnore ? ascii_lower(c) : c; }

// Matches one byte against the class that starts behind '['. Moves `p` behind the class.
bool class_match(std::string_view pattern, std::size_t& p, char byte, GlobCase mode) noexcept {
  const auto c = static_cast<unsigned char>(fold(byte, mode));
  const bool negated = p < pattern.size() && pattern[p] == '^';
  if (negated) ++p;
  bool found = false;
  for (;; ++p) {
    if (p >= pattern.size()) break;  // unclosed: the class ends with the pattern
    if (pattern[p] == '\\' && p + 1 < pattern.size()) {
      ++p;
      if (static_cast<unsigned char>(fold(pattern[p], mode)) == c) found = true;
      continue;
    }
    if (pattern[p] == ']') {
      ++p;
      break;
    }
    if (p + 2 < pattern.size() && pattern[p + 1] == '-') {
      auto low = static_cast<unsigned char>(fold(pattern[p], mode));
      auto high = static_cast<unsigned char>(fold(pattern[p + 2], mode));
      if (low > high) std::swap(low, high);
      if (c >= low && c <= high) found = true;
      p += 2;
      continue;
    }
    if (static_cast<unsigned char>(fold(pattern[p], mode)) == c) found = true;
  }
  return found != negated;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text, GlobCase mode) noexcept {
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  constexpr int kStarsMost = 1000;
  int stars = 0;
  std::size_t p = 0, t = 0;
  std::size_t star = kNone, star_text = 0;
  while (t < text.size()) {
    std::size_t next = p;
    bool matched = false;
    if (p < pattern.size()) {
      const char c = pattern[p];
      if (c == '*') {
        while (p + 1 < pattern.size() && pattern[p + 1] == '*') ++p;
        if (p + 1 < pattern.size() && ++stars > kStarsMost) return false;
        star = ++p;
        star_text = t;
        continue;
      }
      if (c == '?') {
        matched = true;
        next = p + 1;
      } else if (c == '[') {
        next = p + 1;
        matched = class_match(pattern, next, text[t], mode);
      } else {
        if (c == '\\' && p + 1 < pattern.size()) ++next;
        matched = fold(pattern[next], mode) == fold(text[t], mode);
        ++next;
      }
    }
    if (matched) {
      p = next;
      ++t;
    } else if (star != kNone) {
      p = star;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p >= pattern.size();
}

}  // namespace hearth

// string.find, match, gmatch and gsub.
//
// A pattern can be made to try a number of ways that grows as a power of the subject's length, and
// Lua looks at the time between instructions only. So this matcher counts its steps and tells them
// to the Vm, which ends a script that was killed. Its recursion is as deep as the pattern has parts
// that can match in more than one way, which is bounded.
//
// Source: the reference manual of Lua 5.1, "Patterns"; a pattern ends at its first zero byte.
#include <algorithm>
#include <cctype>
#include <climits>
#include <cstddef>
#include <cstring>
#include <utility>

#include "src/script/patterns.h"
#include "src/script/vm.h"

namespace hearth::script {
namespace {

constexpr int kCapturesMost = 32;
constexpr int kMatchDepthMost = 4000;
constexpr std::size_t kPatternMost = 16 * 1024;
constexpr std::size_t kStepsAtOnce = 1U << 16;
constexpr char kEscape = '%';
constexpr std::string_view kSpecials = "^$*+?.([%-";

constexpr std::ptrdiff_t kOpenCapture = -1;      // its end is not known yet
constexpr std::ptrdiff_t kPositionCapture = -2;  // "()"

unsigned char byte_of(char c) { return static_cast<unsigned char>(c); }

bool is_in_class(char c, char letter) {
  const int b = byte_of(c);
  bool in = false;
  switch (std::tolower(byte_of(letter))) {
    case 'a': in = std::isalpha(b) != 0; break;
    case 'c': in = std::iscntrl(b) != 0; break;
    case 'd': in = std::isdigit(b) != 0; break;
    case 'l': in = std::islower(b) != 0; break;
    case 'p': in = std::ispunct(b) != 0; break;
    case 's': in = std::isspace(b) != 0; break;
    case 'u': in = std::isupper(b) != 0; break;
    case 'w': in = std::isalnum(b) != 0; break;
    case 'x': in = std::isxdigit(b) != 0; break;
    case 'z': in = b == 0; break;
    default: return letter == c;
  }
  return in != (std::isupper(byte_of(letter)) != 0);
}

// One attempt after another of one pattern on one subject. Owns nothing: Lua may leave it by a
// jump.
class Matcher {
 public:
  Matcher(lua_State* L, std::string_view subject, std::string_view pattern)
      : L_(L),
        begin_(subject.data()),
        end_(subject.data() + subject.size()),
        pattern_(pattern.data()),
        pattern_end_(pattern.data() + pattern.size()) {}

  [[nodiscard]] const char* begin() const { return begin_; }
  [[nodiscard]] const char* end() const { return end_; }

  // The end of a match that starts at `s`, or null.
  const char* match_at(const char* s) {
    count_ = 0;
    depth_ = 0;
    return match(s, pattern_);
  }
  // Steps that were not told yet.
  void settle() { Vm::spend(L_, std::exchange(steps_, 0)); }

  // Pushes the captures of the last match, or the whole of it if there are none and `s` is given.
  int push_captures(const char* s, const char* e) {
    const int n = count_ == 0 && s != nullptr ? 1 : count_;
    luaL_checkstack(L_, n, "too many captures");
    for (int i = 0; i < n; ++i) push_capture(i, s, e);
    return n;
  }
  void push_capture(int i, const char* s, const char* e) {
    if (i >= count_) {
      if (i != 0) luaL_error(L_, "invalid capture index");
      lua_pushlstring(L_, s, static_cast<std::size_t>(e - s));
      return;
    }
    const Capture& c = captures_[i];
    if (c.length == kOpenCapture) luaL_error(L_, "unfinished capture");
    if (c.length == kPositionCapture)
      lua_pushinteger(L_, c.at - begin_ + 1);
    else
      lua_pushlstring(L_, c.at, static_cast<std::size_t>(c.length));
  }

 private:
  struct Capture {
    const char* at;
    std::ptrdiff_t length;
  };

  void step() {
    if (++steps_ >= kStepsAtOnce) settle();
  }

  // Behind the single-character class at p.
  const char* class_end(const char* p) {
    const char first = *p++;
    if (first == kEscape) {
      if (p == pattern_end_) luaL_error(L_, "malformed pattern (ends with '%%')");
      return p + 1;
    }
    if (first != '[') return p;
    if (p < pattern_end_ && *p == '^') ++p;
    do {  // a ']' that comes first is one of the set
      if (p == pattern_end_) luaL_error(L_, "malformed pattern (missing ']')");
      const char c = *p++;
      if (c == kEscape && p < pattern_end_) ++p;
    } while (p == pattern_end_ || *p != ']');
    return p + 1;
  }

  // p: the '['; last: its ']'.
  static bool is_in_set(char c, const char* p, const char* last) {
    bool found = true;
    if (p[1] == '^') {
      found = false;
      ++p;
    }
    while (++p < last) {
      if (*p == kEscape) {
        ++p;
        if (is_in_class(c, *p)) return found;
      } else if (p[1] == '-' && p + 2 < last) {
        if (byte_of(*p) <= byte_of(c) && byte_of(c) <= byte_of(p[2])) return found;
        p += 2;
      } else if (*p == c) {
        return found;
      }
    }
    return !found;
  }

  static bool matches_one(char c, const char* p, const char* class_end) {
    switch (*p) {
      case '.': return true;
      case kEscape: return is_in_class(c, p[1]);
      case '[': return is_in_set(c, p, class_end - 1);
      default: return *p == c;
    }
  }
  bool matches_one_at(const char* s, const char* p, const char* class_end) {
    step();
    return s < end_ && matches_one(*s, p, class_end);
  }

  const char* match(const char* s, const char* p) {
    if (++depth_ > kMatchDepthMost) luaL_error(L_, "pattern too complex");
    const char* e = match_rest(s, p);
    --depth_;
    return e;
  }

  const char* match_rest(const char* s, const char* p) {
    for (;;) {
      step();
      if (p == pattern_end_) return s;
      if (*p == '(') {
        const bool position = p + 1 < pattern_end_ && p[1] == ')';
        return position ? open_capture(s, p + 2, kPositionCapture)
                        : open_capture(s, p + 1, kOpenCapture);
      }
      if (*p == ')') return close_capture(s, p + 1);
      if (*p == '$' && p + 1 == pattern_end_) return s == end_ ? s : nullptr;
      if (*p == kEscape && p + 1 < pattern_end_) {
        if (p[1] == 'b' || p[1] == 'f') {
          s = p[1] == 'b' ? match_balance(s, p + 2) : match_frontier(s, p);
          if (s == nullptr) return nullptr;
          p = p[1] == 'b' ? p + 4 : class_end(p + 2);
          continue;
        }
        if (std::isdigit(byte_of(p[1])) != 0) {
          s = match_again(s, p[1]);
          if (s == nullptr) return nullptr;
          p += 2;
          continue;
        }
      }
      const char* const next = class_end(p);
      const char suffix = next < pattern_end_ ? *next : '\0';
      if (suffix == '*') return longest(s, p, next, 0);
      if (suffix == '+') return longest(s, p, next, 1);
      if (suffix == '-') return shortest(s, p, next);
      const bool fits = matches_one_at(s, p, next);
      if (suffix == '?') {
        if (fits) {
          if (const char* e = match(s + 1, next + 1)) return e;
        }
        p = next + 1;
        continue;
      }
      if (!fits) return nullptr;
      ++s;
      p = next;
    }
  }

  const char* longest(const char* s, const char* p, const char* next, std::ptrdiff_t least) {
    std::ptrdiff_t n = 0;
    while (matches_one_at(s + n, p, next)) ++n;
    for (; n >= least; --n) {
      if (const char* e = match(s + n, next + 1)) return e;
    }
    return nullptr;
  }
  const char* shortest(const char* s, const char* p, const char* next) {
    for (;; ++s) {
      if (const char* e = match(s, next + 1)) return e;
      if (!matches_one_at(s, p, next)) return nullptr;
    }
  }

  const char* open_capture(const char* s, const char* p, std::ptrdiff_t kind) {
    if (count_ >= kCapturesMost) luaL_error(L_, "too many captures");
    captures_[count_++] = {s, kind};
    const char* e = match(s, p);
    if (e == nullptr) --count_;
    return e;
  }
  const char* close_capture(const char* s, const char* p) {
    int i = count_ - 1;
    while (i >= 0 && captures_[i].length != kOpenCapture) --i;
    if (i < 0) luaL_error(L_, "invalid pattern capture");
    captures_[i].length = s - captures_[i].at;
    const char* e = match(s, p);
    if (e == nullptr) captures_[i].length = kOpenCapture;
    return e;
  }

  // p: the two characters behind %b.
  const char* match_balance(const char* s, const char* p) {
    if (pattern_end_ - p < 2) luaL_error(L_, "unbalanced pattern");
    if (s == end_ || *s != p[0]) return nullptr;
    std::size_t open = 1;
    for (++s; s < end_; ++s) {
      step();
      if (*s == p[1]) {
        if (--open == 0) return s + 1;
      } else if (*s == p[0]) {
        ++open;
      }
    }
    return nullptr;
  }
  // %f[set]: between a character outside the set and one inside; both ends count as zero bytes.
  const char* match_frontier(const char* s, const char* p) {
    p += 2;
    if (p == pattern_end_ || *p != '[') luaL_error(L_, "missing '[' after '%%f' in pattern");
    const char* const last = class_end(p) - 1;
    const char before = s == begin_ ? '\0' : s[-1];
    const char here = s == end_ ? '\0' : *s;
    return !is_in_set(before, p, last) && is_in_set(here, p, last) ? s : nullptr;
  }
  // %1 .. %9: the text of a capture once more.
  const char* match_again(const char* s, char digit) {
    const int i = digit - '1';
    if (i < 0 || i >= count_ || captures_[i].length == kOpenCapture)
      luaL_error(L_, "invalid capture index");
    const std::ptrdiff_t length = captures_[i].length;
    if (length == kPositionCapture || end_ - s < length) return nullptr;
    steps_ += static_cast<std::size_t>(length) / 16;
    return std::memcmp(captures_[i].at, s, static_cast<std::size_t>(length)) == 0 ? s + length
                                                                                  : nullptr;
  }

  lua_State* L_;
  const char* begin_;
  const char* end_;
  const char* pattern_;
  const char* pattern_end_;
  int count_ = 0;
  int depth_ = 0;
  std::size_t steps_ = 0;
  Capture captures_[kCapturesMost] = {};
};

std::string_view checked_text(lua_State* L, int index) {
  std::size_t length = 0;
  const char* data = luaL_checklstring(L, index, &length);
  return {data, length};
}

std::string_view checked_pattern(lua_State* L, std::string_view pattern) {
  if (pattern.size() > kPatternMost) luaL_error(L, "pattern too complex");
  return pattern.substr(0, pattern.find('\0'));
}

// Where a search starts: the third argument, negative from the end.
std::size_t start_of(lua_State* L, std::size_t length) {
  auto at = static_cast<std::ptrdiff_t>(luaL_optinteger(L, 3, 1));
  if (at < 0) at += static_cast<std::ptrdiff_t>(length) + 1;
  if (at <= 0) return 0;
  return std::min(static_cast<std::size_t>(at) - 1, length);
}

// Takes the '^' off.
bool is_anchored(std::string_view& pattern) {
  if (!pattern.starts_with('^')) return false;
  pattern.remove_prefix(1);
  return true;
}

int push_place(lua_State* L, const char* begin, const char* s, const char* e) {
  lua_pushinteger(L, s - begin + 1);
  lua_pushinteger(L, e - begin);
  return 2;
}

int find_plain(lua_State* L, std::string_view subject, std::string_view text, std::size_t start) {
  Vm::spend(L, (subject.size() - start) / 16);
  const void* at = text.empty() ? subject.data() + start
                                : memmem(subject.data() + start, subject.size() - start,
                                         text.data(), text.size());
  if (at == nullptr) {
    lua_pushnil(L);
    return 1;
  }
  const char* s = static_cast<const char*>(at);
  return push_place(L, subject.data(), s, s + text.size());
}

enum class Wanted : bool { kPlace, kTexts };

int search(lua_State* L, Wanted wanted) {
  const std::string_view subject = checked_text(L, 1);
  const std::string_view text = checked_text(L, 2);
  const std::size_t start = start_of(L, subject.size());
  const bool plain = lua_toboolean(L, 4) != 0;
  const auto has_specials = [&] {
    return text.substr(0, text.find('\0')).find_first_of(kSpecials) != std::string_view::npos;
  };
  if (wanted == Wanted::kPlace && (plain || !has_specials()))
    return find_plain(L, subject, text, start);
  std::string_view pattern = checked_pattern(L, text);
  const bool anchored = is_anchored(pattern);
  Matcher m(L, subject, pattern);
  for (const char* s = m.begin() + start;; ++s) {
    if (const char* e = m.match_at(s)) {
      m.settle();
      if (wanted == Wanted::kTexts) return m.push_captures(s, e);
      const int place = push_place(L, m.begin(), s, e);
      return place + m.push_captures(nullptr, nullptr);
    }
    if (s == m.end() || anchored) break;
  }
  m.settle();
  lua_pushnil(L);
  return 1;
}

int pattern_find(lua_State* L) { return search(L, Wanted::kPlace); }
int pattern_match(lua_State* L) { return search(L, Wanted::kTexts); }

// Upvalues: subject, pattern, and where to go on.
int next_match(lua_State* L) {
  const std::string_view subject = text_at(L, lua_upvalueindex(1));
  Matcher m(L, subject, text_at(L, lua_upvalueindex(2)));
  const auto start = static_cast<std::size_t>(lua_tointeger(L, lua_upvalueindex(3)));
  if (start > subject.size()) return 0;
  for (const char* s = m.begin() + start;; ++s) {
    if (const char* e = m.match_at(s)) {
      m.settle();
      // Behind an empty match the search goes on one further.
      lua_pushinteger(L, e - m.begin() + (e == s ? 1 : 0));
      lua_replace(L, lua_upvalueindex(3));
      return m.push_captures(s, e);
    }
    if (s == m.end()) break;
  }
  m.settle();
  return 0;
}

int pattern_gmatch(lua_State* L) {
  checked_text(L, 1);
  const std::string_view pattern = checked_pattern(L, checked_text(L, 2));
  lua_settop(L, 2);
  push(L, pattern);
  lua_replace(L, 2);
  lua_pushinteger(L, 0);
  lua_pushcclosure(L, next_match, 3);
  return 1;
}

// The replacement text with %0 .. %9 filled in.
void add_text(lua_State* L, Matcher& m, luaL_Buffer& out, const char* s, const char* e) {
  const std::string_view with = text_at(L, 3);
  for (std::size_t i = 0; i < with.size(); ++i) {
    if (with[i] != kEscape) {
      luaL_addchar(&out, with[i]);
      continue;
    }
    const char c = ++i < with.size() ? with[i] : '\0';
    if (std::isdigit(byte_of(c)) == 0) {
      luaL_addchar(&out, c);
    } else if (c == '0') {
      luaL_addlstring(&out, s, static_cast<std::size_t>(e - s));
    } else {
      m.push_capture(c - '1', s, e);
      luaL_addvalue(&out);
    }
  }
}

void add_replacement(lua_State* L, Matcher& m, luaL_Buffer& out, const char* s, const char* e) {
  switch (lua_type(L, 3)) {
    case LUA_TFUNCTION: {
      lua_pushvalue(L, 3);
      const int n = m.push_captures(s, e);
      lua_call(L, n, 1);
      break;
    }
    case LUA_TTABLE:
      m.push_capture(0, s, e);
      lua_gettable(L, 3);
      break;
    default: return add_text(L, m, out, s, e);
  }
  if (lua_toboolean(L, -1) == 0) {  // nothing is replaced
    lua_pop(L, 1);
    lua_pushlstring(L, s, static_cast<std::size_t>(e - s));
  } else if (lua_isstring(L, -1) == 0) {
    luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  }
  luaL_addvalue(&out);
}

int pattern_gsub(lua_State* L) {
  const std::string_view subject = checked_text(L, 1);
  std::string_view pattern = checked_pattern(L, checked_text(L, 2));
  const int type = lua_type(L, 3);
  luaL_argcheck(
      L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE,
      3, "string/function/table expected");
  const auto most = luaL_optinteger(L, 4, static_cast<lua_Integer>(subject.size()) + 1);
  const bool anchored = is_anchored(pattern);
  Matcher m(L, subject, pattern);
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  const char* s = m.begin();
  lua_Integer n = 0;
  while (n < most) {
    const char* e = m.match_at(s);
    if (e != nullptr) {
      ++n;
      add_replacement(L, m, out, s, e);
    }
    if (e != nullptr && e > s)
      s = e;
    else if (s < m.end())
      luaL_addchar(&out, *s++);
    else
      break;
    if (anchored) break;
  }
  m.settle();
  luaL_addlstring(&out, s, static_cast<std::size_t>(m.end() - s));
  luaL_pushresult(&out);
  lua_pushinteger(L, n);
  return 2;
}

}  // namespace

void replace_pattern_functions(lua_State* L) {
  static const luaL_Reg kFunctions[] = {{"find", pattern_find},
                                        {"match", pattern_match},
                                        {"gmatch", pattern_gmatch},
                                        {"gsub", pattern_gsub},
                                        {nullptr, nullptr}};
  luaL_register(L, nullptr, kFunctions);
}

}  // namespace hearth::script

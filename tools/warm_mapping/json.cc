#include "tools/warm_mapping/json.h"

#include <bit>
#include <bitset>
#include <cmath>
#include <cstdint>

#include "src/base/bytes.h"
#include "src/base/format_number.h"

namespace hearth::warm {
namespace {

constexpr std::uint64_t kEach = 0x0101010101010101ULL;

// Marks, by their highest bits, those of eight bytes that are a control character, '"', '\\' or not
// ASCII. A borrow can mark a byte wrongly only above one that is marked rightly, so zero and the
// lowest mark are exact.
std::uint64_t special_marks(std::uint64_t eight) {
  const std::uint64_t control = eight - kEach * 0x20;
  const std::uint64_t quote = (eight ^ (kEach * '"')) - kEach;
  const std::uint64_t slash = (eight ^ (kEach * '\\')) - kEach;
  return (control | quote | slash | eight) & (kEach * 0x80);
}

bool is_plain(unsigned char c) { return c >= 0x20 && c != '"' && c != '\\' && c < 0x80; }

// How many bytes from the front need no escape and are ASCII.
std::size_t plain_run(const char* p, const char* end) {
  const char* begin = p;
  for (; end - p >= 8; p += 8) {
    const std::uint64_t marks = special_marks(load_le<std::uint64_t>(p));
    if (marks != 0) return static_cast<std::size_t>(p - begin + std::countr_zero(marks) / 8);
  }
  while (p < end && is_plain(static_cast<unsigned char>(*p))) ++p;
  return static_cast<std::size_t>(p - begin);
}

// Length of the UTF-8 sequence at p, whose first byte is not ASCII; 0 when it is not valid.
// The bounds of the second byte exclude overlong forms, surrogates and what is above U+10FFFF.
std::size_t utf8_length(const char* p, const char* end) {
  const auto at = [&](std::ptrdiff_t i) { return static_cast<unsigned char>(p[i]); };
  const auto is_tail = [&](std::ptrdiff_t i) { return end - p > i && (at(i) & 0xC0) == 0x80; };
  const unsigned char lead = at(0);
  if (lead >= 0xC2 && lead <= 0xDF) return is_tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!is_tail(1) || !is_tail(2)) return 0;
    if (lead == 0xE0 && at(1) < 0xA0) return 0;
    if (lead == 0xED && at(1) > 0x9F) return 0;
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!is_tail(1) || !is_tail(2) || !is_tail(3)) return 0;
    if (lead == 0xF0 && at(1) < 0x90) return 0;
    if (lead == 0xF4 && at(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

void append_escape(Buffer& out, char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  char* p = out.room(6);
  p[0] = '\\';
  switch (c) {
    case '"': p[1] = '"'; break;
    case '\\': p[1] = '\\'; break;
    case '\n': p[1] = 'n'; break;
    case '\r': p[1] = 'r'; break;
    case '\t': p[1] = 't'; break;
    case '\b': p[1] = 'b'; break;
    case '\f': p[1] = 'f'; break;
    default: {
      const auto byte = static_cast<unsigned char>(c);
      p[1] = 'u';
      p[2] = p[3] = '0';
      p[4] = kHex[byte >> 4];
      p[5] = kHex[byte & 15];
      out.advance(6);
      return;
    }
  }
  out.advance(2);
}

// Most numbers in tables have few decimals: m / 1000 with a small m is exact arithmetic to test,
// and the shortest text, because no two texts of 15 digits or fewer read as one double.
bool append_thousandths(Buffer& out, double number) {
  const double scaled = number * 1000;
  const auto m = static_cast<std::int64_t>(scaled);
  if (static_cast<double>(m) != scaled || static_cast<double>(m) / 1000 != number || m == 0)
    return false;
  const std::int64_t magnitude = m < 0 ? -m : m;
  if (m < 0) out.push('-');
  out.advance(format_int64(magnitude / 1000, out.room(kInt64TextMax)));
  const std::int64_t rest = magnitude % 1000;
  if (rest == 0) return true;
  char digits[4] = {'.', static_cast<char>('0' + rest / 100),
                    static_cast<char>('0' + rest / 10 % 10), static_cast<char>('0' + rest % 10)};
  out.append({digits, rest % 10 != 0 ? 4U : rest % 100 != 0 ? 3U : 2U});
  return true;
}

// Walks one JSON text. Nesting is a bit per level instead of recursion: 1 is an object.
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : p_(text.data()), end_(text.data() + text.size()) {}

  JsonCheck check() {
    if (scan()) return JsonCheck::kGood;
    return too_deep_ ? JsonCheck::kTooDeep : JsonCheck::kMalformed;
  }

 private:
  bool scan() {
    for (;;) {
      if (!scan_value_start()) return false;
      if (opened_) continue;
      if (!close_levels()) return false;
      if (depth_ == 0) return skip_space(), p_ == end_;
    }
  }
  void skip_space() {
    while (p_ < end_ && (*p_ == ' ' || *p_ == '\t' || *p_ == '\n' || *p_ == '\r')) ++p_;
  }
  bool take(char c) {
    skip_space();
    if (p_ == end_ || *p_ != c) return false;
    ++p_;
    return true;
  }
  bool take_word(std::string_view word) {
    if (static_cast<std::size_t>(end_ - p_) < word.size() ||
        std::string_view(p_, word.size()) != word)
      return false;
    p_ += word.size();
    return true;
  }
  bool in_object() const { return is_object_[static_cast<std::size_t>(depth_ - 1)]; }
  bool scan_key() { return take('"') && scan_string() && take(':'); }

  // A scalar, or the opening of a container up to its first value (opened_).
  bool scan_value_start() {
    opened_ = false;
    skip_space();
    if (p_ == end_) return false;
    switch (*p_) {
      case '{':
      case '[': return open(*p_ == '{');
      case '"': return ++p_, scan_string();
      case 't': return take_word("true");
      case 'f': return take_word("false");
      case 'n': return take_word("null");
      default: return scan_number();
    }
  }
  bool open(bool object) {
    ++p_;
    if (depth_ == kJsonDepthMax) return too_deep_ = true, false;
    if (take(object ? '}' : ']')) return true;
    is_object_[static_cast<std::size_t>(depth_++)] = object;
    opened_ = true;
    return !object || scan_key();
  }
  // After a value: a comma leads to the next one, closing brackets end their levels.
  bool close_levels() {
    while (depth_ > 0) {
      if (take(',')) return !in_object() || scan_key();
      if (!take(in_object() ? '}' : ']')) return false;
      --depth_;
    }
    return true;
  }
  bool scan_digits() {
    const char* begin = p_;
    while (p_ < end_ && *p_ >= '0' && *p_ <= '9') ++p_;
    return p_ > begin;
  }
  bool scan_number() {
    if (*p_ == '-') ++p_;
    if (p_ < end_ && *p_ == '0') {
      ++p_;
    } else if (!scan_digits()) {
      return false;
    }
    if (p_ < end_ && *p_ == '.' && (++p_, !scan_digits())) return false;
    if (p_ < end_ && (*p_ == 'e' || *p_ == 'E')) {
      ++p_;
      if (p_ < end_ && (*p_ == '+' || *p_ == '-')) ++p_;
      return scan_digits();
    }
    return true;
  }
  bool scan_escape() {
    if (p_ == end_) return false;
    const char c = *p_++;
    if (c != 'u') return std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos;
    for (int i = 0; i < 4; ++i, ++p_) {
      if (p_ == end_) return false;
      const bool hex =
          (*p_ >= '0' && *p_ <= '9') || (*p_ >= 'a' && *p_ <= 'f') || (*p_ >= 'A' && *p_ <= 'F');
      if (!hex) return false;
    }
    return true;
  }
  // Behind the opening quote.
  bool scan_string() {
    for (;;) {
      p_ += plain_run(p_, end_);
      if (p_ == end_) return false;
      const auto c = static_cast<unsigned char>(*p_);
      if (c == '"') return ++p_, true;
      if (c < 0x20) return false;
      if (c == '\\') {
        ++p_;
        if (!scan_escape()) return false;
        continue;
      }
      const std::size_t length = utf8_length(p_, end_);
      if (length == 0) return false;
      p_ += length;
    }
  }

  const char* p_;
  const char* end_;
  int depth_ = 0;
  bool opened_ = false;
  bool too_deep_ = false;
  std::bitset<kJsonDepthMax> is_object_;  // of the levels below depth_
};

}  // namespace

bool append_json_string(Buffer& out, std::string_view text) {
  const char* p = text.data();
  const char* end = p + text.size();
  out.room(text.size() + 2);  // enough for what needs no escapes
  out.push('"');
  while (p < end) {
    std::size_t run = plain_run(p, end);
    while (p + run < end && static_cast<unsigned char>(p[run]) >= 0x80) {
      const std::size_t length = utf8_length(p + run, end);
      if (length == 0) return false;
      run += length;
      run += plain_run(p + run, end);
    }
    out.append({p, run});
    p += run;
    if (p < end) append_escape(out, *p++);
  }
  out.push('"');
  return true;
}

bool append_json_number(Buffer& out, double number) {
  if (!std::isfinite(number)) return false;
  if (std::fabs(number) < 1e9 && append_thousandths(out, number)) return true;
  out.advance(format_double(number, out.room(kDoubleTextMax)));
  return true;
}

void append_json_base64(Buffer& out, std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  char* p = out.room(bytes.size() / 3 * 4 + 6);
  const char* begin = p;
  *p++ = '"';
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const auto byte = [&](std::size_t at) -> std::uint32_t {
      return at < bytes.size() ? static_cast<unsigned char>(bytes[at]) : 0;
    };
    const std::uint32_t bits = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    *p++ = kDigits[bits >> 18];
    *p++ = kDigits[bits >> 12 & 63];
    *p++ = i + 1 < bytes.size() ? kDigits[bits >> 6 & 63] : '=';
    *p++ = i + 2 < bytes.size() ? kDigits[bits & 63] : '=';
  }
  *p++ = '"';
  out.advance(static_cast<std::size_t>(p - begin));
}

JsonCheck check_json(std::string_view text) { return JsonScanner(text).check(); }

}  // namespace hearth::warm

#include "src/proto/request_parser.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "src/base/parse_number.h"

namespace hearth {
namespace {

constexpr std::int64_t kUnauthenticatedCount = 10;
constexpr std::int64_t kUnauthenticatedBulk = 16384;
// More than any address space: lengths up to it can be added up without overflow.
constexpr std::int64_t kRequestBulkMost = std::int64_t{1} << 48;

// The number between `from` and the '\r' at `end`.
std::optional<std::int64_t> header_number(const char* from, const char* end) {
  // One to four digits, the usual case, without the general parser.
  if (end > from && end - from <= 4 && *from != '-' && (*from != '0' || end - from == 1)) {
    std::int64_t value = 0;
    for (const char* p = from; p < end; ++p) {
      const unsigned digit = static_cast<unsigned char>(*p) - unsigned{'0'};
      if (digit > 9) return std::nullopt;
      value = value * 10 + digit;
    }
    return value;
  }
  return parse_int64({from, static_cast<std::size_t>(end - from)});
}

const char* find_cr(const char* from, const char* end) {
  // Headers are a few bytes long; a short loop beats a call.
  const char* const near = std::min(end, from + 8);
  for (const char* p = from; p < near; ++p) {
    if (*p == '\r') return p;
  }
  if (near == end) return nullptr;
  return static_cast<const char*>(std::memchr(near, '\r', static_cast<std::size_t>(end - near)));
}

// Fast path for a header with one to four digits: "$3\r\n", "*12\r\n". Returns the byte behind it,
// or nullptr if the general parser has to look. At least kUsualBytes can be read at p; what follows
// may be one byte further, where the line feed has not come yet.
constexpr std::ptrdiff_t kUsualBytes = 6;  // the shortest word: "$0\r\n\r\n"
inline const char* usual_header(const char* p, char mark, std::size_t& value) {
  if (*p != mark) return nullptr;
  const auto digit = [p](int i) { return static_cast<unsigned char>(p[i]) - unsigned{'0'}; };
  const unsigned first = digit(1);
  if (first > 9) return nullptr;
  value = first;
  if (p[2] == '\r') return p + 4;
  if (first == 0) return nullptr;
  for (int i = 2; i < 5; ++i) {
    if (digit(i) > 9) return nullptr;
    value = value * 10 + digit(i);
    if (p[i + 1] == '\r') return p + i + 3;
  }
  return nullptr;
}

// Fast path for a whole request with such headers. Returns the byte behind it, or nullptr with
// `args` unchanged.
const char* usual_request(const char* p, const char* end, const ParserLimits& limits,
                          std::vector<std::string_view>& args) {
  constexpr std::size_t kCountMost = 1024;
  std::size_t count = 0;
  if (end - p < kUsualBytes) return nullptr;
  p = usual_header(p, '*', count);
  if (p == nullptr || count == 0 || count > kCountMost) return nullptr;
  if (static_cast<std::int64_t>(count) >
      (limits.authenticated ? limits.multibulk_count : kUnauthenticatedCount)) {
    return nullptr;
  }
  const std::size_t mark = args.size();
  for (; count > 0; --count) {
    std::size_t length = 0;
    const char* const word = end - p < kUsualBytes ? nullptr : usual_header(p, '$', length);
    if (word == nullptr || end - word < static_cast<std::ptrdiff_t>(length + 2) ||
        static_cast<std::int64_t>(length) > limits.bulk_bytes) {
      args.resize(mark);
      return nullptr;
    }
    args.emplace_back(word, length);
    p = word + length + 2;
  }
  return p;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char l = ascii_lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

char unescape(char c) {
  switch (c) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'b': return '\b';
    case 'a': return '\a';
    default: return c;
  }
}

}  // namespace

bool split_quoted(std::string_view line, std::vector<std::string>& out) {
  std::size_t i = 0;
  for (;;) {
    while (i < line.size() && is_blank(line[i])) ++i;
    if (i >= line.size()) return true;
    std::string word;
    char quote = 0;
    for (bool done = false; !done;) {
      if (i >= line.size()) {
        if (quote != 0) return false;
        break;
      }
      const char c = line[i];
      if (quote == '"' && c == '\\' && i + 3 < line.size() && line[i + 1] == 'x' &&
          hex_digit(line[i + 2]) >= 0 && hex_digit(line[i + 3]) >= 0) {
        word += static_cast<char>(hex_digit(line[i + 2]) * 16 + hex_digit(line[i + 3]));
        i += 4;
      } else if (quote == '"' && c == '\\' && i + 1 < line.size()) {
        word += unescape(line[i + 1]);
        i += 2;
      } else if (quote == '\'' && c == '\\' && i + 1 < line.size() && line[i + 1] == '\'') {
        word += '\'';
        i += 2;
      } else if (quote != 0 && c == quote) {
        // A closing quote ends the word: something else right behind it is an error.
        if (i + 1 < line.size() && !is_blank(line[i + 1])) return false;
        ++i;
        done = true;
      } else if (quote == 0 && is_blank(c)) {
        done = true;
      } else if (quote == 0 && (c == '"' || c == '\'')) {
        quote = c;
        ++i;
      } else {
        word += c;
        ++i;
      }
    }
    out.push_back(std::move(word));
  }
}

RequestParser::Status RequestParser::fail(std::string text) {
  error_ = "ERR Protocol error: " + std::move(text);
  reset();
  return Status::kError;
}

// Memory of a request with very many words is not kept for later ones.
void RequestParser::forget_pending() {
  constexpr std::size_t kKept = 1024;
  if (pending_.capacity() > kKept) std::vector<Piece>().swap(pending_);
  pending_.clear();
}

void RequestParser::reset() {
  forget_pending();
  position_ = 0;
  remaining_ = 0;
  bulk_length_ = -1;
  bytes_wanted_ = 0;
}

RequestParser::Status RequestParser::next(std::string_view data, const ParserLimits& limits,
                                          std::vector<std::string_view>& args,
                                          std::size_t& consumed) {
  bytes_wanted_ = 0;
  last_was_inline_ = false;
  const char* const begin = data.data();
  const char* const end = begin + data.size();

  if (remaining_ == 0) {
    if (data.empty()) return Status::kNeedMore;
    if (*begin != '*') return parse_inline(data, limits, args, consumed);
    if (const char* after = usual_request(begin, end, limits, args)) {
      consumed = static_cast<std::size_t>(after - begin);
      return Status::kRequest;
    }
    const char* cr = find_cr(begin + 1, end);
    if (cr == nullptr || cr + 1 >= end) {
      if (data.size() > limits.inline_bytes) return fail("too big mbulk count string");
      return Status::kNeedMore;
    }
    const auto number = header_number(begin + 1, cr);
    if (!number) return fail("invalid multibulk length");
    const std::int64_t count = *number;
    position_ = static_cast<std::size_t>(cr + 2 - begin);
    if (count > limits.multibulk_count) return fail("invalid multibulk length");
    if (count > kUnauthenticatedCount && !limits.authenticated)
      return fail("unauthenticated multibulk length");
    if (count <= 0) {
      consumed = position_;
      position_ = 0;
      return Status::kRequest;
    }
    remaining_ = count;
  }

  // A complete request goes to `args` at once. One that arrives in parts is kept as offsets until
  // its last part, so that a huge one is parsed once and not once per part.
  const std::size_t mark = args.size();
  const bool resumed = !pending_.empty();
  const auto need_more = [&] {
    if (!resumed) {
      for (std::size_t i = mark; i < args.size(); ++i) {
        pending_.push_back({static_cast<std::size_t>(args[i].data() - begin), args[i].size()});
      }
      args.resize(mark);
    }
    return Status::kNeedMore;
  };
  while (remaining_ > 0) {
    const char* p = begin + position_;
    std::size_t usual = 0;
    if (const char* word =
            bulk_length_ < 0 && end - p >= kUsualBytes ? usual_header(p, '$', usual) : nullptr;
        word != nullptr && static_cast<std::int64_t>(usual) <= limits.bulk_bytes) {
      bulk_length_ = static_cast<std::int64_t>(usual);
      position_ = static_cast<std::size_t>(word - begin);
      p = word;
    } else if (bulk_length_ < 0) {
      const char* cr = p < end ? find_cr(p, end) : nullptr;
      if (cr == nullptr || cr + 1 >= end) {
        if (static_cast<std::size_t>(end - p) > limits.inline_bytes)
          return fail("too big bulk count string");
        return need_more();
      }
      if (*p != '$') return fail(std::string("expected '$', got '") + *p + "'");
      const auto length = header_number(p + 1, cr);
      if (!length || *length < 0 || *length > std::min(limits.bulk_bytes, kRequestBulkMost))
        return fail("invalid bulk length");
      if (*length > kUnauthenticatedBulk && !limits.authenticated)
        return fail("unauthenticated bulk length");
      bulk_length_ = *length;
      position_ = static_cast<std::size_t>(cr + 2 - begin);
      p = cr + 2;
    }
    const auto length = static_cast<std::size_t>(bulk_length_);
    if (end - p < bulk_length_ + 2) {
      bytes_wanted_ = position_ + length + 2;
      return need_more();
    }
    if (resumed)
      pending_.push_back({position_, length});
    else
      args.emplace_back(p, length);
    position_ += length + 2;
    bulk_length_ = -1;
    --remaining_;
  }
  for (const Piece& piece : pending_) args.emplace_back(begin + piece.offset, piece.length);
  consumed = position_;
  forget_pending();
  position_ = 0;
  return Status::kRequest;
}

RequestParser::Status RequestParser::parse_inline(std::string_view data, const ParserLimits& limits,
                                                  std::vector<std::string_view>& args,
                                                  std::size_t& consumed) {
  const std::size_t newline = data.find('\n');
  if (newline == std::string_view::npos) {
    if (data.size() > limits.inline_bytes) return fail("too big inline request");
    return Status::kNeedMore;
  }
  std::string_view line = data.substr(0, newline);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.size() > limits.inline_bytes) return fail("too big inline request");
  std::vector<std::string> words;
  if (!split_quoted(line, words)) return fail("unbalanced quotes in request");
  consumed = newline + 1;
  last_was_inline_ = true;
  std::size_t total = 0;
  for (const auto& word : words) total += word.size();
  inline_storage_.clear();
  inline_storage_.reserve(total);  // the views point into it: it must not move
  for (const auto& word : words) {
    const std::size_t at = inline_storage_.size();
    inline_storage_ += word;
    args.emplace_back(inline_storage_.data() + at, word.size());
  }
  return Status::kRequest;
}

}  // namespace hearth

#include "src/proto/reply_parser.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "src/base/parse_number.h"

namespace hearth {
namespace {

// Lengths above it are refused before they are added to anything.
constexpr std::uint64_t kReplyBulkMost = std::uint64_t{1} << 48;
constexpr std::string_view kPlainOk = "+OK\r\n";

bool is_aggregate(char mark) {
  return mark == '*' || mark == '%' || mark == '~' || mark == '>' || mark == '|';
}

RespKind aggregate_kind(char mark) {
  switch (mark) {
    case '%':
    case '|': return RespKind::kMap;
    case '~': return RespKind::kSet;
    case '>': return RespKind::kPush;
    default: return RespKind::kArray;
  }
}

bool is_big_number(std::string_view text) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// RESP3 doubles may be "nan", which the strict number parser refuses.
std::optional<double> reply_double(std::string_view text) {
  if (equals_ignore_case(text, "nan") || equals_ignore_case(text, "-nan")) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return parse_double(text);
}

std::vector<RespValue>& items_of(RespValue& value) {
  return std::get<std::vector<RespValue>>(value.data);
}

}  // namespace

bool RespValue::is_text(std::string_view expected) const noexcept {
  return (kind == RespKind::kSimple || kind == RespKind::kBulk) && text() == expected;
}

std::string_view RespValue::text() const noexcept {
  const auto* held = std::get_if<std::string>(&data);
  if (held == nullptr) return {};
  std::string_view view = *held;
  if (kind == RespKind::kVerbatim) view.remove_prefix(std::min<std::size_t>(4, view.size()));
  return view;
}

std::int64_t RespValue::integer(std::int64_t otherwise) const noexcept {
  const auto* held = std::get_if<std::int64_t>(&data);
  return held == nullptr ? otherwise : *held;
}

std::span<const RespValue> RespValue::items() const noexcept {
  const auto* held = std::get_if<std::vector<RespValue>>(&data);
  return held == nullptr ? std::span<const RespValue>{} : std::span<const RespValue>(*held);
}

const RespValue* RespValue::find(std::string_view key) const noexcept {
  const auto all = items();
  for (std::size_t i = 0; i + 1 < all.size(); i += 2) {
    if (all[i].text() == key) return &all[i + 1];
  }
  return nullptr;
}

bool operator==(const RespValue& a, const RespValue& b) {
  return a.kind == b.kind && a.data == b.data && a.attributes == b.attributes;
}

void ReplyParser::feed(std::string_view bytes) {
  if (!input_.append(bytes, wanted_)) failure_ = Error{ErrorCode::kLimit, "no memory for a reply"};
}

std::span<char> ReplyParser::room(std::size_t wanted) { return input_.room(wanted, wanted_); }

void ReplyParser::filled(std::size_t bytes) { input_.filled(bytes); }

void ReplyParser::consume(std::size_t bytes) {
  input_.consume(bytes);
  consumed_ += bytes;
  line_scanned_ = wanted_ = 0;
}

unexpected<Error> ReplyParser::error_at(ErrorCode code, std::size_t at,
                                        std::string_view what) const {
  return fail(code, fmt::format("reply stream, offset {}: {}", consumed_ + at, what));
}

std::size_t ReplyParser::take_plain_ok(std::size_t most) {
  std::size_t taken = 0;
  if (!frames_.empty() || !attributes_.empty() || failure_) return 0;
  const std::string_view unread = input_.unread();
  while (taken < most && unread.substr(taken * kPlainOk.size()).starts_with(kPlainOk)) ++taken;
  if (taken > 0) consume(taken * kPlainOk.size());
  return taken;
}

Result<std::optional<RespValue>> ReplyParser::next() {
  if (failure_) return unexpected<Error>(*failure_);
  for (;;) {
    if (input_.size() < wanted_) return std::optional<RespValue>{};
    RespValue value;
    auto step = parse_one(value);
    if (!step) {
      failure_ = step.error();
      return unexpected<Error>(*failure_);
    }
    if (*step == Step::kNeedMore) return std::optional<RespValue>{};
    if (*step == Step::kOpened) continue;
    if (place(value)) {
      elements_ = 0;
      return std::optional<RespValue>(std::move(value));
    }
  }
}

// The bytes between the mark, which stands first, and the line end; nothing is consumed. Nothing
// when the line is not complete.
Result<std::optional<std::string_view>> ReplyParser::take_line() {
  const char* start = input_.unread().data();
  const std::size_t size = input_.size();
  const auto* newline =
      static_cast<const char*>(std::memchr(start + line_scanned_, '\n', size - line_scanned_));
  const std::size_t length = newline == nullptr ? size : static_cast<std::size_t>(newline - start);
  if (length > limits_.line_bytes) {
    return error_at(ErrorCode::kLimit, 0,
                    fmt::format("line longer than {} bytes", limits_.line_bytes));
  }
  if (newline == nullptr) {
    line_scanned_ = size;
    return std::optional<std::string_view>{};
  }
  if (length < 2 || newline[-1] != '\r') {
    return error_at(ErrorCode::kCorrupt, length, "line feed without carriage return");
  }
  return std::optional<std::string_view>(std::string_view(start + 1, length - 2));
}

Result<ReplyParser::Step> ReplyParser::parse_one(RespValue& out) {
  if (input_.empty()) return Step::kNeedMore;
  const char mark = input_.unread().front();
  if (std::string_view("+-:$*_%~>,#(!=|").find(mark) == std::string_view::npos) {
    return error_at(
        ErrorCode::kCorrupt, 0,
        fmt::format("byte 0x{:02x} starts no reply type", static_cast<unsigned char>(mark)));
  }
  HEARTH_TRY(const auto line, take_line());
  if (!line) return Step::kNeedMore;
  if (elements_ >= limits_.elements) {
    return error_at(ErrorCode::kLimit, 0,
                    fmt::format("reply of more than {} values", limits_.elements));
  }
  const std::size_t line_end = line->size() + 3;
  if (mark == '$' || mark == '=' || mark == '!') return parse_bulk(mark, *line, line_end, out);

  HEARTH_TRY(const Step step, is_aggregate(mark) ? open_aggregate(mark, *line, out)
                                                 : parse_scalar(mark, *line, out));
  consume(line_end);
  ++elements_;
  return step;
}

Result<ReplyParser::Step> ReplyParser::parse_scalar(char mark, std::string_view text,
                                                    RespValue& out) {
  const auto bad = [&](std::string_view what) { return error_at(ErrorCode::kCorrupt, 1, what); };
  switch (mark) {
    case '+':
    case '-':
      if (text.find('\r') != std::string_view::npos) return bad("carriage return inside a line");
      out.kind = mark == '+' ? RespKind::kSimple : RespKind::kError;
      out.data = std::string(text);
      return Step::kValue;
    case ':': {
      // "+5" is legal in a reply although no server sends it.
      const auto number = parse_int64(!text.empty() && text[0] == '+' ? text.substr(1) : text);
      if (!number) return bad("not an integer");
      out.kind = RespKind::kInteger;
      out.data = *number;
      return Step::kValue;
    }
    case ',': {
      const auto number = reply_double(text);
      if (!number) return bad("not a double");
      out.kind = RespKind::kDouble;
      out.data = *number;
      return Step::kValue;
    }
    case '#':
      if (text != "t" && text != "f") return bad("a boolean is t or f");
      out.kind = RespKind::kBool;
      out.data = text == "t";
      return Step::kValue;
    case '(':
      if (!is_big_number(text)) return bad("not a big number");
      out.kind = RespKind::kBigNumber;
      out.data = std::string(text);
      return Step::kValue;
    default:  // '_'
      if (!text.empty()) return bad("a null carries no text");
      return Step::kValue;
  }
}

Result<ReplyParser::Step> ReplyParser::parse_bulk(char mark, std::string_view header,
                                                  std::size_t header_end, RespValue& out) {
  const auto length = parse_int64(header);
  if (header == "?")
    return error_at(ErrorCode::kUnsupported, 0, "streamed strings are not supported");
  if (!length || *length < -1 || (*length == -1 && mark != '$')) {
    return error_at(ErrorCode::kCorrupt, 1, "not a length");
  }
  if (*length == -1) {
    consume(header_end);
    ++elements_;
    return Step::kValue;
  }
  const auto size = static_cast<std::uint64_t>(*length);
  if (size > limits_.bulk_bytes) {
    return error_at(ErrorCode::kLimit, 0,
                    fmt::format("bulk of {} bytes, limit {}", size, limits_.bulk_bytes));
  }
  if (size > kReplyBulkMost) return error_at(ErrorCode::kLimit, 0, "bulk that no memory holds");
  if (input_.size() - header_end < size + 2) {
    // The header is read again when the rest is here; until then a call costs one comparison.
    line_scanned_ = 0;
    wanted_ = header_end + static_cast<std::size_t>(size) + 2;
    return Step::kNeedMore;
  }
  const char* body = input_.unread().data() + header_end;
  if (body[size] != '\r' || body[size + 1] != '\n') {
    return error_at(ErrorCode::kCorrupt, header_end + static_cast<std::size_t>(size),
                    "bulk without its line end");
  }
  if (mark == '=' && (size < 4 || body[3] != ':')) {
    return error_at(ErrorCode::kCorrupt, header_end, "verbatim string without its format");
  }
  out.kind = mark == '$' ? RespKind::kBulk : mark == '=' ? RespKind::kVerbatim : RespKind::kError;
  out.data = std::string(body, static_cast<std::size_t>(size));
  consume(header_end + static_cast<std::size_t>(size) + 2);
  ++elements_;
  return Step::kValue;
}

Result<ReplyParser::Step> ReplyParser::open_aggregate(char mark, std::string_view header,
                                                      RespValue& out) {
  if (header == "?")
    return error_at(ErrorCode::kUnsupported, 0, "streamed aggregates are not supported");
  const auto count = parse_int64(header);
  if (!count || *count < -1 || (*count == -1 && mark != '*')) {
    return error_at(ErrorCode::kCorrupt, 1, "not a count");
  }
  if (*count == -1) return Step::kValue;  // RESP2's null array
  if (static_cast<std::uint64_t>(*count) > limits_.elements) {
    return error_at(ErrorCode::kLimit, 0,
                    fmt::format("aggregate of {} values, limit {}", *count, limits_.elements));
  }
  const bool pairs = mark == '%' || mark == '|';
  const std::size_t items = static_cast<std::size_t>(*count) * (pairs ? 2 : 1);
  out.kind = aggregate_kind(mark);
  out.data = std::vector<RespValue>{};
  // An item takes at least three bytes, so memory is reserved only for what may already be here.
  items_of(out).reserve(std::min(items, input_.size() / 3 + 1));
  if (mark == '|' && items == 0) return Step::kOpened;
  if (items == 0) return Step::kValue;
  if (frames_.size() >= limits_.depth) {
    return error_at(ErrorCode::kLimit, 0, fmt::format("nested deeper than {}", limits_.depth));
  }
  if (mark != '|') {
    out.attributes = std::move(attributes_);
    attributes_.clear();
  }
  frames_.push_back({std::move(out), items, mark == '|'});
  return Step::kOpened;
}

bool ReplyParser::place(RespValue& value) {
  for (;;) {
    if (!attributes_.empty()) {
      value.attributes = std::move(attributes_);
      attributes_.clear();
    }
    if (frames_.empty()) return true;
    Frame& top = frames_.back();
    items_of(top.value).push_back(std::move(value));
    if (--top.missing > 0) return false;
    const bool was_attribute = top.is_attribute;
    value = std::move(top.value);
    frames_.pop_back();
    if (was_attribute) {
      attributes_ = std::move(items_of(value));
      return false;
    }
  }
}

}  // namespace hearth

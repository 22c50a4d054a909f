// Replies as values: an incremental parser of RESP2 and RESP3.
//
//   parser.feed(bytes_from_socket);
//   for (;;) {
//     HEARTH_TRY(auto reply, parser.next());
//     if (!reply) break;            // more bytes are needed
//     use(*reply);
//   }
//
// Source: the published RESP specification (RESP2 and RESP3 types). Streamed strings and
// aggregates ("$?", "*?") are refused: no server sends them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "src/base/input_buffer.h"
#include "src/base/result.h"

namespace hearth {

enum class RespKind : std::uint8_t {
  kSimple,     // +OK            string
  kError,      // -ERR, !n       string, without the leading mark
  kInteger,    // :1             int64
  kBulk,       // $n             string
  kNull,       // $-1, *-1, _    nothing
  kArray,      // *n             items
  kMap,        // %n             items: key, value, key, value
  kSet,        // ~n             items
  kPush,       // >n             items
  kDouble,     // ,1.5           double; inf, -inf and nan included
  kBool,       // #t             bool
  kBigNumber,  // (123           string: sign and digits
  kVerbatim,   // =n             string: "txt:" and the text
};

// One reply. `data` holds what the kind says; a null holds std::monostate.
struct RespValue {
  RespKind kind = RespKind::kNull;
  std::variant<std::monostate, std::int64_t, double, bool, std::string, std::vector<RespValue>>
      data;
  // The "|n" attribute in front of this value: key, value, key, value. Mostly empty.
  std::vector<RespValue> attributes;

  [[nodiscard]] bool is_error() const noexcept { return kind == RespKind::kError; }
  [[nodiscard]] bool is_null() const noexcept { return kind == RespKind::kNull; }
  // True for a simple string or a bulk equal to `text`.
  [[nodiscard]] bool is_text(std::string_view text) const noexcept;
  // The string of a simple, error, bulk, big number or verbatim (without its "txt:"); else empty.
  [[nodiscard]] std::string_view text() const noexcept;
  // The integer of an integer; else `otherwise`.
  [[nodiscard]] std::int64_t integer(std::int64_t otherwise = 0) const noexcept;
  // The items of an array, set or push, the flat keys and values of a map; else nothing.
  [[nodiscard]] std::span<const RespValue> items() const noexcept;
  // The value behind a text key: of a map, or of an array that lists keys and values in turn, as
  // RESP2 renders maps. Null when there is none. O(items).
  [[nodiscard]] const RespValue* find(std::string_view key) const noexcept;

  friend bool operator==(const RespValue& a, const RespValue& b);
};

// Refused before memory is taken for it.
struct ReplyLimits {
  std::size_t line_bytes = 64 * 1024;               // simple strings, errors, numbers, headers
  std::size_t bulk_bytes = std::size_t{512} << 20;  // one bulk, verbatim or bulk error
  std::size_t elements = std::size_t{1} << 24;      // all values of one reply, nested ones too
  std::size_t depth = 64;                           // aggregates inside aggregates
};

// Not thread-safe. Memory: the unparsed bytes and the reply under construction.
class ReplyParser {
 public:
  explicit ReplyParser(ReplyLimits limits = {}) : limits_(limits) {}

  // Appends bytes to what is not parsed yet.
  void feed(std::string_view bytes);

  // The same without a copy: at least `wanted` bytes to be filled by the caller, who then says how
  // many it filled. The span is valid until the next call of any other member; it is empty if there
  // is no memory.
  std::span<char> room(std::size_t wanted);
  void filled(std::size_t bytes);

  // The next whole reply, or nothing when bytes are missing. Errors: kCorrupt (the bytes are not
  // RESP), kLimit, kUnsupported; the context names the offset in the stream. After an error the
  // stream cannot be followed any more, and every call returns the same error.
  Result<std::optional<RespValue>> next();

  // Takes every "+OK\r\n" that stands at the front, up to `most`, and returns how many there were.
  // Writes are mostly answered so; this costs a comparison each instead of a value.
  std::size_t take_plain_ok(std::size_t most);

  // Bytes fed and not yet part of a returned reply.
  [[nodiscard]] std::size_t buffered() const noexcept { return input_.size(); }
  // Offset of the first byte that is not yet parsed, counted from the first byte ever fed.
  [[nodiscard]] std::uint64_t offset() const noexcept { return consumed_; }

 private:
  struct Frame {
    RespValue value;      // the aggregate under construction
    std::size_t missing;  // items still to come
    bool is_attribute;
  };
  enum class Step : std::uint8_t { kNeedMore, kValue, kOpened };

  Result<std::optional<std::string_view>> take_line();
  Result<Step> parse_one(RespValue& out);
  Result<Step> parse_scalar(char mark, std::string_view text, RespValue& out);
  Result<Step> parse_bulk(char mark, std::string_view header, std::size_t header_end,
                          RespValue& out);
  Result<Step> open_aggregate(char mark, std::string_view header, RespValue& out);
  // Puts a complete value into its parent; true when it was the whole reply.
  bool place(RespValue& value);
  void consume(std::size_t bytes);
  // `at`: the place among the unread bytes.
  [[nodiscard]] unexpected<Error> error_at(ErrorCode code, std::size_t at,
                                           std::string_view what) const;

  ReplyLimits limits_;
  InputBuffer input_;
  std::size_t line_scanned_ = 0;  // unread bytes known to hold no line end
  std::size_t wanted_ = 0;        // unread bytes without which no progress is possible
  std::uint64_t consumed_ = 0;
  std::size_t elements_ = 0;  // values of the reply under construction
  std::vector<Frame> frames_;
  std::vector<RespValue> attributes_;  // read, waiting for the value they describe
  std::optional<Error> failure_;
};

}  // namespace hearth

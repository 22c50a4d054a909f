// RequestParser: bytes of one connection -> requests.
//
// Reads the multibulk form and the inline form. Arguments are views into the bytes given, so that
// a request costs no allocation; only inline arguments with quotes are unescaped into storage of
// the parser. Incremental: a request that is not complete is remembered by offsets, so parsing
// never starts over and the caller may move its buffer as long as the bytes from the request's
// start stay.
// Source: the RESP specification; limits and error texts as clients of the field know them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hearth {

struct ParserLimits {
  std::int64_t bulk_bytes = 512LL * 1024 * 1024;
  std::int64_t multibulk_count = 0x7fffffff;
  std::size_t inline_bytes = 64 * 1024;
  bool authenticated = true;  // if not: at most 10 arguments of at most 16 KiB each
};

class RequestParser {
 public:
  enum class Status : unsigned char { kRequest, kNeedMore, kError };

  // Parses one request from `data`, which starts at the first byte not yet consumed.
  //   kRequest   the views were appended to args (none for a blank line or "*0", to be skipped) and
  //              `consumed` is how many bytes they took
  //   kNeedMore  call again with the same bytes and more behind them
  //   kError     error() is the text for the client; the connection is to be closed
  // Views are valid as long as the bytes, inline views until the next call.
  Status next(std::string_view data, const ParserLimits& limits,
              std::vector<std::string_view>& args, std::size_t& consumed);

  // After kNeedMore: bytes that `data` must have at least before another call can make progress
  // past a large bulk; 0 if unknown. Lets the caller size its buffer once.
  [[nodiscard]] std::size_t bytes_wanted() const { return bytes_wanted_; }
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] bool is_mid_request() const { return remaining_ > 0; }
  // Inline arguments are stored in the parser: execute such a request before the next call.
  [[nodiscard]] bool last_was_inline() const { return last_was_inline_; }
  // Forgets an unfinished request: its bytes will be given again from the start.
  void reset();
  // Arguments of the unfinished request that are complete.
  [[nodiscard]] std::size_t pending_args() const { return pending_.size(); }
  // Bytes of the unfinished request that were parsed: complete arguments and headers.
  [[nodiscard]] std::size_t bytes_behind() const { return remaining_ > 0 ? position_ : 0; }

 private:
  struct Piece {
    std::size_t offset;
    std::size_t length;
  };
  Status parse_inline(std::string_view data, const ParserLimits& limits,
                      std::vector<std::string_view>& args, std::size_t& consumed);
  Status fail(std::string text);
  void forget_pending();

  std::vector<Piece> pending_;  // complete arguments of an unfinished request
  std::size_t position_ = 0;    // where parsing goes on in an unfinished request
  std::int64_t remaining_ = 0;  // arguments still to come
  std::int64_t bulk_length_ = -1;
  std::size_t bytes_wanted_ = 0;
  bool last_was_inline_ = false;
  std::string inline_storage_;
  std::string error_;
};

// Splits a line as a shell-like reader does: blanks separate, "..." with \n \r \t \b \a \xHH \" \\,
// '...' with \'. Returns false for unbalanced quotes.
[[nodiscard]] bool split_quoted(std::string_view line, std::vector<std::string>& out);

}  // namespace hearth

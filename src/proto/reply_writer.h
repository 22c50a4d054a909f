// ReplyWriter: replies as RESP2 or RESP3, straight into a connection's output buffer.
//
// A handler says what it means (map, set, double, null ...); the version the client chose decides
// how that is written. Aggregates are announced with their exact count; their parts follow.
// Source: the RESP specification, versions 2 and 3.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/base/format_number.h"
#include "src/base/out_buffer.h"

namespace hearth {

class ReplyWriter {
 public:
  ReplyWriter(OutBuffer& out, int resp) : out_(&out), resp_(resp) {}

  [[nodiscard]] int resp() const { return resp_; }
  [[nodiscard]] OutBuffer& out() { return *out_; }

  void ok() { raw("+OK\r\n"); }
  // text: one line, no CR or LF.
  void simple(std::string_view text) { line('+', text); }
  // text starts with its code ("ERR ...", "WRONGTYPE ..."); CR and LF become blanks.
  void error(std::string_view text);
  void integer(std::int64_t value) { prefixed(':', value); }
  void bulk(std::string_view text) {
    char* p = out_->reserve(text.size() + kInt64TextMax + 5);
    char* const begin = p;
    *p++ = '$';
    p += format_uint64(text.size(), p);
    *p++ = '\r';
    *p++ = '\n';
    std::memcpy(p, text.data(), text.size());
    p += text.size();
    *p++ = '\r';
    *p++ = '\n';
    out_->commit(static_cast<std::size_t>(p - begin));
  }
  void bulk_integer(std::int64_t value) {
    char text[kInt64TextMax];
    bulk({text, format_int64(value, text)});
  }
  void null() { raw(resp_ >= 3 ? std::string_view("_\r\n") : std::string_view("$-1\r\n")); }
  void null_array() { raw(resp_ >= 3 ? std::string_view("_\r\n") : std::string_view("*-1\r\n")); }
  void boolean(bool value) {
    if (resp_ >= 3)
      raw(value ? "#t\r\n" : "#f\r\n");
    else
      integer(value ? 1 : 0);
  }
  void real(double value);
  void big_number(std::string_view digits);
  // format: three letters, "txt" or "mkd".
  void verbatim(std::string_view format, std::string_view text);

  void array(std::size_t count) { prefixed('*', static_cast<std::int64_t>(count)); }
  void map(std::size_t pairs) {
    resp_ >= 3 ? prefixed('%', static_cast<std::int64_t>(pairs)) : array(pairs * 2);
  }
  void set(std::size_t count) {
    prefixed(resp_ >= 3 ? '~' : '*', static_cast<std::int64_t>(count));
  }
  void push(std::size_t count) {
    prefixed(resp_ >= 3 ? '>' : '*', static_cast<std::int64_t>(count));
  }
  // RESP3 only; the caller leaves attributes out under RESP2.
  void attribute(std::size_t pairs) { prefixed('|', static_cast<std::int64_t>(pairs)); }

  void raw(std::string_view bytes) { out_->append(bytes); }

 private:
  void prefixed(char kind, std::int64_t value) {
    char* p = out_->reserve(kInt64TextMax + 3);
    p[0] = kind;
    const std::size_t n = format_int64(value, p + 1);
    p[n + 1] = '\r';
    p[n + 2] = '\n';
    out_->commit(n + 3);
  }
  void line(char kind, std::string_view text);

  OutBuffer* out_;
  int resp_;
};

}  // namespace hearth

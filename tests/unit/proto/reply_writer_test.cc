#include "src/proto/reply_writer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

using hearth::OutBuffer;
using hearth::ReplyWriter;

namespace {

std::string written(int resp, const std::function<void(ReplyWriter&)>& write) {
  OutBuffer out;
  ReplyWriter reply(out, resp);
  write(reply);
  return out.str();
}

}  // namespace

TEST_CASE("what both protocols write the same way") {
  for (const int resp : {2, 3}) {
    CHECK(written(resp, [](ReplyWriter& r) { r.ok(); }) == "+OK\r\n");
    CHECK(written(resp, [](ReplyWriter& r) { r.simple("PONG"); }) == "+PONG\r\n");
    CHECK(written(resp, [](ReplyWriter& r) { r.error("ERR no"); }) == "-ERR no\r\n");
    CHECK(written(resp, [](ReplyWriter& r) { r.error("ERR a\r\nb\nc"); }) == "-ERR a  b c\r\n");
    CHECK(written(resp, [](ReplyWriter& r) { r.bulk(""); }) == "$0\r\n\r\n");
    CHECK(written(resp, [](ReplyWriter& r) { r.bulk(std::string_view("a\0\r\n", 4)); }) ==
          std::string("$4\r\na\0\r\n\r\n", 10));
    CHECK(written(resp, [](ReplyWriter& r) { r.bulk_integer(-12); }) == "$3\r\n-12\r\n");
    CHECK(written(resp, [](ReplyWriter& r) { r.array(0); }) == "*0\r\n");
    CHECK(written(resp, [](ReplyWriter& r) { r.array(12); }) == "*12\r\n");
  }
}

TEST_CASE("integers of every size") {
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{9}, std::int64_t{10}, std::int64_t{-1},
        std::int64_t{1234567890123}, std::numeric_limits<std::int64_t>::max(),
        std::numeric_limits<std::int64_t>::min()}) {
    CHECK(written(2, [&](ReplyWriter& r) { r.integer(value); }) ==
          ":" + std::to_string(value) + "\r\n");
  }
}

TEST_CASE("RESP2 knows fewer kinds than RESP3") {
  using Write = std::function<void(ReplyWriter&)>;
  struct Case {
    Write write;
    std::string resp2, resp3;
  };
  const Case cases[] = {
      {[](ReplyWriter& r) { r.null(); }, "$-1\r\n", "_\r\n"},
      {[](ReplyWriter& r) { r.null_array(); }, "*-1\r\n", "_\r\n"},
      {[](ReplyWriter& r) { r.boolean(true); }, ":1\r\n", "#t\r\n"},
      {[](ReplyWriter& r) { r.boolean(false); }, ":0\r\n", "#f\r\n"},
      {[](ReplyWriter& r) { r.real(1.5); }, "$3\r\n1.5\r\n", ",1.5\r\n"},
      {[](ReplyWriter& r) { r.real(3); }, "$1\r\n3\r\n", ",3\r\n"},
      {[](ReplyWriter& r) { r.real(-std::numeric_limits<double>::infinity()); }, "$4\r\n-inf\r\n",
       ",-inf\r\n"},
      {[](ReplyWriter& r) { r.real(std::nan("")); }, "$3\r\nnan\r\n", ",nan\r\n"},
      {[](ReplyWriter& r) { r.big_number("12345678901234567890"); },
       "$20\r\n12345678901234567890\r\n", "(12345678901234567890\r\n"},
      {[](ReplyWriter& r) { r.verbatim("txt", "hi"); }, "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"},
      {[](ReplyWriter& r) { r.map(2); }, "*4\r\n", "%2\r\n"},
      {[](ReplyWriter& r) { r.set(2); }, "*2\r\n", "~2\r\n"},
      {[](ReplyWriter& r) { r.push(3); }, "*3\r\n", ">3\r\n"},
  };
  for (const Case& c : cases) {
    CHECK(written(2, c.write) == c.resp2);
    CHECK(written(3, c.write) == c.resp3);
  }
}

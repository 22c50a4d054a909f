#include "src/proto/reply_parser.h"

#include <doctest/doctest.h>

#include <cmath>

#include "src/base/random.h"

using namespace hearth;

namespace {

RespValue text_value(RespKind kind, std::string text) { return {kind, std::move(text), {}}; }
RespValue bulk(std::string text) { return text_value(RespKind::kBulk, std::move(text)); }
RespValue integer(std::int64_t n) { return {RespKind::kInteger, n, {}}; }
RespValue list(RespKind kind, std::vector<RespValue> items) { return {kind, std::move(items), {}}; }
RespValue null() { return {}; }

struct Sample {
  std::string bytes;
  RespValue value;
};

std::vector<Sample> samples() {
  return {
      {"+OK\r\n", text_value(RespKind::kSimple, "OK")},
      {"+\r\n", text_value(RespKind::kSimple, "")},
      {"-ERR bad\r\n", text_value(RespKind::kError, "ERR bad")},
      {":0\r\n", integer(0)},
      {":-9223372036854775808\r\n", integer(INT64_MIN)},
      {":+7\r\n", integer(7)},
      {"$0\r\n\r\n", bulk("")},
      {"$5\r\na\r\nb\n\r\n", bulk("a\r\nb\n")},
      {"$-1\r\n", null()},
      {"*-1\r\n", null()},
      {"_\r\n", null()},
      {"*0\r\n", list(RespKind::kArray, {})},
      {"*2\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n",
       list(RespKind::kArray, {bulk("a"), list(RespKind::kArray, {integer(1), null()})})},
      {"%1\r\n+k\r\n*0\r\n",
       list(RespKind::kMap, {text_value(RespKind::kSimple, "k"), list(RespKind::kArray, {})})},
      {"~2\r\n:1\r\n:2\r\n", list(RespKind::kSet, {integer(1), integer(2)})},
      {">2\r\n$3\r\nfoo\r\n:2\r\n", list(RespKind::kPush, {bulk("foo"), integer(2)})},
      {",1.5\r\n", {RespKind::kDouble, 1.5, {}}},
      {",-inf\r\n", {RespKind::kDouble, -HUGE_VAL, {}}},
      {"#t\r\n", {RespKind::kBool, true, {}}},
      {"#f\r\n", {RespKind::kBool, false, {}}},
      {"(-3492890328409238509324850943850943825024385\r\n",
       text_value(RespKind::kBigNumber, "-3492890328409238509324850943850943825024385")},
      {"=8\r\ntxt:text\r\n", text_value(RespKind::kVerbatim, "txt:text")},
      {"!5\r\nERR x\r\n", text_value(RespKind::kError, "ERR x")},
      {"|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n",
       {RespKind::kBulk, std::string("v"), {text_value(RespKind::kSimple, "ttl"), integer(3)}}},
      {"|0\r\n:4\r\n", integer(4)},
  };
}

Error error_of(std::string_view bytes, ReplyLimits limits = {}) {
  ReplyParser parser(limits);
  parser.feed(bytes);
  for (;;) {
    auto reply = parser.next();
    if (!reply) return reply.error();
    REQUIRE_MESSAGE(reply->has_value(), "no error in: ", bytes);
  }
}

}  // namespace

TEST_CASE("every reply type parses to its value") {
  for (const auto& [bytes, value] : samples()) {
    CAPTURE(bytes);
    ReplyParser parser;
    parser.feed(bytes);
    const auto reply = parser.next();
    REQUIRE(reply.has_value());
    REQUIRE(reply->has_value());
    CHECK(**reply == value);
    CHECK(parser.buffered() == 0);
    CHECK(parser.offset() == bytes.size());
  }
}

TEST_CASE("a reply cut at any byte is incomplete, and complete with the rest") {
  for (const auto& [bytes, value] : samples()) {
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      CAPTURE(bytes);
      CAPTURE(cut);
      ReplyParser parser;
      parser.feed(std::string_view(bytes).substr(0, cut));
      const auto early = parser.next();
      REQUIRE(early.has_value());
      CHECK_FALSE(early->has_value());
      parser.feed(std::string_view(bytes).substr(cut));
      const auto late = parser.next();
      REQUIRE(late.has_value());
      REQUIRE(late->has_value());
      CHECK(**late == value);
    }
  }
}

TEST_CASE("a stream of replies parses alike however it is cut, seeded") {
  std::string stream;
  std::vector<RespValue> expected;
  Rng rng(11);
  const auto all = samples();
  for (int i = 0; i < 4000; ++i) {
    const auto& sample = all[rng.below(all.size())];
    stream += sample.bytes;
    expected.push_back(sample.value);
  }
  ReplyParser parser;
  std::size_t at = 0;
  std::size_t seen = 0;
  while (at < stream.size()) {
    const std::size_t n = std::min<std::size_t>(1 + rng.below(200), stream.size() - at);
    parser.feed(std::string_view(stream).substr(at, n));
    at += n;
    for (;;) {
      auto reply = parser.next();
      REQUIRE(reply.has_value());
      if (!reply->has_value()) break;
      REQUIRE(**reply == expected[seen++]);
    }
  }
  CHECK(seen == expected.size());
  CHECK(parser.offset() == stream.size());
}

TEST_CASE("attributes belong to the value behind them, inside aggregates too") {
  ReplyParser parser;
  parser.feed("*2\r\n:1\r\n|1\r\n+a\r\n+b\r\n*1\r\n:2\r\n");
  const auto reply = parser.next();
  REQUIRE(reply.has_value());
  REQUIRE(reply->has_value());
  const auto items = (*reply)->items();
  REQUIRE(items.size() == 2);
  CHECK(items[0] == integer(1));
  REQUIRE(items[1].attributes.size() == 2);
  CHECK(items[1].attributes[1].text() == "b");
  CHECK(items[1].items()[0] == integer(2));
}

TEST_CASE("find reads maps of both protocols") {
  for (const char* bytes :
       {"%2\r\n+a\r\n:1\r\n+b\r\n:2\r\n", "*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n"}) {
    ReplyParser parser;
    parser.feed(bytes);
    const auto reply = parser.next();
    REQUIRE(reply.has_value());
    REQUIRE(reply->has_value());
    REQUIRE((*reply)->find("b") != nullptr);
    CHECK((*reply)->find("b")->integer() == 2);
    CHECK((*reply)->find("c") == nullptr);
  }
}

TEST_CASE("verbatim text comes without its format") {
  ReplyParser parser;
  parser.feed("=7\r\nmkd:abc\r\n,nan\r\n");
  CHECK((*parser.next())->text() == "abc");
  CHECK(std::isnan(std::get<double>((*parser.next())->data)));
}

TEST_CASE("bytes that are not RESP are refused with their offset") {
  const std::pair<const char*, const char*> cases[] = {
      {"hello\r\n", "offset 0: byte 0x68 starts no reply type"},
      {"+OK\r\nx", "offset 5: byte 0x78 starts no reply type"},
      {"+OK\n", "offset 3: line feed without carriage return"},
      {"+\n", "offset 1: line feed without carriage return"},
      {"+a\rb\r\n", "offset 1: carriage return inside a line"},
      {":\r\n", "offset 1: not an integer"},
      {":1x\r\n", "offset 1: not an integer"},
      {":9223372036854775808\r\n", "offset 1: not an integer"},
      {"$-2\r\n", "offset 1: not a length"},
      {"$x\r\n", "offset 1: not a length"},
      {"$1\r\nab\r\n", "offset 5: bulk without its line end"},
      {"*2\r\n:1\r\n*-5\r\n", "offset 9: not a count"},
      {"~-1\r\n", "offset 1: not a count"},
      {"=-1\r\n", "offset 1: not a length"},
      {"=3\r\nabc\r\n", "offset 4: verbatim string without its format"},
      {"#x\r\n", "offset 1: a boolean is t or f"},
      {",one\r\n", "offset 1: not a double"},
      {"(1.5\r\n", "offset 1: not a big number"},
      {"(-\r\n", "offset 1: not a big number"},
      {"_x\r\n", "offset 1: a null carries no text"},
  };
  for (const auto& [bytes, message] : cases) {
    CAPTURE(bytes);
    const Error error = error_of(bytes);
    CHECK(error.code == ErrorCode::kCorrupt);
    CHECK(error.context == std::string("reply stream, ") + message);
  }
  CHECK(error_of("$?\r\n").code == ErrorCode::kUnsupported);
  CHECK(error_of("*?\r\n").code == ErrorCode::kUnsupported);
}

TEST_CASE("a failed parser stays failed") {
  ReplyParser parser;
  parser.feed("?");
  CHECK_FALSE(parser.next().has_value());
  parser.feed("+OK\r\n");
  CHECK_FALSE(parser.next().has_value());
  CHECK(parser.take_plain_ok(1) == 0);
}

TEST_CASE("limits hold on both sides") {
  const auto code = [](std::string_view bytes, ReplyLimits limits) {
    return error_of(bytes, limits).code;
  };
  const auto passes = [](std::string_view bytes, ReplyLimits limits) {
    ReplyParser parser(limits);
    parser.feed(bytes);
    const auto reply = parser.next();
    return reply.has_value() && reply->has_value();
  };
  CHECK(passes("$4\r\nabcd\r\n", {.bulk_bytes = 4}));
  CHECK(code("$5\r\n", {.bulk_bytes = 4}) == ErrorCode::kLimit);
  CHECK(passes("*2\r\n*1\r\n:1\r\n:2\r\n", {.depth = 2}));
  CHECK(code("*2\r\n*1\r\n:1\r\n:2\r\n", {.depth = 1}) == ErrorCode::kLimit);
  CHECK(passes("*2\r\n:1\r\n:2\r\n", {.elements = 3}));
  CHECK(code("*2\r\n:1\r\n:2\r\n", {.elements = 2}) == ErrorCode::kLimit);
  CHECK(code("*9223372036854775807\r\n", {}) == ErrorCode::kLimit);
  CHECK(code("$9223372036854775807\r\n", {.bulk_bytes = ~std::size_t{0}}) == ErrorCode::kLimit);
  CHECK(code("%9223372036854775807\r\n", {}) == ErrorCode::kLimit);
  CHECK(passes("+abcd\r\n", {.line_bytes = 6}));
  CHECK(code("+abcde\r\n", {.line_bytes = 6}) == ErrorCode::kLimit);
  CHECK(code("+abcdefgh", {.line_bytes = 6}) == ErrorCode::kLimit);
}

TEST_CASE("plain OKs are taken in bulk, and only they") {
  ReplyParser parser;
  parser.feed("+OK\r\n+OK\r\n+OK\r\n:1\r\n+OK\r");
  CHECK(parser.take_plain_ok(2) == 2);
  CHECK(parser.take_plain_ok(10) == 1);
  CHECK(parser.take_plain_ok(10) == 0);
  CHECK(**parser.next() == integer(1));
  CHECK(parser.take_plain_ok(10) == 0);
  parser.feed("\n");
  CHECK(parser.take_plain_ok(10) == 1);
  CHECK(parser.buffered() == 0);
}

TEST_CASE("room hands out the buffer and filled counts what was put there") {
  ReplyParser parser;
  for (int i = 0; i < 1000; ++i) {
    const auto space = parser.room(300);
    REQUIRE(space.size() >= 300);
    const std::string bytes = "$200\r\n" + std::string(200, 'x') + "\r\n";
    std::copy(bytes.begin(), bytes.end(), space.begin());
    parser.filled(bytes.size());
    if (i % 3 == 0) continue;
    CHECK((*parser.next())->text().size() == 200);
  }
}

TEST_CASE("random bytes mean the same however they are cut into pieces, seeded") {
  struct Outcome {
    std::vector<RespValue> replies;
    std::string error;
  };
  const auto drain = [](ReplyParser& parser, Outcome& outcome) {
    for (;;) {
      auto reply = parser.next();
      if (!reply) outcome.error = reply.error().context;
      if (!reply || !reply->has_value()) return;
      outcome.replies.push_back(std::move(**reply));
    }
  };
  Rng rng(99);
  static constexpr char kAlphabet[] = "+-:$*_%~>,#(!=|0123456789\r\n\r\nab";
  constexpr ReplyLimits kSmall{.bulk_bytes = 1000, .elements = 100, .depth = 4};
  const std::vector<Sample> known = samples();
  std::size_t replies = 0, errors = 0;
  for (int round = 0; round < 3000; ++round) {
    ReplyParser in_pieces(kSmall), at_once(kSmall);
    Outcome from_pieces, from_all;
    std::string all, rest;
    for (int i = 0; i < 20; ++i) {
      // Whole replies, cut anywhere, with noise now and then.
      std::string bytes = std::exchange(rest, {});
      bytes += known[rng.below(known.size())].bytes;
      for (std::uint64_t n = rng.chance(0.05) ? rng.below(12) : 0; n > 0; --n)
        bytes += kAlphabet[rng.below(sizeof kAlphabet - 1)];
      const std::size_t cut = rng.below(bytes.size() + 1);
      rest = bytes.substr(cut);
      bytes.resize(cut);
      in_pieces.feed(bytes);
      drain(in_pieces, from_pieces);
      all += bytes;
    }
    at_once.feed(all);
    drain(at_once, from_all);
    CAPTURE(all);
    REQUIRE(from_pieces.replies == from_all.replies);
    REQUIRE(from_pieces.error == from_all.error);
    replies += from_all.replies.size();
    errors += from_all.error.empty() ? 0 : 1;
  }
  CHECK(replies > 10'000);
  CHECK(errors > 500);
  CHECK(errors < 2500);
}

#include "src/proto/request_parser.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "src/base/random.h"

using hearth::ParserLimits;
using hearth::RequestParser;
using hearth::Rng;
using Status = RequestParser::Status;
using Words = std::vector<std::string>;
using namespace std::string_literals;  // NOLINT: literals with NUL bytes

namespace {

std::string encode(const Words& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const auto& w : words) out += "$" + std::to_string(w.size()) + "\r\n" + w + "\r\n";
  return out;
}

struct Outcome {
  std::vector<Words> requests;  // blank ones left out
  std::string error;
  std::size_t consumed = 0;
};

// Feeds a growing prefix of `stream`, as a socket would: `steps` are the lengths at which the
// parser is called again. What was consumed is taken off the front, so offsets get used.
Outcome parse(const std::string& stream, const std::vector<std::size_t>& steps,
              const ParserLimits& limits = {}) {
  RequestParser parser;
  Outcome out;
  for (const std::size_t end : steps) {
    for (;;) {
      // A copy at another address each time: the parser may keep no pointer into the last one.
      const std::string bytes = stream.substr(out.consumed, end - out.consumed);
      std::vector<std::string_view> args;
      std::size_t used = 0;
      const Status status = parser.next(bytes, limits, args, used);
      if (status == Status::kNeedMore) {
        CHECK(args.empty());
        break;
      }
      if (status == Status::kError) {
        out.error = parser.error();
        return out;
      }
      if (!args.empty()) out.requests.emplace_back(args.begin(), args.end());
      out.consumed += used;
    }
  }
  return out;
}
Outcome parse_whole(const std::string& stream, const ParserLimits& limits = {}) {
  return parse(stream, {stream.size()}, limits);
}
std::vector<std::size_t> every_byte(const std::string& stream) {
  std::vector<std::size_t> steps;
  for (std::size_t i = 1; i <= stream.size(); ++i) steps.push_back(i);
  return steps;
}

const std::vector<std::string> kStreams = {
    encode({"PING"}),
    encode({"SET", "key", "value"}),
    encode({"SET", "", ""}),
    encode({"SET", "bin\r\n\0x"s, std::string(300, 'v')}),
    encode({"GET", "a"}) + encode({"GET", "b"}) + encode({"MGET", "c", "d", "e"}),
    "*0\r\n" + encode({"PING"}),
    "*-1\r\n" + encode({"PING"}),
    "PING\r\n",
    "SET k v\r\n" + encode({"GET", "k"}) + "GET k\n",
    "\r\n\n  \r\nPING\r\n",
    R"(SET "a b" 'c d' "\x41\n\"" 'it\'s')"
    "\r\n" +
        encode({"PING"}),
    encode({"SET", std::string(9, 'k'), std::string(10, 'v'), std::string(99, 'v'),
            std::string(100, 'v')}),
    encode({"SET", "1234", std::string(1234, 'v')}) + encode({"GET", "1234"}),
    encode({"SET", "long", std::string(10'000, 'v')}),
    encode(Words(1025, "w")),
};

}  // namespace

TEST_CASE("requests come out as they were sent, several in one read") {
  CHECK(parse_whole(kStreams[3]).requests ==
        std::vector<Words>{{"SET", "bin\r\n\0x"s, std::string(300, 'v')}});
  CHECK(parse_whole(kStreams[4]).requests ==
        std::vector<Words>{{"GET", "a"}, {"GET", "b"}, {"MGET", "c", "d", "e"}});
  CHECK(parse_whole(kStreams[5]).requests == std::vector<Words>{{"PING"}});
  CHECK(parse_whole(kStreams[6]).requests == std::vector<Words>{{"PING"}});
  CHECK(parse_whole(kStreams[8]).requests ==
        std::vector<Words>{{"SET", "k", "v"}, {"GET", "k"}, {"GET", "k"}});
  CHECK(parse_whole(kStreams[9]).requests == std::vector<Words>{{"PING"}});
  CHECK(parse_whole(kStreams[10]).requests ==
        std::vector<Words>{{"SET", "a b", "c d", "A\n\"", "it's"}, {"PING"}});
}

TEST_CASE("a stream cut anywhere gives the same requests once the rest arrives") {
  for (const std::string& stream : kStreams) {
    const Outcome whole = parse_whole(stream);
    REQUIRE(whole.error.empty());
    CHECK(whole.consumed == stream.size());
    CHECK(parse(stream, every_byte(stream)).requests == whole.requests);
    for (std::size_t cut = 1; cut < stream.size(); ++cut) {
      const Outcome parts = parse(stream, {cut, stream.size()});
      INFO("cut=", cut, " stream=", stream);
      CHECK(parts.requests == whole.requests);
      CHECK(parts.consumed == stream.size());
      // A prefix alone never gives more than the whole, and is no error.
      const Outcome prefix = parse(stream, {cut});
      CHECK(prefix.error.empty());
      CHECK(prefix.requests.size() <= whole.requests.size());
    }
  }
}

TEST_CASE("random requests in random pieces come out whole") {
  const std::uint64_t seed = 20240917;
  INFO("seed=", seed);
  Rng rng(seed);
  for (int round = 0; round < 200; ++round) {
    std::vector<Words> expected;
    std::string stream;
    for (std::uint64_t n = 1 + rng.below(5); n > 0; --n) {
      Words words;
      for (std::uint64_t w = 1 + rng.below(6); w > 0; --w) {
        std::string word;
        for (std::uint64_t length = rng.below(rng.chance(0.1) ? 3000 : 20); length > 0; --length) {
          word += static_cast<char>(rng.below(256));
        }
        words.push_back(word);
      }
      expected.push_back(words);
      stream += encode(words);
    }
    std::vector<std::size_t> steps;
    for (std::size_t at = 0; at < stream.size();)
      steps.push_back(at = std::min(stream.size(), at + 1 + rng.below(200)));
    CHECK(parse(stream, steps).requests == expected);
  }
}

TEST_CASE("protocol errors have the texts that clients know") {
  const auto error = [](const std::string& stream, const ParserLimits& limits = {}) {
    const Outcome out = parse_whole(stream, limits);
    CHECK(out.requests.empty());
    return out.error;
  };
  const std::string e = "ERR Protocol error: ";
  CHECK(error("*x\r\n") == e + "invalid multibulk length");
  CHECK(error("*\r\n") == e + "invalid multibulk length");
  CHECK(error("*1x\r\n") == e + "invalid multibulk length");
  CHECK(error("*2147483648\r\n") == e + "invalid multibulk length");
  CHECK(error("*20000000000000000000\r\n") == e + "invalid multibulk length");
  CHECK(error("*1\r\nPING\r\n") == e + "expected '$', got 'P'");
  CHECK(error("*1\r\n:1\r\n") == e + "expected '$', got ':'");
  CHECK(error("*1\r\n$x\r\n") == e + "invalid bulk length");
  CHECK(error("*1\r\n$-1\r\n") == e + "invalid bulk length");
  CHECK(error("*1\r\n$\r\n") == e + "invalid bulk length");
  CHECK(error("*1\r\n$536870913\r\n") == e + "invalid bulk length");
  CHECK(error("*1\r\n$2000000000\r\n") == e + "invalid bulk length");
  CHECK(error("SET \"k\r\n") == e + "unbalanced quotes in request");
  CHECK(error("SET 'k\r\n") == e + "unbalanced quotes in request");
  CHECK(error("SET \"k\"v\r\n") == e + "unbalanced quotes in request");
  CHECK(error("SET 'k'v\r\n") == e + "unbalanced quotes in request");
}

TEST_CASE("both sides of every limit") {
  ParserLimits limits;
  limits.bulk_bytes = 10;
  limits.multibulk_count = 3;
  CHECK(parse_whole(encode({"0123456789"}), limits).requests.size() == 1);
  CHECK(parse_whole(encode({"0123456789a"}), limits).error ==
        "ERR Protocol error: invalid bulk length");
  CHECK(parse_whole(encode({"a", "b", "c"}), limits).requests.size() == 1);
  CHECK(parse_whole(encode({"a", "b", "c", "d"}), limits).error ==
        "ERR Protocol error: invalid multibulk length");
}

TEST_CASE("lengths that no memory holds are refused, whatever the limit says") {
  ParserLimits limits;
  limits.bulk_bytes = std::numeric_limits<std::int64_t>::max();
  limits.multibulk_count = std::numeric_limits<std::int64_t>::max();
  for (const char* length :
       {"9223372036854775807", "9223372036854775806", "4611686018427387904", "281474976710657"}) {
    CAPTURE(length);
    CHECK(parse_whole("*2\r\n$1\r\na\r\n$"s + length + "\r\nabc", limits).error ==
          "ERR Protocol error: invalid bulk length");
  }
  RequestParser parser;
  std::vector<std::string_view> args;
  std::size_t used = 0;
  CHECK(parser.next("*2\r\n$281474976710656\r\nabc", limits, args, used) == Status::kNeedMore);
  CHECK(parser.bytes_wanted() == 22 + (std::size_t{1} << 48) + 2);
  // Many words that were announced cost nothing before they come.
  parser.reset();
  CHECK(parser.next("*9223372036854775807\r\n$1\r\na\r\n", limits, args, used) ==
        Status::kNeedMore);
}

TEST_CASE("a line without an end is refused past 64 KiB, in each of its three places") {
  const std::size_t limit = ParserLimits{}.inline_bytes;
  CHECK(parse_whole(std::string(limit, 'x')).error.empty());
  CHECK(parse_whole(std::string(limit + 1, 'x')).error ==
        "ERR Protocol error: too big inline request");
  CHECK(parse_whole(std::string(limit + 1, 'x') + "\r\n").error ==
        "ERR Protocol error: too big inline request");
  CHECK(parse_whole(std::string(limit, 'x') + "\r\n").requests.size() == 1);
  CHECK(parse_whole("*" + std::string(limit - 1, '1')).error.empty());
  CHECK(parse_whole("*" + std::string(limit, '1')).error ==
        "ERR Protocol error: too big mbulk count string");
  CHECK(parse_whole("*1\r\n$" + std::string(limit - 1, '1')).error.empty());
  CHECK(parse_whole("*1\r\n$" + std::string(limit, '1')).error ==
        "ERR Protocol error: too big bulk count string");
}

TEST_CASE("before authentication little is accepted") {
  ParserLimits limits;
  limits.authenticated = false;
  CHECK(parse_whole(encode(Words(10, "x")), limits).requests.size() == 1);
  CHECK(parse_whole(encode(Words(11, "x")), limits).error ==
        "ERR Protocol error: unauthenticated multibulk length");
  CHECK(parse_whole(encode({std::string(16384, 'x')}), limits).requests.size() == 1);
  CHECK(parse_whole(encode({std::string(16385, 'x')}), limits).error ==
        "ERR Protocol error: unauthenticated bulk length");
}

TEST_CASE("the parser says how many bytes a large value needs") {
  RequestParser parser;
  std::vector<std::string_view> args;
  std::size_t used = 0;
  const std::string head = "*2\r\n$3\r\nGET\r\n$1000\r\n";
  CHECK(parser.next(head, {}, args, used) == Status::kNeedMore);
  CHECK(parser.bytes_wanted() == head.size() + 1002);
  CHECK(parser.pending_args() == 1);
  CHECK(parser.is_mid_request());
  const std::string short_by_one = head + std::string(1000, 'x') + "\r";
  CHECK(parser.next(short_by_one, {}, args, used) == Status::kNeedMore);
  CHECK(parser.bytes_wanted() == short_by_one.size() + 1);
  const std::string all = short_by_one + "\n";
  CHECK(parser.next(all, {}, args, used) == Status::kRequest);
  CHECK(used == all.size());
  CHECK(args[1].size() == 1000);
  CHECK_FALSE(parser.is_mid_request());
  CHECK(parser.pending_args() == 0);
}

TEST_CASE("requests are appended to what the caller has, and inline ones are told apart") {
  RequestParser parser;
  std::vector<std::string_view> args{"before"};
  std::size_t used = 0;
  const std::string bulk = encode({"GET", "k"});
  CHECK(parser.next(bulk, {}, args, used) == Status::kRequest);
  CHECK_FALSE(parser.last_was_inline());
  CHECK(args == std::vector<std::string_view>{"before", "GET", "k"});
  const std::string line = "ECHO  hi \r\n";
  CHECK(parser.next(line, {}, args, used) == Status::kRequest);
  CHECK(parser.last_was_inline());
  CHECK(args == std::vector<std::string_view>{"before", "GET", "k", "ECHO", "hi"});
}

TEST_CASE("after an error the parser starts afresh") {
  RequestParser parser;
  std::vector<std::string_view> args;
  std::size_t used = 0;
  CHECK(parser.next("*2\r\n$1\r\na\r\n!", {}, args, used) == Status::kNeedMore);
  CHECK(parser.next("*2\r\n$1\r\na\r\n!x\r\n", {}, args, used) == Status::kError);
  args.clear();
  const std::string ping = encode({"PING"});
  CHECK(parser.next(ping, {}, args, used) == Status::kRequest);
  CHECK(args == std::vector<std::string_view>{"PING"});
}

TEST_CASE("quoted words: escapes in double quotes, one escape in single ones") {
  const auto split = [](std::string_view line) {
    Words words;
    REQUIRE(hearth::split_quoted(line, words));
    return words;
  };
  CHECK(split("").empty());
  CHECK(split(" \t ").empty());
  CHECK(split("a b\tc") == Words{"a", "b", "c"});
  CHECK(split(R"("\x00\xfF\xg1")") == Words{"\0\xff"
                                            "xg1"s});
  CHECK(split(R"("\n\r\t\b\a\\\"\q")") == Words{"\n\r\t\b\a\\\"q"});
  CHECK(split(R"('\n' 'it\'s')") == Words{"\\n", "it's"});
  CHECK(split(R"("" '')") == Words{"", ""});
  CHECK(split(R"(foo"bar" b)") == Words{"foobar", "b"});
  for (const char* bad : {"\"", "'", "\"a", "'a", "\"a\"b", "'a'b", "\"a\\\"", "x\"y"}) {
    Words words;
    CHECK_MESSAGE(!hearth::split_quoted(bad, words), bad);
  }
}

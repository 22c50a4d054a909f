// The stream family through an in-process engine.
#include <doctest/doctest.h>

#include "src/proto/reply_parser.h"
#include "tests/support/engine_fixture.h"

using namespace hearth;
using hearth::test::EngineFixture;

namespace {

constexpr const char* kWrongTypeReply =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
constexpr const char* kBadId = "-ERR Invalid stream ID specified as stream command argument\r\n";

// A reply as one line: arrays in [], maps in {}, null as nil.
std::string flat(const RespValue& v) {
  if (v.is_error()) return "-" + std::string(v.text());
  switch (v.kind) {
    case RespKind::kNull: return "nil";
    case RespKind::kInteger: return std::to_string(v.integer(0));
    case RespKind::kArray:
    case RespKind::kMap: {
      const bool map = v.kind == RespKind::kMap;
      std::string text = map ? "{" : "[";
      for (const RespValue& item : v.items()) {
        if (text.size() > 1) text += ' ';
        text += flat(item);
      }
      return text + (map ? "}" : "]");
    }
    default: return std::string(v.text());
  }
}

class Streams : public EngineFixture {
 public:
  explicit Streams(int resp = 2) : EngineFixture(options(resp)) {}

  template <typename... A>
  std::string ask(const A&... words) {
    return parse(run(words...));
  }
  static std::string parse(const std::string& bytes) {
    ReplyParser parser;
    parser.feed(bytes);
    auto value = parser.next();
    REQUIRE(value);
    if (!value->has_value()) return "(nothing)";
    return flat(**value);
  }
  // Entries 1-0 .. n-0, each with f = its number.
  void fill(const std::string& key, int n) {
    for (int i = 1; i <= n; ++i) run("XADD", key, std::to_string(i), "f", std::to_string(i));
  }

 private:
  static Options options(int resp) {
    Options o;
    o.resp = resp;
    o.config = {{"enable-debug-command", "yes"}};
    return o;
  }
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("XADD makes ids that grow, and refuses others") {
  Streams s;
  CHECK(s.ask("XADD", "x", "*", "f", "v") == "1000000000000-0");
  CHECK(s.effects() == Lines{"XADD x 1000000000000-0 f v"});
  CHECK(s.events() == Lines{"new x", "xadd x"});
  CHECK(s.ask("XADD", "x", "*", "f", "v") == "1000000000000-1");
  CHECK(s.ask("XADD", "x", "1000000000000-*", "f", "v") == "1000000000000-2");
  CHECK(s.ask("XADD", "x", "1000000000001-*", "f", "v") == "1000000000001-0");
  CHECK(s.ask("XADD", "x", "*", "f", "v") == "1000000000001-1");
  const std::string small =
      "-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n";
  CHECK(s.run("XADD", "x", "1000000000001-1", "f", "v") == small);
  CHECK(s.run("XADD", "x", "5-*", "f", "v") == small);
  CHECK(s.run("XADD", "y", "0-0", "f", "v") ==
        "-ERR The ID specified in XADD must be greater than 0-0\r\n");
  CHECK(s.ask("XADD", "y", "0-*", "f", "v") == "0-1");
  CHECK(s.ask("XADD", "y", "7", "f", "v", "g", "w") == "7-0");
  CHECK(s.run("XADD", "y", "abc", "f", "v") == kBadId);
  CHECK(s.run("XADD", "y", "*", "f") == "-ERR wrong number of arguments for 'xadd' command\r\n");
  CHECK(s.run("XADD", "y", "*", "f", "v", "g") ==
        "-ERR wrong number of arguments for 'xadd' command\r\n");
  CHECK(s.ask("XADD", "y", "18446744073709551615-18446744073709551615", "f", "v") ==
        "18446744073709551615-18446744073709551615");
  CHECK(s.run("XADD", "y", "*", "f", "v") ==
        "-ERR The stream has exhausted the last possible ID, unable to add more items\r\n");
  CHECK(s.run("XADD", "none", "NOMKSTREAM", "*", "f", "v") == "$-1\r\n");
  CHECK(s.run("EXISTS", "none") == ":0\r\n");
  s.run("SET", "str", "v");
  CHECK(s.run("XADD", "str", "*", "f", "v") == kWrongTypeReply);
  CHECK(s.ask("XLEN", "x") == "5");
  CHECK(s.ask("XLEN", "none") == "0");
  CHECK(s.ask("TYPE", "x") == "stream");
  CHECK(s.ask("OBJECT", "ENCODING", "x") == "stream");
}

TEST_CASE("trimming is logged by the length it leaves") {
  Streams s;
  s.run("CONFIG", "SET", "stream-node-max-entries", "10");
  s.fill("x", 100);
  CHECK(s.ask("XADD", "x", "MAXLEN", "~", "55", "LIMIT", "30", "101", "f", "v") == "101-0");
  CHECK(s.effects() == Lines{"XADD x MAXLEN = 71 101-0 f v"});
  CHECK(s.events() == Lines{"xadd x", "xtrim x"});
  CHECK(s.ask("XTRIM", "x", "MAXLEN", "~", "60") == "10");
  CHECK(s.effects() == Lines{"XTRIM x MAXLEN = 61"});
  CHECK(s.ask("XTRIM", "x", "MINID", "50") == "9");
  CHECK(s.ask("XTRIM", "x", "MINID", "=", "50") == "0");
  CHECK(s.effects().empty());
  CHECK(s.events().empty());
  CHECK(s.ask("XTRIM", "x", "MAXLEN", "1") == "51");
  CHECK(s.ask("XRANGE", "x", "-", "+") == "[[101-0 [f v]]]");
  CHECK(s.ask("XADD", "x", "MAXLEN", "0", "102", "f", "v") == "102-0");
  CHECK(s.ask("XLEN", "x") == "0");
  CHECK(s.run("XTRIM", "x", "MAXLEN", "-1") == "-ERR The MAXLEN argument must be >= 0.\r\n");
  CHECK(s.run("XTRIM", "x", "MAXLEN", "1", "LIMIT", "3") ==
        "-ERR syntax error, LIMIT cannot be used without the special ~ option\r\n");
  CHECK(s.run("XTRIM", "x", "MAXLEN", "1", "MINID", "3") ==
        "-ERR syntax error, MAXLEN and MINID options at the same time are not compatible\r\n");
  CHECK(s.run("XTRIM", "x", "LIMIT", "1") ==
        "-ERR syntax error, LIMIT cannot be used without specifying a trimming strategy\r\n");
  CHECK(s.run("XTRIM", "x", "KEEPREF", "ACKED") == "-ERR syntax error\r\n");
  CHECK(s.run("XTRIM", "x", "MAXLEN", "1", "what") == "-ERR syntax error\r\n");
  CHECK(s.run("XTRIM", "none", "MAXLEN", "1") == ":0\r\n");
}

TEST_CASE("XRANGE and XREVRANGE know open ends, counts and incomplete ids") {
  Streams s;
  s.run("XADD", "x", "1-1", "a", "1");
  s.run("XADD", "x", "1-2", "b", "2");
  s.run("XADD", "x", "2-0", "c", "3", "d", "4");
  CHECK(s.ask("XRANGE", "x", "-", "+") == "[[1-1 [a 1]] [1-2 [b 2]] [2-0 [c 3 d 4]]]");
  CHECK(s.ask("XRANGE", "x", "1", "1") == "[[1-1 [a 1]] [1-2 [b 2]]]");
  CHECK(s.ask("XRANGE", "x", "(1-1", "(2-0") == "[[1-2 [b 2]]]");
  CHECK(s.ask("XREVRANGE", "x", "+", "-", "COUNT", "2") == "[[2-0 [c 3 d 4]] [1-2 [b 2]]]");
  CHECK(s.ask("XREVRANGE", "x", "1-5", "-") == "[[1-2 [b 2]] [1-1 [a 1]]]");
  CHECK(s.ask("XRANGE", "x", "+", "-") == "[]");
  CHECK(s.run("XRANGE", "x", "-", "+", "COUNT", "0") == "*-1\r\n");
  CHECK(s.run("XRANGE", "none", "-", "+", "COUNT", "0") == "*0\r\n");
  CHECK(s.run("XRANGE", "x", "(-", "+") == kBadId);
  CHECK(s.run("XRANGE", "x", "(18446744073709551615-18446744073709551615", "+") ==
        "-ERR invalid start ID for the interval\r\n");
  CHECK(s.run("XRANGE", "x", "-", "(0-0") == "-ERR invalid end ID for the interval\r\n");
  CHECK(s.run("XRANGE", "x", "-", "+", "COUNT") == "-ERR syntax error\r\n");
}

TEST_CASE("XDEL and XSETID keep the history of a stream") {
  Streams s;
  s.fill("x", 5);
  CHECK(s.ask("XDEL", "x", "2", "4", "9") == "2");
  CHECK(s.effects() == Lines{"XDEL x 2 4 9"});
  CHECK(s.events() == Lines{"xdel x"});
  CHECK(s.ask("XDEL", "x", "2") == "0");
  CHECK(s.effects().empty());
  CHECK(s.run("XDEL", "x", "1", "oops") == kBadId);
  CHECK(s.ask("XLEN", "x") == "3");
  CHECK(s.ask("XDEL", "none", "1") == "0");
  CHECK(s.ask("XINFO", "STREAM", "x") ==
        "[length 3 radix-tree-keys 1 radix-tree-nodes 2 last-generated-id 5-0 "
        "max-deleted-entry-id 4-0 entries-added 5 recorded-first-entry-id 1-0 groups 0 "
        "first-entry [1-0 [f 1]] last-entry [5-0 [f 5]]]");
  CHECK(s.ask("XSETID", "x", "9", "ENTRIESADDED", "12", "MAXDELETEDID", "8") == "OK");
  CHECK(s.ask("XADD", "x", "9-*", "f", "v") == "9-1");
  CHECK(s.run("XSETID", "x", "7") ==
        "-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id\r\n");
  CHECK(s.run("XSETID", "x", "9") ==
        "-ERR The ID specified in XSETID is smaller than the target stream top item\r\n");
  CHECK(s.run("XSETID", "x", "20", "ENTRIESADDED", "1") ==
        "-ERR The entries_added specified in XSETID is smaller than the target stream length\r\n");
  CHECK(s.run("XSETID", "x", "20", "MAXDELETEDID", "21") ==
        "-ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id\r\n");
  CHECK(s.run("XSETID", "x", "20", "ENTRIESADDED", "-1") ==
        "-ERR entries_added must be positive\r\n");
  CHECK(s.run("XSETID", "none", "1") == "-ERR no such key\r\n");
}

TEST_CASE("XREAD returns what is behind an id, as a map where there are maps") {
  Streams s;
  s.fill("x", 3);
  s.fill("y", 2);
  CHECK(s.ask("XREAD", "COUNT", "1", "STREAMS", "x", "none", "y", "1", "0", "0") ==
        "[[x [[2-0 [f 2]]]] [y [[1-0 [f 1]]]]]");
  CHECK(s.ask("XREAD", "STREAMS", "x", "y", "+", "+") == "[[x [[3-0 [f 3]]]] [y [[2-0 [f 2]]]]]");
  CHECK(s.run("XREAD", "STREAMS", "x", "$") == "*-1\r\n");
  CHECK(s.ask("XREAD", "MAXCOUNT", "4", "STREAMS", "x", "y", "0", "0") ==
        "[[x [[1-0 [f 1]] [2-0 [f 2]] [3-0 [f 3]]]] [y [[1-0 [f 1]]]]]");
  CHECK(s.ask("XREAD", "MAXSIZE", "5", "STREAMS", "x", "y", "0", "0") ==
        "[[x [[1-0 [f 1]] [2-0 [f 2]]]]]");
  CHECK(s.ask("XREAD", "MAXSIZE", "1", "STREAMS", "x", "0") == "[[x [[1-0 [f 1]]]]]");
  CHECK(s.run("XREAD", "STREAMS", "x", "y", "0") ==
        "-ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be "
        "specified.\r\n");
  CHECK(s.run("XREAD", "STREAMS", "x", ">") ==
        "-ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> "
        "<consumer> option.\r\n");
  CHECK(s.run("XREAD", "NOACK", "STREAMS", "x", "0") ==
        "-ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.\r\n");
  CHECK(s.run("XREAD", "COUNT", "1", "x", "0") == "-ERR syntax error\r\n");
  s.run("SET", "str", "v");
  CHECK(s.run("XREAD", "STREAMS", "str", "0") == kWrongTypeReply);
  s.session().resp = 3;
  CHECK(s.ask("XREAD", "COUNT", "1", "STREAMS", "x", "y", "0", "1") ==
        "{x [[1-0 [f 1]]] y [[2-0 [f 2]]]}");
  CHECK(s.run("XREAD", "STREAMS", "x", "9") == "_\r\n");
}

TEST_CASE("XREAD waits for entries behind what was there when it was asked") {
  Streams s;
  s.fill("x", 2);
  Session& reader = s.open();
  CHECK(s.run_as(reader, "XREAD", "BLOCK", "0", "STREAMS", "none", "x", "$", "$").empty());
  s.run("XDEL", "x", "1");
  s.run("SET", "none", "v");
  CHECK(EngineFixture::take(reader).empty());
  s.run("DEL", "none");
  s.run("XADD", "x", "3", "f", "3");
  CHECK(Streams::parse(EngineFixture::take(reader)) == "[[x [[3-0 [f 3]]]]]");
  CHECK(s.run_as(reader, "XREAD", "BLOCK", "10", "STREAMS", "x", "$").empty());
  s.advance(milliseconds(11));
  s.engine().blocking().run_due();
  CHECK(EngineFixture::take(reader) == "*-1\r\n");
  CHECK(s.run_as(reader, "XREAD", "BLOCK", "-1", "STREAMS", "x", "$") ==
        "-ERR timeout is negative\r\n");
  CHECK(s.run_as(reader, "XREAD", "BLOCK", "x", "STREAMS", "x", "$") ==
        "-ERR timeout is not an integer or out of range\r\n");
}

TEST_CASE("XREADGROUP gives each entry to one consumer and logs what it gave") {
  Streams s;
  s.fill("x", 4);
  CHECK(s.ask("XGROUP", "CREATE", "x", "g", "0") == "OK");
  CHECK(s.effects() == Lines{"XGROUP CREATE x g 0"});
  CHECK(s.events() == Lines{"xgroup-create x"});
  CHECK(s.ask("XREADGROUP", "GROUP", "g", "a", "COUNT", "2", "STREAMS", "x", ">") ==
        "[[x [[1-0 [f 1]] [2-0 [f 2]]]]]");
  CHECK(s.effects() ==
        Lines{"XGROUP CREATECONSUMER x g a",
              "XCLAIM x g a 0 1-0 2-0 TIME 1000000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 2-0",
              "XGROUP SETID x g 2-0 ENTRIESREAD 2"});
  CHECK(s.events() == Lines{"xgroup-createconsumer x"});
  CHECK(s.ask("XREADGROUP", "GROUP", "g", "b", "NOACK", "COUNT", "1", "STREAMS", "x", ">") ==
        "[[x [[3-0 [f 3]]]]]");
  CHECK(s.effects() == Lines{"XGROUP CREATECONSUMER x g b", "XGROUP SETID x g 3-0 ENTRIESREAD 3"});
  CHECK(s.ask("XPENDING", "x", "g") == "[2 1-0 2-0 [[a 2]]]");
  s.advance(milliseconds(50));
  CHECK(s.ask("XREADGROUP", "GROUP", "g", "a", "STREAMS", "x", "1") == "[[x [[2-0 [f 2]]]]]");
  CHECK(s.effects() ==
        Lines{"XCLAIM x g a 0 2-0 TIME 1000000000050 RETRYCOUNT 2 FORCE JUSTID LASTID 3-0"});
  CHECK(s.ask("XPENDING", "x", "g", "-", "+", "10") == "[[1-0 a 50 1] [2-0 a 0 2]]");
  CHECK(s.ask("XPENDING", "x", "g", "IDLE", "10", "-", "+", "10") == "[[1-0 a 50 1]]");
  CHECK(s.ask("XPENDING", "x", "g", "-", "+", "10", "b") == "[]");
  CHECK(s.ask("XPENDING", "x", "g", "-", "+", "10", "nobody") == "[]");
  s.run("XDEL", "x", "1");
  CHECK(s.ask("XREADGROUP", "GROUP", "g", "a", "STREAMS", "x", "0") ==
        "[[x [[1-0 nil] [2-0 [f 2]]]]]");
  CHECK(s.ask("XREADGROUP", "GROUP", "g", "c", "STREAMS", "x", "0") == "[[x []]]");
  CHECK(s.ask("XACK", "x", "g", "1", "2", "3") == "2");
  CHECK(s.effects() == Lines{"XACK x g 1 2 3"});
  CHECK(s.run("XACK", "x", "g", "oops") == kBadId);
  CHECK(s.ask("XACK", "x", "none", "1") == "0");
  CHECK(s.run("XREADGROUP", "GROUP", "none", "a", "STREAMS", "x", ">") ==
        "-NOGROUP No such key 'x' or consumer group 'none' in XREADGROUP with GROUP option\r\n");
  CHECK(s.run("XREADGROUP", "GROUP", "g", "a", "STREAMS", "x", "$")
            .starts_with("-ERR The $ ID is meaningless in the context of XREADGROUP"));
  CHECK(s.run("XREADGROUP", "COUNT", "1", "COUNT", "1", "STREAMS", "x", ">") ==
        "-ERR Missing GROUP option for XREADGROUP\r\n");
  s.session().resp = 3;
  CHECK(s.ask("XREADGROUP", "GROUP", "g", "a", "STREAMS", "x", ">") == "{x [[4-0 [f 4]]]}");
  CHECK(s.run("XREADGROUP", "GROUP", "g", "a", "STREAMS", "x", ">") == "_\r\n");
}

TEST_CASE("XREADGROUP waits, and hears when key or group go away") {
  Streams s;
  const auto waiting = [&]() -> Session& {
    Session& reader = s.open();
    CHECK(s.run_as(reader, "XREADGROUP", "GROUP", "g", "c", "BLOCK", "0", "STREAMS", "x", ">")
              .empty());
    return reader;
  };
  const std::string no_group =
      "-NOGROUP No such key 'x' or consumer group 'g' in XREADGROUP with GROUP option\r\n";
  s.run("XGROUP", "CREATE", "x", "g", "$", "MKSTREAM");
  Session& served = waiting();
  Session& second = waiting();
  s.run("XADD", "x", "1", "f", "1");
  CHECK(Streams::parse(EngineFixture::take(served)) == "[[x [[1-0 [f 1]]]]]");
  CHECK(EngineFixture::take(second).empty());
  s.run("XGROUP", "DESTROY", "x", "g");
  CHECK(EngineFixture::take(second) == no_group);
  s.run("XGROUP", "CREATE", "x", "g", "$");
  Session& deleted = waiting();
  s.run("DEL", "x");
  CHECK(EngineFixture::take(deleted) == no_group);
  s.run("XGROUP", "CREATE", "x", "g", "$", "MKSTREAM");
  Session& changed = waiting();
  s.run("SET", "x", "v");
  CHECK(EngineFixture::take(changed) == kWrongTypeReply);
}

TEST_CASE("XREADGROUP CLAIM takes over what others have had for too long") {
  Streams s;
  s.fill("x", 3);
  s.run("XGROUP", "CREATE", "x", "g", "0");
  s.run("XREADGROUP", "GROUP", "g", "a", "COUNT", "2", "STREAMS", "x", ">");
  s.advance(milliseconds(100));
  CHECK(s.ask("XREADGROUP", "GROUP", "g", "b", "CLAIM", "101", "COUNT", "1", "STREAMS", "x", ">") ==
        "[[x [[3-0 [f 3] 0 0]]]]");
  s.run("XDEL", "x", "1");
  CHECK(s.ask("XREADGROUP", "GROUP", "g", "b", "CLAIM", "100", "STREAMS", "x", ">") ==
        "[[x [[2-0 [f 2] 100 1]]]]");
  CHECK(s.effects() ==
        Lines{"XACK x g 1-0",
              "XCLAIM x g b 0 2-0 TIME 1000000000100 RETRYCOUNT 2 FORCE JUSTID LASTID 3-0"});
  CHECK(s.ask("XPENDING", "x", "g") == "[2 2-0 3-0 [[b 2]]]");
}

TEST_CASE("XREADGROUP CLAIM waits for entries to become idle, but not longer than it was told") {
  Streams s;
  s.fill("x", 1);
  s.run("XGROUP", "CREATE", "x", "g", "0");
  s.run("XREADGROUP", "GROUP", "g", "a", "STREAMS", "x", ">");
  Session& reader = s.open();
  const auto ask = [&](const char* block, const char* idle) {
    return s.run_as(reader, "XREADGROUP", "GROUP", "g", "b", "BLOCK", block, "CLAIM", idle,
                    "STREAMS", "x", ">");
  };
  const auto pass = [&](std::int64_t ms) {
    s.advance(milliseconds(ms));
    s.engine().blocking().run_due();
    return EngineFixture::take(reader);
  };
  CHECK(ask("0", "500").empty());
  CHECK(pass(499).empty());
  CHECK(Streams::parse(pass(1)) == "[[x [[1-0 [f 1] 500 1]]]]");
  // The stream goes away meanwhile: the reader waits on, until its own time is over.
  CHECK(ask("1200", "500").empty());
  s.run("XACK", "x", "g", "1");
  CHECK(pass(500).empty());
  CHECK(pass(500).empty());
  CHECK(pass(199).empty());
  CHECK(pass(1) == "*-1\r\n");
  CHECK(ask("0", "100").empty());
  CHECK(pass(1000).empty());
  CHECK(s.run("CLIENT", "UNBLOCK", std::to_string(reader.id)) == ":1\r\n");
  CHECK(EngineFixture::take(reader) == "*-1\r\n");
}

TEST_CASE("XGROUP manages groups and consumers") {
  Streams s;
  const std::string no_key =
      "-ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to "
      "use the MKSTREAM option to create an empty stream automatically.\r\n";
  CHECK(s.run("XGROUP", "CREATE", "x", "g", "$") == no_key);
  CHECK(s.run("XGROUP", "DESTROY", "x", "g") == no_key);
  CHECK(s.ask("XGROUP", "CREATE", "x", "g", "$", "MKSTREAM") == "OK");
  CHECK(s.run("XGROUP", "CREATE", "x", "g", "$") ==
        "-BUSYGROUP Consumer Group name already exists\r\n");
  CHECK(s.run("XGROUP", "CREATE", "x", "h", "$", "ENTRIESREAD", "-3") ==
        "-ERR value for ENTRIESREAD must be positive or -1\r\n");
  CHECK(s.run("XGROUP", "CREATE", "x", "h", "$", "what") ==
        "-ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.\r\n");
  CHECK(s.ask("XGROUP", "CREATECONSUMER", "x", "g", "a") == "1");
  CHECK(s.ask("XGROUP", "CREATECONSUMER", "x", "g", "a") == "0");
  CHECK(s.run("XGROUP", "CREATECONSUMER", "x", "none", "a") ==
        "-NOGROUP No such consumer group 'none' for key name 'x'\r\n");
  s.fill("x", 3);
  s.run("XREADGROUP", "GROUP", "g", "a", "STREAMS", "x", ">");
  CHECK(s.ask("XGROUP", "SETID", "x", "g", "-") == "OK");
  CHECK(s.ask("XREADGROUP", "GROUP", "g", "b", "COUNT", "1", "STREAMS", "x", ">") ==
        "[[x [[1-0 [f 1]]]]]");
  CHECK(s.ask("XPENDING", "x", "g") == "[3 1-0 3-0 [[a 2] [b 1]]]");
  CHECK(s.ask("XGROUP", "DELCONSUMER", "x", "g", "a") == "2");
  CHECK(s.events() == Lines{"xgroup-delconsumer x"});
  CHECK(s.ask("XGROUP", "DELCONSUMER", "x", "g", "a") == "0");
  CHECK(s.ask("XINFO", "GROUPS", "x") ==
        "[[name g consumers 1 pending 1 last-delivered-id 1-0 entries-read 1 lag 2]]");
  s.advance(milliseconds(7));
  CHECK(s.ask("XINFO", "CONSUMERS", "x", "g") == "[[name b pending 1 idle 7 inactive 7]]");
  CHECK(s.ask("XINFO", "STREAM", "x", "FULL", "COUNT", "1") ==
        "[length 3 radix-tree-keys 1 radix-tree-nodes 2 last-generated-id 3-0 "
        "max-deleted-entry-id 0-0 entries-added 3 recorded-first-entry-id 1-0 entries [[1-0 [f "
        "1]]] groups [[name g last-delivered-id 1-0 entries-read 1 lag 2 pel-count 1 pending "
        "[[1-0 b 1000000000000 1]] consumers [[name b seen-time 1000000000000 active-time "
        "1000000000000 pel-count 1 pending [[1-0 1000000000000 1]]]]]]]");
  CHECK(s.run("XINFO", "STREAM", "x", "FULL", "COUNT") ==
        "-ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP.\r\n");
  CHECK(s.run("XINFO", "GROUPS", "none") == "-ERR no such key\r\n");
  CHECK(s.run("XINFO", "CONSUMERS", "x", "none") ==
        "-NOGROUP No such consumer group 'none' for key name 'x'\r\n");
  CHECK(s.ask("XGROUP", "DESTROY", "x", "g") == "1");
  CHECK(s.ask("XGROUP", "DESTROY", "x", "g") == "0");
}

TEST_CASE("XCLAIM and XAUTOCLAIM move pending entries and let go of deleted ones") {
  Streams s;
  s.fill("x", 5);
  s.run("XGROUP", "CREATE", "x", "g", "0");
  s.run("XREADGROUP", "GROUP", "g", "a", "COUNT", "4", "STREAMS", "x", ">");
  s.advance(milliseconds(100));
  s.run("XDEL", "x", "2");
  CHECK(s.ask("XCLAIM", "x", "g", "b", "101", "1", "3") == "[]");
  CHECK(s.ask("XCLAIM", "x", "g", "b", "100", "1", "2", "5") == "[[1-0 [f 1]]]");
  CHECK(s.effects() ==
        Lines{"XACK x g 2-0",
              "XCLAIM x g b 0 1-0 TIME 1000000000100 RETRYCOUNT 2 FORCE JUSTID LASTID 4-0"});
  CHECK(s.ask("XCLAIM", "x", "g", "b", "0", "5", "FORCE", "JUSTID", "IDLE", "40", "RETRYCOUNT", "7",
              "LASTID", "5") == "[5-0]");
  CHECK(s.ask("XPENDING", "x", "g", "-", "+", "9") ==
        "[[1-0 b 0 2] [3-0 a 100 1] [4-0 a 100 1] [5-0 b 40 7]]");
  CHECK(s.ask("XAUTOCLAIM", "x", "g", "c", "50", "-", "COUNT", "1") == "[4-0 [[3-0 [f 3]]] []]");
  s.run("XDEL", "x", "4");
  CHECK(s.ask("XAUTOCLAIM", "x", "g", "c", "0", "4", "JUSTID") == "[0-0 [5-0] [4-0]]");
  CHECK(s.run("XAUTOCLAIM", "x", "g", "c", "0", "4", "COUNT", "0") == "-ERR COUNT must be > 0\r\n");
  CHECK(s.run("XAUTOCLAIM", "x", "g", "c", "z", "4") ==
        "-ERR Invalid min-idle-time argument for XAUTOCLAIM\r\n");
  CHECK(s.run("XCLAIM", "x", "g", "c", "z", "4") ==
        "-ERR Invalid min-idle-time argument for XCLAIM\r\n");
  CHECK(s.run("XCLAIM", "x", "g", "c", "0", "4", "HUH") ==
        "-ERR Unrecognized XCLAIM option 'HUH'\r\n");
  CHECK(s.run("XCLAIM", "x", "none", "c", "0", "4") ==
        "-NOGROUP No such key 'x' or consumer group 'none'\r\n");
  CHECK(s.run("XPENDING", "x", "none") == "-NOGROUP No such key 'x' or consumer group 'none'\r\n");
  CHECK(s.run("XPENDING", "x", "g", "-", "+") == "-ERR syntax error\r\n");
}

TEST_CASE("XDELEX and XACKDEL look at references") {
  Streams s;
  s.fill("x", 6);
  CHECK(s.ask("XDELEX", "x", "ACKED", "IDS", "1", "1") == "[2]");
  s.run("XGROUP", "CREATE", "x", "g", "0");
  s.run("XGROUP", "CREATE", "x", "h", "0");
  for (const char* group : {"g", "h"})
    s.run("XREADGROUP", "GROUP", group, "c", "COUNT", "4", "STREAMS", "x", ">");
  CHECK(s.ask("XDELEX", "x", "IDS", "2", "1", "99") == "[1 -1]");
  CHECK(s.effects() == Lines{"XDELEX x IDS 2 1 99"});
  CHECK(s.events() == Lines{"xdel x"});
  CHECK(s.ask("XPENDING", "x", "g") == "[4 1-0 4-0 [[c 4]]]");
  CHECK(s.ask("XDELEX", "x", "DELREF", "IDS", "1", "1") == "[-1]");
  CHECK(s.effects() == Lines{"XDELEX x DELREF IDS 1 1"});
  CHECK(s.ask("XPENDING", "x", "g") == "[3 2-0 4-0 [[c 3]]]");
  CHECK(s.ask("XDELEX", "x", "IDS", "2", "2", "5", "ACKED") == "[2 2]");
  CHECK(s.effects().empty());
  CHECK(s.ask("XACKDEL", "x", "g", "ACKED", "IDS", "2", "2", "9") == "[2 -1]");
  CHECK(s.ask("XACKDEL", "x", "h", "ACKED", "IDS", "1", "2") == "[1]");
  CHECK(s.ask("XACKDEL", "x", "h", "IDS", "1", "3") == "[1]");
  CHECK(s.ask("XPENDING", "x", "g") == "[2 3-0 4-0 [[c 2]]]");
  CHECK(s.ask("XACKDEL", "x", "h", "DELREF", "IDS", "1", "4") == "[1]");
  CHECK(s.ask("XPENDING", "x", "g") == "[1 3-0 3-0 [[c 1]]]");
  CHECK(s.ask("XLEN", "x") == "2");
  CHECK(s.ask("XDELEX", "none", "IDS", "2", "1", "2") == "[-1 -1]");
  CHECK(s.ask("XACKDEL", "x", "none", "IDS", "1", "1") == "[-1]");
  CHECK(s.run("XDELEX", "x", "IDS", "0", "1") ==
        "-ERR Number of IDs must be a positive integer\r\n");
  CHECK(s.run("XDELEX", "x", "IDS", "3", "1") ==
        "-ERR The `numids` parameter must match the number of arguments\r\n");
  CHECK(s.run("XDELEX", "x", "IDS", "1", "1", "2") == "-ERR syntax error\r\n");
}

TEST_CASE("XNACK hands entries back for anybody to claim") {
  Streams s;
  s.fill("x", 3);
  s.run("XGROUP", "CREATE", "x", "g", "0");
  s.run("XREADGROUP", "GROUP", "g", "a", "COUNT", "2", "STREAMS", "x", ">");
  CHECK(s.ask("XNACK", "x", "g", "FAIL", "IDS", "2", "1", "3") == "1");
  CHECK(s.effects() == Lines{"XNACK x g FAIL IDS 2 1 3"});
  CHECK(s.ask("XPENDING", "x", "g", "-", "+", "9") == "[[1-0  -1 1] [2-0 a 0 1]]");
  CHECK(s.ask("XPENDING", "x", "g") == "[2 1-0 2-0 [[a 1]]]");
  CHECK(s.ask("XNACK", "x", "g", "SILENT", "IDS", "1", "2") == "1");
  CHECK(s.ask("XNACK", "x", "g", "FATAL", "IDS", "1", "3", "FORCE") == "1");
  CHECK(s.ask("XPENDING", "x", "g", "-", "+", "9") ==
        "[[1-0  -1 1] [2-0  -1 0] [3-0  -1 9223372036854775807]]");
  const std::string payload = s.run("DUMP", "x");
  CHECK(s.ask("XAUTOCLAIM", "x", "g", "b", "1000000", "-", "COUNT", "2") ==
        "[3-0 [[1-0 [f 1]] [2-0 [f 2]]] []]");
  CHECK(s.ask("XREADGROUP", "GROUP", "g", "b", "CLAIM", "5", "STREAMS", "x", ">") ==
        "[[x [[3-0 [f 3] -1 9223372036854775807] [3-0 [f 3] 0 0]]]]");
  CHECK(s.run("XNACK", "x", "g", "HUH", "IDS", "1", "1") == "-ERR syntax error\r\n");
  CHECK(s.run("XNACK", "x", "none", "FAIL", "IDS", "1", "1") ==
        "-NOGROUP No such key 'x' or consumer group 'none'\r\n");
  const std::string body = payload.substr(payload.find("\r\n") + 2);
  CHECK(s.ask("RESTORE", "y", "0", body.substr(0, body.size() - 2)) == "OK");
  CHECK(s.ask("XPENDING", "y", "g", "-", "+", "9") ==
        "[[1-0  -1 1] [2-0  -1 0] [3-0  -1 9223372036854775807]]");
  CHECK(s.ask("XINFO", "CONSUMERS", "y", "g") == "[[name a pending 0 idle 0 inactive 0]]");
}

TEST_CASE("replayed commands leave the times that ages are told by") {
  Streams s;
  s.fill("x", 2);
  s.advance(milliseconds(5000));
  s.engine().begin_replay();
  s.run("XGROUP", "CREATE", "x", "g", "0");
  s.run("XCLAIM", "x", "g", "a", "0", "1-0", "TIME", "1000000002000", "RETRYCOUNT", "3", "FORCE",
        "JUSTID");
  s.run("XADD", "x", "1000000000001-0", "f", "v");
  s.run("XIDMPRECORD", "x", "p", "m", "1000000000001-0");
  s.engine().end_replay();
  s.advance(milliseconds(1000));
  CHECK(s.ask("XPENDING", "x", "g", "-", "+", "9") == "[[1-0 a 4000 3]]");
  CHECK(s.ask("XINFO", "CONSUMERS", "x", "g") == "[[name a pending 1 idle 1000 inactive 1000]]");
  CHECK(s.ask("XAUTOCLAIM", "x", "g", "b", "4001", "0", "JUSTID") == "[0-0 [] []]");
  CHECK(s.ask("XADD", "x", "IDMP", "p", "m", "*", "f", "again") == "1000000000001-0");
}

TEST_CASE("a message of an idempotent producer is added once") {
  Streams s;
  CHECK(s.ask("XADD", "x", "IDMP", "p", "m1", "*", "f", "v") == "1000000000000-0");
  CHECK(s.effects() == Lines{"XADD x 1000000000000-0 f v", "XIDMPRECORD x p m1 1000000000000-0"});
  CHECK(s.ask("XADD", "x", "IDMP", "p", "m1", "*", "f", "other") == "1000000000000-0");
  CHECK(s.effects().empty());
  CHECK(s.ask("XADD", "x", "IDMP", "q", "m1", "*", "f", "v") == "1000000000000-1");
  CHECK(s.ask("XADD", "x", "IDMPAUTO", "p", "*", "f", "v") == "1000000000000-2");
  CHECK(s.ask("XADD", "x", "IDMPAUTO", "p", "*", "f", "v") == "1000000000000-2");
  CHECK(s.ask("XADD", "x", "IDMPAUTO", "p", "*", "f", "w") == "1000000000000-3");
  CHECK(s.run("XADD", "x", "IDMP", "p", "m2", "5-5", "f", "v") == "-ERR syntax error\r\n");
  CHECK(s.ask("XINFO", "STREAM", "x")
            .find("idmp-duration 100 idmp-maxsize 100 pids-tracked 2 iids-tracked 4 iids-added 4 "
                  "iids-duplicates 2") != std::string::npos);
  CHECK(s.ask("XCFGSET", "x", "IDMP-DURATION", "1", "IDMP-MAXSIZE", "2") == "OK");
  CHECK(s.ask("XADD", "x", "IDMP", "p", "m1", "*", "f", "v") == "1000000000000-4");
  s.advance(milliseconds(1000));
  CHECK(s.ask("XADD", "x", "IDMP", "p", "m1", "*", "f", "v") == "1000000001000-0");
  CHECK(s.ask("XIDMPRECORD", "x", "p", "m9", "1000000000000-0") == "OK");
  CHECK(s.ask("XIDMPRECORD", "x", "p", "m9", "1000000000000-0") == "OK");
  CHECK(s.run("XIDMPRECORD", "x", "p", "m9", "1000000000000-1").starts_with("-ERR"));
  CHECK(s.run("XIDMPRECORD", "x", "p", "m8", "7-7").starts_with("-ERR"));
  CHECK(s.run("XIDMPRECORD", "none", "p", "m8", "7-7") == "-ERR no such key\r\n");
  CHECK(s.run("XCFGSET", "x") == "-ERR syntax error\r\n");
  CHECK(s.run("XCFGSET", "x", "IDMP-DURATION", "0") == "-ERR invalid duration\r\n");
  CHECK(s.run("XCFGSET", "x", "IDMP-MAXSIZE", "10001") == "-ERR invalid maxsize\r\n");
  CHECK(s.run("XCFGSET", "none", "IDMP-MAXSIZE", "1") == "-ERR no such key\r\n");
}

TEST_CASE("a stream survives COPY, DUMP and RESTORE with its groups") {
  for (const char* compat : {"7.2", "7.0"}) {
    CAPTURE(compat);
    Streams s;
    REQUIRE(s.ask("CONFIG", "SET", "rdb-compat", compat) == "OK");
    s.run("CONFIG", "SET", "stream-node-max-entries", "3");
    s.fill("x", 20);
    s.run("XGROUP", "CREATE", "x", "g", "0");
    s.run("XGROUP", "CREATE", "x", "h", "$", "ENTRIESREAD", "20");
    s.run("XREADGROUP", "GROUP", "g", "a", "COUNT", "7", "STREAMS", "x", ">");
    s.run("XREADGROUP", "GROUP", "g", "b", "COUNT", "3", "STREAMS", "x", ">");
    s.run("XDEL", "x", "4", "5", "6", "18");
    const std::string payload = s.run("DUMP", "x");
    const std::string body = payload.substr(payload.find("\r\n") + 2);
    CHECK(body[0] == (std::string(compat) == "7.0" ? 19 : 21));
    CHECK(s.ask("RESTORE", "y", "0", body.substr(0, body.size() - 2)) == "OK");
    CHECK(s.ask("COPY", "x", "z") == "1");
    const std::string full = s.ask("XINFO", "STREAM", "x", "FULL", "COUNT", "0");
    CHECK(s.ask("XINFO", "STREAM", "y", "FULL", "COUNT", "0") == full);
    CHECK(s.ask("XINFO", "STREAM", "z", "FULL", "COUNT", "0") == full);
    CHECK(s.ask("DEBUG", "DIGEST-VALUE", "x", "y", "z") ==
          s.ask("DEBUG", "DIGEST-VALUE", "y", "z", "x"));
    CHECK(s.ask("XREADGROUP", "GROUP", "g", "a", "COUNT", "1", "STREAMS", "y", ">") ==
          "[[y [[11-0 [f 11]]]]]");
    CHECK(s.run("MEMORY", "USAGE", "x").starts_with(":"));
  }
}

TEST_CASE("the lag of a group counts what is there to be read") {
  const auto lag_of = [](Streams& s) {
    const std::string text = s.ask("XINFO", "GROUPS", "x");
    return text.substr(text.find("lag "));
  };
  {
    Streams s;
    s.fill("x", 1);
    s.run("XGROUP", "CREATE", "x", "g", "0", "ENTRIESREAD", "7");
    CHECK(lag_of(s) == "lag 1]]");
  }
  {
    Streams s;
    s.fill("x", 5);
    s.run("XGROUP", "CREATE", "x", "g", "0");
    s.run("XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "x", ">");
    CHECK(lag_of(s) == "lag 4]]");
    s.run("XTRIM", "x", "MAXLEN", "1");
    CHECK(lag_of(s) == "lag 1]]");
    s.run("XREADGROUP", "GROUP", "g", "c", "COUNT", "1", "STREAMS", "x", ">");
    CHECK(lag_of(s) == "lag 0]]");
  }
  {
    Streams s;
    s.fill("x", 2);
    s.run("XGROUP", "CREATE", "x", "g", "0");
    s.run("XDEL", "x", "1-0", "2-0");
    CHECK(lag_of(s) == "lag 0]]");
  }
}

TEST_CASE("ids may have blanks and a plus sign in front of their numbers") {
  Streams s;
  CHECK(s.ask("XADD", "x", " 1", "f", "v") == "1-0");
  CHECK(s.ask("XADD", "x", "+2-+3", "f", "v") == "2-3");
  CHECK(s.run("XADD", "x", "3 ", "f", "v") == kBadId);
}

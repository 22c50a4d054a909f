#include <doctest/doctest.h>

#include "tests/support/engine_fixture.h"

using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;

namespace {

constexpr const char* kWrongType =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

EngineFixture resp3() {
  return EngineFixture(
      {.now = hearth::UnixMillis{1'000'000'000'000}, .seed = 1, .resp = 3, .config = {}});
}

EngineFixture with_debug() {
  return EngineFixture({.now = hearth::UnixMillis{1'000'000'000'000},
                        .seed = 1,
                        .resp = 2,
                        .config = {{"enable-debug-command", "yes"}}});
}

std::string bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}
std::string array(const Lines& items) {
  std::string reply = "*" + std::to_string(items.size()) + "\r\n";
  for (const auto& item : items) reply += bulk(item);
  return reply;
}
std::string all(EngineFixture& server, const std::string& key) {
  return server.run("LRANGE", key, "0", "-1");
}

}  // namespace

TEST_CASE("LPUSH and RPUSH add at their ends, and the X forms only where there is a list") {
  EngineFixture server;
  CHECK(server.run("LPUSHX", "l", "a") == ":0\r\n");
  CHECK(server.run("RPUSHX", "l", "a") == ":0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("RPUSH", "l", "a", "10", "c") == ":3\r\n");
  CHECK(server.effects() == Lines{"RPUSH l a 10 c"});
  CHECK(server.events() == Lines{"new l", "rpush l"});
  CHECK(server.run("LPUSH", "l", "y", "x") == ":5\r\n");
  CHECK(server.events() == Lines{"lpush l"});
  CHECK(server.run("LPUSHX", "l", "w") == ":6\r\n");
  CHECK(server.run("RPUSHX", "l", "d", "e") == ":8\r\n");
  CHECK(all(server, "l") == array({"w", "x", "y", "a", "10", "c", "d", "e"}));
  CHECK(server.run("LLEN", "l") == ":8\r\n");
  CHECK(server.run("LLEN", "none") == ":0\r\n");
  server.run("SET", "s", "v");
  for (const char* name : {"LPUSH", "RPUSH", "LPUSHX", "RPUSHX"})
    CHECK(server.run(name, "s", "v") == kWrongType);
  CHECK(server.run("LLEN", "s") == kWrongType);
}

TEST_CASE("LPOP and RPOP take one or several; the last item takes the key along") {
  EngineFixture server;
  server.run("RPUSH", "l", "1", "2", "3", "4", "5", "6");
  CHECK(server.run("LPOP", "l") == bulk("1"));
  CHECK(server.effects() == Lines{"LPOP l"});
  CHECK(server.events() == Lines{"lpop l"});
  CHECK(server.run("RPOP", "l", "2") == array({"6", "5"}));
  CHECK(server.effects() == Lines{"RPOP l 2"});
  CHECK(server.run("LPOP", "l", "0") == "*0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("LPOP", "l", "10") == array({"2", "3", "4"}));
  CHECK(server.events() == Lines{"lpop l", "del l"});
  CHECK(server.run("EXISTS", "l") == ":0\r\n");
  CHECK(server.run("LPOP", "l") == "$-1\r\n");
  CHECK(server.run("LPOP", "l", "1") == "*-1\r\n");
  CHECK(server.run("LPOP", "l", "-1") == "-ERR value is out of range, must be positive\r\n");
  CHECK(server.run("RPOP", "l", "1", "2") ==
        "-ERR wrong number of arguments for 'rpop' command\r\n");
  auto three = resp3();
  CHECK(three.run("RPOP", "l") == "_\r\n");
  CHECK(three.run("RPOP", "l", "1") == "_\r\n");
}

TEST_CASE("LMPOP takes from the first list that has something") {
  EngineFixture server;
  CHECK(server.run("LMPOP", "2", "a", "b", "LEFT") == "*-1\r\n");
  server.run("RPUSH", "b", "1", "2", "3");
  CHECK(server.run("LMPOP", "2", "a", "b", "RIGHT", "COUNT", "2") ==
        "*2\r\n" + bulk("b") + array({"3", "2"}));
  CHECK(server.effects() == Lines{"RPOP b 2"});
  CHECK(server.run("LMPOP", "2", "a", "b", "LEFT") == "*2\r\n" + bulk("b") + array({"1"}));
  CHECK(server.events() == Lines{"lpop b", "del b"});
  CHECK(server.run("LMPOP", "0", "a", "LEFT") == "-ERR numkeys should be greater than 0\r\n");
  CHECK(server.run("LMPOP", "1", "a", "LEFT", "COUNT", "0") ==
        "-ERR count should be greater than 0\r\n");
  for (const Lines& wrong : {Lines{"LMPOP", "2", "a", "LEFT"}, Lines{"LMPOP", "1", "a", "UP"},
                             Lines{"LMPOP", "1", "a", "LEFT", "COUNT"},
                             Lines{"LMPOP", "1", "a", "LEFT", "COUNT", "1", "COUNT", "1"}})
    CHECK(server.run_words(server.session(), wrong) == "-ERR syntax error\r\n");
}

TEST_CASE("LINDEX, LRANGE and LTRIM count from both ends") {
  EngineFixture server;
  server.run("RPUSH", "l", "a", "b", "c", "d");
  CHECK(server.run("LINDEX", "l", "0") == bulk("a"));
  CHECK(server.run("LINDEX", "l", "-1") == bulk("d"));
  CHECK(server.run("LINDEX", "l", "4") == "$-1\r\n");
  CHECK(server.run("LINDEX", "l", "-5") == "$-1\r\n");
  CHECK(server.run("LINDEX", "l", "x") == "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("LRANGE", "l", "1", "2") == array({"b", "c"}));
  CHECK(server.run("LRANGE", "l", "-100", "100") == array({"a", "b", "c", "d"}));
  CHECK(server.run("LRANGE", "l", "3", "2") == "*0\r\n");
  CHECK(server.run("LRANGE", "none", "0", "-1") == "*0\r\n");
  CHECK(server.run("LTRIM", "l", "0", "-1") == "+OK\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("LTRIM", "l", "1", "-2") == "+OK\r\n");
  CHECK(server.effects() == Lines{"LTRIM l 1 -2"});
  CHECK(server.events() == Lines{"ltrim l"});
  CHECK(all(server, "l") == array({"b", "c"}));
  CHECK(server.run("LTRIM", "l", "5", "9") == "+OK\r\n");
  CHECK(server.events() == Lines{"ltrim l", "del l"});
  CHECK(server.run("LTRIM", "l", "0", "1") == "+OK\r\n");
}

TEST_CASE("LSET, LINSERT and LREM change what is there") {
  EngineFixture server;
  CHECK(server.run("LSET", "l", "0", "x") == "-ERR no such key\r\n");
  CHECK(server.run("LINSERT", "l", "BEFORE", "a", "x") == ":0\r\n");
  CHECK(server.run("LREM", "l", "0", "a") == ":0\r\n");
  server.run("RPUSH", "l", "a", "b", "a", "c", "a");
  CHECK(server.run("LSET", "l", "-2", "12") == "+OK\r\n");
  CHECK(server.effects() == Lines{"LSET l -2 12"});
  CHECK(server.events() == Lines{"lset l"});
  CHECK(server.run("LSET", "l", "5", "x") == "-ERR index out of range\r\n");
  CHECK(server.run("LINSERT", "l", "after", "12", "new") == ":6\r\n");
  CHECK(server.events() == Lines{"linsert l"});
  CHECK(server.run("LINSERT", "l", "BEFORE", "none", "x") == ":-1\r\n");
  CHECK(server.run("LINSERT", "l", "UNDER", "a", "x") == "-ERR syntax error\r\n");
  CHECK(all(server, "l") == array({"a", "b", "a", "12", "new", "a"}));
  CHECK(server.run("LREM", "l", "-9223372036854775808", "a") ==
        "-ERR value is out of range, value must between -9223372036854775807 and "
        "9223372036854775807\r\n");
  CHECK(server.run("LREM", "l", "-1", "a") == ":1\r\n");
  CHECK(server.effects() == Lines{"LREM l -1 a"});
  CHECK(all(server, "l") == array({"a", "b", "a", "12", "new"}));
  CHECK(server.run("LREM", "l", "0", "a") == ":2\r\n");
  CHECK(server.run("LREM", "l", "5", "zz") == ":0\r\n");
  CHECK(server.effects().empty());
  for (const char* item : {"b", "12", "new"}) server.run("LREM", "l", "1", item);
  CHECK(server.events() == Lines{"lrem l", "del l"});
}

TEST_CASE("LPOS finds by rank, count and length") {
  EngineFixture server;
  server.run("RPUSH", "l", "a", "b", "c", "1", "2", "3", "c", "c");
  CHECK(server.run("LPOS", "l", "c") == ":2\r\n");
  CHECK(server.run("LPOS", "l", "c", "RANK", "2") == ":6\r\n");
  CHECK(server.run("LPOS", "l", "c", "RANK", "-1") == ":7\r\n");
  CHECK(server.run("LPOS", "l", "c", "RANK", "4") == "$-1\r\n");
  CHECK(server.run("LPOS", "l", "c", "COUNT", "2") == "*2\r\n:2\r\n:6\r\n");
  CHECK(server.run("LPOS", "l", "c", "COUNT", "0", "RANK", "-2") == "*2\r\n:6\r\n:2\r\n");
  CHECK(server.run("LPOS", "l", "c", "COUNT", "0", "MAXLEN", "7") == "*2\r\n:2\r\n:6\r\n");
  CHECK(server.run("LPOS", "l", "c", "MAXLEN", "2") == "$-1\r\n");
  CHECK(server.run("LPOS", "none", "c", "COUNT", "0") == "*0\r\n");
  CHECK(server.run("LPOS", "l", "c", "RANK", "0").starts_with("-ERR RANK can't be zero"));
  CHECK(server.run("LPOS", "l", "c", "RANK", "-9223372036854775808")
            .starts_with("-ERR value is out of range"));
  CHECK(server.run("LPOS", "l", "c", "COUNT", "-1") == "-ERR COUNT can't be negative\r\n");
  CHECK(server.run("LPOS", "l", "c", "MAXLEN", "-1") == "-ERR MAXLEN can't be negative\r\n");
}

TEST_CASE("LMOVE and RPOPLPUSH move one item, also in place") {
  EngineFixture server;
  CHECK(server.run("LMOVE", "a", "b", "LEFT", "RIGHT") == "$-1\r\n");
  server.run("RPUSH", "a", "1", "2", "3");
  CHECK(server.run("LMOVE", "a", "b", "LEFT", "RIGHT") == bulk("1"));
  CHECK(server.effects() == Lines{"LMOVE a b LEFT RIGHT"});
  CHECK(server.events() == Lines{"new b", "rpush b", "lpop a"});
  CHECK(server.run("BLMOVE", "b", "b", "left", "right", "0") == bulk("1"));
  CHECK(server.effects() == Lines{"LMOVE b b left right"});
  CHECK(server.run("RPOPLPUSH", "a", "b") == bulk("3"));
  CHECK(all(server, "b") == array({"3", "1"}));
  CHECK(server.run("LMOVE", "b", "b", "right", "left") == bulk("1"));
  CHECK(all(server, "b") == array({"1", "3"}));
  CHECK(server.run("RPOPLPUSH", "a", "a") == bulk("2"));
  CHECK(server.run("LLEN", "a") == ":1\r\n");
  CHECK(server.run("LMOVE", "a", "b", "LEFT", "LEFT") == bulk("2"));
  CHECK(server.events() == Lines{"lpush b", "lpop a", "del a"});
  server.run("SET", "s", "v");
  CHECK(server.run("LMOVE", "b", "s", "LEFT", "LEFT") == kWrongType);
  CHECK(server.run("LMOVE", "s", "b", "LEFT", "LEFT") == kWrongType);
  CHECK(server.run("LMOVE", "b", "b", "LEFT", "UP") == "-ERR syntax error\r\n");
}

TEST_CASE("a whole list that moves within itself keeps its time to live, for who repeats it too") {
  EngineFixture server;
  server.run("RPUSH", "l", "1", "2");
  server.run("PEXPIRE", "l", "5000");
  CHECK(server.run("LMOVEM", "l", "l", "LEFT", "LEFT", "COUNT", "2", "OBO") == array({"2", "1"}));
  CHECK(server.effects() == Lines{"LPUSH l 1 2", "RPOP l 2"});
  CHECK(server.run("BLMOVEM", "l", "l", "LEFT", "RIGHT", "1", "COUNT", "2", "BULK") ==
        array({"2", "1"}));
  CHECK(server.effects() == Lines{"RPUSH l 2 1", "LPOP l 2"});
  CHECK(all(server, "l") == array({"2", "1"}));
  CHECK(server.run("PTTL", "l") == ":5000\r\n");
}

TEST_CASE("LMOVEM moves several, one by one or as a block") {
  struct Case {
    Lines options;
    Lines moved, rest;
  };
  const Case cases[] = {
      {{"LEFT", "LEFT", "COUNT", "2", "OBO"}, {"2", "1"}, {"2", "1", "x"}},
      {{"LEFT", "LEFT", "COUNT", "2", "BULK"}, {"1", "2"}, {"1", "2", "x"}},
      {{"LEFT", "RIGHT", "COUNT", "2", "OBO"}, {"1", "2"}, {"x", "1", "2"}},
      {{"RIGHT", "RIGHT", "EXACTLY", "2", "BULK"}, {"3", "4"}, {"x", "3", "4"}},
      {{"RIGHT", "RIGHT", "EXACTLY", "2", "OBO"}, {"4", "3"}, {"x", "4", "3"}},
      {{"RIGHT", "LEFT", "COUNT", "9", "BULK"}, {"1", "2", "3", "4"}, {"1", "2", "3", "4", "x"}},
      {{"LEFT", "RIGHT"}, {"1"}, {"x", "1"}},
  };
  for (const Case& c : cases) {
    EngineFixture server;
    server.run("RPUSH", "a", "1", "2", "3", "4");
    server.run("RPUSH", "b", "x");
    Lines call{"LMOVEM", "a", "b"};
    call.insert(call.end(), c.options.begin(), c.options.end());
    CHECK(server.run_words(server.session(), call) == array(c.moved));
    CHECK(all(server, "b") == array(c.rest));
  }
  EngineFixture server;
  server.run("RPUSH", "a", "1", "2", "3");
  CHECK(server.run("LMOVEM", "a", "b", "LEFT", "LEFT", "EXACTLY", "4", "BULK") == "*-1\r\n");
  CHECK(server.run("LMOVEM", "none", "b", "LEFT", "LEFT") == "*0\r\n");
  CHECK(server.run("LMOVEM", "none", "b", "LEFT", "LEFT", "COUNT", "2", "BULK") == "*0\r\n");
  CHECK(server.run("LMOVEM", "none", "b", "LEFT", "LEFT", "EXACTLY", "1", "OBO") == "*-1\r\n");
  CHECK(server.run("LMOVEM", "a", "b", "LEFT", "RIGHT", "COUNT", "2", "OBO") == array({"1", "2"}));
  CHECK(server.effects() == Lines{"LPOP a 2", "RPUSH b 1 2"});
  // From an end to the same end turns them round, even when they are all that there is.
  server.run("RPUSH", "b", "3");
  CHECK(server.run("LMOVEM", "b", "b", "LEFT", "LEFT", "EXACTLY", "2", "OBO") == array({"2", "1"}));
  CHECK(server.effects() == Lines{"LPOP b 2", "LPUSH b 1 2"});
  CHECK(all(server, "b") == array({"2", "1", "3"}));
  CHECK(server.run("LMOVEM", "b", "b", "RIGHT", "RIGHT", "COUNT", "9", "OBO") ==
        array({"3", "1", "2"}));
  CHECK(all(server, "b") == array({"3", "1", "2"}));
  CHECK(server.run("LMOVEM", "b", "b", "LEFT", "RIGHT", "COUNT", "2", "OBO") == array({"3", "1"}));
  for (const Lines& wrong : {Lines{"LMOVEM", "a", "b", "LEFT", "LEFT", "COUNT", "1"},
                             Lines{"LMOVEM", "a", "b", "LEFT", "LEFT", "COUNT", "1", "ALL"},
                             Lines{"LMOVEM", "a", "b", "LEFT", "LEFT", "SOME", "1", "OBO"}})
    CHECK(server.run_words(server.session(), wrong) == "-ERR syntax error\r\n");
  CHECK(server.run("LMOVEM", "a", "b", "LEFT", "LEFT", "COUNT", "0", "OBO") ==
        "-ERR count should be greater than 0\r\n");
}

TEST_CASE("a list's encoding follows its size, both ways") {
  EngineFixture server = with_debug();
  server.run("CONFIG", "SET", "list-max-listpack-size", "4");
  server.run("RPUSH", "l", "1", "2", "3", "4");
  CHECK(server.run("OBJECT", "ENCODING", "l") == bulk("listpack"));
  server.run("RPUSH", "l", "5");
  CHECK(server.run("OBJECT", "ENCODING", "l") == bulk("quicklist"));
  CHECK(server.run("DEBUG", "OBJECT", "l").find("ql_nodes:2") != std::string::npos);
  server.run("LTRIM", "l", "0", "1");
  CHECK(server.run("OBJECT", "ENCODING", "l") == bulk("listpack"));
  server.run("RPUSH", "l", "3", "4");
  server.run("LSET", "l", "0", "x");  // counted as one more, as an addition is
  CHECK(server.run("OBJECT", "ENCODING", "l") == bulk("quicklist"));
}

TEST_CASE("ten items of twelve bytes take less than 200 bytes") {
  EngineFixture server;
  const std::string key = "key:000000000001";
  for (int i = 0; i < 10; ++i) server.run("RPUSH", key, "value:" + std::to_string(100'000 + i));
  const std::string usage = server.run("MEMORY", "USAGE", key);
  CHECK(std::stoi(usage.substr(1)) <= 200);
}

TEST_CASE("a small list keeps what else is known of its key while it changes") {
  EngineFixture server;
  server.run("RPUSH", "l", "a");
  server.run("PEXPIRE", "l", "5000");
  for (int i = 0; i < 60; ++i) server.run("LPUSH", "l", "item " + std::to_string(i));
  CHECK(server.run("PTTL", "l") == ":5000\r\n");
  CHECK(server.run("LLEN", "l") == ":61\r\n");
  server.run("LTRIM", "l", "-2", "-1");
  CHECK(all(server, "l") == array({"item 0", "a"}));
  CHECK(server.run("RENAME", "l", "m") == "+OK\r\n");
  CHECK(server.run("PERSIST", "m") == ":1\r\n");
  CHECK(server.run("LMOVE", "m", "m", "LEFT", "RIGHT") == bulk("item 0"));
  CHECK(all(server, "m") == array({"a", "item 0"}));
  CHECK(server.run("LPOP", "m", "2") == array({"a", "item 0"}));
  CHECK(server.run("EXISTS", "m") == ":0\r\n");
}

TEST_CASE("COPY, DUMP, RESTORE and digests hold for lists") {
  for (const int items : {5, 3000}) {
    EngineFixture server = with_debug();
    for (int i = 0; i < items; ++i)
      server.run("RPUSH", "l", i % 50 == 7 ? std::string(9000, 'z') : "item " + std::to_string(i));
    CHECK(server.run("COPY", "l", "copy") == ":1\r\n");
    const std::string dumped = server.run("DUMP", "l");
    const std::size_t end = dumped.find("\r\n");
    const std::string payload = dumped.substr(end + 2, dumped.size() - end - 4);
    CHECK(server.run("RESTORE", "back", "0", payload) == "+OK\r\n");
    for (const char* key : {"copy", "back"}) {
      CHECK(all(server, key) == all(server, "l"));
      CHECK(server.run("DEBUG", "DIGEST-VALUE", key) == server.run("DEBUG", "DIGEST-VALUE", "l"));
      CHECK(server.run("OBJECT", "ENCODING", key) == server.run("OBJECT", "ENCODING", "l"));
    }
    server.run("LSET", "copy", "0", "other");
    CHECK(server.run("DEBUG", "DIGEST-VALUE", "copy") != server.run("DEBUG", "DIGEST-VALUE", "l"));
  }
}

TEST_CASE("SORT reads lists and stores into them") {
  EngineFixture server;
  server.run("RPUSH", "l", "3", "1", "2");
  CHECK(server.run("SORT", "l") == array({"1", "2", "3"}));
  CHECK(server.run("SORT", "l", "DESC", "STORE", "out") == ":3\r\n");
  CHECK(server.events() == Lines{"new out", "sortstore out"});
  CHECK(all(server, "out") == array({"3", "2", "1"}));
  server.run("SET", "w1", "30");
  server.run("SET", "w2", "20");
  server.run("SET", "w3", "10");
  CHECK(server.run("SORT", "l", "BY", "w*", "GET", "#", "GET", "w*") ==
        array({"3", "10", "2", "20", "1", "30"}));
}

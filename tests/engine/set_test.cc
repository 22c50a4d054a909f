#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/support/engine_fixture.h"

using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;

namespace {

constexpr const char* kWrongType =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
constexpr const char* kOk = "+OK\r\n";

EngineFixture resp3() {
  return EngineFixture(
      {.now = hearth::UnixMillis{1'000'000'000'000}, .seed = 1, .resp = 3, .config = {}});
}

// Bulk strings of a reply, sorted.
Lines members(const std::string& reply) {
  Lines out;
  std::size_t at = 0;
  while ((at = reply.find('$', at)) != std::string::npos) {
    const std::size_t end = reply.find("\r\n", at);
    const int length = std::stoi(reply.substr(at + 1, end - at - 1));
    if (length < 0) {
      at = end;
      continue;
    }
    out.push_back(reply.substr(end + 2, static_cast<std::size_t>(length)));
    at = end + 2 + static_cast<std::size_t>(length);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string encoding(EngineFixture& server, const std::string& key) {
  const std::string reply = server.run("OBJECT", "ENCODING", key);
  return reply.substr(reply.find("\r\n") + 2, reply.size() - reply.find("\r\n") - 4);
}

void add(EngineFixture& server, const std::string& key, const Lines& all) {
  Lines words = {"SADD", key};
  words.insert(words.end(), all.begin(), all.end());
  server.run_words(server.session(), words);
}

Lines numbers(int from, int count) {
  Lines out;
  for (int i = 0; i < count; ++i) out.push_back(std::to_string(from + i));
  return out;
}

}  // namespace

TEST_CASE("SADD and SREM count, make and remove") {
  EngineFixture server;
  CHECK(server.run("SADD", "s", "a", "b", "a") == ":2\r\n");
  CHECK(server.effects() == Lines{"SADD s a b a"});
  CHECK(server.events() == Lines{"new s", "sadd s"});
  CHECK(server.run("SADD", "s", "a") == ":0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.events().empty());
  CHECK(server.run("SCARD", "s") == ":2\r\n");
  CHECK(server.run("SISMEMBER", "s", "a") == ":1\r\n");
  CHECK(server.run("SISMEMBER", "s", "x") == ":0\r\n");
  CHECK(server.run("SMISMEMBER", "s", "a", "x", "b") == "*3\r\n:1\r\n:0\r\n:1\r\n");
  CHECK(server.run("SMISMEMBER", "none", "a") == "*1\r\n:0\r\n");
  CHECK(server.run("SMEMBERS", "s") == "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  CHECK(server.run("SMEMBERS", "none") == "*0\r\n");
  CHECK(server.run("SREM", "s", "x") == ":0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("SREM", "s", "a", "b", "c") == ":2\r\n");
  CHECK(server.effects() == Lines{"SREM s a b c"});
  CHECK(server.events() == Lines{"srem s", "del s"});
  CHECK(server.run("EXISTS", "s") == ":0\r\n");
  CHECK(server.run("SREM", "none", "a") == ":0\r\n");
}

TEST_CASE("RESP3 has sets") {
  EngineFixture server = resp3();
  add(server, "s", {"1", "2"});
  CHECK(server.run("SMEMBERS", "s") == "~2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  CHECK(server.run("SINTER", "s", "none") == "~0\r\n");
  CHECK(server.run("SUNION", "s") == "~2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  CHECK(server.run("SPOP", "s", "5") == "~2\r\n$1\r\n1\r\n$1\r\n2\r\n");
  CHECK(server.run("SPOP", "s") == "_\r\n");
  CHECK(server.run("SRANDMEMBER", "s") == "_\r\n");
  CHECK(server.run("SRANDMEMBER", "s", "3") == "*0\r\n");
}

TEST_CASE("set commands refuse other types, and then change nothing") {
  EngineFixture server;
  server.run("SET", "k", "v");
  add(server, "s", {"a"});
  const std::vector<Lines> calls = {{"SADD", "k", "a"},
                                    {"SREM", "k", "a"},
                                    {"SMOVE", "k", "s", "a"},
                                    {"SMOVE", "s", "k", "a"},
                                    {"SCARD", "k"},
                                    {"SISMEMBER", "k", "a"},
                                    {"SMISMEMBER", "k", "a"},
                                    {"SMEMBERS", "k"},
                                    {"SSCAN", "k", "0"},
                                    {"SPOP", "k"},
                                    {"SPOP", "k", "1"},
                                    {"SRANDMEMBER", "k"},
                                    {"SRANDMEMBER", "k", "1"},
                                    {"SINTER", "none", "k"},
                                    {"SUNION", "s", "k"},
                                    {"SDIFF", "none", "k"},
                                    {"SINTERSTORE", "d", "k"},
                                    {"SUNIONSTORE", "d", "s", "k"},
                                    {"SDIFFSTORE", "d", "k", "s"},
                                    {"SINTERCARD", "1", "k"},
                                    {"SUNIONCARD", "2", "s", "k"},
                                    {"SDIFFCARD", "2", "none", "k"}};
  for (const Lines& call : calls) {
    CAPTURE(call.front());
    CHECK(server.run_words(server.session(), call) == kWrongType);
    CHECK(server.effects().empty());
  }
  CHECK(server.run("SMOVE", "none", "k", "a") == ":0\r\n");
}

TEST_CASE("the encodings are the ones clients know") {
  EngineFixture server;
  add(server, "ints", numbers(1, 512));
  CHECK(encoding(server, "ints") == "intset");
  server.run("SADD", "ints", "513");
  CHECK(encoding(server, "ints") == "hashtable");
  add(server, "many", numbers(1, 513));
  CHECK(encoding(server, "many") == "hashtable");
  add(server, "words", {"a", "1", "2"});
  CHECK(encoding(server, "words") == "listpack");
  server.run("SADD", "words", std::string(65, 'x'));
  CHECK(encoding(server, "words") == "hashtable");
  add(server, "mixed", {"1", "2"});
  CHECK(encoding(server, "mixed") == "intset");
  server.run("SADD", "mixed", "a");
  CHECK(encoding(server, "mixed") == "listpack");
  server.run("CONFIG", "SET", "set-max-listpack-entries", "3");
  server.run("SADD", "mixed", "b");
  CHECK(encoding(server, "mixed") == "hashtable");
  CHECK(server.run("COPY", "mixed", "copy") == ":1\r\n");
  CHECK(members(server.run("SMEMBERS", "copy")) == Lines{"1", "2", "a", "b"});
}

TEST_CASE("SMOVE moves") {
  EngineFixture server;
  add(server, "a", {"x", "1"});
  add(server, "b", {"x", "2"});
  CHECK(server.run("SMOVE", "a", "b", "nope") == ":0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("SMOVE", "a", "b", "x") == ":1\r\n");
  CHECK(server.events() == Lines{"srem a"});
  CHECK(server.run("SMOVE", "a", "b", "1") == ":1\r\n");
  CHECK(server.effects() == Lines{"SMOVE a b 1"});
  CHECK(server.events() == Lines{"srem a", "del a", "sadd b"});
  CHECK(server.run("EXISTS", "a") == ":0\r\n");
  CHECK(server.run("SMOVE", "b", "c", "2") == ":1\r\n");
  CHECK(server.events() == Lines{"srem b", "new c", "sadd c"});
  CHECK(server.run("SMOVE", "c", "c", "2") == ":1\r\n");
  CHECK(server.run("SMOVE", "c", "c", "3") == ":0\r\n");
  CHECK(server.effects().empty());
}

TEST_CASE("SPOP logs what it took") {
  EngineFixture server;
  server.run("CONFIG", "SET", "lazyfree-lazy-server-del", "no");
  add(server, "s", {"a", "b", "c", "d", "e"});
  const Lines one = members(server.run("SPOP", "s"));
  REQUIRE(one.size() == 1);
  CHECK(server.effects() == Lines{"SREM s " + one[0]});
  CHECK(server.events() == Lines{"spop s"});
  const std::string reply = server.run("SPOP", "s", "2");
  CHECK(reply.starts_with("*2\r\n"));
  CHECK(members(reply).size() == 2);
  CHECK(server.effects().size() == 1);
  CHECK(server.run("SCARD", "s") == ":2\r\n");
  CHECK(server.run("SPOP", "s", "0") == "*0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("SPOP", "s", "-1") == "-ERR value is out of range, must be positive\r\n");
  CHECK(server.run("SPOP", "s", "1", "2") == "-ERR syntax error\r\n");
  CHECK(members(server.run("SPOP", "s", "2")).size() == 2);
  CHECK(server.effects() == Lines{"DEL s"});
  CHECK(server.events() == Lines{"spop s", "del s"});
  CHECK(server.run("SPOP", "s") == "$-1\r\n");
  CHECK(server.run("SPOP", "s", "3") == "*0\r\n");

  add(server, "s", {"a"});
  CHECK(server.run("SPOP", "s") == "$1\r\na\r\n");
  CHECK(server.events() == Lines{"spop s", "del s"});
  server.run("CONFIG", "SET", "lazyfree-lazy-server-del", "yes");
  add(server, "s", {"a"});
  server.run("SPOP", "s", "1");
  CHECK(server.effects() == Lines{"UNLINK s"});
}

TEST_CASE("a large SPOP is logged in parts, which rebuild what is left") {
  for (const char* prefix : {"m", ""}) {
    EngineFixture server;
    Lines all;
    for (int i = 0; i < 5000; ++i) all.push_back(prefix + std::to_string(i));
    add(server, "s", all);
    const Lines popped = members(server.run("SPOP", "s", "3000"));
    CHECK(std::set<std::string>(popped.begin(), popped.end()).size() == 3000);
    CHECK(server.effects().size() == 3);
    const Lines left = members(server.run("SMEMBERS", "s"));
    CHECK(left.size() == 2000);
    for (const auto& m : left) CHECK_FALSE(std::binary_search(popped.begin(), popped.end(), m));
  }
}

TEST_CASE("SRANDMEMBER gives as many as asked") {
  EngineFixture server;
  add(server, "s", {"a", "b", "c"});
  CHECK(members(server.run("SRANDMEMBER", "s")).size() == 1);
  CHECK(members(server.run("SRANDMEMBER", "s", "10")) == Lines{"a", "b", "c"});
  CHECK(members(server.run("SRANDMEMBER", "s", "-10")).size() == 10);
  CHECK(members(server.run("SRANDMEMBER", "s", "2")).size() == 2);
  CHECK(server.run("SRANDMEMBER", "s", "0") == "*0\r\n");
  CHECK(server.run("SRANDMEMBER", "s", "x") == "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("SRANDMEMBER", "s", "-9223372036854775808")
            .starts_with("-ERR value is out of range, value must between"));
  CHECK(server.run("SRANDMEMBER", "s", "1", "2") == "-ERR syntax error\r\n");
  CHECK(server.run("SRANDMEMBER", "none", "-3") == "*0\r\n");
  CHECK(server.effects().empty());
}

TEST_CASE("operations on several sets agree with the standard algorithms") {
  hearth::Rng rng(5);
  EngineFixture server;
  server.run("CONFIG", "SET", "set-max-intset-entries", "20");
  server.run("CONFIG", "SET", "set-max-listpack-entries", "20");
  for (int round = 0; round < 60; ++round) {
    server.run("FLUSHALL");
    std::vector<std::set<std::string>> model(3);
    Lines keys;
    for (int k = 0; k < 3; ++k) {
      keys.push_back("k" + std::to_string(k));
      const std::uint64_t size = rng.below(40);
      const bool ints = rng.chance(0.5);
      for (std::uint64_t i = 0; i < size; ++i)
        model[static_cast<std::size_t>(k)].insert((ints ? "" : "m") +
                                                  std::to_string(rng.below(30)));
      if (!model[static_cast<std::size_t>(k)].empty())
        add(server, keys.back(),
            {model[static_cast<std::size_t>(k)].begin(), model[static_cast<std::size_t>(k)].end()});
    }
    std::set<std::string> all, common, rest;
    for (const auto& set : model) all.insert(set.begin(), set.end());
    for (const auto& m : all) {
      if (model[0].contains(m) && model[1].contains(m) && model[2].contains(m)) common.insert(m);
      if (model[0].contains(m) && !model[1].contains(m) && !model[2].contains(m)) rest.insert(m);
    }
    const auto check = [&](const std::string& op, const std::set<std::string>& expected) {
      CAPTURE(op);
      const Lines sorted(expected.begin(), expected.end());
      const std::string size = ":" + std::to_string(expected.size()) + "\r\n";
      CHECK(members(server.run(op, "k0", "k1", "k2")) == sorted);
      CHECK(server.run(op + "CARD", "3", "k0", "k1", "k2") == size);
      CHECK(server.run(op + "CARD", "3", "k0", "k1", "k2", "LIMIT", "0") == size);
      CHECK(server.run(op + "CARD", "3", "k0", "k1", "k2", "LIMIT", "2") ==
            ":" + std::to_string(std::min<std::size_t>(2, expected.size())) + "\r\n");
      CHECK(server.run(op + "STORE", "d", "k0", "k1", "k2") == size);
      CHECK(members(server.run("SMEMBERS", "d")) == sorted);
    };
    check("SINTER", common);
    check("SUNION", all);
    check("SDIFF", rest);
    CHECK(server.run("SUNIONCARD", "3", "k0", "k1", "k2", "APPROX") ==
          ":" + std::to_string(all.size()) + "\r\n");
    CHECK(members(server.run("SINTER", "k0", "k0")) == Lines(model[0].begin(), model[0].end()));
    CHECK(server.run("SDIFF", "k0", "k0") == "*0\r\n");
  }
}

TEST_CASE("STORE forms replace whatever was there, and remove it for an empty result") {
  EngineFixture server;
  add(server, "a", {"1", "x"});
  add(server, "b", {"1", "y"});
  server.run("SET", "d", "text", "EX", "100");
  CHECK(server.run("SINTERSTORE", "d", "a", "b") == ":1\r\n");
  CHECK(server.effects() == Lines{"SINTERSTORE d a b"});
  CHECK(server.events() == Lines{"sinterstore d"});
  CHECK(encoding(server, "d") == "intset");
  CHECK(server.run("TTL", "d") == ":-1\r\n");
  CHECK(server.run("SUNIONSTORE", "a", "a", "b") == ":3\r\n");
  CHECK(server.run("SDIFFSTORE", "d", "a", "a") == ":0\r\n");
  CHECK(server.events() == Lines{"del d"});
  CHECK(server.run("EXISTS", "d") == ":0\r\n");
  CHECK(server.run("SDIFFSTORE", "d", "none") == ":0\r\n");
  CHECK(server.effects().empty());
}

TEST_CASE("the counting commands check their words") {
  EngineFixture server;
  for (const char* name : {"SINTERCARD", "SUNIONCARD", "SDIFFCARD"}) {
    CHECK(server.run(name, "0", "a") == "-ERR numkeys should be greater than 0\r\n");
    CHECK(server.run(name, "x", "a") == "-ERR numkeys should be greater than 0\r\n");
    CHECK(server.run(name, "2", "a") ==
          "-ERR Number of keys can't be greater than number of args\r\n");
    CHECK(server.run(name, "1", "a", "b") == "-ERR syntax error\r\n");
    CHECK(server.run(name, "1", "a", "LIMIT") == "-ERR syntax error\r\n");
    CHECK(server.run(name, "1", "a", "LIMIT", "-1") == "-ERR LIMIT can't be negative\r\n");
    CHECK(server.run(name, "1", "a") == ":0\r\n");
  }
  CHECK(server.run("SINTERCARD", "1", "a", "APPROX") == "-ERR syntax error\r\n");
}

TEST_CASE("SSCAN walks through everything, with a pattern") {
  EngineFixture server;
  Lines all;
  for (int i = 0; i < 1000; ++i) all.push_back("m" + std::to_string(i));
  add(server, "s", all);
  std::set<std::string> seen;
  std::string cursor = "0";
  do {
    const std::string reply = server.run("SSCAN", "s", cursor, "COUNT", "50");
    Lines words = members(reply);
    const std::size_t at = reply.find("\r\n", 4) + 2;
    cursor = reply.substr(at, reply.find("\r\n", at) - at);
    for (const auto& w : words) {
      if (w.starts_with("m")) seen.insert(w);
    }
  } while (cursor != "0");
  CHECK(seen.size() == 1000);
  add(server, "small", {"aa", "ab", "b"});
  CHECK(server.run("SSCAN", "small", "0", "MATCH", "a*") ==
        "*2\r\n$1\r\n0\r\n*2\r\n$2\r\naa\r\n$2\r\nab\r\n");
  CHECK(server.run("SSCAN", "none", "5") == "*2\r\n$1\r\n0\r\n*0\r\n");
  CHECK(server.run("SSCAN", "small", "x") == "-ERR invalid cursor\r\n");
  CHECK(server.run("SSCAN", "small", "0", "COUNT", "0") == "-ERR syntax error\r\n");
  CHECK(server.run("SSCAN", "small", "0", "MATCH") == "-ERR syntax error\r\n");
}

TEST_CASE("sets sort, digest and survive DUMP and RESTORE in every encoding") {
  EngineFixture server({.now = hearth::UnixMillis{1'000'000'000'000},
                        .seed = 1,
                        .resp = 2,
                        .config = {{"enable-debug-command", "yes"}}});
  add(server, "ints", {"3", "1", "20"});
  add(server, "words", {"b", "a", "7"});
  Lines many;
  for (int i = 0; i < 300; ++i) many.push_back("member:" + std::to_string(i));
  add(server, "table", many);
  CHECK(server.run("SORT", "ints") == "*3\r\n$1\r\n1\r\n$1\r\n3\r\n$2\r\n20\r\n");
  CHECK(server.run("SORT", "words", "ALPHA", "DESC") == "*3\r\n$1\r\nb\r\n$1\r\na\r\n$1\r\n7\r\n");
  for (const std::string key : {"ints", "words", "table"}) {
    const std::string dump = server.run("DUMP", key);
    const std::size_t at = dump.find("\r\n") + 2;
    const std::string payload = dump.substr(at, dump.size() - at - 2);
    CHECK(server.run("RESTORE", "copy", "0", payload, "REPLACE") == kOk);
    CHECK(encoding(server, "copy") == encoding(server, key));
    CHECK(members(server.run("SMEMBERS", "copy")) == members(server.run("SMEMBERS", key)));
    CHECK(server.run("DEBUG", "DIGEST-VALUE", key) == server.run("DEBUG", "DIGEST-VALUE", "copy"));
    CHECK(server.run("MEMORY", "USAGE", key).starts_with(":"));
  }
  CHECK(server.run("DEBUG", "HTSTATS-KEY", "table").find("number of elements: 300") !=
        std::string::npos);
  CHECK(server.run("DEBUG", "DIGEST-VALUE", "ints") !=
        server.run("DEBUG", "DIGEST-VALUE", "words"));
}

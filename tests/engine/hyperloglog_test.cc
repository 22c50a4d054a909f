#include <doctest/doctest.h>

#include "src/store/hyperloglog.h"
#include "tests/support/engine_fixture.h"

using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;

namespace {

constexpr const char* kOk = "+OK\r\n";
constexpr const char* kWrongType =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
constexpr const char* kNotHll = "-WRONGTYPE Key is not a valid HyperLogLog string value.\r\n";
constexpr const char* kCorrupt = "-INVALIDOBJ Corrupted HLL object detected\r\n";

void add(EngineFixture& server, const std::string& key, int from, int count) {
  std::vector<std::string> words = {"PFADD", key};
  for (int i = 0; i < count; ++i) words.push_back("e" + std::to_string(from + i));
  server.run_words(server.session(), words);
}

}  // namespace

TEST_CASE("PFADD tells whether something changed; PFCOUNT counts and remembers") {
  EngineFixture server;
  CHECK(server.run("PFADD", "h") == ":1\r\n");
  CHECK(server.events() == Lines{"new h", "pfadd h"});
  CHECK(server.run("PFADD", "h") == ":0\r\n");
  CHECK(server.run("PFADD", "h", "a", "b", "c") == ":1\r\n");
  CHECK(server.effects() == Lines{"PFADD h a b c"});
  CHECK(server.run("PFADD", "h", "a", "c") == ":0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("PFCOUNT", "h") == ":3\r\n");
  CHECK(server.effects() == Lines{"PFCOUNT h"});
  CHECK(server.run("PFCOUNT", "h") == ":3\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("PFCOUNT", "none") == ":0\r\n");
  CHECK(server.run("PFADD", "other", "c", "d") == ":1\r\n");
  CHECK(server.run("PFCOUNT", "h", "other", "none") == ":4\r\n");
  CHECK(server.run("TYPE", "h") == "+string\r\n");
  server.run("EXPIRE", "h", "100");
  server.run("PFADD", "h", "z");
  CHECK(server.run("TTL", "h") == ":100\r\n");
}

TEST_CASE("a counter becomes dense with its size, and counts the same") {
  EngineFixture server;
  add(server, "h", 0, 300);
  CHECK(server.run("PFDEBUG", "ENCODING", "h") == "+sparse\r\n");
  const std::string sparse_count = server.run("PFCOUNT", "h");
  CHECK(server.run("PFDEBUG", "TODENSE", "h") == ":1\r\n");
  CHECK(server.run("PFDEBUG", "TODENSE", "h") == ":0\r\n");
  CHECK(server.run("PFDEBUG", "ENCODING", "h") == "+dense\r\n");
  CHECK(server.run("STRLEN", "h") == ":12304\r\n");
  CHECK(server.run("PFCOUNT", "h") == sparse_count);
  add(server, "h", 0, 300);
  CHECK(server.effects().empty());
  add(server, "many", 0, 5000);
  CHECK(server.run("PFDEBUG", "ENCODING", "many") == "+dense\r\n");
  CHECK(server.run("PFDEBUG", "DECODE", "many") == "-ERR HLL encoding is not sparse\r\n");
  CHECK(server.run("PFDEBUG", "GETREG", "many").starts_with("*16384\r\n"));
  server.run("CONFIG", "SET", "hll-sparse-max-bytes", "30");
  add(server, "few", 0, 20);
  CHECK(server.run("PFDEBUG", "ENCODING", "few") == "+dense\r\n");
}

TEST_CASE("PFMERGE merges into what is there") {
  EngineFixture server;
  add(server, "a", 0, 100);
  add(server, "b", 50, 100);
  CHECK(server.run("PFMERGE", "d", "a", "b", "none") == kOk);
  CHECK(server.effects() == Lines{"PFMERGE d a b none"});
  CHECK(server.events() == Lines{"keymiss d", "keymiss none", "new d", "pfadd d"});
  CHECK(server.run("PFCOUNT", "d") == server.run("PFCOUNT", "a", "b"));
  CHECK(server.run("PFDEBUG", "ENCODING", "d") == "+sparse\r\n");
  server.run("PFDEBUG", "TODENSE", "b");
  CHECK(server.run("PFMERGE", "a", "b") == kOk);
  CHECK(server.run("PFDEBUG", "ENCODING", "a") == "+dense\r\n");
  CHECK(server.run("PFCOUNT", "a") == server.run("PFCOUNT", "d"));
  CHECK(server.run("PFMERGE", "fresh") == kOk);
  CHECK(server.run("PFCOUNT", "fresh") == ":0\r\n");
}

TEST_CASE("strings that are no counters are refused") {
  EngineFixture server;
  server.run("SET", "text", "some text");
  server.run("SET", "number", "12");
  server.run("HSET", "hash", "f", "v");
  server.run("PFADD", "good", "a");
  std::string damaged = hearth::hll::make_empty() + "x";
  server.run("SET", "damaged", damaged);
  for (const auto& [key, error] : {std::pair{"text", kNotHll}, std::pair{"number", kNotHll},
                                   std::pair{"hash", kWrongType}, std::pair{"damaged", kCorrupt}}) {
    CAPTURE(key);
    CHECK(server.run("PFADD", key, "a") == error);
    CHECK(server.run("PFCOUNT", key) == error);
    CHECK(server.run("PFCOUNT", "good", key) == error);
    CHECK(server.run("PFMERGE", "d", "good", key) == error);
    CHECK(server.run("PFMERGE", key, "good") == error);
    CHECK(server.run("PFDEBUG", "ENCODING", key) == error);
  }
  CHECK(server.run("EXISTS", "d") == ":0\r\n");
}

TEST_CASE("PFDEBUG checks its words, and the self test passes") {
  EngineFixture server;
  CHECK(server.run("PFDEBUG", "ENCODING", "none") == "-ERR The specified key does not exist\r\n");
  server.run("PFADD", "h");
  CHECK(server.run("PFDEBUG", "DECODE", "h") == "$7\r\nZ:16384\r\n");
  CHECK(server.run("PFDEBUG", "x", "h") == "-ERR Unknown PFDEBUG subcommand 'x'\r\n");
  CHECK(server.run("PFDEBUG", "DECODE", "h", "y") ==
        "-ERR Wrong number of arguments for the 'DECODE' subcommand\r\n");
  CHECK(server.run("PFSELFTEST") == kOk);
}

#include <doctest/doctest.h>

#include <map>

#include "src/commands/key/pattern_slot.h"
#include "src/commands/key/sort_order.h"
#include "src/effects/command_stream.h"
#include "tests/support/engine_fixture.h"

using hearth::milliseconds;
using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;

namespace {

std::string bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

const std::string kNull2 = "$-1\r\n";
const std::string kNull3 = "_\r\n";

}  // namespace

TEST_CASE("DEL and UNLINK remove what exists, count it and log the request as it came") {
  EngineFixture server;
  for (const char* command : {"DEL", "UNLINK"}) {
    server.run("MSET", "a", "1", "b", "2");
    CHECK(server.run(command, "a", "none", "b", "a") == ":2\r\n");
    CHECK(server.effects() == Lines{std::string(command) + " a none b a"});
    CHECK(server.events() == Lines{"del a", "del b"});
    CHECK(server.run(command, "a") == ":0\r\n");
    CHECK(server.effects().empty());
    CHECK(server.events().empty());
  }
  CHECK(server.run("DEL") == "-ERR wrong number of arguments for 'del' command\r\n");
}

TEST_CASE("DEL of a key past its deadline counts nothing and logs the expiry") {
  EngineFixture server;
  server.run("SET", "k", "v", "PX", "10");
  server.advance(milliseconds(10));
  CHECK(server.run("DEL", "k") == ":0\r\n");
  CHECK(server.effects() == Lines{"UNLINK k"});
  CHECK(server.events() == Lines{"expired k"});
}

TEST_CASE("EXISTS counts each naming, TOUCH too, and both count hits and misses") {
  EngineFixture server;
  server.run("MSET", "a", "1", "b", "2");
  const auto hits = server.engine().stats().keyspace_hits;
  const auto misses = server.engine().stats().keyspace_misses;
  CHECK(server.run("EXISTS", "a", "a", "none") == ":2\r\n");
  CHECK(server.run("TOUCH", "a", "b", "none") == ":2\r\n");
  CHECK(server.engine().stats().keyspace_hits == hits + 4);
  CHECK(server.engine().stats().keyspace_misses == misses + 2);
}

TEST_CASE("TYPE names the type as a simple string") {
  EngineFixture server;
  server.run("SET", "k", "v");
  CHECK(server.run("TYPE", "k") == "+string\r\n");
  CHECK(server.run("TYPE", "none") == "+none\r\n");
}

TEST_CASE("RENAME moves value and time to live over whatever stood there") {
  EngineFixture server;
  CHECK(server.run("RENAME", "none", "x") == "-ERR no such key\r\n");
  CHECK(server.run("RENAME", "none", "none") == "-ERR no such key\r\n");
  for (const std::string& value :
       {std::string("short"), std::string("123"), std::string(3000, 'x')}) {
    server.run("SET", "from", value, "PX", "100");
    server.run("SET", "to", "old", "PX", "5000");
    CHECK(server.run("RENAME", "from", "to") == "+OK\r\n");
    CHECK(server.effects() == Lines{"RENAME from to"});
    CHECK(server.events() == Lines{"new to", "rename_from from", "rename_to to"});
    CHECK(server.run("GET", "to") == bulk(value));
    CHECK(server.run("PTTL", "to") == ":100\r\n");
    CHECK(server.run("EXISTS", "from") == ":0\r\n");
    server.run("SET", "from", value);
    server.run("RENAME", "from", "to");
    CHECK(server.run("PTTL", "to") == ":-1\r\n");
  }
  CHECK(server.run("RENAME", "to", "to") == "+OK\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("RENAMENX", "to", "to") == ":0\r\n");
  server.run("SET", "other", "1");
  CHECK(server.run("RENAMENX", "to", "other") == ":0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("RENAMENX", "to", "fresh") == ":1\r\n");
  CHECK(server.effects() == Lines{"RENAMENX to fresh"});
}

TEST_CASE("names longer than 255 bytes rename and copy like any other") {
  EngineFixture server;
  const std::string wide(300, 'k');
  server.run("SET", "k", "v", "PX", "50");
  CHECK(server.run("RENAME", "k", wide) == "+OK\r\n");
  CHECK(server.run("COPY", wide, "k") == ":1\r\n");
  CHECK(server.run("GET", "k") == bulk("v"));
  CHECK(server.run("PTTL", wide) == ":50\r\n");
}

TEST_CASE("COPY makes an independent value with the same deadline") {
  EngineFixture server;
  CHECK(server.run("COPY", "none", "b") == ":0\r\n");
  server.run("SET", "a", "text", "PX", "100");
  CHECK(server.run("COPY", "a", "b") == ":1\r\n");
  CHECK(server.effects() == Lines{"COPY a b"});
  CHECK(server.events() == Lines{"new b", "copy_to b"});
  server.run("COPY", "a", "b", "REPLACE");
  CHECK(server.events() == Lines{"new b", "copy_to b"});
  server.run("APPEND", "b", "!");
  CHECK(server.run("GET", "a") == bulk("text"));
  CHECK(server.run("GET", "b") == bulk("text!"));
  CHECK(server.run("PTTL", "b") == ":100\r\n");
  CHECK(server.run("COPY", "a", "b") == ":0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("COPY", "a", "b", "REPLACE") == ":1\r\n");
  CHECK(server.run("GET", "b") == bulk("text"));
  for (const std::string& value : {std::string("77"), std::string(5000, 'y')}) {
    server.run("SET", "a", value);
    CHECK(server.run("COPY", "a", "b", "REPLACE") == ":1\r\n");
    CHECK(server.run("GET", "b") == bulk(value));
    CHECK(server.run("PTTL", "b") == ":-1\r\n");
  }
}

TEST_CASE("COPY and MOVE reach other databases and refuse what makes no sense") {
  EngineFixture server;
  hearth::Session& other = server.open();
  server.run("SET", "k", "v", "PX", "100");
  CHECK(server.run("COPY", "k", "k") == "-ERR source and destination objects are the same\r\n");
  CHECK(server.run("COPY", "k", "k", "DB", "x") ==
        "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("COPY", "k", "k", "DB", "16") == "-ERR DB index is out of range\r\n");
  CHECK(server.run("COPY", "k", "k", "DB", "-1") == "-ERR DB index is out of range\r\n");
  CHECK(server.run("COPY", "k", "k", "DB") == "-ERR syntax error\r\n");
  CHECK(server.run("COPY", "k", "k2", "MAYBE") == "-ERR syntax error\r\n");
  CHECK(server.run("COPY", "k", "copy", "DB", "3") == ":1\r\n");
  CHECK(server.run("MOVE", "k", "0") == "-ERR source and destination objects are the same\r\n");
  CHECK(server.run("MOVE", "k", "16") == "-ERR DB index is out of range\r\n");
  CHECK(server.run("MOVE", "k", "x") == "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("MOVE", "k", "2147483648") ==
        "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n");
  CHECK(server.run("SWAPDB", "2147483648", "0") == "-ERR invalid first DB index\r\n");
  CHECK(server.run("SWAPDB", "0", "2147483648") == "-ERR invalid second DB index\r\n");
  CHECK(server.run("MOVE", "none", "3") == ":0\r\n");
  CHECK(server.run("MOVE", "k", "3") == ":1\r\n");
  CHECK(server.effects() == Lines{"MOVE k 3"});
  CHECK(server.events() == Lines{"new k", "move_from k", "move_to k"});
  CHECK(server.run("EXISTS", "k") == ":0\r\n");
  server.run("SET", "k", "second");
  CHECK(server.run("MOVE", "k", "3") == ":0\r\n");
  other.db = 3;
  CHECK(server.run_as(other, "GET", "copy") == bulk("v"));
  CHECK(server.run_as(other, "GET", "k") == bulk("v"));
  CHECK(server.run_as(other, "PTTL", "k") == ":100\r\n");
}

TEST_CASE("a destination that is past its deadline stands in nobody's way") {
  EngineFixture server;
  hearth::Session& other = server.open();
  other.db = 1;
  server.run_as(other, "SET", "k", "old", "PX", "10");
  server.run("SET", "k", "v");
  server.advance(milliseconds(10));
  CHECK(server.run("MOVE", "k", "1") == ":1\r\n");
  CHECK(server.effects() == Lines{"UNLINK k", "MOVE k 1"});
  CHECK(server.run_as(other, "GET", "k") == bulk("v"));
}

TEST_CASE("cluster mode has one database and no MOVE") {
  EngineFixture server{{.config = {{"cluster-enabled", "yes"}}}};
  CHECK(server.run("MOVE", "k", "1") == "-ERR MOVE is not allowed in cluster mode\r\n");
  CHECK(server.run("COPY", "k", "k2", "DB", "1") == "-ERR DB index is out of range\r\n");
}

TEST_CASE("OBJECT tells encoding, idle time and reference count") {
  EngineFixture server;
  server.run("MSET", "int", "12345", "short", "abc", "long", std::string(45, 'x'));
  CHECK(server.run("OBJECT", "ENCODING", "int") == bulk("int"));
  CHECK(server.run("OBJECT", "ENCODING", "short") == bulk("embstr"));
  CHECK(server.run("OBJECT", "ENCODING", "long") == bulk("raw"));
  CHECK(server.run("OBJECT", "ENCODING", "none") == kNull2);
  CHECK(server.run("OBJECT", "REFCOUNT", "int") == ":1\r\n");
  CHECK(server.run("OBJECT", "REFCOUNT", "none") == kNull2);
  server.run("SET", "small", "9999");
  CHECK(server.run("OBJECT", "REFCOUNT", "small") == ":2147483647\r\n");
  CHECK(server.run("INCR", "small") == ":10000\r\n");
  CHECK(server.run("OBJECT", "REFCOUNT", "small") == ":1\r\n");
  server.advance(milliseconds(7'500));
  CHECK(server.run("OBJECT", "IDLETIME", "int") == ":7\r\n");
  server.run("EXISTS", "int");
  server.run("TTL", "int");
  CHECK(server.run("OBJECT", "IDLETIME", "int") == ":7\r\n");
  server.run("TOUCH", "int");
  CHECK(server.run("OBJECT", "IDLETIME", "int") == ":0\r\n");
  CHECK(server.run("OBJECT", "IDLETIME", "none") == kNull2);
  CHECK(server.run("OBJECT", "FREQ", "int") ==
        "-ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note "
        "that when switching "
        "between policies at runtime LRU and LFU data will take some time to adjust.\r\n");
  CHECK(server.run("OBJECT", "HELP")
            .starts_with(
                "*13\r\n+OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n"));
  CHECK(server.run("OBJECT", "NOTHING") ==
        "-ERR unknown subcommand 'NOTHING'. Try OBJECT HELP.\r\n");
  CHECK(server.run("OBJECT", "ENCODING") ==
        "-ERR wrong number of arguments for 'object|encoding' command\r\n");
  server.session().resp = 3;
  CHECK(server.run("OBJECT", "ENCODING", "none") == kNull3);
}

TEST_CASE("under an LFU policy OBJECT FREQ counts and IDLETIME does not") {
  EngineFixture server{
      {.config = {
           {"maxmemory-policy", "allkeys-lfu"}, {"lfu-log-factor", "0"}, {"maxmemory", "100gb"}}}};
  server.run("SET", "n", "1");
  CHECK(server.run("OBJECT", "REFCOUNT", "n") == ":1\r\n");
  server.run("SET", "k", "v");
  CHECK(server.run("OBJECT", "FREQ", "k") == ":5\r\n");
  for (int i = 0; i < 20; ++i) server.run("GET", "k");
  CHECK(server.run("OBJECT", "FREQ", "k") == ":25\r\n");
  server.advance(std::chrono::minutes(3));
  CHECK(server.run("OBJECT", "FREQ", "k") == ":22\r\n");
  CHECK(server.run("OBJECT", "IDLETIME", "k") ==
        "-ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when "
        "switching between "
        "policies at runtime LRU and LFU data will take some time to adjust.\r\n");
}

TEST_CASE("a NO-TOUCH client leaves the access time alone, except by TOUCH") {
  EngineFixture server;
  server.run("SET", "k", "v");
  server.advance(milliseconds(5'000));
  server.session().no_touch = true;
  server.run("GET", "k");
  CHECK(server.run("OBJECT", "IDLETIME", "k") == ":5\r\n");
  server.run("TOUCH", "k");
  CHECK(server.run("OBJECT", "IDLETIME", "k") == ":0\r\n");
}

TEST_CASE("SORT of an absent key is empty, of a string a wrong type") {
  EngineFixture server;
  CHECK(server.run("SORT", "none") == "*0\r\n");
  CHECK(server.run("SORT_RO", "none", "BY", "w_*", "GET", "#", "LIMIT", "0", "10", "ALPHA",
                   "DESC") == "*0\r\n");
  server.run("SET", "s", "v");
  CHECK(server.run("SORT", "s") ==
        "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n");
  CHECK(server.run("SORT", "none", "STORE", "s") == ":0\r\n");
  CHECK(server.effects() == Lines{"DEL s"});
  CHECK(server.events() == Lines{"keymiss none", "del s"});
  CHECK(server.run("SORT", "none", "STORE", "s") == ":0\r\n");
  CHECK(server.effects().empty());
}

TEST_CASE("SORT refuses bad options, SORT_RO also STORE") {
  EngineFixture server;
  CHECK(server.run("SORT", "k", "LIMIT", "0") == "-ERR syntax error\r\n");
  CHECK(server.run("SORT", "k", "LIMIT", "x", "1") ==
        "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("SORT", "k", "BY") == "-ERR syntax error\r\n");
  CHECK(server.run("SORT", "k", "WHAT") == "-ERR syntax error\r\n");
  CHECK(server.run("SORT_RO", "k", "STORE", "d") == "-ERR syntax error\r\n");
}

TEST_CASE("in cluster mode SORT patterns must stay in the slot of the key") {
  EngineFixture server{{.config = {{"cluster-enabled", "yes"}}}};
  CHECK(server.run("SORT", "{a}k", "BY", "w_*") ==
        "-ERR BY option of SORT denied in Cluster mode when keys formed by the pattern may be in "
        "different slots.\r\n");
  CHECK(server.run("SORT", "{a}k", "BY", "{a}w_*", "GET", "v_*") ==
        "-ERR GET option of SORT denied in Cluster mode when keys formed by the pattern may be in "
        "different slots.\r\n");
  CHECK(server.run("SORT_RO", "{a}k", "BY", "{a}w_*", "GET", "{a}v_*->f", "GET", "#") == "*0\r\n");
  CHECK(server.run("SORT_RO", "{a}k", "BY", "nosort") == "*0\r\n");
}

namespace {

using hearth::commands::sort_elements;
using hearth::commands::SortOptions;

std::vector<std::string> sorted(std::vector<std::string> elements, const SortOptions& options,
                                const std::map<std::string, std::string>& data = {}) {
  const auto lookup = [&](std::string_view pattern,
                          std::string_view element) -> std::optional<std::string> {
    const auto target = hearth::commands::sort_target(pattern, element);
    if (!target) return std::nullopt;
    const auto at =
        data.find(target->key + (target->field ? "/" + std::string(*target->field) : ""));
    return at == data.end() ? std::nullopt : std::optional<std::string>(at->second);
  };
  const auto result = sort_elements(std::move(elements), options, lookup);
  if (!result) return {result.error().text};
  std::vector<std::string> out;
  for (const auto& v : *result) out.push_back(v.value_or("(null)"));
  return out;
}

}  // namespace

TEST_CASE("the order of SORT: numbers, texts, both directions") {
  CHECK(sorted({"10", "9", "-1.5", "inf", "1e3"}, {}) == Lines{"-1.5", "9", "10", "1e3", "inf"});
  CHECK(sorted({"10", "9", "2"}, {.descending = true}) == Lines{"10", "9", "2"});
  CHECK(sorted({"10", "9", "b", "a"}, {.alpha = true}) == Lines{"10", "9", "a", "b"});
  CHECK(sorted({"1", "x"}, {}) == Lines{"ERR One or more scores can't be converted into double"});
  CHECK(sorted({"1", "nan"}, {}) == Lines{"ERR One or more scores can't be converted into double"});
  CHECK(sorted({"3", "1", "2"}, {.unsorted = true}) == Lines{"3", "1", "2"});
  CHECK(sorted({}, {}).empty());
}

TEST_CASE("SORT's LIMIT cuts, whatever its numbers") {
  const std::vector<std::string> five{"5", "4", "3", "2", "1"};
  CHECK(sorted(five, {.offset = 1, .count = 2}) == Lines{"2", "3"});
  CHECK(sorted(five, {.offset = -10, .count = 2}) == Lines{"1", "2"});
  CHECK(sorted(five, {.offset = 4, .count = 100}) == Lines{"5"});
  CHECK(sorted(five, {.offset = 5, .count = 1}).empty());
  CHECK(sorted(five, {.offset = 2, .count = INT64_MAX}) == Lines{"3", "4", "5"});
  CHECK(sorted(five, {.offset = INT64_MAX, .count = INT64_MAX}).empty());
  CHECK(sorted(five, {.offset = 0, .count = 0}).empty());
  CHECK(sorted(five, {.offset = 3, .count = -1}) == Lines{"4", "5"});
  CHECK(sorted(five, {.unsorted = true, .offset = 1, .count = 2}) == Lines{"4", "3"});
}

TEST_CASE("SORT BY weighs by other keys; a missing weight is zero or the first text") {
  const std::map<std::string, std::string> data{
      {"w_a", "3"}, {"w_b", "-1"}, {"h_a/f", "z"}, {"h_b/f", "y"}, {"bad_a", "x"}};
  CHECK(sorted({"a", "b", "c"}, {.by = "w_*"}, data) == Lines{"b", "c", "a"});
  CHECK(sorted({"a", "b", "c"}, {.alpha = true, .by = "h_*->f"}, data) == Lines{"c", "b", "a"});
  CHECK(sorted({"a", "b", "c"}, {.alpha = true, .descending = true, .by = "h_*->f"}, data) ==
        Lines{"a", "b", "c"});
  CHECK(sorted({"a"}, {.by = "bad_*"}, data) ==
        Lines{"ERR One or more scores can't be converted into double"});
  // Equal weights fall back to the elements themselves.
  CHECK(sorted({"c", "aa", "b", "a"}, {.by = "none_*"}, data) == Lines{"a", "aa", "b", "c"});
}

TEST_CASE("SORT GET fetches per element, with # for the element and nulls for what is missing") {
  const std::map<std::string, std::string> data{
      {"v_1", "one"}, {"h_2x/f", "two"}, {"k1->", "arrow"}};
  CHECK(sorted({"2", "1"}, {.get = {"#", "v_*", "h_*x->f", "const"}}, data) ==
        Lines{"1", "one", "(null)", "(null)", "2", "(null)", "two", "(null)"});
  CHECK(sorted({"1"}, {.get = {"k*->"}}, data) == Lines{"arrow"});
}

TEST_CASE("a pattern fixes a slot only when no wildcard can change its hash tag") {
  using hearth::cluster::slot_of;
  using hearth::commands::fixed_slot;
  CHECK(fixed_slot("{user1}:*") == slot_of("{user1}:x"));
  CHECK(fixed_slot("abc{user1}?") == slot_of("user1"));
  CHECK(fixed_slot("plain") == slot_of("plain"));
  CHECK(fixed_slot("{}plain") == slot_of("{}plain"));
  CHECK(fixed_slot("{open") == slot_of("{open"));
  for (const char* open : {"*{user1}", "?{a}", "[a]{b}", "\\{a}b*", "{us*r}", "{a\\}", "{a[b]}",
                           "{}*", "{a*", "a*", "*"}) {
    CHECK_MESSAGE(!fixed_slot(open), open);
  }
}

TEST_CASE("replicas are told of each change in its own database") {
  struct Stream final : hearth::EffectSink {
    void on_commit(const hearth::CommittedUnit& unit) override { stream.append(unit, bytes); }
    // Commands on one line, without lengths.
    std::string take() {
      std::string line;
      std::size_t at = 0;
      while (at < bytes.size()) {
        const std::size_t end = bytes.find("\r\n", at);
        if (bytes[at] == '*') line += "| ";
        if (bytes[at] != '*' && bytes[at] != '$') line += bytes.substr(at, end - at) + " ";
        at = end + 2;
      }
      bytes.clear();
      return line;
    }
    hearth::CommandStream stream{hearth::Effect::kToReplicas};
    std::string bytes;
  } replica;
  EngineFixture server;
  server.engine().add_sink(replica);
  hearth::Session& other = server.open();
  server.run_as(other, "SELECT", "1");
  server.run_as(other, "SET", "k", "old", "PX", "10");
  server.run("SET", "k", "v");
  replica.take();
  server.advance(milliseconds(10));
  CHECK(server.run("MOVE", "k", "1") == ":1\r\n");
  CHECK(replica.take() == "| MULTI | SELECT 1 | UNLINK k | SELECT 0 | MOVE k 1 | EXEC ");
  CHECK(server.run("SET", "k", "again") == "+OK\r\n");
  CHECK(replica.take() == "| SET k again ");

  server.run_as(other, "PEXPIRE", "k", "10");
  replica.take();
  server.advance(milliseconds(10));
  CHECK(server.run("COPY", "k", "k", "DB", "1") == ":1\r\n");
  CHECK(replica.take() == "| MULTI | UNLINK k | SELECT 0 | COPY k k DB 1 | EXEC ");
  // The key that is in the way is not expired: nothing is done, and nothing told.
  CHECK(server.run("MOVE", "k", "1") == ":0\r\n");
  CHECK(replica.take().empty());
  // The source has expired: only that is told.
  server.run("PEXPIRE", "k", "10");
  replica.take();
  server.advance(milliseconds(10));
  CHECK(server.run("MOVE", "k", "2") == ":0\r\n");
  CHECK(replica.take() == "| UNLINK k ");
}

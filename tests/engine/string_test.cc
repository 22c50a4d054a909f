#include <doctest/doctest.h>

#include "tests/support/engine_fixture.h"

using hearth::milliseconds;
using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;

TEST_CASE("SET and GET round-trip every shape of value") {
  EngineFixture server;
  CHECK(server.run("GET", "k") == "$-1\r\n");
  for (const std::string& value :
       {std::string("v"), std::string(), std::string("12345"), std::string("-7"),
        std::string("007"), std::string(100, 'x'), std::string(5000, 'y')}) {
    CHECK(server.run("SET", "k", value) == "+OK\r\n");
    CHECK(server.run("GET", "k") == "$" + std::to_string(value.size()) + "\r\n" + value + "\r\n");
    CHECK(server.run("STRLEN", "k") == ":" + std::to_string(value.size()) + "\r\n");
  }
}

TEST_CASE("SET logs an absolute deadline and the key dies on it") {
  EngineFixture server;
  CHECK(server.run("SET", "k", "v", "EX", "10") == "+OK\r\n");
  const std::string deadline = std::to_string(server.now().ms + 10'000);
  CHECK(server.effects() == Lines{"SET k v PXAT " + deadline});
  CHECK(server.events() == Lines{"new k", "set k", "expire k"});
  server.advance(milliseconds(9'999));
  CHECK(server.run("GET", "k") == "$1\r\nv\r\n");
  server.advance(milliseconds(1));
  CHECK(server.run("GET", "k") == "$-1\r\n");
  CHECK(server.effects() == Lines{"UNLINK k"});  // lazyfree-lazy-expire is on
  CHECK(server.events() == Lines{"expired k", "keymiss k"});
}

TEST_CASE("SET conditions, GET and KEEPTTL do what they say and leave no effect when refused") {
  EngineFixture server;
  CHECK(server.run("SET", "k", "a", "XX") == "$-1\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("SET", "k", "a", "NX") == "+OK\r\n");
  CHECK(server.run("SET", "k", "b", "NX") == "$-1\r\n");
  CHECK(server.run("SET", "k", "b", "GET") == "$1\r\na\r\n");
  CHECK(server.effects() == Lines{"SET k b"});
  CHECK(server.run("SET", "k", "c", "PX", "500") == "+OK\r\n");
  CHECK(server.run("SET", "k", "d", "KEEPTTL") == "+OK\r\n");
  server.advance(milliseconds(500));
  CHECK(server.run("GET", "k") == "$-1\r\n");
  // A command that wants the old value has looked for it.
  CHECK(server.run("SET", "absent", "v", "GET") == "$-1\r\n");
  CHECK(server.events() == Lines{"keymiss absent", "new absent", "set absent"});
  CHECK(server.run("GETSET", "absent2", "v") == "$-1\r\n");
  CHECK(server.events() == Lines{"keymiss absent2", "new absent2", "set absent2"});
  CHECK(server.run("SET", "k", "v", "NX", "XX") == "-ERR syntax error\r\n");
  CHECK(server.run("SET", "k", "v", "EX", "0") == "-ERR invalid expire time in 'set' command\r\n");
  CHECK(server.run("SET", "k", "v", "EX", "9223372036854775807") ==
        "-ERR invalid expire time in 'set' command\r\n");
  CHECK(server.run("SET", "k", "v", "PX", "x") ==
        "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("SET", "k", "v", "EX", "1", "PX", "1") == "-ERR syntax error\r\n");
  CHECK(server.run("SET", "k", "v", "EX", "x", "what") == "-ERR syntax error\r\n");
}

TEST_CASE("counters stop at the limits of 64 bits and keep the deadline") {
  EngineFixture server;
  CHECK(server.run("INCR", "n") == ":1\r\n");
  CHECK(server.run("INCRBY", "n", "9223372036854775806") == ":9223372036854775807\r\n");
  CHECK(server.run("INCR", "n") == "-ERR increment or decrement would overflow\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("DECRBY", "n", "-9223372036854775808") == "-ERR decrement would overflow\r\n");
  CHECK(server.run("SET", "t", "5", "PX", "100") == "+OK\r\n");
  CHECK(server.run("INCR", "t") == ":6\r\n");
  server.advance(milliseconds(100));
  CHECK(server.run("GET", "t") == "$-1\r\n");
  CHECK(server.run("SET", "s", "abc") == "+OK\r\n");
  CHECK(server.run("INCR", "s") == "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("INCRBYFLOAT", "f", "10.5") == "$4\r\n10.5\r\n");
  CHECK(server.run("INCRBYFLOAT", "f", "0.1") == "$4\r\n10.6\r\n");
  CHECK(server.effects() == Lines{"SET f 10.6 KEEPTTL"});
}

TEST_CASE("parts of strings: APPEND, SETRANGE and GETRANGE over every encoding") {
  EngineFixture server;
  CHECK(server.run("APPEND", "k", "123") == ":3\r\n");
  CHECK(server.run("APPEND", "k", "45") == ":5\r\n");
  CHECK(server.run("GET", "k") == "$5\r\n12345\r\n");
  CHECK(server.run("SETRANGE", "k", "6", "x") == ":7\r\n");
  CHECK(server.run("GET", "k") == std::string("$7\r\n12345\0x\r\n", 13));
  CHECK(server.run("SETRANGE", "none", "5", "") == ":0\r\n");
  CHECK(server.run("GETRANGE", "k", "0", "-3") == "$5\r\n12345\r\n");
  CHECK(server.run("GETRANGE", "k", "5", "2") == "$0\r\n\r\n");
  CHECK(server.run("SETRANGE", "k", "-1", "x") == "-ERR offset is out of range\r\n");
  CHECK(server.run("SETRANGE", "k", "536870912", "x") ==
        "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
}

TEST_CASE("MSETNX writes all keys or none") {
  EngineFixture server;
  CHECK(server.run("MSETNX", "a", "1", "b", "2") == ":1\r\n");
  CHECK(server.run("MSETNX", "b", "3", "c", "4") == ":0\r\n");
  CHECK(server.run("MGET", "a", "b", "c") == "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n");
  CHECK(server.run("MSET", "a", "1", "b") ==
        "-ERR wrong number of arguments for 'mset' command\r\n");
}

TEST_CASE("GETEX changes the life of a key, GETDEL ends it") {
  EngineFixture server;
  server.run("SET", "k", "v");
  CHECK(server.run("GETEX", "k", "PX", "100") == "$1\r\nv\r\n");
  CHECK(server.effects() == Lines{"PEXPIREAT k " + std::to_string(server.now().ms + 100)});
  CHECK(server.run("GETEX", "k", "PERSIST") == "$1\r\nv\r\n");
  CHECK(server.effects() == Lines{"PERSIST k"});
  CHECK(server.run("GETEX", "k", "PERSIST", "PERSIST") == "$1\r\nv\r\n");
  CHECK(server.run("GETEX", "k", "EX", "1", "PERSIST") == "-ERR syntax error\r\n");
  CHECK(server.run("GETEX", "k", "EX", "0") == "-ERR invalid expire time in 'getex' command\r\n");
  CHECK(server.run("GETEX", "none", "EX", "0") == "$-1\r\n");
  CHECK(server.run("GETEX", "none", "EX", "0", "PERSIST") == "-ERR syntax error\r\n");
  CHECK(server.run("GETDEL", "k") == "$1\r\nv\r\n");
  CHECK(server.effects() == Lines{"DEL k"});
  CHECK(server.run("GETDEL", "k") == "$-1\r\n");
}

TEST_CASE("LCS gives the text, the length and the runs, in both protocols") {
  EngineFixture server;
  server.run("MSET", "a", "ohmytext", "b", "mynewtext");
  CHECK(server.run("LCS", "a", "b") == "$6\r\nmytext\r\n");
  CHECK(server.run("LCS", "a", "b", "LEN") == ":6\r\n");
  CHECK(server.run("LCS", "a", "b", "IDX", "MINMATCHLEN", "4", "WITHMATCHLEN") ==
        "*4\r\n$7\r\nmatches\r\n*1\r\n*3\r\n*2\r\n:4\r\n:7\r\n*2\r\n:5\r\n:8\r\n:4\r\n$"
        "3\r\nlen\r\n:6\r\n");
  server.session().resp = 3;
  CHECK(server.run("LCS", "a", "b", "IDX", "MINMATCHLEN", "9") ==
        "%2\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:6\r\n");
  CHECK(server.run("LCS", "a", "b", "LEN", "IDX") ==
        "-ERR If you want both the length and indexes, please just use IDX.\r\n");
}

TEST_CASE("unknown commands and wrong arities answer as clients know it") {
  EngineFixture server;
  CHECK(server.run("NOPE", "a", "b") ==
        "-ERR unknown command 'NOPE', with args beginning with: 'a' 'b' \r\n");
  CHECK(server.run("GET") == "-ERR wrong number of arguments for 'get' command\r\n");
  CHECK(server.engine().stats().errors.at("ERR") == 2);
}

TEST_CASE("what a browser can be made to send ends its connection unanswered") {
  for (const char* word : {"POST", "post", "Host:"}) {
    EngineFixture server;
    CHECK(server.run(word, "/", "HTTP/1.1").empty());
    CHECK(server.session().close_now);
    CHECK(server.run("SET", "k", "v").empty());
    CHECK(server.run_as(server.open(), "EXISTS", "k") == ":0\r\n");
  }
}

TEST_CASE("a renamed command answers to its new name alone, also right behind a call of it") {
  using namespace hearth;
  const std::vector<const CommandSpec*> specs = all_commands();
  CommandTable table(specs);
  CHECK(table.rename("GET", "FETCH"));
  CHECK(table.find("fetch") != nullptr);
  CHECK(table.find("fetch")->renamed);
  CHECK(table.find("GET") == nullptr);
  CHECK_FALSE(table.rename("nothing", "x"));
  CHECK_FALSE(table.rename("SET", "fetch"));
}

TEST_CASE("SET compares with the value or its digest first") {
  EngineFixture server;
  CHECK(server.run("SET", "k", "v", "IFEQ", "x") == "$-1\r\n");
  CHECK(server.run("SET", "k", "v", "IFDEQ", "0000000000000000") == "$-1\r\n");
  CHECK(server.run("SET", "k", "one", "IFNE", "x") == "+OK\r\n");
  CHECK(server.effects() == std::vector<std::string>{"SET k one"});
  CHECK(server.run("SET", "k", "two", "IFEQ", "x") == "$-1\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("SET", "k", "two", "IFNE", "one") == "$-1\r\n");
  CHECK(server.run("SET", "k", "two", "IFEQ", "one", "GET") == "$3\r\none\r\n");
  CHECK(server.run("SET", "k", "x", "GET", "IFEQ", "one") == "$3\r\ntwo\r\n");
  const std::string digest = server.run("DIGEST", "k").substr(5, 16);
  CHECK(server.run("SET", "k", "x", "IFDNE", digest) == "$-1\r\n");
  CHECK(server.run("SET", "k", "three", "IFDEQ", digest, "EX", "10") == "+OK\r\n");
  CHECK(server.run("GET", "k") == "$5\r\nthree\r\n");
  CHECK(server.run("SET", "k", "4", "IFDNE", digest) == "+OK\r\n");
  CHECK(server.run("SET", "k", "5", "IFEQ", "4", "NX") == "-ERR syntax error\r\n");
  CHECK(server.run("SET", "k", "5", "XX", "IFEQ", "4") == "-ERR syntax error\r\n");
  CHECK(server.run("SET", "k", "5", "IFEQ", "4", "IFEQ", "4") == "-ERR syntax error\r\n");
  CHECK(server.run("SET", "k", "5", "IFEQ") == "-ERR syntax error\r\n");
  CHECK(server.run("SET", "k", "5", "IFDEQ", "12") ==
        "-ERR The digest must be exactly 16 hexadecimal characters\r\n");
  server.run("HSET", "h", "f", "v");
  CHECK(server.run("SET", "h", "5", "IFEQ", "4").starts_with("-WRONGTYPE"));
}

TEST_CASE("DIGEST, DELEX and DELIFEQ") {
  EngineFixture server;
  // XXH3 of no bytes.
  server.run("SET", "empty", "");
  CHECK(server.run("DIGEST", "empty") == "$16\r\n2d06800538d394c2\r\n");
  CHECK(server.run("DIGEST", "none") == "$-1\r\n");
  server.run("SET", "k", "v");
  const std::string digest = server.run("DIGEST", "k").substr(5, 16);
  CHECK(server.run("DELEX", "k", "IFEQ", "x") == ":0\r\n");
  CHECK(server.run("DELEX", "k", "IFNE", "v") == ":0\r\n");
  CHECK(server.run("DELEX", "k", "IFDNE", digest) == ":0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("DELEX", "k", "IFDEQ", digest) == ":1\r\n");
  CHECK(server.effects() == Lines{"UNLINK k"});
  CHECK(server.events() == Lines{"del k"});
  CHECK(server.run("DELEX", "k", "IFNE", "v") == ":0\r\n");
  server.run("SET", "k", "v");
  CHECK(server.run("DELIFEQ", "k", "x") == ":0\r\n");
  CHECK(server.run("DELIFEQ", "k", "v") == ":1\r\n");
  CHECK(server.run("DELIFEQ", "k", "v") == ":0\r\n");
  server.run("HSET", "h", "f", "v");
  CHECK(server.run("DELEX", "h", "IFEQ", "v").starts_with("-WRONGTYPE"));
  CHECK(server.run("DELIFEQ", "h", "v").starts_with("-WRONGTYPE"));
  CHECK(server.run("DIGEST", "h").starts_with("-WRONGTYPE"));
  CHECK(server.run("DELEX", "h", "IFEQ") == "-ERR syntax error\r\n");
  CHECK(server.run("DELEX", "h", "IFEQ", "v", "x") == "-ERR syntax error\r\n");
  CHECK(server.run("DELEX", "h") == ":1\r\n");
}

TEST_CASE("MSETEX sets all or none, with one time to live") {
  EngineFixture server;
  CHECK(server.run("MSETEX", "2", "a", "1", "b", "2", "EX", "10") == ":1\r\n");
  const std::string deadline = std::to_string(server.now().ms + 10'000);
  CHECK(server.effects() == Lines{"SET a 1 PXAT " + deadline, "SET b 2 PXAT " + deadline});
  CHECK(server.events() == Lines{"new a", "set a", "expire a", "new b", "set b", "expire b"});
  CHECK(server.run("MSETEX", "2", "a", "3", "c", "3", "NX") == ":0\r\n");
  CHECK(server.run("MSETEX", "2", "a", "3", "c", "3", "XX") == ":0\r\n");
  CHECK(server.run("GET", "a") == "$1\r\n1\r\n");
  CHECK(server.run("MSETEX", "2", "a", "3", "b", "3", "XX", "KEEPTTL") == ":1\r\n");
  CHECK(server.run("TTL", "a") == ":10\r\n");
  CHECK(server.run("MSETEX", "1", "a", "4") == ":1\r\n");
  CHECK(server.run("TTL", "a") == ":-1\r\n");
  CHECK(server.run("MSETEX", "0", "a", "4") == "-ERR invalid numkeys value\r\n");
  CHECK(server.run("MSETEX", "2", "a", "4") == "-ERR wrong number of key-value pairs\r\n");
  CHECK(server.run("MSETEX", "1", "a", "4", "NX", "XX") == "-ERR syntax error\r\n");
  CHECK(server.run("MSETEX", "1", "a", "4", "EX", "0") ==
        "-ERR invalid expire time in 'msetex' command\r\n");
  CHECK(server.run("COMMAND", "GETKEYS", "MSETEX", "2", "a", "1", "b", "2", "NX") ==
        "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
}

TEST_CASE("INCREX counts within bounds") {
  EngineFixture server;
  CHECK(server.run("INCREX", "k") == "*2\r\n:1\r\n:1\r\n");
  CHECK(server.effects() == Lines{"SET k 1"});
  CHECK(server.events() == Lines{"new k", "incrby k"});
  CHECK(server.run("INCREX", "k", "BYINT", "5", "UBOUND", "4") == "*2\r\n:1\r\n:0\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("INCREX", "k", "BYINT", "5", "UBOUND", "4", "SATURATE") == "*2\r\n:4\r\n:3\r\n");
  CHECK(server.run("INCREX", "k", "BYINT", "-50", "LBOUND", "-2", "SATURATE") ==
        "*2\r\n:-2\r\n:-6\r\n");
  CHECK(server.run("INCREX", "k", "BYINT", "2", "EX", "10", "ENX") == "*2\r\n:0\r\n:2\r\n");
  CHECK(server.run("TTL", "k") == ":10\r\n");
  CHECK(server.run("INCREX", "k", "EX", "100", "ENX") == "*2\r\n:1\r\n:1\r\n");
  CHECK(server.run("TTL", "k") == ":10\r\n");
  CHECK(server.run("INCREX", "k", "PERSIST") == "*2\r\n:2\r\n:1\r\n");
  CHECK(server.run("TTL", "k") == ":-1\r\n");
  server.run("SET", "max", "9223372036854775807");
  CHECK(server.run("INCREX", "max") == "*2\r\n:9223372036854775807\r\n:0\r\n");
  CHECK(server.run("INCREX", "f", "BYFLOAT", "1.5") == "*2\r\n$3\r\n1.5\r\n$3\r\n1.5\r\n");
  CHECK(server.run("INCREX", "f", "BYFLOAT", "1", "UBOUND", "2") ==
        "*2\r\n$3\r\n1.5\r\n$1\r\n0\r\n");
  CHECK(server.run("INCREX", "f") == "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("INCREX", "k", "LBOUND", "3", "UBOUND", "2") ==
        "-ERR LBOUND can't be greater than UBOUND\r\n");
  CHECK(server.run("INCREX", "k", "ENX") == "-ERR syntax error\r\n");
  CHECK(server.run("INCREX", "k", "PERSIST", "ENX") == "-ERR syntax error\r\n");
  CHECK(server.run("INCREX", "k", "BYINT", "1", "BYFLOAT", "1") == "-ERR syntax error\r\n");
  CHECK(server.run("INCREX", "k", "BYINT", "x") ==
        "-ERR value is not an integer or out of range\r\n");
  server.session().resp = 3;
  CHECK(server.run("INCREX", "f", "BYFLOAT", "1") == "*2\r\n,2.5\r\n,1\r\n");
}

TEST_CASE("a string stored with a deadline that has passed is gone at once") {
  EngineFixture server;
  server.run("SET", "k", "v");
  CHECK(server.run("SET", "k", "w", "PXAT", "1000") == "+OK\r\n");
  CHECK(server.effects() == Lines{"UNLINK k"});
  CHECK(server.events() == Lines{"del k"});
  CHECK(server.run("EXISTS", "k") == ":0\r\n");
  CHECK(server.run("SET", "k", "w", "PXAT", "1000") == "+OK\r\n");
  CHECK(server.effects().empty());
  server.run("SET", "k", "v");
  CHECK(server.run("SET", "k", "w", "GET", "EXAT", "1") == "$1\r\nv\r\n");
  CHECK(server.run("EXISTS", "k") == ":0\r\n");
  server.run("SET", "k", "v");
  CHECK(server.run("GETEX", "k", "EXAT", "1") == "$1\r\nv\r\n");
  CHECK(server.effects() == Lines{"UNLINK k"});
  server.run("SET", "k", "1");
  CHECK(server.run("INCREX", "k", "EXAT", "1") == "*2\r\n:2\r\n:1\r\n");
  CHECK(server.run("EXISTS", "k") == ":0\r\n");
  CHECK(server.run("MSETEX", "1", "k", "v", "EXAT", "1") == ":1\r\n");
  CHECK(server.run("EXISTS", "k") == ":0\r\n");
}

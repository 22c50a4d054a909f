#include <doctest/doctest.h>

#include "tests/support/engine_fixture.h"

using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;
using namespace std::string_literals;

namespace {

constexpr const char* kWrongType =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
constexpr const char* kBadOffset = "-ERR bit offset is not an integer or out of range\r\n";

}  // namespace

TEST_CASE("SETBIT and GETBIT work on strings of any encoding") {
  EngineFixture server;
  CHECK(server.run("SETBIT", "k", "10", "1") == ":0\r\n");
  CHECK(server.effects() == Lines{"SETBIT k 10 1"});
  CHECK(server.events() == Lines{"new k", "setbit k"});
  CHECK(server.run("GET", "k") == "$2\r\n\0\x20\r\n"s);
  CHECK(server.run("GETBIT", "k", "10") == ":1\r\n");
  CHECK(server.run("GETBIT", "k", "11") == ":0\r\n");
  CHECK(server.run("GETBIT", "k", "100000") == ":0\r\n");
  CHECK(server.run("GETBIT", "none", "0") == ":0\r\n");
  CHECK(server.run("SETBIT", "k", "10", "1") == ":1\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("SETBIT", "k", "10", "0") == ":1\r\n");
  CHECK(server.events() == Lines{"setbit k"});
  // Growing is a change even where the bit stays.
  CHECK(server.run("SETBIT", "k", "30", "0") == ":0\r\n");
  CHECK(server.effects().size() == 1);
  CHECK(server.run("STRLEN", "k") == ":4\r\n");

  server.run("SET", "n", "1");
  CHECK(server.run("GETBIT", "n", "2") == ":1\r\n");
  CHECK(server.run("SETBIT", "n", "6", "1") == ":0\r\n");
  CHECK(server.run("GET", "n") == "$1\r\n3\r\n");

  CHECK(server.run("SETBIT", "k", "-1", "1") == kBadOffset);
  CHECK(server.run("SETBIT", "k", "x", "1") == kBadOffset);
  CHECK(server.run("SETBIT", "k", "4294967296", "1") == kBadOffset);
  CHECK(server.run("GETBIT", "k", "4294967296") == kBadOffset);
  CHECK(server.run("SETBIT", "k", "0", "2") == "-ERR bit is not an integer or out of range\r\n");
  server.run("HSET", "h", "f", "v");
  CHECK(server.run("SETBIT", "h", "0", "1") == kWrongType);
  CHECK(server.run("GETBIT", "h", "0") == kWrongType);
}

TEST_CASE("BITCOUNT counts in bytes and bits") {
  EngineFixture server;
  server.run("SET", "k", "foobar");
  CHECK(server.run("BITCOUNT", "k") == ":26\r\n");
  CHECK(server.run("BITCOUNT", "none") == ":0\r\n");
  CHECK(server.run("BITCOUNT", "k", "0", "0") == ":4\r\n");
  CHECK(server.run("BITCOUNT", "k", "1", "1") == ":6\r\n");
  CHECK(server.run("BITCOUNT", "k", "1") == ":22\r\n");
  CHECK(server.run("BITCOUNT", "k", "-2", "-1") == ":7\r\n");
  CHECK(server.run("BITCOUNT", "k", "-2", "-5") == ":0\r\n");
  CHECK(server.run("BITCOUNT", "k", "0", "100", "BYTE") == ":26\r\n");
  CHECK(server.run("BITCOUNT", "k", "5", "30", "BIT") == ":17\r\n");
  CHECK(server.run("BITCOUNT", "k", "0", "x") ==
        "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("BITCOUNT", "k", "0", "1", "HELLO") == "-ERR syntax error\r\n");
  CHECK(server.run("BITCOUNT", "k", "0", "1", "BIT", "x") == "-ERR syntax error\r\n");
}

TEST_CASE("BITPOS finds ones and zeros, and zeros behind the end") {
  EngineFixture server;
  server.run("SET", "k", "\xff\xf0\x00"s);
  CHECK(server.run("BITPOS", "k", "0") == ":12\r\n");
  CHECK(server.run("BITPOS", "k", "1", "2") == ":-1\r\n");
  CHECK(server.run("BITPOS", "k", "1", "1") == ":8\r\n");
  CHECK(server.run("BITPOS", "k", "0", "2") == ":16\r\n");
  CHECK(server.run("BITPOS", "k", "0", "0", "0") == ":-1\r\n");
  CHECK(server.run("BITPOS", "k", "1", "9", "15", "BIT") == ":9\r\n");
  CHECK(server.run("BITPOS", "none", "0") == ":0\r\n");
  CHECK(server.run("BITPOS", "none", "1") == ":-1\r\n");
  server.run("SET", "ones", "\xff\xff"s);
  CHECK(server.run("BITPOS", "ones", "0") == ":16\r\n");
  CHECK(server.run("BITPOS", "ones", "0", "0") == ":16\r\n");
  CHECK(server.run("BITPOS", "ones", "0", "0", "-1") == ":-1\r\n");
  CHECK(server.run("BITPOS", "k", "2") == "-ERR The bit argument must be 1 or 0.\r\n");
  CHECK(server.run("BITPOS", "k", "x") == "-ERR value is not an integer or out of range\r\n");
}

TEST_CASE("BITOP stores what it combines, and nothing for nothing") {
  EngineFixture server;
  server.run("SET", "a", "\xaa\x0f"s);
  server.run("SET", "b", "\xff"s);
  CHECK(server.run("BITOP", "AND", "d", "a", "b") == ":2\r\n");
  CHECK(server.effects() == Lines{"BITOP AND d a b"});
  CHECK(server.events() == Lines{"new d", "set d"});
  CHECK(server.run("GET", "d") == "$2\r\n\xaa\0\r\n"s);
  CHECK(server.run("BITOP", "not", "a", "a") == ":2\r\n");
  CHECK(server.run("GET", "a") == "$2\r\n\x55\xf0\r\n"s);
  CHECK(server.run("BITOP", "DIFF", "d", "b", "a") == ":2\r\n");
  CHECK(server.run("GET", "d") == "$2\r\n\xaa\0\r\n"s);
  CHECK(server.run("BITOP", "OR", "d", "none") == ":0\r\n");
  CHECK(server.events() == Lines{"keymiss none", "del d"});
  CHECK(server.run("BITOP", "OR", "d", "none") == ":0\r\n");
  CHECK(server.effects().empty());
  server.run("SET", "long", std::string(5000, '\x01'));
  CHECK(server.run("BITOP", "XOR", "d", "long", "none") == ":5000\r\n");
  CHECK(server.run("GET", "d") == server.run("GET", "long"));
  CHECK(server.run("BITOP", "NOT", "d", "a", "b") ==
        "-ERR BITOP NOT must be called with a single source key.\r\n");
  CHECK(server.run("BITOP", "ANDOR", "d", "a") ==
        "-ERR BITOP ANDOR must be called with at least two source keys.\r\n");
  CHECK(server.run("BITOP", "NAND", "d", "a") == "-ERR syntax error\r\n");
  server.run("HSET", "h", "f", "v");
  CHECK(server.run("BITOP", "OR", "d", "a", "h") == kWrongType);
}

TEST_CASE("BITFIELD reads, sets and increases") {
  EngineFixture server;
  CHECK(server.run("BITFIELD", "k", "SET", "u8", "#0", "255", "GET", "u8", "#0", "GET", "i8",
                   "0") == "*3\r\n:0\r\n:255\r\n:-1\r\n");
  CHECK(server.events() == Lines{"new k", "setbit k"});
  CHECK(server.run("BITFIELD", "k", "INCRBY", "i5", "100", "1", "GET", "u4", "0") ==
        "*2\r\n:1\r\n:15\r\n");
  CHECK(server.run("BITFIELD", "k", "GET", "u8", "0") == "*1\r\n:255\r\n");
  // A field that begins in the last byte of 512 MiB may end behind it.
  CHECK(server.run("BITFIELD", "k", "GET", "u8", "4294967289") == "*1\r\n:0\r\n");
  CHECK(server.run("BITFIELD", "k", "GET", "u8", "4294967296") ==
        "-ERR bit offset is not an integer or out of range\r\n");
  CHECK(server.effects().empty());
  CHECK(server.run("BITFIELD", "none", "GET", "u8", "0") == "*1\r\n:0\r\n");
  CHECK(server.run("EXISTS", "none") == ":0\r\n");
  CHECK(server.run("BITFIELD", "k") == "*0\r\n");
  CHECK(server.run("BITFIELD", "k", "SET", "i64", "0", "-9223372036854775808", "GET", "i64", "0") ==
        "*2\r\n:-72057594037927936\r\n:-9223372036854775808\r\n");
}

TEST_CASE("BITFIELD wraps, saturates or fails") {
  EngineFixture server;
  const auto field = [&](const char* mode, const char* type, const char* from, const char* by) {
    server.run("DEL", "k");
    server.run("BITFIELD", "k", "SET", type, "0", from);
    return server.run("BITFIELD", "k", "OVERFLOW", mode, "INCRBY", type, "0", by);
  };
  CHECK(field("WRAP", "u8", "250", "10") == "*1\r\n:4\r\n");
  CHECK(field("SAT", "u8", "250", "10") == "*1\r\n:255\r\n");
  CHECK(field("FAIL", "u8", "250", "10") == "*1\r\n$-1\r\n");
  CHECK(server.effects().empty());
  CHECK(field("WRAP", "u8", "1", "-2") == "*1\r\n:255\r\n");
  CHECK(field("SAT", "u8", "1", "-2") == "*1\r\n:0\r\n");
  CHECK(field("WRAP", "i8", "127", "1") == "*1\r\n:-128\r\n");
  CHECK(field("SAT", "i8", "127", "1") == "*1\r\n:127\r\n");
  CHECK(field("SAT", "i8", "-128", "-9223372036854775808") == "*1\r\n:-128\r\n");
  CHECK(field("WRAP", "i64", "9223372036854775807", "1") == "*1\r\n:-9223372036854775808\r\n");
  CHECK(field("SAT", "i64", "9223372036854775807", "9") == "*1\r\n:9223372036854775807\r\n");
  CHECK(field("WRAP", "u63", "9223372036854775807", "1") == "*1\r\n:0\r\n");
  CHECK(server.run("BITFIELD", "k", "OVERFLOW", "SAT", "SET", "u4", "0", "-1", "GET", "u4", "0") ==
        "*2\r\n:0\r\n:15\r\n");
}

TEST_CASE("BITFIELD checks its words") {
  EngineFixture server;
  const std::string bad_type =
      "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but "
      "i64 is.\r\n";
  for (const char* type : {"u64", "i65", "i0", "x8", "u", "8", "i8x"})
    CHECK(server.run("BITFIELD", "k", "GET", type, "0") == bad_type);
  CHECK(server.run("BITFIELD", "k", "GET", "u8", "-1") == kBadOffset);
  CHECK(server.run("BITFIELD", "k", "GET", "u8", "#x") == kBadOffset);
  CHECK(server.run("BITFIELD", "k", "GET", "u8", "#9223372036854775807") == kBadOffset);
  CHECK(server.run("BITFIELD", "k", "SET", "u8", "0", "x") ==
        "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("BITFIELD", "k", "OVERFLOW", "x", "GET", "u8", "0") ==
        "-ERR Invalid OVERFLOW type specified\r\n");
  CHECK(server.run("BITFIELD", "k", "GET", "u8") == "-ERR syntax error\r\n");
  CHECK(server.run("BITFIELD_RO", "k", "GET", "u8", "0", "GET", "i4", "2") == "*2\r\n:0\r\n:0\r\n");
  CHECK(server.run("BITFIELD_RO", "k", "SET", "u8", "0", "1") ==
        "-ERR BITFIELD_RO only supports the GET subcommand\r\n");
  server.run("HSET", "h", "f", "v");
  CHECK(server.run("BITFIELD", "h", "GET", "u8", "0") == kWrongType);
  CHECK(server.run("BITFIELD", "h", "SET", "u8", "0", "1") == kWrongType);
}

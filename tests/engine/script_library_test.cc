// The libraries that scripts have: cjson, bit, cmsgpack and struct.
#include <doctest/doctest.h>

#include "tests/support/engine_fixture.h"

using hearth::test::EngineFixture;

namespace {

class Lua {
 public:
  // The result of an expression, as the text that tostring or a hex dump gives.
  std::string text(const std::string& expression) {
    return strip(server_.run("EVAL", "return tostring(" + expression + ")", "0"));
  }
  std::string hex(const std::string& expression) {
    return strip(server_.run("EVAL",
                             "local h = '' for c in (" + expression +
                                 "):gmatch('.') do h = h .. string.format('%02x', c:byte()) end "
                                 "return h",
                             "0"));
  }
  std::string run(const std::string& body) { return server_.run("EVAL", body, "0"); }

 private:
  static std::string strip(const std::string& reply) {
    if (!reply.starts_with("$")) return reply;
    const std::size_t line = reply.find("\r\n") + 2;
    return reply.substr(line, reply.size() - line - 2);
  }
  EngineFixture server_;
};

}  // namespace

TEST_CASE("bit works on 32 bits and gives signed results") {
  Lua lua;
  CHECK(lua.text("bit.tobit(0xffffffff)") == "-1");
  CHECK(lua.text("bit.tobit(2^32 + 5)") == "5");
  CHECK(lua.text("bit.bnot(0)") == "-1");
  CHECK(lua.text("bit.band(0xff, 0x0f, 0x3c)") == "12");
  CHECK(lua.text("bit.bor(1, 2, 4, 8)") == "15");
  CHECK(lua.text("bit.bxor(5, 1)") == "4");
  CHECK(lua.text("bit.lshift(1, 31)") == "-2147483648");
  CHECK(lua.text("bit.lshift(1, 33)") == "2");
  CHECK(lua.text("bit.rshift(-1, 28)") == "15");
  CHECK(lua.text("bit.arshift(-256, 4)") == "-16");
  CHECK(lua.text("bit.rol(0x12345678, 8)") == "878082066");
  CHECK(lua.text("bit.ror(0x12345678, 8)") == "2014458966");
  CHECK(lua.text("bit.bswap(0x12345678)") == "2018915346");
  CHECK(lua.text("bit.tohex(255)") == "000000ff");
  CHECK(lua.text("bit.tohex(255, 2)") == "ff");
  CHECK(lua.text("bit.tohex(255, -4)") == "00FF");
  CHECK(lua.text("bit.tohex(65535, -2147483648)") == "0000FFFF");
}

TEST_CASE("cjson encodes and decodes") {
  Lua lua;
  CHECK(lua.text("cjson.encode({1, 'a', true, cjson.null})") == "[1,\"a\",true,null]");
  CHECK(lua.text("cjson.decode('{\"a\": [1, 2.5]}').a[2]") == "2.5");
  CHECK(lua.run("return cjson.decode('{')").starts_with("-ERR "));
}

TEST_CASE("cmsgpack writes the forms of the specification") {
  Lua lua;
  CHECK(lua.hex("cmsgpack.pack(0)") == "00");
  CHECK(lua.hex("cmsgpack.pack(127)") == "7f");
  CHECK(lua.hex("cmsgpack.pack(128)") == "cc80");
  CHECK(lua.hex("cmsgpack.pack(65535)") == "cdffff");
  CHECK(lua.hex("cmsgpack.pack(65536)") == "ce00010000");
  CHECK(lua.hex("cmsgpack.pack(2^40)") == "cf0000010000000000");
  CHECK(lua.hex("cmsgpack.pack(-1)") == "ff");
  CHECK(lua.hex("cmsgpack.pack(-33)") == "d0df");
  CHECK(lua.hex("cmsgpack.pack(-129)") == "d1ff7f");
  CHECK(lua.hex("cmsgpack.pack(-32769)") == "d2ffff7fff");
  CHECK(lua.hex("cmsgpack.pack(-1099511627776)") == "d3ffffff0000000000");
  CHECK(lua.hex("cmsgpack.pack(0.5)") == "ca3f000000");
  CHECK(lua.hex("cmsgpack.pack(0.1)") == "cb3fb999999999999a");
  CHECK(lua.hex("cmsgpack.pack('abc')") == "a3616263");
  CHECK(lua.hex("cmsgpack.pack(('x'):rep(32))").starts_with("d920"));
  CHECK(lua.hex("cmsgpack.pack(('x'):rep(256))").starts_with("da0100"));
  CHECK(lua.hex("cmsgpack.pack(('x'):rep(65536))").starts_with("db00010000"));
  CHECK(lua.hex("cmsgpack.pack({1, 2}, nil, true, false)") == "920102c0c3c2");
  CHECK(lua.hex("cmsgpack.pack({a = 1})") == "81a16101");
  CHECK(lua.hex("cmsgpack.pack({})") == "90");
  CHECK(lua.hex("cmsgpack.pack(print == nil)").starts_with("-ERR"));
  CHECK(lua.run("return cmsgpack.pack()").find("MessagePack pack needs input.") !=
        std::string::npos);
}

TEST_CASE("cmsgpack reads what it wrote, and refuses what is broken") {
  Lua lua;
  CHECK(lua.run("local t = {1, -1, 300, 70000, -300, -70000, 2^40, -2^40, 0.1, 0.5, 'a', "
                "('b'):rep(300), ('c'):rep(70000), true, {x = {1, 2, {y = 3}}}} "
                "for i = 1, 100 do t[#t + 1] = i end "
                "return cmsgpack.pack(cmsgpack.unpack(cmsgpack.pack(t))) == cmsgpack.pack(t)") ==
        ":1\r\n");
  CHECK(lua.run("return {cmsgpack.unpack(cmsgpack.pack(1, 'a', 2))}") ==
        "*3\r\n:1\r\n$1\r\na\r\n:2\r\n");
  CHECK(lua.run("local p = cmsgpack.pack(1, 'a', 2) local o, v = cmsgpack.unpack_one(p) "
                "local o2, v2, v3 = cmsgpack.unpack_limit(p, 2, o) return {o, v, o2, v2, v3}") ==
        "*5\r\n:1\r\n:1\r\n:-1\r\n$1\r\na\r\n:2\r\n");
  // Every beginning of a value but the whole is too short.
  CHECK(lua.run("local p = cmsgpack.pack({a = {1, 2.5, 'text'}, b = true}) local bad = 0 "
                "for n = 1, #p - 1 do if not pcall(cmsgpack.unpack, p:sub(1, n)) then "
                "bad = bad + 1 end end return bad == #p - 1") == ":1\r\n");
  CHECK(lua.run("return cmsgpack.unpack('\\193')").find("Bad data format in input.") !=
        std::string::npos);
  CHECK(lua.run("return cmsgpack.unpack_limit('a', 1, 2)").find("greater than input length") !=
        std::string::npos);
  CHECK(lua.run("return cmsgpack.unpack_limit('a', -1, 0)").find("Invalid request to unpack") !=
        std::string::npos);
  // A table that holds itself ends at a depth of 16.
  CHECK(lua.run("local a = {} a[1] = a local t, n = cmsgpack.unpack(cmsgpack.pack(a)), 0 "
                "while t do t = t[1] n = n + 1 end return n") == ":16\r\n");
}

TEST_CASE("struct packs and unpacks by its letters") {
  Lua lua;
  CHECK(lua.hex("struct.pack('>HBb', 258, 255, -2)") == "0102fffe");
  CHECK(lua.hex("struct.pack('<i4', 1)") == "01000000");
  CHECK(lua.hex("struct.pack('>I3', 66051)") == "010203");
  CHECK(lua.hex("struct.pack('>l', -2)") == "fffffffffffffffe");
  CHECK(lua.hex("struct.pack('>d', 1.5)") == "3ff8000000000000");
  CHECK(lua.hex("struct.pack('<f', 1.5)") == "0000c03f");
  CHECK(lua.hex("struct.pack('s', 'ab')") == "616200");
  CHECK(lua.hex("struct.pack('c2', 'abc')") == "6162");
  CHECK(lua.hex("struct.pack('Bc0', 3, 'abc')") == "03616263");
  CHECK(lua.hex("struct.pack('bx b', 1, 2)") == "010002");
  CHECK(lua.hex("struct.pack('!4 <bi4', 1, 2)") == "0100000002000000");
  CHECK(lua.run("return {struct.unpack('>HBb', struct.pack('>HBb', 258, 255, -2))}") ==
        "*4\r\n:258\r\n:255\r\n:-2\r\n:5\r\n");
  CHECK(lua.run("return {struct.unpack('Bc0s', struct.pack('Bc0s', 3, 'abc', 'z'))}") ==
        "*3\r\n$3\r\nabc\r\n$1\r\nz\r\n:7\r\n");
  CHECK(lua.run("return {struct.unpack('<i16', struct.pack('<i16', -5))}") ==
        "*2\r\n:-5\r\n:17\r\n");
  CHECK(lua.text("struct.unpack('<d', struct.pack('<d', 0.1))") == "0.1");
  CHECK(lua.text("struct.size('!8 bdi4')") == "20");
  for (const std::string call :
       {"struct.pack('q', 1)", "struct.pack('i33', 1)", "struct.pack('i', 'x')",
        "struct.pack('c5', 'abc')", "struct.pack('!3 i', 1)", "struct.unpack('i', 'abc')",
        "struct.unpack('s', 'abc')", "struct.unpack('c0', 'abc')", "struct.unpack('b', 'a', 0)",
        "struct.unpack('b', 'a', 3)", "struct.size('s')", "struct.size('c0')",
        "struct.pack('i99999999999', 1)", "struct.unpack('Bc0', '\\9abc')"}) {
    CAPTURE(call);
    CHECK(lua.run("return " + call).starts_with("-ERR "));
  }
}

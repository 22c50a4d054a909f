// EVAL, EVALSHA and SCRIPT: what scripts may do, and what they and their callers see.
#include <doctest/doctest.h>

#include <array>

#include "src/command/script_control.h"
#include "src/command/server_control.h"
#include "tests/support/engine_fixture.h"
#include "tests/support/fake_server.h"

using hearth::Session;
using hearth::test::EngineFixture;
using hearth::test::FakeServer;
using Lines = std::vector<std::string>;

namespace {

std::string bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

EngineFixture::Options with(std::vector<std::vector<std::string>> config) {
  EngineFixture::Options o;
  o.config = std::move(config);
  return o;
}

// A clock that goes on by a millisecond whenever it is read.
std::uint64_t g_ticks = 0;
std::uint64_t moving_ticks() { return g_ticks += 1'000'000; }

}  // namespace

TEST_CASE("a script sees KEYS and ARGV and returns what its commands return") {
  EngineFixture server;
  CHECK(server.run("EVAL", "return {KEYS[1], KEYS[2], ARGV[1], #KEYS, #ARGV}", "2", "a", "b",
                   "c") == "*5\r\n" + bulk("a") + bulk("b") + bulk("c") + ":2\r\n:1\r\n");
  CHECK(server.run("EVAL", "return redis.call('set', KEYS[1], ARGV[1])", "1", "k", "v") ==
        "+OK\r\n");
  CHECK(server.effects() == Lines{"set k v"});
  CHECK(server.run("EVAL", "return redis.call('get', KEYS[1])", "1", "k") == bulk("v"));
  CHECK(server.run("EVAL", "return server.call('GET', KEYS[1])", "1", "none") == "$-1\r\n");
}

TEST_CASE("Lua values become replies") {
  EngineFixture server;
  const auto eval = [&](const std::string& body) { return server.run("EVAL", body, "0"); };
  CHECK(eval("return 100.9") == ":100\r\n");
  CHECK(eval("return -3.7") == ":-3\r\n");
  CHECK(eval("return 'text'") == bulk("text"));
  CHECK(eval("return true") == ":1\r\n");
  CHECK(eval("return false") == "$-1\r\n");
  CHECK(eval("return nil") == "$-1\r\n");
  CHECK(eval("") == "$-1\r\n");
  CHECK(eval("return {1, 'a', {2}, nil, 3}") == "*3\r\n:1\r\n" + bulk("a") + "*1\r\n:2\r\n");
  CHECK(eval("return {ok='fine'}") == "+fine\r\n");
  CHECK(eval("return {ok='two\\r\\nlines'}") == "+two  lines\r\n");
  CHECK(eval("return {err='MY text'}") == "-MY text\r\n");
  CHECK(eval("return {double=3.5}") == bulk("3.5"));
  CHECK(eval("return {big_number='123'}") == bulk("123"));
  CHECK(eval("return {map={a=1}}") == "*2\r\n" + bulk("a") + ":1\r\n");
  CHECK(eval("return {set={a=true}}") == "*1\r\n" + bulk("a"));
  CHECK(eval("return {verbatim_string={format='txt', string='v'}}") == bulk("v"));
  CHECK(eval("return redis.status_reply('S')") == "+S\r\n");
  CHECK(eval("return redis.error_reply('E1 x')") == "-E1 x\r\n");
  CHECK(eval("return redis.error_reply('-E1 x')") == "-E1 x\r\n");
  CHECK(eval("return redis.error_reply('word')") == "-ERR word\r\n");
  CHECK(eval("return redis.error_reply(1)") == "-ERR wrong number or type of arguments\r\n");
  server.session().resp = 3;
  CHECK(eval("return nil") == "_\r\n");
  CHECK(eval("return false") == "_\r\n");
  CHECK(eval("redis.setresp(3) return false") == "#f\r\n");
  CHECK(eval("return {double=3.5}") == ",3.5\r\n");
  CHECK(eval("return {map={a=1}}") == "%1\r\n" + bulk("a") + ":1\r\n");
  CHECK(eval("return {set={a=true}}") == "~1\r\n" + bulk("a"));
  CHECK(eval("return {big_number='1\\r\\n2'}") == "(1  2\r\n");
  CHECK(eval("return {verbatim_string={format='txt', string='v'}}") == "=5\r\ntxt:v\r\n");
}

TEST_CASE("a table that holds itself ends in an error, not in the end of the server") {
  EngineFixture server;
  const std::string reply = server.run("EVAL", "local a = {} a[1] = {a} return a", "0");
  CHECK(reply.starts_with("*1\r\n*1\r\n"));
  CHECK(reply.ends_with("-ERR reached lua stack limit\r\n"));
  CHECK(server.run("PING") == "+PONG\r\n");
}

TEST_CASE("replies become Lua values, by the version that the script speaks") {
  EngineFixture server(with({{"enable-debug-command", "yes"}}));
  server.run("DEBUG", "SET-DISABLE-DENY-SCRIPTS", "1");
  const auto type_of = [&](const std::string& version, const std::string& what) {
    return server.run("EVAL",
                      "redis.setresp(" + version + ") local r = redis.call('debug', 'protocol', '" +
                          what +
                          "') if type(r) ~= 'table' then return type(r) end "
                          "for k in pairs(r) do if type(k) == 'string' then return k end end "
                          "return 'array'",
                      "0");
  };
  CHECK(type_of("2", "map") == bulk("array"));
  CHECK(type_of("3", "map") == bulk("map"));
  CHECK(type_of("3", "set") == bulk("set"));
  CHECK(type_of("3", "double") == bulk("double"));
  CHECK(type_of("2", "double") == bulk("string"));
  CHECK(type_of("3", "bignum") == bulk("big_number"));
  CHECK(type_of("3", "verbatim") == bulk("verbatim_string"));
  CHECK(type_of("3", "null") == bulk("nil"));
  CHECK(type_of("2", "null") == bulk("boolean"));
  CHECK(type_of("3", "true") == bulk("boolean"));
  CHECK(type_of("3", "attrib") == bulk("string"));
  CHECK(server.run("EVAL", "return redis.call('set', 'k', 'v').ok", "1", "k") == bulk("OK"));
  CHECK(server.run("EVAL", "return redis.pcall('incr', 'k').err", "1", "k") ==
        bulk("ERR value is not an integer or out of range"));
  CHECK(
      server.run("EVAL", "redis.setresp(4)", "0").starts_with("-ERR RESP version must be 2 or 3"));
}

TEST_CASE("numbers are passed on without loss") {
  EngineFixture server;
  server.run("EVAL", "redis.call('set', 'k', 9007199254740991)", "1", "k");
  CHECK(server.run("GET", "k") == bulk("9007199254740991"));
  server.run("EVAL", "redis.call('set', 'k', 0.1)", "1", "k");
  CHECK(server.run("GET", "k") == bulk("0.1"));
  CHECK(server.run("EVAL", "return redis.call('ping', {})", "0")
            .starts_with("-ERR Command arguments must be strings or integers script: "));
  CHECK(server.run("EVAL", "return redis.call()", "0")
            .starts_with("-ERR Please specify at least one argument for this call script: "));
}

TEST_CASE("errors say where they were raised") {
  EngineFixture server;
  const std::string digest = "4af10d98abce65d8db5d9a0bd3e1bf2a3e2d3d0c";
  const auto eval = [&](const std::string& body) { return server.run("EVAL", body, "0"); };
  std::string reply = eval("\nreturn redis.call('nope')");
  CHECK(reply.starts_with("-ERR Unknown command called from script script: "));
  CHECK(reply.ends_with(", on @user_script:2.\r\n"));
  CHECK(eval("return redis.call('get')")
            .starts_with("-ERR Wrong number of args calling command from script script: "));
  CHECK(eval("return redis.call('subscribe', 'c')")
            .starts_with("-ERR This Redis command is not allowed from script script: "));
  CHECK(eval("return redis.call('eval', 'return 1', 0)").starts_with("-ERR This Redis command"));
  reply = eval("error('mine')");
  CHECK(reply.starts_with("-ERR user_script:1: mine script: "));
  CHECK(eval("error({err='CODE text'})").starts_with("-CODE text script: "));
  CHECK(eval("return foo")
            .starts_with("-ERR user_script:1: Script attempted to access nonexistent global "
                         "variable 'foo' script: "));
  CHECK(eval("return (").starts_with("-ERR Error compiling script (new function): user_script:1:"));
  CHECK(eval("local ok, e = pcall(redis.call, 'nope') return e") ==
        bulk("ERR Unknown command called from script"));
  CHECK(eval("local ok, e = pcall(error, {a=1}) return type(e)") == bulk("table"));
}

TEST_CASE("an error is counted once, for the command that made it") {
  EngineFixture server;
  server.run("EVAL", "return redis.call('select', 99)", "0");
  auto& stats = server.engine().stats();
  CHECK(stats.errors.at("ERR") == 1);
  CHECK(stats.commands[server.table().find("select")->id].failed == 1);
  CHECK(stats.commands[server.table().find("eval")->id].failed == 1);
  CHECK(server.run("EVAL", "return redis.pcall('select', 99).err", "0") ==
        bulk("ERR DB index is out of range"));
  CHECK(stats.errors.at("ERR") == 2);
  CHECK(stats.commands[server.table().find("eval")->id].failed == 1);
  server.run("EVAL", "return {1, {err='OWN x'}}", "0");
  CHECK(stats.errors.at("OWN") == 1);
}

TEST_CASE("the number of keys is checked") {
  EngineFixture server;
  CHECK(server.run("EVAL", "return 1", "x") == "-ERR value is not an integer or out of range\r\n");
  CHECK(server.run("EVAL", "return 1", "1") ==
        "-ERR Number of keys can't be greater than number of args\r\n");
  CHECK(server.run("EVAL", "return 1", "-1") == "-ERR Number of keys can't be negative\r\n");
}

TEST_CASE("what a script can reach can't be changed") {
  EngineFixture server;
  for (const std::string body :
       {"x = 1", "redis = nil", "_G = {}", "redis.call = nil", "cjson.encode = nil",
        "string.format = nil", "table.insert(redis, 1)", "table.remove(string)",
        "rawset(_G, 'x', 1)", "setmetatable(_G, {})", "getmetatable(_G).__index = {}",
        "getmetatable('').__index = {}", "getmetatable(redis).x = 1", "_G.x = 1", "bit.band = nil",
        "math.random = nil", "coroutine.wrap = nil", "table.sort(os)"}) {
    CAPTURE(body);
    CHECK(contains(server.run("EVAL", body, "0"), "Attempt to modify a readonly table"));
  }
  CHECK(server.run("EVAL", "local n = 0 for k in pairs(redis) do n = n + 1 end return n > 10",
                   "0") == ":1\r\n");
  CHECK(server.run("EVAL", "local k = next(os) return k", "0") == bulk("clock"));
  CHECK(server.run("EVAL", "return type(rawget(_G, 'redis'))", "0") == bulk("table"));
  CHECK(server.run("EVAL", "local t = {1, 2} table.insert(t, 3) table.sort(t) return t", "0") ==
        "*3\r\n:1\r\n:2\r\n:3\r\n");
}

TEST_CASE("lua-enable-deprecated-api gives scripts environments, which last as long as a run") {
  EngineFixture server({.config = {{"lua-enable-deprecated-api", "yes"}}});
  const std::string own = "setfenv(1, {a = 1}) return a";
  CHECK(server.run("EVAL", own, "0") == ":1\r\n");
  CHECK(server.run("EVAL", own, "0") == ":1\r\n");
  for (const char* body : {"setfenv(0, {})", "getfenv().x = 1", "getfenv(redis.call).x = 1"}) {
    CAPTURE(std::string(body));
    CHECK(contains(server.run("EVAL", body, "0"), "Attempt to modify a readonly table"));
  }
}

TEST_CASE("files, processes, byte code and the debugger are out of reach") {
  EngineFixture server;
  for (const std::string name : {"io", "debug", "package", "require", "module", "dofile",
                                 "loadfile", "print", "newproxy", "getfenv", "setfenv"}) {
    CAPTURE(name);
    CHECK(contains(server.run("EVAL", "return " + name, "0"),
                   "attempted to access nonexistent global variable '" + name + "'"));
  }
  for (const std::string name : {"execute", "exit", "getenv", "remove", "rename", "tmpname"}) {
    CHECK(contains(server.run("EVAL", "os." + name + "()", "0"),
                   "attempt to call field '" + name + "' (a nil value)"));
  }
  CHECK(contains(server.run("EVAL", "return loadstring(string.dump(function() end))()", "0"),
                 "attempt to call a nil value"));
  CHECK(server.run("EVAL", "return loadstring('return 7')()", "0") == ":7\r\n");
  CHECK(server.run("EVAL",
                   "local n = 0 return load(function() n = n + 1 "
                   "return ({'return', ' 8'})[n] end)()",
                   "0") == ":8\r\n");
  CHECK(server.run("EVAL", "\x1bLua", "0").starts_with("-ERR Error compiling script"));
  CHECK(server.run("EVAL", "return type(os.clock())", "0") == bulk("number"));
}

TEST_CASE("what C code would do without bounds for a script is refused") {
  EngineFixture server;
  const auto says = [&](const std::string& body) { return server.run("EVAL", body, "0"); };
  for (const char* range : {"0, 2147483647", "-2147483648, 0", "-2147483648, 2147483647"}) {
    CAPTURE(range);
    CHECK(says("return #{unpack({}, " + std::string(range) + ")}")
              .find("too many results to unpack") != std::string::npos);
  }
  CHECK(says("return {unpack({1, 2, 3}, 2)}") == "*2\r\n:2\r\n:3\r\n");
  CHECK(says("return #{unpack({1, 2, 3}, 3, 2)}") == ":0\r\n");
  const std::string deep = "(string.rep('a', 300000), string.rep('a?', 300000))";
  for (const char* name : {"find", "match", "gmatch"}) {
    CHECK(says("return string." + std::string(name) + deep).find("pattern too complex") !=
          std::string::npos);
  }
  CHECK(says("return ('x'):gsub(string.rep('a?', 300000), '')").find("pattern too complex") !=
        std::string::npos);
  CHECK(says("return {string.find(string.rep('a', 300000), string.rep('a', 200000), 1, true)}") ==
        "*2\r\n:1\r\n:200000\r\n");
  CHECK(says("return {string.find('hello', '(l)(l)')}") ==
        "*4\r\n:3\r\n:4\r\n$1\r\nl\r\n$1\r\nl\r\n");

  const std::string too_long = "the text would be too long";
  CHECK(
      says("local t = 'x' for i = 1, 40 do t = {t, t} end return cjson.encode(t)").find(too_long) !=
      std::string::npos);
  CHECK(says("local s = string.rep('x', 1000000) local t = {} for i = 1, 200 do t[i] = s end "
             "return cjson.encode(t)")
            .find(too_long) != std::string::npos);
  CHECK(says("return cjson.new().encode(string.rep('x', 200000000))").find(too_long) !=
        std::string::npos);
  CHECK(says("cjson.encode_sparse_array(false, 0)").find("out of bounds") != std::string::npos);
  CHECK(says("cjson.encode_max_depth(1000000)").find("out of bounds") != std::string::npos);
  CHECK(says("return cjson.encode({1, 'a\\n', {b = {}}, [6] = true})") ==
        "$33\r\n[1,\"a\\n\",{\"b\":{}},null,null,true]\r\n");
  CHECK(says("return cjson.encode(error)").find("user_script:1: Cannot serialise function") !=
        std::string::npos);
}

TEST_CASE("a script is one unit, whether it ends well or not") {
  EngineFixture server;
  server.run("EVAL", "redis.call('set','a','1') redis.call('incr','a') redis.call('nope')", "1",
             "a");
  CHECK(server.effects() == Lines{"set a 1", "incr a"});
  server.run("MULTI");
  server.run("EVAL", "return redis.call('incr', KEYS[1])", "1", "a");
  server.run("INCR", "a");
  CHECK(server.run("EXEC") == "*2\r\n:3\r\n:4\r\n");
  CHECK(server.effects() == Lines{"incr a", "INCR a"});
  // A script breaks the watches of others, and reads leave no effect.
  server.run("WATCH", "a");
  Session& other = server.open();
  server.run_as(other, "EVAL", "return redis.call('get', 'a')", "1", "a");
  CHECK(server.effects().empty());
  server.run_as(other, "EVAL", "return redis.call('incr', 'a')", "1", "a");
  server.run("MULTI");
  server.run("GET", "a");
  CHECK(server.run("EXEC") == "*-1\r\n");
}

TEST_CASE("a script decides who is told of its changes") {
  EngineFixture server;
  server.run("EVAL",
             "redis.call('set','a','1') redis.set_repl(redis.REPL_NONE) redis.call('set','b','2') "
             "redis.set_repl(redis.REPL_ALL) redis.call('set','c','3')",
             "3", "a", "b", "c");
  CHECK(server.effects() == Lines{"set a 1", "set c 3"});
  CHECK(server.run("GET", "b") == bulk("2"));
  server.run("EVAL", "redis.set_repl(redis.REPL_NONE)", "0");
  server.run("SET", "d", "4");
  CHECK(server.effects() == Lines{"SET d 4"});
  CHECK(server.run("EVAL", "redis.set_repl(12345)", "0").starts_with("-ERR Invalid replication"));
  CHECK(server.run("EVAL", "return redis.replicate_commands()", "0") == ":1\r\n");
}

TEST_CASE("read-only scripts write nothing") {
  EngineFixture server;
  const std::string refusal =
      "-ERR Write commands are not allowed from read-only scripts. script: ";
  CHECK(server.run("EVAL_RO", "return redis.call('set', 'k', 'v')", "1", "k").starts_with(refusal));
  CHECK(server.run("EVAL_RO", "return redis.call('publish', 'c', 'm')", "0").starts_with(refusal));
  CHECK(server.run("EVAL", "#!lua flags=no-writes\nreturn redis.call('set', 'k', 'v')", "1", "k")
            .starts_with(refusal));
  CHECK(server.run("EVAL_RO", "#!lua\nreturn 1", "0") ==
        "-ERR Can not execute a script with write flag using *_ro command.\r\n");
  CHECK(server.run("EVAL_RO", "#!lua flags=no-writes\nreturn 1", "0") == ":1\r\n");
}

TEST_CASE("the first line of a script is checked") {
  EngineFixture server;
  const auto eval = [&](const std::string& body) { return server.run("EVAL", body, "0"); };
  CHECK(eval("#!lua\nreturn 1") == ":1\r\n");
  CHECK(eval("#!lua") == "-ERR Invalid script shebang\r\n");
  CHECK(eval("#!not-lua\nreturn 1") == "-ERR Unexpected engine in script shebang: #!not-lua\r\n");
  CHECK(eval("#!lua a=b\nreturn 1") == "-ERR Unknown lua shebang option: a=b\r\n");
  CHECK(eval("#!lua flags=allow-oom,what\nreturn 1") ==
        "-ERR Unexpected flag in script shebang: what\r\n");
  CHECK(contains(eval("#!lua\nerror('x')"), "user_script:2: x script: "));
}

TEST_CASE("no flag of a script's first line is empty") {
  EngineFixture server;
  for (const char* list : {"no-writes,", ",no-writes", "no-writes,,allow-oom"}) {
    CHECK(server.run("EVAL", "#!lua flags=" + std::string(list) + "\nreturn 1", "0") ==
          "-ERR Unexpected flag in script shebang: \r\n");
  }
  CHECK(server.run("EVAL", "#!lua flags=\nreturn 1", "0") == ":1\r\n");
}

TEST_CASE("above maxmemory a script is stopped before its first write") {
  EngineFixture server;
  server.run("SET", "x", "123");
  server.run("CONFIG", "SET", "maxmemory", "1");
  const std::string oom = "-OOM command not allowed when used memory > 'maxmemory'.";
  CHECK(server.run("EVAL", "redis.call('set', 'x', 1)", "1", "x").starts_with(oom));
  CHECK(server.run("EVAL", "return redis.call('get', 'x')", "1", "x") == bulk("123"));
  CHECK(server.run("EVAL", "#!lua\nreturn 1", "0").starts_with(oom));
  CHECK(server.run("EVAL", "#!lua flags=allow-oom\nreturn redis.call('set', 'x', 2)", "1", "x") ==
        "+OK\r\n");
  CHECK(server.run("EVAL", "#!lua flags=no-writes\nreturn 1", "0") == ":1\r\n");
  // A script that writes first without asking for memory may go on.
  CHECK(server.run("EVAL", "redis.call('del', 'x') return redis.call('set', 'x', 3)", "1", "x") ==
        "+OK\r\n");
  server.run("CONFIG", "SET", "maxmemory", "0");
}

TEST_CASE("SELECT in a script stays there") {
  EngineFixture server;
  server.run("EVAL", "redis.call('select', 5) redis.call('set', 'k', 'five')", "0");
  CHECK(server.run("GET", "k") == "$-1\r\n");
  server.run("SELECT", "5");
  CHECK(server.run("GET", "k") == bulk("five"));
  CHECK(server.run("EVAL", "return redis.call('get', 'k')", "0") == bulk("five"));
}

TEST_CASE("SCRIPT LOAD, EXISTS, SHOW and FLUSH keep scripts by digest") {
  EngineFixture server;
  const std::string digest = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
  CHECK(server.run("SCRIPT", "LOAD", "return 1") == bulk(digest));
  CHECK(server.run("SCRIPT", "EXISTS", digest, "x") == "*2\r\n:1\r\n:0\r\n");
  CHECK(server.run("SCRIPT", "SHOW", digest) == bulk("return 1"));
  CHECK(server.run("EVALSHA", "E0E1F9FABFC9D4800C877A703B823AC0578FF8DB", "0") == ":1\r\n");
  CHECK(server.run("EVALSHA_RO", digest, "0") == ":1\r\n");
  CHECK(server.run("SCRIPT", "FLUSH", "ASYNC") == "+OK\r\n");
  CHECK(server.run("EVALSHA", digest, "0").starts_with("-NOSCRIPT "));
  CHECK(server.run("SCRIPT", "SHOW", digest).starts_with("-NOSCRIPT "));
  CHECK(server.run("SCRIPT", "FLUSH", "x") ==
        "-ERR SCRIPT FLUSH only support SYNC|ASYNC option\r\n");
  CHECK(server.run("SCRIPT", "KILL") == "-NOTBUSY No scripts in execution right now.\r\n");
  CHECK(server.run("SCRIPT", "DEBUG", "no") == "+OK\r\n");
  CHECK(server.run("SCRIPT", "DEBUG", "YES")
            .starts_with("-ERR this server debugs scripts in SYNC mode only"));
  // redis-cli goes on with the script that it wanted to debug.
  CHECK(server.run("EVAL", "redis.call('set', 'k', 'v')", "0")
            .starts_with("-ERR The script was not run"));
  CHECK(server.run("EXISTS", "k") == ":0\r\n");
  CHECK(server.run("EVAL", "return 1", "0") == ":1\r\n");
  CHECK(server.run("SCRIPT", "DEBUG", "x") == "-ERR Use SCRIPT DEBUG YES/SYNC/NO\r\n");
}

TEST_CASE("of scripts that EVAL brought, the 500 used last are kept") {
  EngineFixture server;
  const auto figures = [&] { return server.engine().services().scripts->figures(); };
  server.run("SCRIPT", "LOAD", "return 'loaded'");
  for (int i = 1; i <= 500; ++i) server.run("EVAL", "return " + std::to_string(i), "0");
  CHECK(figures().cached_scripts == 501);
  server.run("EVAL", "return 1", "0");  // now the one used last
  server.run("EVAL", "return 501", "0");
  CHECK(figures().cached_scripts == 501);
  CHECK(server.engine().stats().evicted_scripts == 1);
  CHECK(server.run("EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0") == ":1\r\n");
  // "return 2"
  CHECK(server.run("EVALSHA", "7f923f79fe76194c868d7e1d0820de36700eb649", "0")
            .starts_with("-NOSCRIPT"));
  CHECK(server.run("EVALSHA", "f3ebcbd92a2a50a6d3b0f3c4de8c5d0e6ac31e48", "0")
            .starts_with("-NOSCRIPT"));
  server.run("SCRIPT", "LOAD", "return 3");
  for (int i = 1000; i < 1600; ++i) server.run("EVAL", "return " + std::to_string(i), "0");
  CHECK(server.run("EVALSHA", "09d3822de862f46d784e6a36848b4f0736dda47a", "0") == ":3\r\n");
  CHECK(figures().cache_bytes > 502 * 100);
  CHECK(figures().eval_vm_bytes > 10'000);
}

TEST_CASE("time stands still in a script") {
  EngineFixture server;
  CHECK(server.run("EVAL",
                   "local a = redis.call('time') local b = redis.call('time') "
                   "return a[1] == b[1] and a[2] == b[2]",
                   "0") == ":1\r\n");
}

TEST_CASE("blocking commands don't wait in a script") {
  EngineFixture server;
  CHECK(server.run("EVAL", "return redis.call('wait', 1, 0)", "0") == ":0\r\n");
}

TEST_CASE("a script past the busy threshold lets others speak, and SCRIPT KILL ends it") {
  EngineFixture::Options options = with({{"busy-reply-threshold", "10"}});
  options.ticks = moving_ticks;
  EngineFixture server(options);
  Session& other = server.open();
  int turns = 0;
  server.while_busy = [&] {
    if (++turns == 1) {
      CHECK(server.run_as(other, "PING") ==
            "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN "
            "NOSAVE.\r\n");
      CHECK(server.run_as(other, "FUNCTION", "KILL").starts_with("-BUSY"));
      CHECK(server.run_as(other, "FUNCTION", "STATS").starts_with("-BUSY"));
      CHECK(server.run_as(other, "MULTI") == "+OK\r\n");
      CHECK(server.run_as(other, "SET", "k", "v").starts_with("-BUSY"));
      CHECK(server.run_as(other, "DISCARD") == "+OK\r\n");
      CHECK(server.run_as(other, "SHUTDOWN").starts_with("-BUSY"));
      // It may be busy with a script of the log that is being replayed.
      server.engine().set_loading(true);
      CHECK(server.run_as(other, "GET", "k").starts_with("-LOADING"));
      server.engine().set_loading(false);
      server.tick();
      return;
    }
    CHECK(server.run_as(other, "SCRIPT", "KILL") == "+OK\r\n");
  };
  CHECK(server.run("EVAL", "while true do pcall(function() while true do end end) end", "0")
            .starts_with("-ERR Script killed by user with SCRIPT KILL. script: "));
  CHECK(turns == 2);
  CHECK(server.run_as(other, "PING") == "+PONG\r\n");
  CHECK(server.run("EVAL", "return 1", "0") == ":1\r\n");
}

TEST_CASE("a script that has written is not killed, only given up with the server") {
  EngineFixture::Options options = with({{"busy-reply-threshold", "10"}});
  options.ticks = moving_ticks;
  EngineFixture server(options);
  Session& other = server.open();
  server.while_busy = [&] {
    CHECK(server.run_as(other, "SCRIPT", "KILL").starts_with("-UNKILLABLE "));
    CHECK(server.run_as(other, "GET", "k").starts_with("-BUSY"));
    server.advance(hearth::milliseconds(5000));
    server.engine().script_runs().abandon_script();
  };
  const std::string reply = server.run(
      "EVAL", "redis.call('set', 'k', 'v', 'px', 100) while true do redis.call('get', 'k') end",
      "1", "k");
  CHECK(contains(reply, "Script killed by user"));
  // Its effects up to then are a unit, with the time it saw.
  REQUIRE(server.effects().size() >= 1);
}

TEST_CASE("a coroutine is killed with its script") {
  EngineFixture::Options options = with({{"busy-reply-threshold", "10"}});
  options.ticks = moving_ticks;
  EngineFixture server(options);
  Session& other = server.open();
  server.while_busy = [&] { server.run_as(other, "SCRIPT", "KILL"); };
  const std::string reply = server.run(
      "EVAL",
      "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
      "0");
  CHECK(contains(reply, "Script killed by user"));
}

TEST_CASE("what one instruction can ask of the libraries is bounded, or ends with the script") {
  const Lines killed = {
      // A reader whose pieces never end, and one text that is long.
      "local n = 0 return load(function() n = n + 1 return n == 1 and '--' or ('x '):rep(100000) "
      "end)",
      "local t = '--' .. ('x'):rep(300e6) while true do loadstring(t) end",
      // Patterns that fit in very many ways.
      "return ('a'):rep(3000):find(('a-'):rep(40) .. 'b')",
      "return ('a'):rep(3000):match(('.*'):rep(20) .. 'b')",
      "return ('a'):rep(1000000):gsub('a*a*b', '')",
      "for x in ('a'):rep(3000):gmatch(('a?'):rep(30) .. ('a*'):rep(20) .. 'b') do end",
      "local s = ('a'):rep(50e6) while true do s:find('b', 1, true) end",
      // Long texts, joined and compared over and over.
      "local s = ('x'):rep(50e6) while true do local t = s .. 'y' end",
      "local s = ('x'):rep(50e6) while true do s:upper() end",
      "local s = ('x'):rep(50e6) while true do redis.sha1hex(s) end",
      "local t = {} for i = 1, 300000 do t[i] = i end while true do table.insert(t, 1, 0) "
      "table.remove(t, 1) end",
      "local t = {} for i = 1, 1000000 do t[i] = (i * 7919) % 1000003 end while true do "
      "table.sort(t) end",
      "local t = {} for i = 1, 200000 do t[i] = i end while true do cjson.encode(t) "
      "cmsgpack.pack(t) end",
      "local t = cjson.encode({}) for i = 1, 20 do t = '[' .. t .. ',' .. t .. ']' end while true "
      "do cjson.decode(t) end",
      "local c = coroutine.wrap(function() local s = ('x'):rep(50e6) while true do local t = s .. "
      "'y' end end) c()",
      "while true do redis.call('get', 'k') end",
  };
  for (const std::string& script : killed) {
    CAPTURE(script);
    EngineFixture::Options options = with({{"busy-reply-threshold", "1"}});
    options.ticks = moving_ticks;
    EngineFixture server(options);
    Session& other = server.open();
    int turns = 0;
    server.while_busy = [&] {
      ++turns;
      server.run_as(other, "SCRIPT", "KILL");
    };
    CHECK(contains(server.run("EVAL", script, "0"), "Script killed by user"));
    CHECK(turns == 1);
    CHECK(server.run("EVAL", "return 1", "0") == ":1\r\n");
  }
  EngineFixture server;
  const auto refused = [&](const std::string& script, const std::string& why) {
    CAPTURE(script);
    CHECK(contains(server.run("EVAL", script, "0"), why));
  };
  refused("return ('x'):rep(2^31 - 1)", "resulting string too large");
  refused("return #(''):rep(2^31 - 1)", ":0");
  refused("local t = {} for i = 1, 40 do t = {t, t} end return t", "would be too long");
  refused("local t = {} for i = 1, 40 do t = {t, t} end return cjson.encode(t)", "too long");
  refused(
      "local t = {} for i = 1, 12 do local u = {} for n = 1, 10 do u[n] = t end t = u end "
      "return cmsgpack.pack(t)",
      "too long");
  refused("local s = ('x'):rep(400e6) return s .. s .. s", "not enough memory");
}

TEST_CASE("load takes pieces in time that grows with their length, and no byte code") {
  EngineFixture server;
  const auto run = [&](const std::string& script) { return server.run("EVAL", script, "0"); };
  // 20,000 pieces of one text: joined one by one they would be copied 10,000 times each.
  CHECK(run("local n = 0 local f = load(function() n = n + 1 if n == 1 then return 'return ' end "
            "if n == 20000 then return '1' end if n < 20000 then return ('-'):rep(2) .. "
            "('x'):rep(1000) .. '\\n' end end) return f()") == ":1\r\n");
  CHECK(run("local t = {'ret', '', 'urn 5'} local n = 0 local f, e = load(function() n = n + 1 "
            "return t[n] end) return {f == nil, type(e)}") == "*2\r\n:1\r\n" + bulk("string"));
  CHECK(run("local t = {'ret', 'urn 5'} local n = 0 return load(function() n = n + 1 return "
            "t[n] end)()") == ":5\r\n");
  CHECK(run("return load(function() return nil end)() == nil") == ":1\r\n");
  CHECK(contains(run("local f, e = loadstring(string.dump(function() end)) return e"),
                 "byte code is not loaded"));
  CHECK(contains(run("local c = string.dump(function() end) local n = 0 local f, e = "
                     "load(function() n = n + 1 return n == 1 and c:sub(1, 1) or c:sub(2) end) "
                     "return e"),
                 "byte code is not loaded"));
  CHECK(contains(run("local f, e = load(function() return {} end) return e"),
                 "reader function must return a string"));
  CHECK(contains(run("local f, e = loadstring('x =', '=name') return e"), "name:1:"));
}

TEST_CASE("patterns do what the manual of Lua says") {
  EngineFixture server;
  const auto text = [&](const std::string& expression) {
    std::string reply =
        server.run("EVAL",
                   "local function f(...) local t = {} for i = 1, select('#', ...) do t[i] = "
                   "tostring((select(i, ...))) end return table.concat(t, ',') end return f(" +
                       expression + ")",
                   "0");
    if (!reply.starts_with("$")) return reply;
    reply = reply.substr(reply.find("\r\n") + 2);
    return reply.substr(0, reply.size() - 2);
  };
  const std::vector<std::array<const char*, 2>> cases = {
      {"('hello world'):find('o')", "5,5"},
      {"('hello world'):find('o', 6)", "8,8"},
      {"('hello world'):find('o', -3)", "nil"},
      {"('hello world'):find('o', -4)", "8,8"},
      {"('hello'):find('')", "1,0"},
      {"('hello'):find('', 10)", "6,5"},
      {"('hello'):find('xyz')", "nil"},
      {"('a.b'):find('.', 1, true)", "2,2"},
      {"('hello'):find('l+')", "3,4"},
      {"('hello'):find('(h)(.)')", "1,2,h,e"},
      {"('hello'):match('^(h)(.-)(l*)')", "h,,"},
      {"('hello'):match('^(h)(.-)(l*)o')", "h,e,ll"},
      {"('key = value'):match('^(%w+)%s*=%s*(%w+)$')", "key,value"},
      {"('  trim  '):match('^%s*(.-)%s*$')", "trim"},
      {"('x(a(b)c)y'):match('%b()')", "(a(b)c)"},
      {"('THE (quick) fox'):find('%((%a+)%)')", "5,11,quick"},
      {"('THE (quick) fox'):gsub('%f[%a]%a+', 'w')", "w (w) w,3"},
      {"('hello'):match('()ll()')", "3,5"},
      {"('abcabc'):match('(a)(b)(c)%1%2%3')", "a,b,c"},
      {"('abc'):gsub('', '-')", "-a-b-c-,4"},
      {"('abc'):gsub('%w', '%0%0')", "aabbcc,3"},
      {"('abc'):gsub('%w', '%%%1')", "%a%b%c,3"},
      {"('abc def'):gsub('(%w+) (%w+)', '%2 %1')", "def abc,1"},
      {"('abc'):gsub('b', {b = 'X'})", "aXc,1"},
      {"('abc'):gsub('.', {b = false})", "abc,3"},
      {"('abc'):gsub('.', function(c) if c == 'b' then return 'BB' end end)", "aBBc,3"},
      {"('aaa'):gsub('a', 'b', 2)", "bba,2"},
      {"('aaa'):gsub('^a', 'b')", "baa,1"},
      {"('a-b'):gsub('[%-]', '+')", "a+b,1"},
      {"('a]b'):gsub('[]]', '+')", "a+b,1"},
      {"('a^b'):gsub('[b^]', '+')", "a++,2"},
      {"('abc123'):gsub('[^%d]', '')", "123,3"},
      {"('a5z'):gsub('[a-c0-5]', '.')", "..z,2"},
      {"('x\\0y'):find('\\0', 1, true)", "2,2"},
      {"('x\\0y'):find('%z')", "2,2"},
      {"('colour color'):gsub('colou?r', 'X')", "X X,2"},
      {"('a,b,,c'):gsub(',', ';')", "a;b;;c,3"},
      {"('5'):rep(3, 'x')", "555"},
      {"('$5'):match('$%d')", "$5"},
      {"('5$'):match('%d$')", "nil"},
      {"('x'):rep(0)", ""},
      {"('x'):rep(-1)", ""},
  };
  for (const auto& [expression, expected] : cases) {
    CAPTURE(std::string(expression));
    CHECK(text(expression) == expected);
  }
  CHECK(text("(function() local t = {} for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do t[#t + 1] "
             "= k .. v end return table.concat(t, ' ') end)()") == "a1 b2");
  CHECK(text("(function() local n = 0 for _ in ('abc'):gmatch('x*') do n = n + 1 end return n "
             "end)()") == "4");
  const std::vector<std::array<const char*, 2>> errors = {
      {"('a'):find('%')", "malformed pattern (ends with '%')"},
      {"('a'):find('[a')", "malformed pattern (missing ']')"},
      {"('a'):find('[]')", "malformed pattern (missing ']')"},
      {"('a'):find('(a')", "unfinished capture"},
      {"('a'):match('a)')", "invalid pattern capture"},
      {"('a'):find('%1')", "invalid capture index"},
      {"('a'):find('%b')", "unbalanced pattern"},
      {"('a'):find('%f')", "missing '[' after '%f' in pattern"},
      {"('a'):gsub('a', '%2')", "invalid capture index"},
      {"('a'):gsub('a', function() return {} end)", "invalid replacement value (a table)"},
      {"('a'):gsub('a')", "string/function/table expected"},
      {"('a'):find(('()'):rep(33))", "too many captures"},
      {"('a'):rep(9000):find(('a?'):rep(5000))", "pattern too complex"},
      {"('a'):find(('a'):rep(20000) .. '.')", "pattern too complex"},
  };
  for (const auto& [expression, expected] : errors) {
    CAPTURE(std::string(expression));
    CHECK(contains(text(expression), expected));
  }
}

TEST_CASE("table.sort is stable, and bounded whatever the function says") {
  EngineFixture server;
  const auto run = [&](const std::string& script) { return server.run("EVAL", script, "0"); };
  CHECK(run("local t = {3, 1, 2} table.sort(t) return t") == "*3\r\n:1\r\n:2\r\n:3\r\n");
  CHECK(run("local t = {'b', 'a', 'c'} table.sort(t, function(a, b) return a > b end) return "
            "table.concat(t)") == bulk("cba"));
  CHECK(run("local t = {} for i = 1, 1000 do t[i] = {i % 7, i} end table.sort(t, function(a, b) "
            "return a[1] < b[1] end) for i = 2, 1000 do local a, b = t[i - 1], t[i] if a[1] > b[1] "
            "or (a[1] == b[1] and a[2] > b[2]) then return 0 end end return 1") == ":1\r\n");
  CHECK(
      run("local t, n = {}, 0 for i = 1, 5000 do t[i] = i % 10 end table.sort(t, function() n = n "
          "+ 1 return true end) return n < 5000 * 14 and #t") == ":5000\r\n");
  CHECK(contains(run("local t = {1, 'a'} table.sort(t)"), "attempt to compare"));
  CHECK(contains(run("table.sort(redis)"), "Attempt to modify a readonly table"));
  CHECK(contains(run("table.sort({2, 1}, 5)"), "function expected"));
  CHECK(run("local t = {} table.sort(t) return #t") == ":0\r\n");
}

TEST_CASE("coroutines yield, end, fail and are wrapped as in Lua") {
  EngineFixture server;
  const auto run = [&](const std::string& script) { return server.run("EVAL", script, "0"); };
  CHECK(run("local f = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) return b * 2 "
            "end) return {f(1), f(5)}") == "*2\r\n:2\r\n:10\r\n");
  CHECK(contains(run("local f = coroutine.wrap(function() error('broken') end) f()"), "broken"));
  CHECK(contains(run("local f = coroutine.wrap(function() end) f() f()"), "cannot resume dead"));
  CHECK(run("local c = coroutine.create(function() error({code = 7}) end) local ok, e = "
            "coroutine.resume(c) return {ok == false, e.code}") == "*2\r\n:1\r\n:7\r\n");
  CHECK(contains(run("coroutine.resume(1)"), "coroutine expected"));
}

TEST_CASE("monitors see a script before its commands") {
  EngineFixture server;
  Session& watcher = server.open();
  server.run_as(watcher, "MONITOR");
  server.run("EVAL", "redis.call('set', KEYS[1], '1')", "1", "k");
  const std::string seen = EngineFixture::take(watcher);
  const std::size_t script = seen.find("\"EVAL\"");
  const std::size_t command = seen.find("[0 lua] \"set\" \"k\" \"1\"");
  CHECK(script != std::string::npos);
  CHECK(command != std::string::npos);
  CHECK(script < command);
}

TEST_CASE("monitors see scripts that can't run as well") {
  EngineFixture server;
  Session& watcher = server.open();
  server.run_as(watcher, "MONITOR");
  CHECK(server.run("EVALSHA", std::string(40, 'a'), "0").starts_with("-NOSCRIPT"));
  CHECK(contains(EngineFixture::take(watcher), "\"EVALSHA\" \"aaaa"));
  CHECK(server.run("FCALL", "nofunction", "0").starts_with("-ERR"));
  CHECK(contains(EngineFixture::take(watcher), "\"FCALL\" \"nofunction\" \"0\""));
  CHECK(server.run("EVAL", "syntax(", "0").starts_with("-ERR"));
  CHECK(contains(EngineFixture::take(watcher), "\"EVAL\" \"syntax(\" \"0\""));
  server.run("MULTI");
  server.run("EVALSHA", std::string(40, 'b'), "0");
  server.run("EXEC");
  const std::string lines = EngineFixture::take(watcher);
  const std::size_t script = lines.find("\"EVALSHA\" \"bbbb");
  CHECK(script != std::string::npos);
  CHECK(lines.find("\"EVALSHA\"", script + 1) == std::string::npos);
}

TEST_CASE("a write in a paused server waits if the script may write") {
  EngineFixture server;
  Session& admin = server.open();
  server.run_as(admin, "CLIENT", "PAUSE", "100000", "WRITE");
  CHECK(server.run("EVAL_RO", "return 1", "0") == ":1\r\n");
  CHECK(server.run("EVAL", "#!lua flags=no-writes\nreturn 1", "0") == ":1\r\n");
  CHECK(server.run("EVAL", "return 1", "0").empty());
  CHECK(server.session().is_parked());
}

TEST_CASE("a script under the debugger runs line by line, as its client says") {
  EngineFixture server;
  CHECK(server.run("SCRIPT", "DEBUG", "sync") == "+OK\r\n");
  server.debugger_commands = {"step\r\n",     "print a\r\n",        "b 4\r\n",
                              "nonsense\r\n", "redis echo hi\r\n",  "eval 1 + 1\r\n",
                              "list 1 1\r\n", "trace\r\nbreak\r\n", "maxlen 0\r\n",
                              "continue\r\n", "print\r\n",          "whole\r\n",
                              "break 0\r\n",  "help\r\n",           "c\r\n"};
  const std::string reply = server.run(
      "EVAL",
      "local a = {1, 'x'}\nlocal b = 2\nb = 3\nredis.debug(a, b)\nreturn redis.call('ping')", "1",
      "k");
  const std::string& heard = server.debugged;
  for (const std::string part :
       {"* Stopped at 1, stop reason = step over", "-> 1   local a", "* Stopped at 2",
        "<value> {1; \"x\"}", "<error> Unknown Lua debugger command", "<redis> echo hi",
        "<reply> \"hi\"", "<retval> 2", "  #4   redis.debug", "1 breakpoints set:",
        "* Stopped at 4, stop reason = break point", "<value> b = 3", "<value> KEYS = {\"k\"}"}) {
    CAPTURE(part);
    CHECK(contains(heard, part));
  }
  CHECK(contains(reply, "<debug> line 4: {1; \"x\"}, 3"));
  CHECK(contains(reply, "<redis> ping"));
  CHECK(contains(reply, "+<endsession>\r\n"));
  CHECK(reply.ends_with("+PONG\r\n"));
  CHECK(server.session().close_after_reply);
}

TEST_CASE("a debugged script ends when its client leaves or says so") {
  EngineFixture server;
  for (const std::string last : {"abort\r\n", ""}) {
    Session& client = server.open();
    server.run_as(client, "SCRIPT", "DEBUG", "SYNC");
    server.debugger_commands.clear();
    if (!last.empty()) server.debugger_commands.push_back(last);
    CHECK(contains(server.run_as(client, "EVAL", "redis.call('set', 'k', '1')", "1", "k"),
                   "-ERR script aborted for user request"));
    CHECK(server.run("GET", "k") == "$-1\r\n");
  }
}

TEST_CASE("time stands still inside a script and inside EXEC") {
  EngineFixture server(with({{"enable-debug-command", "yes"}}));
  FakeServer process;
  process.on_sleep = [&](hearth::microseconds by) {
    server.advance(std::chrono::duration_cast<hearth::milliseconds>(by));
  };
  server.engine().services().server = &process;
  const std::string script =
      "redis.call('set', KEYS[1], 'v', 'px', '1')\n"
      "redis.call('debug', 'sleep', '0.01')\n"
      "return {redis.call('exists', KEYS[1]), redis.call('pexpiretime', KEYS[1])}";
  server.run("DEBUG", "SET-DISABLE-DENY-SCRIPTS", "1");
  const std::string expected =
      "*2\r\n:1\r\n:" + std::to_string(server.engine().now().ms + 1) + "\r\n";
  CHECK(server.run("EVAL", script, "1", "k") == expected);
  CHECK(server.run("EXISTS", "k") == ":0\r\n");
  CHECK(server.effects() == Lines{"UNLINK k"});

  server.run("MULTI");
  server.run("SET", "k", "v", "PX", "1");
  server.run("DEBUG", "SLEEP", "0.01");
  server.run("GET", "k");
  CHECK(server.run("EXEC") == "*3\r\n+OK\r\n+OK\r\n$1\r\nv\r\n");
  CHECK(server.run("GET", "k") == "$-1\r\n");
}

TEST_CASE("what a script does counts, and is logged, under the name of its client") {
  EngineFixture server;
  server.run("CLIENT", "SETNAME", "me");
  server.run("CONFIG", "SET", "slowlog-log-slower-than", "0");
  server.run("SLOWLOG", "RESET");
  const std::uint64_t before = server.session().commands;
  server.run("EVAL", "redis.call('ping')", "0");
  CHECK(server.session().commands == before + 2);
  const std::string log = server.run("SLOWLOG", "GET", "2");
  CHECK(contains(log, "$11\r\n127.0.0.1:1\r\n$2\r\nme\r\n*6"));
  CHECK_FALSE(contains(log, "lua\r\n"));
}

TEST_CASE("writes ask for enough replicas, in scripts too unless they have written already") {
  constexpr std::string_view kRefusal = "-NOREPLICAS Not enough good replicas to write.\r\n";
  EngineFixture server;
  server.run("SET", "x", "v");
  server.run("CONFIG", "SET", "min-replicas-to-write", "1");
  CHECK(server.run("SET", "x", "w") == kRefusal);
  CHECK(server.run("GET", "x") == "$1\r\nv\r\n");
  CHECK(server.run("PING") == "+PONG\r\n");
  const std::string get = "\nreturn redis.call('get', KEYS[1])";
  CHECK(server.run("EVAL", get, "1", "x") == "$1\r\nv\r\n");
  CHECK(server.run("EVAL", "#!lua flags=no-writes" + get, "1", "x") == "$1\r\nv\r\n");
  CHECK(server.run("EVAL", "#!lua" + get, "1", "x") == kRefusal);
  CHECK(contains(server.run("EVAL", "return redis.call('set', KEYS[1], '1')", "1", "x"),
                 "-NOREPLICAS Not enough good replicas to write."));
  server.run("MULTI");
  server.run("GET", "x");
  CHECK(server.run("EXEC") == "*1\r\n$1\r\nv\r\n");
  server.run("MULTI");
  CHECK(server.run("SET", "x", "w") == kRefusal);
  CHECK(server.run("EXEC").starts_with("-EXECABORT"));
  server.engine().gate().set_good_replicas(1);
  CHECK(server.run("SET", "x", "w") == "+OK\r\n");
  server.engine().gate().set_good_replicas(0);
  CHECK(server.run("SET", "x", "w") == kRefusal);
  server.run("CONFIG", "SET", "min-replicas-to-write", "0");
  CHECK(server.run("SET", "x", "w") == "+OK\r\n");
}

// FUNCTION and FCALL: libraries and what becomes of them.
#include <doctest/doctest.h>

#include "src/command/script_control.h"
#include "src/proto/reply_parser.h"
#include "tests/support/engine_fixture.h"

using namespace hearth;
using hearth::test::EngineFixture;
using Lines = std::vector<std::string>;

namespace {

std::string library(const std::string& name, const std::string& function, const std::string& body) {
  return "#!lua name=" + name + "\nredis.register_function('" + function +
         "', function(keys, args) " + body + " end)";
}

std::string bulk(const std::string& text) {
  return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string value_of(const std::string& reply) {
  ReplyParser parser;
  parser.feed(reply);
  auto value = parser.next();
  REQUIRE(value);
  REQUIRE(value->has_value());
  return std::string((*value)->text());
}

std::uint64_t g_ticks = 0;
std::uint64_t moving_ticks() { return g_ticks += 1'000'000; }

}  // namespace

TEST_CASE("a library's functions are called by name, in any case") {
  EngineFixture server;
  CHECK(server.run("FUNCTION", "LOAD", library("lib", "f", "return {keys[1], args[1]}")) ==
        bulk("lib"));
  CHECK(server.effects().size() == 1);
  CHECK(server.run("FCALL", "f", "1", "k", "v") == "*2\r\n" + bulk("k") + bulk("v"));
  CHECK(server.run("FCALL", "F", "0") == "*0\r\n");
  CHECK(server.run("FCALL", "g", "0") == "-ERR Function not found\r\n");
  CHECK(server.run("FCALL", "f", "x") == "-ERR Bad number of keys provided\r\n");
  CHECK(server.run("FCALL", "f", "1") ==
        "-ERR Number of keys can't be greater than number of args\r\n");
  CHECK(server.run("FCALL", "f", "-1") == "-ERR Number of keys can't be negative\r\n");
  CHECK(server.run("FCALL_RO", "f", "0") ==
        "-ERR Can not execute a script with write flag using *_ro command.\r\n");
}

TEST_CASE("functions run commands, share locals and see the usual globals") {
  EngineFixture server;
  server.run("FUNCTION", "LOAD",
             "#!lua name=lib\nlocal n = 0\nlocal function add() n = n + 1 return n end\n"
             "redis.register_function('a', add)\n"
             "redis.register_function('b', function(k) redis.call('set', k[1], add()) "
             "return string.format('%d', n) end)");
  CHECK(server.run("FCALL", "a", "0") == ":1\r\n");
  CHECK(server.run("FCALL", "b", "1", "k") == bulk("2"));
  CHECK(server.run("GET", "k") == bulk("2"));
  CHECK(server.run("FCALL", "a", "0") == ":3\r\n");
}

TEST_CASE("names of libraries differ by case, those of functions do not") {
  EngineFixture server;
  CHECK(server.run("FUNCTION", "LOAD", library("lib", "f", "return 1")) == bulk("lib"));
  CHECK(server.run("FUNCTION", "LOAD", library("LIB", "g", "return 2")) == bulk("LIB"));
  CHECK(server.run("FUNCTION", "LOAD", library("Lib", "F", "return 3")) ==
        "-ERR Function F already exists\r\n");
  CHECK(server.run("FUNCTION", "DELETE", "Lib") == "-ERR Library not found\r\n");
  CHECK(server.run("FUNCTION", "DELETE", "LIB") == "+OK\r\n");
  CHECK(server.run("FCALL", "F", "0") == ":1\r\n");
}

TEST_CASE("of many libraries each is loaded, replaced and deleted by itself") {
  EngineFixture server;
  const auto figures = [&] { return server.engine().services().scripts->figures(); };
  constexpr int kLibraries = 300;
  const auto name = [](int i) { return "lib" + std::to_string(i); };
  for (int i = 0; i < kLibraries; ++i) {
    const std::string f = "f" + std::to_string(i);
    REQUIRE(server.run("FUNCTION", "LOAD", library(name(i), f, "return 1")) == bulk(name(i)));
  }
  CHECK(figures().functions == kLibraries);
  const std::uint64_t bytes = figures().library_bytes;
  CHECK(server.run("FUNCTION", "LOAD", "REPLACE", library("lib7", "f8", "return 1")) ==
        "-ERR Function f8 already exists\r\n");
  CHECK(server.run("FUNCTION", "LOAD", "REPLACE", library("lib7", "F7", "return 2")) ==
        bulk("lib7"));
  CHECK(server.run("FCALL", "f7", "0") == ":2\r\n");
  CHECK(figures().library_bytes == bytes);
  for (int i = 0; i < kLibraries; ++i) {
    if (i != 7) REQUIRE(server.run("FUNCTION", "DELETE", name(i)) == "+OK\r\n");
  }
  CHECK(figures().functions == 1);
  CHECK(server.run("FCALL", "f8", "0") == "-ERR Function not found\r\n");
  CHECK(server.run("FCALL", "f7", "0") == ":2\r\n");
  CHECK(server.run("FUNCTION", "DELETE", "lib7") == "+OK\r\n");
  CHECK(figures().library_bytes == 0);
}

TEST_CASE("a library that can't be loaded leaves all as it was") {
  EngineFixture server;
  server.run("FUNCTION", "LOAD", library("lib", "f", "return 1"));
  const auto load = [&](const std::string& code) {
    return server.run("FUNCTION", "LOAD", "REPLACE", code);
  };
  const std::string registering = "-ERR Error registering functions: ERR ";
  const Lines bodies = {
      "return 1",
      "x = 1",
      "redis.register_function()",
      "redis.register_function('g')",
      "redis.register_function('g', 1)",
      "redis.register_function(nil, function() end)",
      "redis.register_function('a b', function() end)",
      "redis.register_function{function_name='g'}",
      "redis.register_function{callback=function() end}",
      "redis.register_function{function_name='g', callback=1}",
      "redis.register_function{function_name='g', callback=function() end, flags='x'}",
      "redis.register_function{function_name='g', callback=function() end, flags={'x'}}",
      "redis.register_function{function_name='g', callback=function() end, more=1}",
      "redis.register_function('g', function() end) redis.register_function('g', function() end)",
      "redis.call('ping')",
      "return math.random()",
  };
  for (const std::string& body : bodies) {
    CAPTURE(body);
    CHECK(load("#!lua name=lib\n" + body).starts_with("-ERR "));
    CHECK(server.effects().empty());
    CHECK(server.run("FCALL", "f", "0") == ":1\r\n");
  }
  CHECK(load("#!lua name=lib\nreturn 1") == "-ERR No functions registered\r\n");
  CHECK(load("#!lua name=lib\nredis.register_function('g')").starts_with(registering));
  CHECK(load("#!lua name=lib\n(").starts_with("-ERR Error compiling function: "));
  CHECK(load("return 1") == "-ERR Missing library metadata\r\n");
  CHECK(load("#!lua") == "-ERR Invalid library metadata\r\n");
  CHECK(load("#!lua\n") == "-ERR Library name was not given\r\n");
  CHECK(load("#!js name=x\n") == "-ERR Engine 'js' not found\r\n");
  CHECK(load("#!lua name=x y=z\n") == "-ERR Invalid metadata value given: y=z\r\n");
  CHECK(load("#!lua name=x name=y\n") ==
        "-ERR Invalid metadata value, name argument was given multiple times\r\n");
  CHECK(load("#!lua name=a-b\n").starts_with("-ERR Library names can only contain letters"));
  CHECK(server.run("FUNCTION", "LOAD", library("lib", "f", "return 2")) ==
        "-ERR Library 'lib' already exists\r\n");
  CHECK(server.run("FUNCTION", "LOAD", library("lib2", "F", "return 2")) ==
        "-ERR Function F already exists\r\n");
  CHECK(load(library("lib", "f", "return 2")) == bulk("lib"));
  CHECK(server.run("FCALL", "f", "0") == ":2\r\n");
  CHECK(server.run("FUNCTION", "LOAD", "x", library("lib", "f", "return 2")) ==
        "-ERR Unknown option given: x\r\n");
}

TEST_CASE("what a library is given while it loads is not what its functions see") {
  EngineFixture server;
  server.run("FUNCTION", "LOAD",
             "#!lua name=lib\nlocal api = redis\n"
             "redis.register_function('late', function() api.register_function('x', print) end)\n"
             "redis.register_function('nested', function() redis.register_function('x', 1) end)\n"
             "redis.register_function('change', function() api.x = 1 end)");
  CHECK(contains(server.run("FCALL", "late", "0"), "nonexistent global variable 'print'"));
  CHECK(contains(server.run("FCALL", "nested", "0"),
                 "attempt to call field 'register_function' (a nil value)"));
  CHECK(contains(server.run("FCALL", "change", "0"), "Attempt to modify a readonly table"));
  server.run("FUNCTION", "LOAD", "REPLACE",
             "#!lua name=lib\nlocal api = redis\nredis.register_function('late', function() "
             "api.register_function('x', function() end) end)");
  CHECK(contains(server.run("FCALL", "late", "0"), "can only be called on FUNCTION LOAD command"));
}

TEST_CASE("a library whose code does not end is given up") {
  EngineFixture::Options options;
  options.ticks = moving_ticks;
  EngineFixture server(options);
  CHECK(server.run("FUNCTION", "LOAD", "#!lua name=lib\nwhile true do end") ==
        "-ERR Error registering functions: ERR FUNCTION LOAD timeout\r\n");
  CHECK(server.run("FUNCTION", "LOAD", library("lib", "f", "return 1")) == bulk("lib"));
}

TEST_CASE("FUNCTION LIST and STATS tell what is there") {
  EngineFixture server;
  server.run("FUNCTION", "LOAD",
             "#!lua name=one\nredis.register_function{function_name='f', callback=function() end, "
             "description='what it does', flags={'no-writes', 'allow-oom'}}");
  server.run("FUNCTION", "LOAD", library("two", "g", "return 1"));
  CHECK(server.run("FUNCTION", "LIST", "LIBRARYNAME", "O*") ==
        "*1\r\n*6\r\n" + bulk("library_name") + bulk("one") + bulk("engine") + bulk("LUA") +
            bulk("functions") + "*1\r\n*6\r\n" + bulk("name") + bulk("f") + bulk("description") +
            bulk("what it does") + bulk("flags") + "*2\r\n+no-writes\r\n+allow-oom\r\n");
  CHECK(contains(server.run("FUNCTION", "LIST", "WITHCODE"), "library_code"));
  CHECK(server.run("FUNCTION", "LIST", "x") == "-ERR Unknown argument x\r\n");
  CHECK(server.run("FUNCTION", "LIST", "LIBRARYNAME") ==
        "-ERR library name argument was not given\r\n");
  CHECK(server.run("FUNCTION", "LIST", "WITHCODE", "WITHCODE") ==
        "-ERR Unknown argument WITHCODE\r\n");
  CHECK(server.run("FUNCTION", "STATS") ==
        "*4\r\n" + bulk("running_script") + "$-1\r\n" + bulk("engines") + "*2\r\n" + bulk("LUA") +
            "*4\r\n" + bulk("libraries_count") + ":2\r\n" + bulk("functions_count") + ":2\r\n");
  CHECK(server.run("FLUSHALL") == "+OK\r\n");
  CHECK(server.run("FCALL", "g", "0") == ":1\r\n");
  CHECK(server.run("FUNCTION", "DELETE", "two") == "+OK\r\n");
  CHECK(server.run("FUNCTION", "DELETE", "two") == "-ERR Library not found\r\n");
  CHECK(server.run("FCALL", "g", "0") == "-ERR Function not found\r\n");
  CHECK(server.run("FUNCTION", "FLUSH", "SYNC") == "+OK\r\n");
  CHECK(server.run("FUNCTION", "LIST") == "*0\r\n");
  CHECK(server.run("FUNCTION", "FLUSH", "x") ==
        "-ERR FUNCTION FLUSH only supports SYNC|ASYNC option\r\n");
  CHECK(server.run("FUNCTION", "FLUSH", "SYNC", "x") ==
        "-ERR unknown subcommand or wrong number of arguments for 'FLUSH'. Try FUNCTION HELP.\r\n");
}

TEST_CASE("a dump of the libraries restores them, by three policies") {
  EngineFixture server;
  server.run("FUNCTION", "LOAD", library("one", "f", "return 1"));
  server.run("FUNCTION", "LOAD", library("two", "g", "return 2"));
  const std::string payload = value_of(server.run("FUNCTION", "DUMP"));
  CHECK(static_cast<unsigned char>(payload[0]) == 245);
  const std::string exists = "-ERR Library one already exists\r\n";
  CHECK(server.run("FUNCTION", "RESTORE", payload) == exists);
  CHECK(server.run("FUNCTION", "RESTORE", payload, "APPEND") == exists);
  server.run("FUNCTION", "LOAD", "REPLACE", library("one", "f", "return 10"));
  CHECK(server.run("FUNCTION", "RESTORE", payload, "REPLACE") == "+OK\r\n");
  CHECK(server.run("FCALL", "f", "0") == ":1\r\n");
  server.run("FUNCTION", "LOAD", library("three", "h", "return 3"));
  CHECK(server.run("FUNCTION", "RESTORE", payload, "FLUSH") == "+OK\r\n");
  CHECK(server.run("FCALL", "h", "0") == "-ERR Function not found\r\n");
  CHECK(server.run("FCALL", "g", "0") == ":2\r\n");
  server.run("FUNCTION", "FLUSH");
  server.run("FUNCTION", "LOAD", library("other", "g", "return 20"));
  CHECK(server.run("FUNCTION", "RESTORE", payload, "REPLACE") ==
        "-ERR Function g already exists\r\n");
  CHECK(server.run("FCALL", "g", "0") == ":20\r\n");
  CHECK(server.run("FCALL", "f", "0") == "-ERR Function not found\r\n");
  CHECK(server.run("FUNCTION", "RESTORE", payload, "x").starts_with("-ERR Wrong restore policy"));
  const std::string wrong = "-ERR DUMP payload version or checksum are wrong\r\n";
  for (std::size_t n = 0; n < payload.size(); ++n)
    CHECK(server.run("FUNCTION", "RESTORE", payload.substr(0, n)) == wrong);
}

TEST_CASE("FUNCTION KILL ends a function that runs for long") {
  EngineFixture::Options options;
  options.config = {{"busy-reply-threshold", "10"}};
  options.ticks = moving_ticks;
  EngineFixture server(options);
  server.run("FUNCTION", "LOAD", library("lib", "f", "while true do end"));
  Session& other = server.open();
  server.while_busy = [&] {
    CHECK(server.run_as(other, "PING") ==
          "-BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN "
          "NOSAVE.\r\n");
    CHECK(server.run_as(other, "SCRIPT", "KILL").starts_with("-BUSY"));
    CHECK(contains(server.run_as(other, "FUNCTION", "STATS"), bulk("FCALL") + bulk("f")));
    CHECK(server.run_as(other, "FUNCTION", "KILL") == "+OK\r\n");
  };
  CHECK(server.run("FCALL", "f", "0")
            .starts_with("-ERR Script killed by user with FUNCTION KILL. script: f, on "));
  CHECK(server.run("FUNCTION", "KILL") == "-NOTBUSY No scripts in execution right now.\r\n");
}

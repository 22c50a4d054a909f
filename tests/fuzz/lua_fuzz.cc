// Any text as a script, and as the code of a library: it ends, when it is killed at the latest, its
// reply is one value of the protocol, and the interpreter goes on working.
#include <cstdint>
#include <memory>
#include <string>

#include "src/base/check.h"
#include "src/proto/reply_parser.h"
#include "tests/support/engine_fixture.h"

namespace {

using hearth::test::EngineFixture;

constexpr int kInputsPerServer = 200;

void check_is_whole(const std::string& reply) {
  hearth::ReplyParser parser;
  parser.feed(reply);
  const auto value = parser.next();
  HEARTH_CHECK(value && value->has_value() && parser.buffered() == 0);
}

std::unique_ptr<EngineFixture> make_server() {
  EngineFixture::Options o;
  static std::uint64_t ticks = 0;
  o.ticks = [] { return ticks += 1'000'000; };
  o.config = {{"busy-reply-threshold", "5"}};
  auto server = std::make_unique<EngineFixture>(o);
  server->while_busy = [engine = server.get()] { engine->engine().script_runs().abandon_script(); };
  return server;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static std::unique_ptr<EngineFixture> server;
  static int inputs = 0;
  if (!server || ++inputs % kInputsPerServer == 0) server = make_server();
  const std::string text(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 4096));
  server->session().resp = size % 2 == 0 ? 2 : 3;
  check_is_whole(server->run("EVAL", text, "2", "k1", "k2", "a1", "5"));
  check_is_whole(server->run("FUNCTION", "LOAD", "REPLACE", "#!lua name=l\n" + text));
  HEARTH_CHECK(server->run("EVAL", "return 1", "0") == ":1\r\n");
  server->run("SCRIPT", "FLUSH");
  server->run("FLUSHALL");
  return 0;
}

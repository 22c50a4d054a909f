// Whatever a user sends who has the right to some keys, the data under the others stays as it is.
// The first byte says whether the rest are bytes of a connection, or choices of a generator of
// requests whose words are displaced.
#include <cstdint>
#include <memory>
#include <string>

#include "src/base/check.h"
#include "src/proto/request_parser.h"
#include "tests/support/command_generator.h"
#include "tests/support/engine_fixture.h"

namespace {

using namespace hearth;
using hearth::test::EngineFixture;

constexpr int kRequestsMost = 64;
constexpr int kInputsPerServer = 200;
constexpr const char* kForbidden[] = {"s2", "s3", "h2", "l2", "t2", "z2", "x2", "none"};

class World {
 public:
  World() : server_(options()) {
    server_.while_busy = [this] { server_.engine().script_runs().abandon_script(); };
    // All commands but those that are about all keys, the server or other users.
    server_.run("ACL", "SETUSER", "default", "resetpass", ">secret");
    server_.run("ACL", "SETUSER", "ann", "on", ">ann", "~?1", "+@all", "-@dangerous", "-@admin",
                "+sort", "+sort_ro", "+migrate", "+restore", "-acl", "-config", "-swapdb",
                "-flushdb", "-flushall");
  }
  void start() {
    if (session_ != nullptr) server_.engine().close(*session_);
    server_.run("SELECT", "0");
    server_.run("FLUSHALL");
    server_.run("SET", "s2", "text");
    server_.run("SET", "s3", "12");
    server_.run("HSET", "h2", "f", "v");
    server_.run("RPUSH", "l2", "a", "b");
    server_.run("SADD", "t2", "a");
    server_.run("ZADD", "z2", "1", "a");
    server_.run("XADD", "x2", "1-1", "f", "v");
    server_.run("XGROUP", "CREATE", "x2", "g1", "0");
    server_.run("RPUSH", "l1", "3", "1", "2");
    server_.run("GEOADD", "z1", "13.36", "38.11", "a", "15.08", "37.5", "b");
    server_.run("XADD", "x1", "1-1", "f", "v");
    before_ = forbidden();
    session_ = &server_.open();
    server_.run_as(*session_, "AUTH", "ann", "ann");
  }
  // False once the connection is to be closed.
  bool run(const std::vector<std::string_view>& argv) {
    session_->deny_blocking = true;
    server_.engine().execute(*session_, argv);
    EngineFixture::take(*session_);
    HEARTH_CHECK(forbidden() == before_);
    return !session_->close_now && !session_->close_after_reply && !session_->is_waiting();
  }
  EngineFixture& server() { return server_; }

 private:
  static EngineFixture::Options options() {
    EngineFixture::Options o;
    static std::uint64_t ticks = 0;
    o.ticks = [] { return ticks += 1'000'000; };
    o.config = {{"enable-debug-command", "yes"}, {"busy-reply-threshold", "5"}};
    return o;
  }
  std::string forbidden() {
    std::string all;
    for (const char* key : kForbidden) all += server_.run("DEBUG", "DIGEST-VALUE", key);
    return all;
  }

  EngineFixture server_;
  Session* session_ = nullptr;
  std::string before_;
};

void run_bytes(World& world, std::string_view input) {
  RequestParser parser;
  const ParserLimits limits{1 << 20, 1 << 16, 64 * 1024, true};
  for (int n = 0; n < kRequestsMost; ++n) {
    std::vector<std::string_view> argv;
    std::size_t consumed = 0;
    if (parser.next(input, limits, argv, consumed) != RequestParser::Status::kRequest) return;
    if (!argv.empty() && !world.run(argv)) return;
    input.remove_prefix(consumed);
  }
}

void run_choices(World& world, std::span<const std::uint8_t> bytes) {
  test::ByteChoices choices(bytes);
  test::GeneratorScope scope;
  scope.displaces_one_of = 2;
  scope.takes_too = [](const Command& command) { return !command.spec->keys.empty(); };
  test::CommandGenerator generator(world.server().table(), choices, world.server().now(), scope);
  for (int n = 0; n < kRequestsMost && !choices.exhausted(); ++n) {
    const std::vector<std::string> words = generator.next();
    if (!world.run({words.begin(), words.end()})) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static std::unique_ptr<World> world;
  static int inputs = 0;
  if (size == 0) return 0;
  if (!world || ++inputs % kInputsPerServer == 0) world = std::make_unique<World>();
  world->start();
  const std::span<const std::uint8_t> rest(data + 1, std::min<std::size_t>(size - 1, 4096));
  if (data[0] % 2 == 0)
    run_bytes(*world, {reinterpret_cast<const char*>(rest.data()), rest.size()});
  else
    run_choices(*world, rest);
  return 0;
}

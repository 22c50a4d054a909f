// Applications' client libraries against the server, alone and as a cluster. What each does stands
// in tests/system/clients; ioredis and node-redis come from npm (`tests/run` installs them where
// npm can), redis-py from Debian.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/system/peers.h"

using namespace hearth::test;

namespace {

constexpr const char* kFolder = HEARTH_SOURCE_DIR "/tests/system/clients/";

// Runs a client's script; its output is shown if it fails.
void check_client(const std::vector<std::string>& command,
                  const std::vector<std::string>& more = {}) {
  const auto alone = start_peer(hearth_server());
  const Nodes nodes = start_cluster({hearth_server(), hearth_server(), hearth_server()});
  std::vector<std::string> words = command;
  words.insert(words.end(), {std::to_string(alone->port()), std::to_string(nodes[0]->port())});
  words.insert(words.end(), more.begin(), more.end());
  words.insert(words.begin(), {"timeout", "90"});
  const auto done = run_command(words);
  CAPTURE(done.out);
  CAPTURE(done.err);
  CHECK(done.exit_code == 0);
  CHECK(done.out.find("ok cluster\n") != std::string::npos);
  CHECK(keys_in(nodes) == 300);
}

bool has_node_module(const std::string& name) {
  if (find_program("node") && std::filesystem::exists(kFolder + ("node_modules/" + name)))
    return true;
  MESSAGE("skipped: " << name << " is not installed (npm ci --prefix tests/system/clients)");
  return false;
}

}  // namespace

TEST_CASE("ioredis does its ordinary things") {
  if (has_node_module("ioredis")) check_client({"node", kFolder + std::string("ioredis.mjs")});
}

TEST_CASE("node-redis does its ordinary things in both protocols") {
  if (!has_node_module("redis")) return;
  check_client({"node", kFolder + std::string("node_redis.mjs")}, {"2"});
  check_client({"node", kFolder + std::string("node_redis.mjs")}, {"3"});
}

TEST_CASE("redis-py does its ordinary things") {
  if (run_command({"/usr/bin/python3", "-c", "import redis"}).exit_code != 0) {
    MESSAGE("skipped: python3-redis is not installed");
    return;
  }
  check_client({"/usr/bin/python3", kFolder + std::string("redis_py.py")});
}

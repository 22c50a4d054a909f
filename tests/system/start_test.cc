// How a server starts and ends: with what it finds on its disk, and with what it can't have.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/system/peers.h"

using namespace hearth::test;

namespace {

struct BadStart {
  const char* name;
  std::function<void(const TempDir&)> prepare;
  std::vector<std::string> config;
};

// A server that is not expected to come up.
std::unique_ptr<ChildProcess> launch(const TempDir& dir, const std::vector<std::string>& config,
                                     int port = free_port()) {
  std::string text = "port " + std::to_string(port) + "\nbind 127.0.0.1\ndir " + dir.path() + "\n";
  for (const auto& line : config) text += line + "\n";
  return std::make_unique<ChildProcess>(
      std::vector<std::string>{hearth_server().binary, dir.write("server.conf", text)},
      dir.file("log"), dir.file("log"));
}

void make_folder(const TempDir& dir, const std::string& name) {
  std::filesystem::create_directory(dir.file(name));
}

std::vector<BadStart> bad_starts() {
  const auto log_with = [](std::string manifest, std::string base) {
    return [manifest = std::move(manifest), base = std::move(base)](const TempDir& dir) {
      make_folder(dir, "appendonlydir");
      dir.write("appendonlydir/appendonly.aof.manifest", manifest);
      dir.write("appendonlydir/base", base);
    };
  };
  const std::string manifest = "file base seq 1 type b\n";
  return {
      {"a snapshot that is none", [](const TempDir& d) { d.write("dump.rdb", "no snapshot"); }, {}},
      {"a snapshot that ends early",
       [](const TempDir& d) { d.write("dump.rdb", "REDIS0011"); },
       {}},
      {"a snapshot that is a folder", [](const TempDir& d) { make_folder(d, "dump.rdb"); }, {}},
      {"a damaged log", log_with(manifest, "no log"), {"appendonly yes"}},
      {"a log that ends early",
       log_with(manifest, "*2\r\n$3\r\nGET"),
       {"appendonly yes", "aof-load-truncated no"}},
      {"a damaged manifest", log_with("nonsense\n", ""), {"appendonly yes"}},
      {"a damaged manifest of a log that is off", log_with("nonsense\n", ""), {}},
      {"a manifest that names what is not there",
       log_with("file other seq 1 type b\n", ""),
       {"appendonly yes"}},
      {"a folder for the log that is a file",
       [](const TempDir& d) { d.write("appendonlydir", ""); },
       {"appendonly yes"}},
      {"damaged users",
       [](const TempDir& d) { d.write("users", "user x ~* nonsense\n"); },
       {"aclfile users"}},
      {"a socket where none can be", {}, {"unixsocket nowhere/socket"}},
      {"a damaged nodes.conf",
       [](const TempDir& d) { d.write("nodes.conf", "nonsense\n"); },
       {"cluster-enabled yes"}},
      {"a bus port that is taken by the server itself", {}, {"cluster-enabled yes"}},
      {"a command that is not there", {}, {"rename-command nothing GET"}},
  };
}

}  // namespace

TEST_CASE("a start that fails ends the process at once with status 1 and says why") {
  for (const char* transport : {"io-uring yes", "io-uring no"}) {
    for (const BadStart& bad : bad_starts()) {
      CAPTURE(transport);
      CAPTURE(bad.name);
      const TempDir dir;
      if (bad.prepare) bad.prepare(dir);
      std::vector<std::string> config = bad.config;
      config.emplace_back(transport);
      config.push_back("pidfile " + dir.file("pid"));
      const int port = free_port();
      if (std::string_view(bad.name).starts_with("a bus port"))
        config.push_back("cluster-port " + std::to_string(port));
      const auto server = launch(dir, config, port);
      const auto status = server->wait(milliseconds{10'000});
      REQUIRE_MESSAGE(status.has_value(), dir.read("log"));
      CHECK_MESSAGE(*status == 1, dir.read("log"));
      CHECK(dir.read("log").size() > 40);
      CHECK_FALSE(std::filesystem::exists(dir.file("pid")));
    }
  }
}

TEST_CASE("a second server on a port that is taken ends, and leaves the first one's pid file") {
  const auto dir = std::make_shared<TempDir>();
  const auto first = start_peer(hearth_server(), {"pidfile " + dir->file("pid")});
  const std::string pid = dir->read("pid");
  CHECK(pid == std::to_string(first->process().pid()) + "\n");
  const auto second = launch(*dir, {"pidfile " + dir->file("pid")}, first->port());
  CHECK(second->wait(milliseconds{10'000}) == 1);
  CHECK(dir->read("pid") == pid);
  CHECK(first->run({"PING"}) == "PONG");
  CHECK(first->process().stop(SIGTERM) == 0);
  CHECK_FALSE(std::filesystem::exists(dir->file("pid")));
}

TEST_CASE("SIGTERM while the data is loaded ends the server with status 0 and keeps the data") {
  for (const bool log : {false, true}) {
    CAPTURE(log);
    const auto dir = std::make_shared<TempDir>();
    const std::vector<std::string> config =
        log ? std::vector<std::string>{"appendonly yes", "aof-use-rdb-preamble no"}
            : std::vector<std::string>{};
    {
      const auto server = ServerProcess::start({hearth_server().binary, config, {}, dir});
      REQUIRE(server != nullptr);
      const auto client = server->client();
      for (int i = 0; i < 2000; ++i)
        REQUIRE(client->text({"SET", "key" + std::to_string(i), std::string(100, 'v')}) == "OK");
      if (!log) REQUIRE(client->text({"SAVE"}) == "OK");
      CHECK(server->process().stop(SIGTERM) == 0);
    }
    std::vector<std::string> slow = config;
    slow.insert(slow.end(),
                {"key-load-delay 2000", "loading-process-events-interval-bytes 1024", "save \"\""});
    const int port = free_port();
    const auto loading = launch(*dir, slow, port);
    REQUIRE(eventually([&] {
      RespClient probe(port);
      return probe.is_connected() && probe.text({"PING"}).starts_with("-LOADING");
    }));
    loading->send(SIGTERM);
    CHECK(loading->wait(milliseconds{10'000}) == 0);
    const auto again = ServerProcess::start({hearth_server().binary, config, {}, dir});
    REQUIRE(again != nullptr);
    CHECK(again->run({"DBSIZE"}) == "2000");
  }
}

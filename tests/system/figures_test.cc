// The figures of INFO that only real servers move: see tests/support/figures_elsewhere.h.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <span>

#include "tests/support/figures_elsewhere.h"
#include "tests/system/peers.h"

using namespace hearth::test;

namespace {

// The figures of INFO, look by look.
class Observed {
 public:
  explicit Observed(const ServerProcess& server) : server_(server) { look(); }
  // Fields by name; of a replica's line, "slave".
  std::map<std::string, std::string>& look() {
    const std::string text = server_.run({"INFO", "everything"});
    now_.clear();
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find("\r\n", at), text.size());
      const std::string line = text.substr(at, end - at);
      at = end + 2;
      const std::size_t colon = line.find(':');
      if (colon == std::string::npos) continue;
      const std::string name = line.starts_with("slave0:") ? "slave" : line.substr(0, colon);
      now_[name] = line.substr(colon + 1);
      const auto [first, is_new] = first_.emplace(name, now_[name]);
      if (is_new ? looks_ > 0 : first->second != now_[name]) moved_.insert(name);
    }
    ++looks_;
    return now_;
  }
  [[nodiscard]] bool has_moved(std::string_view name) const {
    return moved_.contains(std::string(name));
  }

 private:
  const ServerProcess& server_;
  std::map<std::string, std::string> first_, now_;
  std::set<std::string> moved_;
  int looks_ = 0;
};

// Does something and looks, until all of them have moved at one server or the other.
void check_all_move(std::span<const std::string_view> names, std::vector<Observed*> servers,
                    const std::function<void()>& step) {
  const auto missing = [&] {
    std::string text;
    step();
    for (Observed* server : servers) server->look();
    for (const std::string_view name : names) {
      if (std::none_of(servers.begin(), servers.end(),
                       [&](const Observed* server) { return server->has_moved(name); })) {
        text += std::string(name) + " ";
      }
    }
    return text;
  };
  static_cast<void>(eventually([&] { return missing().empty(); }));
  CHECK(missing() == "");
}

}  // namespace

TEST_CASE("clients over sockets move the figures of traffic and of limits") {
  const auto server =
      start_peer(hearth_server(), {"maxclients 8", "client-query-buffer-limit 1mb"});
  Observed observed(*server);
  {
    const auto greedy = server->client();
    greedy->send_raw("*2\r\n$3\r\nGET\r\n$3000000\r\n" + std::string(2'000'000, 'x'));
    static_cast<void>(greedy->read());
  }
  {
    std::vector<std::unique_ptr<RespClient>> clients;
    for (int i = 0; i < 12; ++i) clients.push_back(server->client());
    CHECK(clients.back()->text({"PING"}) != "PONG");
  }
  const auto traffic = [&] {
    server->run({"SET", "k", std::string(100'000, 'x')});
    server->run({"GET", "k"});
  };
  REQUIRE(eventually([&] { return server->run({"PING"}) == "PONG"; }));
  check_all_move(kFiguresOfSockets, {&observed}, traffic);
  if (observed.look().at("mem_allocator").starts_with("jemalloc"))
    check_all_move(kFiguresOfJemalloc, {&observed}, traffic);
}

TEST_CASE("a primary and its replica move the figures of replication") {
  const auto primary =
      start_peer(hearth_server(), {"repl-diskless-sync no", "min-replicas-to-write 1",
                                   "enable-debug-command yes", "repl-backlog-size 1mb"});
  const auto replica = start_peer(hearth_server(), {"key-load-delay 20"});
  Observed at_primary(*primary), at_replica(*replica);
  primary->run({"DEBUG", "POPULATE", "30000", "key", "1000"});
  const auto follow = [&] {
    REQUIRE(replica->run({"REPLICAOF", "127.0.0.1", std::to_string(primary->port())}) == "OK");
  };
  const auto is_up = [&] { return at_replica.look()["master_link_status"] == "up"; };
  follow();
  REQUIRE(eventually(is_up));
  primary->run({"CLIENT", "KILL", "TYPE", "replica"});  // it goes on where it stood
  REQUIRE(eventually([&] { return at_primary.look()["sync_partial_ok"] == "1"; }));
  const auto sync_anew = [&] {
    replica->run({"REPLICAOF", "NO", "ONE"});
    at_replica.look();
    replica->run({"SET", "own", "v"});
    primary->run({"DEBUG", "CHANGE-REPL-ID"});
    follow();
    REQUIRE(eventually(is_up));
  };
  sync_anew();
  check_all_move(kFiguresOfTwoServers, {&at_primary, &at_replica}, [&] {
    primary->run({"SET", "k", std::string(20'000, 'x')});
    // A fast machine may have received the snapshot between two looks.
    if (!at_replica.has_moved("master_sync_perc")) sync_anew();
  });
}

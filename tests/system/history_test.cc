// Histories of concurrent clients of a cluster whose nodes stop, die, go deaf and are parted from
// each other. Every key is a register, and no read or acknowledged write may contradict another:
// min-replicas-to-ack promises that. A write without a reply may be seen and be gone again, and so
// it is left out.
#include <doctest/doctest.h>

#include <csignal>
#include <set>
#include <thread>

#include "src/base/random.h"
#include "tests/support/history.h"
#include "tests/support/own_network.h"
#include "tests/system/cluster_peers.h"

using namespace hearth;
using namespace hearth::test;

namespace {

constexpr int kNodeTimeoutMs = 1'000;
constexpr int kReplyLimitMs = 700;
constexpr std::size_t kClients = 4;
constexpr std::size_t kKeys = 9;

// HEARTH_ROUNDS=20 tries longer.
int rounds() {
  const char* wanted = std::getenv("HEARTH_ROUNDS");
  return wanted == nullptr ? 1 : std::max(1, std::atoi(wanted));
}

std::string key_of(std::size_t i) { return "register:" + std::to_string(i); }

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// One of the concurrent clients. It asks whatever node it believes in, and so also one that should
// not answer any more.
class HistoryClient {
 public:
  HistoryClient(std::vector<std::pair<std::string, int>> addresses, std::size_t number)
      : addresses_(std::move(addresses)), number_(number), rng_(number + 1) {
    thread_ = std::thread([this] { work(); });
  }
  ~HistoryClient() { stop(); }
  HistoryClient(const HistoryClient&) = delete;
  HistoryClient& operator=(const HistoryClient&) = delete;

  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] long long writes() const { return writes_; }
  // After `stop`: by key.
  [[nodiscard]] const std::vector<RegisterAccess>& seen(std::size_t key) const {
    return seen_[key];
  }

 private:
  void work() {
    while (!stop_) {
      const std::size_t key = rng_.below(kKeys);
      // Any other node is asked now and then, as by a client with an old map.
      if (rng_.chance(0.02)) owner_[key] = rng_.below(addresses_.size());
      access(key, rng_.chance(0.5));
      // A client has other things to do.
      std::this_thread::sleep_for(std::chrono::microseconds{500});
    }
  }

  void access(std::size_t key, bool is_write) {
    RegisterAccess access;
    access.is_write = is_write;
    if (is_write) access.value = ++count_ * static_cast<long long>(kClients + 1) + number_value();
    for (int hops = 0; hops < 3; ++hops) {
      access.begun = now_us();
      const std::string reply =
          ask(owner_[key],
              is_write ? std::vector<std::string>{"SET", key_of(key), std::to_string(access.value)}
                       : std::vector<std::string>{"GET", key_of(key)});
      access.ended = now_us();
      if (reply.starts_with("-MOVED ")) {
        if (!follow(key, reply)) return;
        continue;
      }
      return note(key, access, reply);
    }
  }

  void note(std::size_t key, RegisterAccess access, const std::string& reply) {
    const bool is_error = reply.starts_with("-") || reply == "(closed)";
    if (is_error) owner_[key] = rng_.below(addresses_.size());
    if (access.is_write) {
      const bool is_refused = reply.starts_with("-CLUSTERDOWN") || reply.starts_with("-READONLY") ||
                              reply.starts_with("-LOADING");
      if (is_refused) return;
      access.is_open = is_error;
      writes_ += is_error ? 0 : 1;
    } else {
      if (is_error) return;
      access.value = reply == "(nil)" ? 0 : std::atoll(reply.c_str());
    }
    seen_[key].push_back(access);
  }

  bool follow(std::size_t key, const std::string& moved) {
    const std::string to = moved.substr(moved.rfind(' ') + 1);
    for (std::size_t i = 0; i < addresses_.size(); ++i) {
      if (addresses_[i].first + ":" + std::to_string(addresses_[i].second) != to) continue;
      owner_[key] = i;
      return true;
    }
    return false;
  }

  std::string ask(std::size_t node, const std::vector<std::string>& command) {
    auto& link = links_[node];
    if (!link || !link->is_connected())
      link = std::make_unique<RespClient>(addresses_[node].second, addresses_[node].first);
    std::string reply = link->is_connected() ? link->text(command, kReplyLimitMs) : "(closed)";
    if (reply == "(closed)") link.reset();
    return reply;
  }

  [[nodiscard]] long long number_value() const { return static_cast<long long>(number_) + 1; }

  const std::vector<std::pair<std::string, int>> addresses_;
  const std::size_t number_;
  Rng rng_;
  long long count_ = 0;
  std::map<std::size_t, std::unique_ptr<RespClient>> links_;
  std::size_t owner_[kKeys] = {};
  std::vector<RegisterAccess> seen_[kKeys];
  std::atomic<long long> writes_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

void drop_unacknowledged(std::vector<RegisterAccess>& accesses) {
  std::set<long long> open;
  for (const auto& access : accesses) {
    if (access.is_open) open.insert(access.value);
  }
  std::erase_if(accesses,
                [&](const RegisterAccess& access) { return open.contains(access.value); });
}

// Three primaries and three replicas, and clients at work.
class HistoryScene {
 public:
  // `hosts`: of the six nodes, with the words that start a program there; empty: this machine.
  struct Host {
    std::string ip = "127.0.0.1";
    std::vector<std::string> launcher{};
  };
  explicit HistoryScene(std::vector<Host> hosts = std::vector<Host>(6)) : hosts_(std::move(hosts)) {
    for (std::size_t i = 0; i < hosts_.size(); ++i) start(i);
    for (std::size_t i = 0; i < 3; ++i) {
      REQUIRE(nodes[i]->run({"CLUSTER", "ADDSLOTSRANGE", std::to_string(16384 * i / 3),
                             std::to_string(16384 * (i + 1) / 3 - 1)}) == "OK");
      REQUIRE(nodes[i]->run({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)}) == "OK");
    }
    for (std::size_t i = 1; i < nodes.size(); ++i) {
      REQUIRE(nodes[0]->run(
                  {"CLUSTER", "MEET", nodes[i]->host(), std::to_string(nodes[i]->port())}) == "OK");
    }
    REQUIRE(eventually([&] { return is_cluster_ok(nodes, nodes.size()); }));
    for (std::size_t i = 3; i < nodes.size(); ++i)
      REQUIRE(nodes[i]->run({"CLUSTER", "REPLICATE", nodes[i - 3]->run({"CLUSTER", "MYID"})}) ==
              "OK");
    REQUIRE(is_well());
    std::vector<std::pair<std::string, int>> addresses;
    for (const auto& node : nodes) addresses.emplace_back(node->host(), node->port());
    for (std::size_t i = 0; i < kClients; ++i)
      clients.push_back(std::make_unique<HistoryClient>(addresses, i));
  }

  // Every primary has a replica that has all.
  bool is_well() {
    return eventually(
        [&] {
          std::size_t replicas = 0;
          for (const auto& node : nodes)
            replicas += is_synced(*node) && is_replica_to_all(nodes, *node) ? 1 : 0;
          return replicas == 3 && is_cluster_ok(nodes, nodes.size());
        },
        milliseconds{60'000});
  }
  // Whether writes of each client get through from now on. Those to a shard without its replica do
  // not.
  bool is_served() {
    std::vector<long long> before;
    for (const auto& client : clients) before.push_back(client->writes());
    return eventually(
        [&] {
          for (std::size_t i = 0; i < clients.size(); ++i) {
            if (clients[i]->writes() < before[i] + 8) return false;
          }
          return true;
        },
        milliseconds{30'000});
  }
  std::size_t some_primary() {
    for (;;) {
      const std::size_t i = rng.below(nodes.size());
      if (primary_port(*nodes[i]) == 0) return i;
    }
  }
  // Whether another node owns what node `i` owned.
  bool is_replaced(std::size_t i) { return is_replaced(i, {i}); }
  // As those see it that are not in the minority.
  bool is_replaced(std::size_t i, const std::vector<std::size_t>& minority) {
    const std::string address = nodes[i]->address();
    std::size_t other = 0;
    while (std::find(minority.begin(), minority.end(), other) != minority.end()) ++other;
    return eventually(
        [&] {
          const std::string text = nodes[other]->run({"CLUSTER", "NODES"});
          const std::size_t at = text.find(address + "@");
          const std::string line = text.substr(at, text.find('\n', at) - at);
          return line.find("fail ") != std::string::npos || line.find("slave") != std::string::npos;
        },
        milliseconds{20'000});
  }
  void start(std::size_t i) {
    ServerOptions options{.binary = hearth_server().binary, .may_be_loading = true};
    options.config = {"save \"\"",
                      "appendonly no",
                      "cluster-enabled yes",
                      "cluster-node-timeout " + std::to_string(kNodeTimeoutMs),
                      "repl-diskless-sync-delay 0",
                      "enable-debug-command yes",
                      "protected-mode no",
                      "min-replicas-to-ack 1",
                      "min-replicas-to-ack-timeout 200"};
    options.host = hosts_[i].ip;
    options.launcher = hosts_[i].launcher;
    if (i < nodes.size()) {
      options.port = nodes[i]->port();
      options.dir = nodes[i]->dir();
      nodes[i] = ServerProcess::start(options);
      REQUIRE(nodes[i] != nullptr);
    } else {
      nodes.push_back(ServerProcess::start(options));
      REQUIRE(nodes.back() != nullptr);
    }
  }
  // No key's history contradicts itself. Returns how many accesses there were.
  std::size_t check() {
    for (const auto& client : clients) client->stop();
    std::size_t count = 0;
    for (std::size_t key = 0; key < kKeys; ++key) {
      std::vector<RegisterAccess> all;
      for (const auto& client : clients)
        all.insert(all.end(), client->seen(key).begin(), client->seen(key).end());
      count += all.size();
      drop_unacknowledged(all);
      const std::string contradiction = contradiction_in(all);
      INFO(key_of(key), logs_of(nodes));
      CHECK(contradiction == "");
    }
    return count;
  }

  Rng rng{20261201};
  Nodes nodes;
  std::vector<std::unique_ptr<HistoryClient>> clients;

 private:
  std::vector<Host> hosts_;
};

}  // namespace

TEST_CASE("no history contradicts itself while primaries stop, die and hear nothing") {
  HistoryScene scene;
  REQUIRE(scene.is_served());
  for (int round = 0; round < rounds(); ++round) {
    // Stopped for long enough to be replaced, then awake again, with requests waiting for it.
    std::size_t primary = scene.some_primary();
    scene.nodes[primary]->process().send(SIGSTOP);
    CHECK(scene.is_replaced(primary));
    CHECK(scene.is_served());
    scene.nodes[primary]->process().send(SIGCONT);
    REQUIRE(scene.is_well());

    primary = scene.some_primary();
    scene.nodes[primary]->process().stop(SIGKILL);
    // Back at once, without data: it must not serve what it does not have.
    const bool is_back_at_once = round % 2 == 0;
    if (is_back_at_once) scene.start(primary);
    CHECK(scene.is_served());
    if (!is_back_at_once) scene.start(primary);
    REQUIRE(scene.is_well());

    // It hears nobody, but is heard and reached by clients.
    primary = scene.some_primary();
    REQUIRE(scene.nodes[primary]->run({"DEBUG", "DROP-CLUSTER-PACKET-FILTER", "-2"}) == "OK");
    CHECK(scene.is_replaced(primary));
    CHECK(scene.is_served());
    REQUIRE(scene.nodes[primary]->run({"DEBUG", "DROP-CLUSTER-PACKET-FILTER", "-1"}) == "OK");
    REQUIRE(scene.is_well());
  }
  CHECK(scene.check() > 1'000);
}

TEST_CASE("no history contradicts itself while the network parts the nodes") {
  constexpr std::size_t kNodes = 6;
  const auto network = OwnNetwork::make(kNodes);
  if (network == nullptr) {
    MESSAGE("skipped: this user may not make network namespaces, or there is no `ip`");
    return;
  }
  std::vector<HistoryScene::Host> hosts;
  for (std::size_t i = 0; i < kNodes; ++i) hosts.push_back({network->address(i), network->on(i)});
  HistoryScene scene(std::move(hosts));
  REQUIRE(scene.is_served());
  // Clients reach every node all the time, and ask the ones that are cut off, too.
  const auto part = [&](const std::vector<std::size_t>& some, bool apart) {
    for (std::size_t i = 0; i < kNodes; ++i) {
      if (std::find(some.begin(), some.end(), i) != some.end()) continue;
      for (const std::size_t one : some)
        REQUIRE((apart ? network->part(one, i) : network->join(one, i)));
    }
  };
  for (int round = 0; round < rounds(); ++round) {
    const bool with_other = round % 2 == 0;
    const std::size_t primary = scene.some_primary();
    std::vector<std::size_t> minority{primary};
    // A replica that cannot stand for anybody goes with it.
    for (std::size_t i = 0; with_other && minority.size() < 2; ++i) {
      const int port = primary_port(*scene.nodes[i]);
      if (port != 0 && port != scene.nodes[primary]->port()) minority.push_back(i);
    }
    part(minority, true);
    CHECK(scene.is_replaced(primary, minority));
    CHECK(scene.is_served());
    part(minority, false);
    REQUIRE(scene.is_well());
  }
  CHECK(scene.check() > 500);
}

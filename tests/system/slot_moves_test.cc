// Slots move as a whole between real nodes while clients write, and while nodes are killed.
#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <map>
#include <thread>

#include "cluster/model/slot.h"
#include "tests/system/peers.h"

using namespace hearth;
using namespace hearth::test;

namespace {

std::unique_ptr<ServerProcess> start_node(int port = 0, std::shared_ptr<TempDir> dir = nullptr) {
  ServerOptions options{.binary = hearth_server().binary};
  options.config = {"save \"\"",
                    "appendonly yes",
                    "appendfsync no",
                    "cluster-enabled yes",
                    "cluster-node-timeout 2000",
                    "cluster-require-full-coverage no",
                    "cluster-allow-replica-migration no"};
  options.port = port;
  options.dir = std::move(dir);
  auto node = ServerProcess::start(options);
  REQUIRE(node != nullptr);
  return node;
}

// The first has all slots.
Nodes start_nodes(std::size_t count) {
  Nodes nodes;
  for (std::size_t i = 0; i < count; ++i) nodes.push_back(start_node());
  REQUIRE(nodes[0]->run({"CLUSTER", "ADDSLOTSRANGE", "0", "16383"}) == "OK");
  for (std::size_t i = 0; i < count; ++i) {
    REQUIRE(nodes[i]->run({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)}) == "OK");
    if (i == 0) continue;
    REQUIRE(nodes[0]->run({"CLUSTER", "MEET", "127.0.0.1", std::to_string(nodes[i]->port())}) ==
            "OK");
  }
  REQUIRE(eventually([&] { return is_cluster_ok(nodes, count); }, milliseconds{30'000}));
  return nodes;
}

std::string id_of(const ServerProcess& node) { return node.run({"CLUSTER", "MYID"}); }

// A field of the node's latest move: "state", "message" ...
std::string latest(const ServerProcess& node, const std::string& field) {
  const auto reply = node.client()->run({"CLUSTER", "GETSLOTMIGRATIONS"});
  if (!reply || reply->items().empty()) return {};
  const RespValue* value = reply->items().back().find(field);
  return value == nullptr ? std::string() : RespClient::as_text(*value);
}

bool reaches(const ServerProcess& node, const std::string& state) {
  return eventually([&] { return latest(node, "state") == state; }, milliseconds{60'000});
}

// The node knows of so many moves, and all of them succeeded.
bool all_succeed(const ServerProcess& node, std::size_t count) {
  return eventually(
      [&] {
        const auto reply = node.client()->run({"CLUSTER", "GETSLOTMIGRATIONS"});
        if (!reply || reply->items().size() != count) return false;
        for (const RespValue& move : reply->items()) {
          const RespValue* state = move.find("state");
          if (state == nullptr || !state->is_text("success")) return false;
        }
        return true;
      },
      milliseconds{60'000});
}

std::string migrate(const ServerProcess& from, const std::string& first, const std::string& last,
                    const std::string& target) {
  return from.run({"CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", first, last, "NODE", target});
}

// So many keys of a KiB, on a node that owns all slots.
void fill(const ServerProcess& node, int keys) {
  auto client = node.client();
  const std::string value(1024, 'v');
  for (int i = 0; i < keys; i += 1000) {
    for (int k = i; k < i + 1000; ++k)
      REQUIRE(client->send({"SET", "k" + std::to_string(k), value}));
    for (int k = 0; k < 1000; ++k) REQUIRE(RespClient::as_text(*client->read()) == "OK");
  }
}

// Counts up keys, one after the other. No answer is doubtful as long as no node is killed, so each
// counter is exactly what was acknowledged.
class Writer {
 public:
  Writer(const Nodes& nodes, int number) : number_(number) {
    for (const auto& node : nodes) ports_.push_back(node->port());
    thread_ = std::thread([this] {
      for (std::size_t i = 0; !stop_; i = (i + 1) % kKeys) count_up(i);
    });
  }
  ~Writer() { stop(); }
  void stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] long long acknowledged() const { return total_; }
  // After stop().
  [[nodiscard]] std::string difference() {
    for (std::size_t i = 0; i < kKeys; ++i) {
      const std::string held = run(key(i), {"GET", key(i)});
      if (done_[i] != (held == "(nil)" ? 0 : std::atoll(held.c_str())))
        return key(i) + " is " + held + ", acknowledged were " + std::to_string(done_[i]);
    }
    return failure_;
  }

 private:
  static constexpr std::size_t kKeys = 100;
  [[nodiscard]] std::string key(std::size_t i) const {
    return "counter:" + std::to_string(number_) + ":" + std::to_string(i);
  }
  void count_up(std::size_t i) {
    const std::string reply = run(key(i), {"INCR", key(i)});
    if (std::atoll(reply.c_str()) == done_[i] + 1) {
      ++done_[i];
      ++total_;
    } else if (failure_.empty()) {
      failure_ = key(i) + " after " + std::to_string(done_[i]) + ": " + reply;
    }
  }
  std::string run(const std::string& key, const std::vector<std::string>& args) {
    int& port = owners_.try_emplace(cluster::slot_of(key), ports_[0]).first->second;
    std::string reply;
    for (int hops = 0; hops < 5; ++hops) {
      auto& client = clients_[port];
      if (client == nullptr) client = std::make_unique<RespClient>(port);
      reply = client->text(args);
      if (!reply.starts_with("-MOVED ")) break;
      port = std::stoi(reply.substr(reply.rfind(':') + 1));
    }
    return reply;
  }

  int number_;
  std::vector<int> ports_;
  std::map<Slot, int> owners_;
  std::map<int, std::unique_ptr<RespClient>> clients_;
  long long done_[kKeys] = {};
  std::string failure_;
  std::atomic<long long> total_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

void check_by_cli(const ServerProcess& node) {
  if (!find_program("redis-cli")) return;
  ChildProcess cli({*find_program("redis-cli"), "--cluster", "check", node.address()}, "/dev/null",
                   "/dev/null");
  CHECK(cli.wait(milliseconds{20'000}) == 0);
}

}  // namespace

TEST_CASE("slots go there and back under writes, and each write is there exactly once") {
  Nodes nodes = start_nodes(3);
  fill(*nodes[0], 10'000);
  std::vector<std::unique_ptr<Writer>> writers;
  for (int i = 0; i < 3; ++i) writers.push_back(std::make_unique<Writer>(nodes, i));
  for (int round = 0; round < 2; ++round) {
    CAPTURE(round);
    CHECK(nodes[0]->run({"CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", "0", "4000", "5000", "8191",
                         "NODE", id_of(*nodes[1]), "SLOTSRANGE", "8192", "9000", "NODE",
                         id_of(*nodes[2])}) == "OK");
    const std::size_t before = static_cast<std::size_t>(round);
    REQUIRE(all_succeed(*nodes[0], 4 * before + 2));
    REQUIRE(all_succeed(*nodes[1], 2 * before + 1));
    REQUIRE(all_succeed(*nodes[2], 2 * before + 1));
    CHECK(nodes[0]->run({"CLUSTER", "MIGRATION", "IMPORT", "0", "4000", "5000", "8191"}).size() ==
          40);
    REQUIRE(all_succeed(*nodes[0], 4 * before + 3));
    REQUIRE(all_succeed(*nodes[1], 2 * before + 2));
    CHECK(nodes[2]->run({"CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", "8192", "9000", "NODE",
                         id_of(*nodes[0])}) == "OK");
    REQUIRE(all_succeed(*nodes[0], 4 * before + 4));
    REQUIRE(all_succeed(*nodes[2], 2 * before + 2));
  }
  for (const auto& writer : writers) {
    CHECK(eventually([&] { return writer->acknowledged() >= 100; }));  // each key once at least
    writer->stop();
    CHECK(writer->difference() == "");
  }
  CHECK(eventually([&] { return nodes[1]->run({"DBSIZE"}) == "0"; }));
  CHECK(eventually([&] { return nodes[0]->run({"DBSIZE"}) == "10300"; }));
  CHECK(eventually([&] { return is_cluster_ok(nodes, 3); }));
  check_by_cli(*nodes[1]);
}

TEST_CASE("a move that is cancelled leaves the source as it was and the target empty") {
  Nodes nodes = start_nodes(2);
  fill(*nodes[0], 30'000);
  REQUIRE(nodes[0]->run({"DBSIZE"}) == "30000");
  SUBCASE("at the source") {
    REQUIRE(migrate(*nodes[0], "0", "16383", id_of(*nodes[1])) == "OK");
    REQUIRE(eventually([&] { return latest(*nodes[1], "state") == "receiving"; }));
    CHECK(nodes[1]->run({"DBSIZE"}) == "0");
    CHECK(nodes[1]->run({"KEYS", "*"}) == "");
    CHECK(nodes[0]->run({"CLUSTER", "CANCELSLOTMIGRATIONS"}) == "OK");
    CHECK(latest(*nodes[0], "state") == "cancelled");
    CHECK(reaches(*nodes[1], "failed"));
  }
  SUBCASE("at the target") {
    const std::string id = nodes[1]->run({"CLUSTER", "MIGRATION", "IMPORT", "0", "16383"});
    REQUIRE(eventually([&] { return latest(*nodes[1], "state") == "receiving"; }));
    CHECK(nodes[1]->run({"CLUSTER", "MIGRATION", "CANCEL", "ID", id}) == "1");
    CHECK(latest(*nodes[1], "state") == "cancelled");
    CHECK(reaches(*nodes[0], "failed"));
  }
  CHECK(nodes[0]->run({"DBSIZE"}) == "30000");
  CHECK(nodes[0]->run({"SET", "k1", "new"}) == "OK");
  CHECK(nodes[1]->run({"GET", "k1"}).starts_with("-MOVED"));
  CHECK(nodes[1]->run({"DBSIZE"}) == "0");
  // Keys that were received are gone when it is tried again.
  REQUIRE(migrate(*nodes[0], "0", "16383", id_of(*nodes[1])) == "OK");
  CHECK(reaches(*nodes[0], "success"));
  CHECK(nodes[1]->run({"DBSIZE"}) == "30000");
  CHECK(nodes[1]->run({"GET", "k1"}) == "new");
  CHECK(eventually([&] { return nodes[0]->run({"DBSIZE"}) == "0"; }));
}

TEST_CASE("a target that is killed in the middle costs nothing") {
  Nodes nodes = start_nodes(2);
  fill(*nodes[0], 30'000);
  Writer writer(nodes, 0);
  REQUIRE(migrate(*nodes[0], "0", "16383", id_of(*nodes[1])) == "OK");
  REQUIRE(eventually([&] { return latest(*nodes[1], "state") == "receiving"; }));
  nodes[1]->process().stop(SIGKILL);
  CHECK(reaches(*nodes[0], "failed"));
  CHECK(eventually([&] { return writer.acknowledged() >= 100; }));
  writer.stop();
  CHECK(writer.difference() == "");
  CHECK(nodes[0]->run({"DBSIZE"}) == "30100");
  nodes[1] = start_node(nodes[1]->port(), nodes[1]->dir());
  CHECK(nodes[1]->run({"DBSIZE"}) == "0");
  REQUIRE(eventually([&] { return is_cluster_ok(nodes, 2); }, milliseconds{30'000}));
  REQUIRE(eventually([&] {
    return migrate(*nodes[0], "0", "16383", id_of(*nodes[1])) == "OK" &&
           reaches(*nodes[0], "success");
  }));
  CHECK(nodes[1]->run({"DBSIZE"}) == "30100");
  check_by_cli(*nodes[1]);
}

TEST_CASE("a source that is killed in the middle keeps its slots, and the target drops the keys") {
  Nodes nodes = start_nodes(2);
  fill(*nodes[0], 30'000);
  REQUIRE(migrate(*nodes[0], "0", "16383", id_of(*nodes[1])) == "OK");
  REQUIRE(eventually([&] { return latest(*nodes[1], "state") == "receiving"; }));
  nodes[0]->process().stop(SIGKILL);
  CHECK(reaches(*nodes[1], "failed"));
  CHECK(nodes[1]->run({"DBSIZE"}) == "0");
  nodes[0] = start_node(nodes[0]->port(), nodes[0]->dir());
  REQUIRE(eventually([&] { return is_cluster_ok(nodes, 2); }, milliseconds{30'000}));
  CHECK(nodes[0]->run({"DBSIZE"}) == "30000");
  CHECK(nodes[0]->run({"SET", "k1", "new"}) == "OK");
  check_by_cli(*nodes[0]);
}

TEST_CASE("moves that can't be are refused, and so is what only nodes may say") {
  Nodes nodes = start_nodes(2);
  const std::string other = id_of(*nodes[1]);
  const ServerProcess& node = *nodes[0];
  CHECK(migrate(node, "5", "4", other).starts_with("-ERR"));
  CHECK(migrate(node, "5", "16384", other).starts_with("-ERR"));
  CHECK(migrate(node, "5", "6", id_of(node)).starts_with("-ERR"));
  CHECK(migrate(node, "5", "6", std::string(40, 'a')).starts_with("-ERR"));
  CHECK(migrate(*nodes[1], "5", "6", id_of(node)).starts_with("-ERR"));
  CHECK(node.run({"CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", "5", "6", "NODE", other, "SLOTSRANGE",
                  "6", "7", "NODE", other})
            .starts_with("-ERR"));
  CHECK(node.run({"CLUSTER", "MIGRATION", "IMPORT", "5", "6"}).starts_with("-ERR"));
  CHECK(node.run({"CLUSTER", "MIGRATION", "CANCEL", "ALL"}) == "0");
  CHECK(node.run({"CLUSTER", "SYNCSLOTS", "DATA", "*1"}).starts_with("-ERR"));
  CHECK(node.run({"CLUSTER", "SYNCSLOTS", "COMMIT", "7"}).starts_with("-ERR"));
  // As far as this node sees, they are not that one's.
  CHECK(node.run({"CLUSTER", "SYNCSLOTS", "ESTABLISH", std::string(40, 'b'), other, "0", "5"})
            .starts_with("-TRYAGAIN"));
  CHECK(node.run({"CLUSTER", "GETSLOTMIGRATIONS"}) == "");
}

TEST_CASE("FLUSHSLOT removes the keys of one slot") {
  Nodes nodes = start_nodes(1);
  const ServerProcess& node = *nodes[0];
  for (const char* mode : {"", "SYNC", "ASYNC"}) {
    CHECK(node.run({"MSET", "{a}1", "x", "{a}2", "x"}) == "OK");
    CHECK(node.run({"SET", "{b}1", "x"}) == "OK");
    std::vector<std::string> words{"CLUSTER", "FLUSHSLOT", std::to_string(cluster::slot_of("a"))};
    if (*mode != 0) words.emplace_back(mode);
    CHECK(node.run(words) == "OK");
    CHECK(node.run({"DBSIZE"}) == "1");
  }
  CHECK(node.run({"CLUSTER", "FLUSHSLOT", "16384"}).starts_with("-ERR"));
  CHECK(node.run({"CLUSTER", "FLUSHSLOT", "1", "LATER"}).starts_with("-ERR"));
}

// A primary hands over, or answers only when a replica has the write: servers without a cluster.
#include <doctest/doctest.h>

#include <csignal>

#include "tests/system/peers.h"

using namespace hearth;
using namespace hearth::test;

namespace {

std::string role(const ServerProcess& server) {
  const std::string text = server.run({"ROLE"});
  return text.substr(0, text.find(' '));
}

std::string replication_field(const ServerProcess& server, const std::string& name) {
  const std::string info = server.run({"INFO", "replication"});
  const std::size_t at = info.find(name + ":");
  if (at == std::string::npos) return "";
  const std::size_t from = at + name.size() + 1;
  return info.substr(from, info.find('\r', from) - from);
}

struct Two {
  explicit Two(const Peer& first = hearth_server(), const Peer& second = hearth_server()) {
    primary = start_peer(first, {"repl-diskless-sync-delay 0"});
    replica = start_peer(second, {"repl-diskless-sync-delay 0"});
    REQUIRE(replica->run({"REPLICAOF", "127.0.0.1", std::to_string(primary->port())}) == "OK");
    REQUIRE(eventually([&] {
      return primary->run({"SET", "warm", "up"}) == "OK" &&
             primary->run({"WAIT", "1", "1000"}) == "1";
    }));
  }
  bool is_swapped() {
    return role(*replica) == "master" && role(*primary) == "slave" &&
           replication_field(*primary, "master_link_status") == "up";
  }
  std::unique_ptr<ServerProcess> primary, replica;
};

}  // namespace

TEST_CASE("FAILOVER hands over to a replica that has everything, and back") {
  Two two;
  CHECK(two.primary->run({"FAILOVER", "TO", "127.0.0.1", "1"}) ==
        "-ERR FAILOVER target HOST and PORT is not a replica.");
  CHECK(two.replica->run({"FAILOVER"}) == "-ERR FAILOVER is not valid when server is a replica.");
  CHECK(two.primary->run({"FAILOVER", "ABORT"}) == "-ERR No failover in progress.");
  for (int i = 0; i < 100; ++i) two.primary->run({"INCR", "n"});
  CHECK(two.primary->run({"FAILOVER"}) == "OK");
  CHECK(eventually([&] { return two.is_swapped(); }));
  CHECK(two.replica->run({"GET", "n"}) == "100");
  CHECK(two.primary->log().find("Successful partial resynchronization") != std::string::npos);
  CHECK(two.replica->run({"INCR", "n"}) == "101");
  CHECK(two.replica->run({"FAILOVER", "TO", "127.0.0.1", std::to_string(two.primary->port()),
                          "TIMEOUT", "5000"}) == "OK");
  CHECK(
      eventually([&] { return role(*two.primary) == "master" && role(*two.replica) == "slave"; }));
  CHECK(two.primary->run({"GET", "n"}) == "101");
}

TEST_CASE("a replica that does not catch up in time takes nothing over, unless it is forced") {
  Two two;
  two.replica->process().send(SIGSTOP);
  two.primary->run({"SET", "k", "v"});
  const auto waits = two.primary->client();
  CHECK(two.primary->run({"FAILOVER", "TIMEOUT", "300"}) == "OK");
  CHECK(replication_field(*two.primary, "master_failover_state") == "waiting-for-sync");
  CHECK(waits->send({"SET", "held", "1"}));
  const auto reply = waits->read();
  REQUIRE(reply);
  CHECK(RespClient::as_text(*reply) == "OK");  // when the time was over
  CHECK(replication_field(*two.primary, "master_failover_state") == "no-failover");
  CHECK(role(*two.primary) == "master");
  CHECK(two.primary->run({"FAILOVER", "TO", "127.0.0.1", std::to_string(two.replica->port()),
                          "TIMEOUT", "200", "FORCE"}) == "OK");
  CHECK(eventually([&] {
    return replication_field(*two.primary, "master_failover_state") == "failover-in-progress";
  }));
  CHECK(two.primary->run({"FAILOVER", "ABORT"}) == "OK");
  CHECK(role(*two.primary) == "master");
  CHECK(two.primary->run({"SET", "k", "w"}) == "OK");
  two.replica->process().send(SIGCONT);
  CHECK(eventually([&] { return two.replica->run({"GET", "k"}) == "w"; }));
}

TEST_CASE("FAILOVER works between hearth and redis-server") {
  const auto redis = redis_server();
  if (!redis) return;
  Peer ours = hearth_server();
  ours.config = {"rdb-compat 7.0"};
  for (const bool redis_first : {true, false}) {
    CAPTURE(redis_first);
    Two two(redis_first ? *redis : ours, redis_first ? ours : *redis);
    CHECK(two.primary->run({"SET", "k", "v"}) == "OK");
    CHECK(two.primary->run({"FAILOVER"}) == "OK");
    CHECK(eventually([&] { return two.is_swapped(); }));
    CHECK(two.replica->run({"SET", "k", "w"}) == "OK");
    CHECK(eventually([&] { return two.primary->run({"GET", "k"}) == "w"; }));
  }
}

TEST_CASE("SHUTDOWN FAILOVER, and a signal that means it, hand over before the end") {
  for (const bool by_signal : {true, false}) {
    CAPTURE(by_signal);
    Two two;
    for (int i = 0; i < 50; ++i) two.primary->run({"INCR", "n"});
    if (by_signal) {
      CHECK(two.primary->run({"CONFIG", "SET", "shutdown-on-sigterm", "failover"}) == "OK");
      two.primary->process().send(SIGTERM);
    } else {
      CHECK(two.primary->run({"SHUTDOWN", "FAILOVER", "NOW"}).starts_with("-ERR syntax"));
      CHECK(two.primary->run({"SHUTDOWN", "FAILOVER"}) == "(closed)");
    }
    CHECK(two.primary->process().wait(milliseconds{10'000}) == 0);
    CHECK(role(*two.replica) == "master");
    CHECK(two.replica->run({"INCR", "n"}) == "51");
  }
}

TEST_CASE("with min-replicas-to-ack an answer means that a replica has the write") {
  Two two;
  CHECK(two.primary->run({"CONFIG", "SET", "min-replicas-to-ack", "1"}) == "OK");
  CHECK(two.primary->run({"CONFIG", "SET", "min-replicas-to-ack-timeout", "300"}) == "OK");
  for (int i = 0; i < 50; ++i) CHECK(two.primary->run({"INCR", "n"}) == std::to_string(i + 1));
  CHECK(two.replica->run({"GET", "n"}) == "50");
  two.replica->process().send(SIGSTOP);
  const auto client = two.primary->client();
  // Reads wait for nobody; of a pipeline each reply behind the write is the error.
  CHECK(client->text({"GET", "n"}) == "50");
  REQUIRE(client->send_raw("INCR n\r\nGET n\r\nINCR n\r\n"));
  for (int i = 0; i < 3; ++i) {
    const auto reply = client->read();
    REQUIRE(reply);
    CHECK(RespClient::as_text(*reply).starts_with("-NOREPLICAS The write was done here"));
  }
  CHECK(client->text({"GET", "n"}) == "52");
  two.replica->process().send(SIGCONT);
  CHECK(eventually([&] { return two.primary->run({"INCR", "n"}).starts_with("5"); }));
  CHECK(two.primary->run({"CONFIG", "SET", "min-replicas-to-ack", "2"}) == "OK");
  CHECK(client->text({"INCR", "k"}).starts_with("-NOREPLICAS"));
}

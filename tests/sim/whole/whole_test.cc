// Whole clusters, data included: what a replica has confirmed outlives every failover.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/sim/options.h"
#include "tests/sim/whole/schedule.h"
#include "tests/sim/whole/trial.h"

using namespace hearth;
using namespace hearth::cluster;
using hearth::sim::SimClient;
using hearth::sim::Trial;
using hearth::sim::TrialOptions;

TEST_CASE("whole nodes replicate, and clients find their way") {
  Trial busy(1);
  busy.cluster.run_for(5'000);
  CHECK(busy.writes() > 100);
  busy.settle_and_check();
  CHECK(busy.verdict() == "");
}

TEST_CASE("what a replica confirmed is there after its primary was killed") {
  for (const auto seed : sim::seeds(4)) {
    CAPTURE(seed);
    Trial busy(seed);
    busy.cluster.run_for(3'000);
    for (int k = 0; k < busy.primaries(); ++k) {
      busy.cluster.crash(k);
      REQUIRE(busy.cluster.run_until(
          5'000, [&] { return busy.cluster.node(k + busy.primaries()).view->served.any(); }));
      const long long before = busy.writes();
      CHECK(busy.cluster.run_until(8'000, [&] { return busy.writes() > before + 20; }));
      busy.cluster.start(k);
      REQUIRE(busy.cluster.run_until(
          20'000, [&] { return busy.cluster.is_converged() && busy.all_synced(); }));
    }
    busy.settle_and_check();
    CHECK(busy.verdict() == "");
  }
}

TEST_CASE("a primary that comes back without its data takes none from its replica") {
  for (const auto seed : sim::seeds(4)) {
    CAPTURE(seed);
    Trial busy(seed);
    busy.cluster.run_for(3'000);
    for (int k = 0; k < busy.primaries(); ++k) {
      // Long before anybody takes it for failed, or when its replica is about to be elected.
      busy.cluster.crash(k);
      busy.cluster.run_for(k == 0 ? 50 : busy.cluster.rng.below(4'000));
      busy.cluster.lose_data(k);
      busy.cluster.start(k);
      REQUIRE(busy.cluster.run_until(20'000, [&] { return !busy.cluster.view(k)->awaits_heir; }));
      // From then on it hears the others: none is suspected.
      busy.cluster.run_for(500);
      INFO(busy.cluster.story(60));
      CHECK_FALSE(busy.cluster.run_until(3'000, [&] {
        const ViewPtr view = busy.cluster.view(k);
        return std::any_of(view->nodes.begin(), view->nodes.end(),
                           [](const auto& n) { return n.has(node_flag::kPfail); });
      }));
      REQUIRE(busy.cluster.run_until(20'000, [&] {
        return busy.is_replica(k) && busy.cluster.is_converged() && busy.all_synced();
      }));
    }
    busy.settle_and_check();
    CHECK(busy.verdict() == "");
  }
}

TEST_CASE("a primary without data serves again when nobody can take its place") {
  Trial busy(1, {.clients = 0});
  busy.cluster.crash(busy.primaries());  // its replica
  busy.cluster.crash(0);
  busy.cluster.lose_data(0);
  busy.cluster.start(0);
  busy.cluster.run_for(3'000);
  CHECK(busy.cluster.view(0)->awaits_heir);
  CHECK(busy.cluster.whole(0).ask({"GET", "a"}).starts_with("-CLUSTERDOWN"));
  CHECK(busy.cluster.run_until(30'000, [&] { return busy.cluster.view(0)->served.any(); }));
  CHECK_FALSE(busy.cluster.view(0)->awaits_heir);
}

TEST_CASE("a failover by hand loses nothing that was acknowledged") {
  for (const auto seed : sim::seeds(4)) {
    CAPTURE(seed);
    Trial busy(seed);
    busy.cluster.run_for(2'000);
    for (int round = 0; round < 6; ++round) {
      for (int i = 0; i < busy.nodes(); ++i) {
        if (!busy.is_replica(i)) continue;
        busy.cluster.admin(i, admin::Failover{});
        break;
      }
      busy.cluster.run_for(2'000);
    }
    busy.settle_and_check();
    CHECK(busy.verdict() == "");
    for (const auto& client : busy.at_work) {
      for (const auto& [key, number] : client->acknowledged()) busy.check_key(key, number);
    }
  }
}

TEST_CASE("whole clusters under random faults keep what was confirmed") {
  for (const auto seed : sim::seeds(4)) {
    CHECK(sim::played_and_told(seed, {}, sim::random_schedule(seed, 40, 6)) == "");
  }
}

TEST_CASE("with min-replicas-to-ack an answer is a promise, whatever fails") {
  TrialOptions options;
  options.promise = SimClient::Promise::kAcknowledged;
  options.config = {{"min-replicas-to-ack", "1"}, {"min-replicas-to-ack-timeout", "1000"}};
  for (const auto seed : sim::seeds(4)) {
    CHECK(sim::played_and_told(seed, options, sim::random_schedule(seed + 500, 40, 6)) == "");
  }
}

TEST_CASE("a replica of a node that gave all its slots away shows the keys of its new primary") {
  using Kind = sim::Fault::Kind;
  const sim::Schedule schedule(3, {Kind::kMove, 1, 2, 2'500, 4'000});
  CHECK(sim::played_and_told(1, {}, schedule) == "");
}

TEST_CASE("a write of the turn in which its primary is demoted is not acknowledged") {
  struct Ear final : sim::Listener {
    void received(std::uint64_t, const std::string& bytes) override { heard += bytes; }
    void closed(std::uint64_t) override { is_closed = true; }
    std::string heard;
    bool is_closed = false;
  };
  Trial trial(1, {.clients = 0, .config = {{"min-replicas-to-ack", "1"}}});
  REQUIRE(trial.verdict() == "");
  sim::WholeCluster& c = trial.cluster;
  std::string key = "k";
  while (c.whole(0).ask({"EXISTS", key}).starts_with("-MOVED")) key += "k";
  Ear ear;
  const std::uint64_t connection = c.connect_client(0, ear);
  const ConnId session = c.session_of(connection);
  const std::string set = "SET " + key + " v\r\n";
  c.whole(0).receive(session, set);
  c.run_for(2'000);
  CHECK(ear.heard == "+OK\r\n");
  ear.heard.clear();
  c.whole(0).turn([&] {
    c.whole(0).receive(session, set);
    c.whole(0).data().follow({c.id(3), c.node(3).ip, c.node(3).port});
  });
  c.run_for(2'000);
  CHECK_FALSE(ear.is_closed);
  CHECK(ear.heard.starts_with("-NOREPLICAS"));
}

TEST_CASE("a schedule that fails is shrunk to the faults that matter") {
  // Both copies of a shard's data are lost on purpose, among faults that do not matter.
  const auto fails = [](const sim::Schedule& schedule) {
    return std::count_if(schedule.begin(), schedule.end(), [](const sim::Fault& fault) {
             return fault.kind == sim::Fault::Kind::kCrash;
           }) >= 2;
  };
  const sim::Schedule schedule = sim::random_schedule(8, 40, 6);
  REQUIRE(fails(schedule));
  const sim::Schedule least = sim::shrunk(schedule, fails, 200);
  CHECK(least.size() == 2);
  CHECK(fails(least));
}

TEST_CASE(
    "a majority that is lost with its zone is recovered, and what was acknowledged then stays") {
  for (const auto seed : sim::seeds(3)) {
    CAPTURE(seed);
    Trial busy(seed);
    REQUIRE(busy.verdict() == "");
    sim::WholeCluster& c = busy.cluster;
    c.run_for(3'000);
    // Primaries 0 and 1 go with the replica of 2; their own replicas, 3 and 4, are elsewhere.
    for (const int i : {0, 1, 5}) c.crash(i);
    c.run_for(10'000);
    CHECK_FALSE(c.node(2).view->served.any());
    const int by = 2 + static_cast<int>(c.rng.below(3));
    const AdminReply reply = c.admin(by, admin::Recover{2, {}});
    CAPTURE(reply.text);
    REQUIRE(reply.kind == AdminReply::Kind::kStatus);
    REQUIRE(c.run_until(20'000, [&] {
      return c.node(2).view->served.any() && c.node(3).view->served.any() &&
             c.node(4).view->served.any();
    }));
    const long long before = busy.writes();
    REQUIRE(c.run_until(60'000, [&] { return busy.writes() > before + 50; }));
    std::map<std::string, long long> first;
    for (const auto& client : busy.at_work)
      first.insert(client->acknowledged().begin(), client->acknowledged().end());
    c.run_for(20'000);
    std::map<std::string, long long> acknowledged;
    for (const auto& client : busy.at_work) {
      client->stop();
      // Those that were written again are of this side.
      for (const auto& [key, number] : client->acknowledged()) {
        if (first[key] != number) acknowledged[key] = number;
      }
    }
    CHECK(acknowledged.size() > 3);
    c.run_for(2'000);
    for (const int i : {0, 1, 5}) c.start(i);
    REQUIRE(busy.settle(60'000));
    for (const int i : {0, 1, 5}) CHECK(busy.is_replica(i));
    for (const auto& [key, number] : acknowledged) busy.check_key(key, number);
    for (const auto& v : c.checker.violations()) FAIL_CHECK(v);
    CHECK(busy.verdict() == "");
  }
}

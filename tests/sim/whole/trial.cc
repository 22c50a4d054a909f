#include "tests/sim/whole/trial.h"

#include <fmt/format.h>

#include <cstdlib>
#include <utility>

namespace hearth::sim {

using namespace hearth::cluster;  // NOLINT: a test's own file

Trial::Trial(std::uint64_t seed, TrialOptions options)
    : cluster(seed, options.config), options_(std::move(options)) {
  if (!set_up()) return;
  for (int i = 0; i < options_.clients; ++i) {
    at_work.push_back(std::make_unique<SimClient>(cluster, i, 6, options_.promise));
    at_work.back()->start();
  }
}

bool Trial::set_up() {
  std::vector<int> members;
  for (int i = 0; i < primaries(); ++i) members.push_back(cluster.add_node());
  cluster.create(members);
  for (int i = primaries(); i < nodes(); ++i) {
    cluster.start(cluster.add_node());
    cluster.meet(0, i);
  }
  if (!cluster.run_until(15'000, [this] { return cluster.is_converged(); }))
    fail("the nodes did not meet");
  for (int i = primaries(); i < nodes(); ++i) {
    if (cluster.replicate(i, i - primaries()).is_error()) fail("a node can't be a replica");
  }
  if (!settle(20'000)) fail("the replicas did not follow");
  return failures.empty();
}

bool Trial::all_synced() {
  for (int i = 0; i < nodes(); ++i) {
    if (is_replica(i) && !cluster.whole(i).follower().link_is_up()) return false;
  }
  return true;
}

long long Trial::writes() {
  long long sum = 0;
  for (const auto& client : at_work) sum += client->writes();
  return sum;
}

void Trial::check_key(const std::string& key, long long number) {
  for (int i = 0; i < nodes(); ++i) {
    const std::string reply = cluster.whole(i).ask({"GET", key});
    if (reply.starts_with("-MOVED") || is_replica(i)) continue;
    const std::size_t line = reply.find("\r\n");
    const long long found = reply.starts_with("$-1") ? 0 : std::atoll(reply.c_str() + line + 2);
    if (found < number)
      fail(fmt::format("{} on node {} is {}, promised was {}", key, i, found, number));
  }
}

std::string Trial::difference(int a, int b) {
  std::string out =
      fmt::format("{} and {} keys; ", cluster.whole(a).engine().keyspace().total_keys(),
                  cluster.whole(b).engine().keyspace().total_keys());
  for (const auto& client : at_work) {
    for (const auto& [key, number] : client->acknowledged()) {
      const std::string one = cluster.whole(a).ask({"GET", key});
      const std::string other = cluster.whole(b).ask({"GET", key});
      if (one != other) out += fmt::format("{} is {} and {}; ", key, one, other);
    }
  }
  return out;
}

void Trial::check_replicas() {
  for (int i = 0; i < nodes(); ++i) {
    if (!is_replica(i)) continue;
    const int primary = cluster.primary_of(i, i);
    if (primary < 0) {
      fail(fmt::format("node {} is nobody's replica", i));
    } else if (cluster.whole(i).ask({"DEBUG", "DIGEST"}) !=
               cluster.whole(primary).ask({"DEBUG", "DIGEST"})) {
      fail(fmt::format("node {} does not hold what its primary {} holds: {}", i, primary,
                       difference(i, primary)));
    }
  }
}

void Trial::settle_and_check() {
  cluster.heal();
  cluster.faults = {};
  for (int i = 0; i < nodes(); ++i) {
    cluster.node(i).crash_per_action = 0;
    cluster.set_clock_rate(i, 1);
    if (cluster.is_up(i)) {
      cluster.fill_disk(i, false);
      cluster.slow_disk(i, false);
    }
    if (!cluster.is_up(i)) cluster.start(i);
  }
  // Nodes whose disk was full until now may end for it, and are started again.
  for (int attempt = 0; attempt < 3; ++attempt) {
    cluster.run_for(1'000);
    for (int i = 0; i < nodes(); ++i) {
      if (!cluster.is_up(i)) cluster.start(i);
    }
  }
  if (!settle(90'000)) return fail("the cluster does not settle");
  const long long before = writes();
  if (!at_work.empty() && !cluster.run_until(15'000, [&] { return writes() > before + 20; }))
    fail("no write gets through to a healthy cluster");
  for (const auto& client : at_work) client->stop();
  cluster.run_for(5'000);
  for (const auto& client : at_work) {
    failures.insert(failures.end(), client->violations().begin(), client->violations().end());
    for (const auto& [key, number] : client->promised()) check_key(key, number);
  }
  check_replicas();
  const auto& seen = cluster.checker.violations();
  failures.insert(failures.end(), seen.begin(), seen.end());
}

std::string Trial::verdict() const {
  std::string out;
  for (const std::string& failure : failures) out += failure + "\n";
  return out;
}

}  // namespace hearth::sim

// One run of a whole cluster with clients at work, and the checks at its end. Nothing here asserts:
// what is wrong is collected, so that a run can be repeated with fewer faults.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/whole/sim_client.h"
#include "tests/sim/whole/whole_cluster.h"

namespace hearth::sim {

struct TrialOptions {
  int primaries = 3;  // with a replica each: node i + primaries is that of node i
  int clients = 3;
  SimClient::Promise promise = SimClient::Promise::kConfirmed;
  std::vector<std::vector<std::string>> config{};
};

class Trial {
 public:
  explicit Trial(std::uint64_t seed, TrialOptions options = {});

  [[nodiscard]] int nodes() const { return 2 * options_.primaries; }
  [[nodiscard]] int primaries() const { return options_.primaries; }
  bool is_replica(int i) { return cluster.is_up(i) && cluster.view(i)->me().is_replica(); }
  bool all_synced();
  long long writes();
  bool settle(std::int64_t ms) {
    return cluster.run_until(ms, [this] { return cluster.is_converged() && all_synced(); });
  }
  // Everything is mended; then no side may lack what was promised, and replicas are as primaries.
  void settle_and_check();
  // The number that a primary holds under the key is not below this one.
  void check_key(const std::string& key, long long number);
  void fail(std::string what) { failures.push_back(std::move(what)); }
  // The failures, a line each; empty: none.
  [[nodiscard]] std::string verdict() const;

  WholeCluster cluster;
  std::vector<std::unique_ptr<SimClient>> at_work;
  std::vector<std::string> failures;

 private:
  bool set_up();
  void check_replicas();
  // Keys that two nodes do not hold alike, and how.
  [[nodiscard]] std::string difference(int a, int b);

  TrialOptions options_;
};

}  // namespace hearth::sim

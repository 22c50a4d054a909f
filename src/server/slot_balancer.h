// SlotBalancer: feeds the Rebalancer (cluster/migration/rebalance.h) with this node's figures,
// tells the bus its news, and begins the moves that it orders. It decides nothing itself.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/migration/rebalance.h"
#include "src/command/cluster_control.h"
#include "src/engine/engine.h"

namespace hearth {

class SlotBalancer {
 public:
  struct Parts {
    Engine* engine = nullptr;
    ClusterControl* cluster = nullptr;
    std::function<cluster::ViewPtr()> published;
    std::function<bool()> is_moving;  // a move from or to this node is under way
    // Begins a move of that name.
    std::function<Outcome(std::string_view name, const cluster::migration::SlotOrder&)> begin;
    std::function<bool(std::string_view name)> goes_on;  // the move of that name
    std::uint64_t seed = 0;
  };
  explicit SlotBalancer(Parts parts);

  // Ten times a second; it works once a period, and costs nothing where it is off.
  void tick();
  [[nodiscard]] const std::string& state() const { return machine_.state(); }

 private:
  using Rates = std::vector<double>;  // of CPU microseconds a second, by slot

  void work(cluster::BalanceMode mode, const cluster::View& view);
  void tell(const cluster::BalanceNews& news);
  void measure_cpu(MonoTime now);
  [[nodiscard]] std::vector<cluster::migration::SlotLoad> slots(const cluster::View& view) const;
  [[nodiscard]] double cpu_of(const cluster::View& view) const;
  [[nodiscard]] std::optional<bool> end_of_order(const cluster::View& view);

  Parts parts_;
  Rng rng_;
  cluster::migration::Rebalancer machine_;
  bool was_on_ = false;
  MonoTime next_{};
  std::string name_;  // of the move that was ordered; empty: none
  cluster::migration::SlotOrder order_;
  // While CPU time counts: what was known of each slot last.
  std::vector<std::uint64_t> cpu_us_;
  Rates cpu_rate_;
  MonoTime measured_{};
};

}  // namespace hearth

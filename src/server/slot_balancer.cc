#include "src/server/slot_balancer.h"

#include <utility>

#include "src/base/log.h"

namespace hearth {
namespace {

using cluster::BalanceMode;
using cluster::migration::SlotLoad;

// The weight of the newest measurement in the mean: it follows a change within some ten seconds.
constexpr double kNewest = 0.2;

BalanceMode mode_of(config::ClusterRebalance setting) {
  switch (setting) {
    case config::ClusterRebalance::kOff: break;
    case config::ClusterRebalance::kSlots: return BalanceMode::kSlots;
    case config::ClusterRebalance::kLoad: return BalanceMode::kLoad;
  }
  return BalanceMode::kOff;
}

}  // namespace

SlotBalancer::SlotBalancer(Parts parts)
    : parts_(std::move(parts)), rng_(parts_.seed), machine_(rng_.next()) {}

void SlotBalancer::tick() {
  const MonoTime now = parts_.engine->mono_now();
  if (now < next_) return;
  const cluster::ViewPtr published = parts_.published();
  next_ = now + cluster::balance_period(published->nodes.size());
  const BalanceMode mode = mode_of(parts_.engine->settings().cluster_rebalance);
  const bool on = mode != BalanceMode::kOff || published->draining;
  // Switched off, it says so once, and hears how a move ended that it began.
  if (!on && !was_on_ && name_.empty()) return;
  was_on_ = on;
  work(mode, *parts_.cluster->view());
}

void SlotBalancer::work(BalanceMode mode, const cluster::View& view) {
  const MonoTime now = parts_.engine->mono_now();
  const bool counts = parts_.engine->settings().cluster_slot_stats_enabled;
  if (counts && mode == BalanceMode::kLoad) {
    measure_cpu(now);
  } else {
    cpu_us_.clear();
    cpu_rate_.clear();
  }
  cluster::migration::Rebalancer::Situation situation{.view = view, .mode = mode};
  situation.moving = parts_.is_moving();
  situation.ended = end_of_order(view);
  situation.counts_cpu = counts && !cpu_rate_.empty();
  situation.keys = parts_.engine->keyspace().total_keys();
  situation.cpu_us = static_cast<std::uint64_t>(cpu_of(view));
  situation.slots = [&] { return slots(view); };
  std::optional<cluster::migration::SlotOrder> order = machine_.step(situation, now);
  if (order) {
    name_ = rng_.hex(NodeId::kLength);
    order_ = std::move(*order);
    log::notice("Evening out: {}", machine_.state());
    if (auto begun = parts_.begin(name_, order_); !begun)
      log::warning("A move of slots can't begin: {}", begun.error().text);
  }
  tell(machine_.news());
}

void SlotBalancer::tell(const cluster::BalanceNews& news) {
  static_cast<void>(parts_.cluster->administer(cluster::admin::TellBalance{news}, nullptr));
}

// Done is what the cluster says is done.
std::optional<bool> SlotBalancer::end_of_order(const cluster::View& view) {
  if (name_.empty() || parts_.goes_on(name_)) return std::nullopt;
  name_.clear();
  bool gone = true;
  order_.slots.for_each([&](Slot slot) { gone = gone && view.owner[slot] != view.myself; });
  return gone;
}

void SlotBalancer::measure_cpu(MonoTime now) {
  const SlotStats& stats = parts_.engine->stats().slots;
  const bool first = cpu_us_.empty();
  if (first) {
    cpu_us_.assign(kSlotCount, 0);
    cpu_rate_.assign(kSlotCount, 0);
  }
  const double elapsed_s =
      static_cast<double>((now - std::exchange(measured_, now)).count()) / 1'000'000;
  for (std::size_t i = 0; i < cpu_us_.size(); ++i) {
    const std::uint64_t total = stats.of(static_cast<Slot>(i)).cpu_us;
    const std::uint64_t before = std::exchange(cpu_us_[i], total);
    if (first || elapsed_s <= 0) continue;
    // A total that has fallen was reset.
    const auto spent = static_cast<double>(total - (before > total ? total : before));
    cpu_rate_[i] += kNewest * (spent / elapsed_s - cpu_rate_[i]);
  }
}

double SlotBalancer::cpu_of(const cluster::View& view) const {
  double sum = 0;
  if (!cpu_rate_.empty()) view.me().slots.for_each([&](Slot slot) { sum += cpu_rate_[slot]; });
  return sum;
}

std::vector<SlotLoad> SlotBalancer::slots(const cluster::View& view) const {
  std::vector<SlotLoad> loads;
  const Keyspace& keyspace = parts_.engine->keyspace();
  view.me().slots.for_each([&](Slot slot) {
    SlotLoad load{slot, 0, 0};
    for (DbIndex i = 0; i < keyspace.db_count(); ++i)
      load.keys += keyspace.db(i).count_in_slot(slot);
    if (!cpu_rate_.empty()) load.cpu_us = static_cast<std::uint64_t>(cpu_rate_[slot]);
    loads.push_back(load);
  });
  return loads;
}

}  // namespace hearth

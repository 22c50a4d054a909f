// Slots that primaries even out among themselves: the Rebalancer of each node over its own machine
// of the bus, so that news, views and claims travel as they do.
#include <doctest/doctest.h>

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "cluster/migration/rebalance.h"
#include "tests/sim/options.h"
#include "tests/sim/sim_cluster.h"

using namespace hearth;
using namespace hearth::cluster;
using hearth::sim::SimCluster;
using migration::Rebalancer;
using migration::SlotLoad;

namespace {

class BalancedCluster final : public SimCluster {
 public:
  explicit BalancedCluster(std::uint64_t seed) : SimCluster(seed) {}

  BalanceMode mode = BalanceMode::kSlots;
  std::function<std::uint64_t(Slot)> keys_in = [](Slot) { return std::uint64_t{1}; };
  int begun = 0, most_at_once = 0;

  void create_primaries(int count) {
    std::vector<int> members;
    for (int i = 0; i < count; ++i) members.push_back(add_node());
    create(members);
    REQUIRE(run_until(30'000, [this] { return is_converged(); }));
  }
  int join_empty() {
    const int i = add_node();
    start(i);
    meet(0, i);
    return i;
  }
  void drain(int i, bool on) { REQUIRE(admin(i, admin::Drain{on}).kind == AdminReply::Kind::kOk); }
  [[nodiscard]] int slots_of(int i, int by = 0) {
    const std::vector<int> all = owners(by);
    return static_cast<int>(std::count(all.begin(), all.end(), i));
  }
  [[nodiscard]] std::uint64_t keys_of(int i, int by = 0) {
    const std::vector<int> all = owners(by);
    std::uint64_t keys = 0;
    for (std::size_t slot = 0; slot < all.size(); ++slot) {
      if (all[slot] == i) keys += keys_in(static_cast<Slot>(slot));
    }
    return keys;
  }
  // Looks every other second: to look costs more than to run.
  bool comes_to(std::int64_t ms, const std::function<bool()>& condition) {
    for (std::int64_t passed = 0; passed < ms && !condition(); passed += 2'000) run_for(2'000);
    return condition();
  }
  [[nodiscard]] bool is_even(const std::vector<int>& nodes) {
    const std::vector<int> all = owners(nodes.front());
    int least = kSlotCount, most = 0;
    for (const int i : nodes) {
      const int slots = static_cast<int>(std::count(all.begin(), all.end(), i));
      least = std::min(least, slots);
      most = std::max(most, slots);
    }
    const int mean = kSlotCount / static_cast<int>(nodes.size());
    return most - least <= std::max(2, mean * migration::kSlotBandPercent / 100);
  }
  [[nodiscard]] const std::string& state_of(int i) { return parts_[i].machine->state(); }
  // Nobody begins a move for so long.
  [[nodiscard]] bool rests(std::int64_t ms) {
    const int before = begun;
    run_for(ms);
    return begun == before;
  }

 private:
  struct Move {
    SlotSet slots;
    int target = 0;
    std::int64_t hand_over_ms = 0;
    Epoch epoch = 0;  // taken with it; 0: not yet
  };
  struct Part {
    std::unique_ptr<Rebalancer> machine;
    std::int64_t next_ms = 0;
    std::optional<Move> move;
    std::optional<bool> ended;
  };

  void node_starts(int i) override {
    SimCluster::node_starts(i);
    parts_[i] = {std::make_unique<Rebalancer>(rng.next()), now_ms(), {}, {}};
  }
  void node_ended(int i) override { parts_[i].move.reset(); }

  void node_ticks(int i) override {
    SimCluster::node_ticks(i);
    Part& part = parts_[i];
    if (part.move) go_on(i, part);
    if (now_ms() < part.next_ms || node(i).machine == nullptr) return;
    const ViewPtr v = view(i);
    part.next_ms = now_ms() + balance_period(v->nodes.size()).count();
    std::vector<SlotLoad> loads;
    v->me().slots.for_each([&](Slot slot) { loads.push_back({slot, keys_in(slot), 0}); });
    std::uint64_t keys = 0;
    for (const SlotLoad& load : loads) keys += load.keys;
    Rebalancer::Situation situation{.view = *v, .mode = mode};
    situation.moving = part.move.has_value() || is_target(i);
    situation.ended = std::exchange(part.ended, std::nullopt);
    situation.keys = keys;
    situation.slots = [&] { return loads; };
    auto order = part.machine->step(situation, clock(i).mono);
    if (order) begin(part, *order);
    admin(i, admin::TellBalance{part.machine->news()});
  }

  [[nodiscard]] bool is_target(int i) {
    return std::any_of(parts_.begin(), parts_.end(),
                       [i](const auto& p) { return p.second.move && p.second.move->target == i; });
  }

  void begin(Part& part, const migration::SlotOrder& order) {
    for (int k = 0; k < size(); ++k) {
      if (is_up(k) && id(k) == order.target) {
        part.move =
            Move{order.slots, k, now_ms() + 200 + static_cast<std::int64_t>(rng.below(3000)), 0};
      }
    }
    if (!part.move) {
      part.ended = false;
      return;
    }
    ++begun;
    most_at_once = std::max(
        most_at_once,
        static_cast<int>(std::count_if(parts_.begin(), parts_.end(),
                                       [](const auto& p) { return p.second.move.has_value(); })));
  }

  void end(Part& part, bool done) {
    part.move.reset();
    part.ended = done;
  }

  // As Export does it, without the data.
  void go_on(int i, Part& part) {
    Move& move = *part.move;
    if (now_ms() < move.hand_over_ms) return;
    const ViewPtr v = view(i);
    bool mine = true;
    move.slots.for_each([&](Slot slot) { mine = mine && v->owner[slot] == v->myself; });
    if (!mine || !v->me().is_primary()) return end(part, move.epoch != 0);
    const bool reached = is_up(move.target) && can_hear(i, move.target);
    if (move.epoch != 0) {
      const auto target = v->find(node(move.target).durable->me().id);
      if (target != kNoNode && !v->nodes[target].has(node_flag::kFail)) return;
      admin(i, admin::Outbid{move.epoch});
      return end(part, false);
    }
    if (!reached) return end(part, false);
    const AdminReply reserved = admin(i, admin::ReserveEpoch{});
    if (reserved.kind != AdminReply::Kind::kInteger) return end(part, false);
    const auto epoch = static_cast<Epoch>(reserved.integer);
    const AdminReply taken = admin(move.target, admin::TakeSlots{move.slots, id(i).str(), epoch});
    if (!taken.is_error()) {
      move.epoch = epoch;
    } else if (!taken.text.starts_with("STALE")) {
      end(part, false);
    }
  }

  std::map<int, Part> parts_;
};

void check_rules(BalancedCluster& c) {
  for (const auto& v : c.checker.violations()) FAIL_CHECK(v);
}

}  // namespace

TEST_CASE("a node that comes without slots gets its share, one move at a time") {
  for (const auto seed : sim::seeds(3)) {
    CAPTURE(seed);
    BalancedCluster c(seed);
    c.create_primaries(3);
    CHECK(c.rests(20'000));  // they are even
    c.faults = {0.01, 0.01, 1, 40};
    const int added = c.join_empty();
    REQUIRE(c.comes_to(600'000, [&] { return c.is_even({0, 1, 2, added}); }));
    CHECK(c.most_at_once == 1);
    CHECK(c.begun <= 24);
    c.faults = {};
    INFO(c.story(60));
    CHECK(c.run_until(30'000, [&] { return c.is_converged(); }));
    CHECK(c.rests(60'000));
    check_rules(c);
  }
}

TEST_CASE("a node without slots is left alone at first: it may become a replica") {
  BalancedCluster c(1);
  c.create_primaries(3);
  const int added = c.join_empty();
  REQUIRE(c.run_until(10'000, [&] { return c.is_converged(); }));
  c.run_for(5'000);
  CHECK(c.begun == 0);
  CHECK(c.replicate(added, 0).kind == AdminReply::Kind::kOk);
  CHECK(c.rests(60'000));
}

TEST_CASE("a node that is drained gives its slots away, takes none, and stays so") {
  for (const auto mode : {BalanceMode::kOff, BalanceMode::kSlots, BalanceMode::kLoad}) {
    CAPTURE(static_cast<int>(mode));
    BalancedCluster c(2);
    c.mode = mode;
    c.create_primaries(4);
    c.drain(1, true);
    CHECK(c.admin(1, admin::TakeSlots{}).text.find("drained") != std::string::npos);
    REQUIRE(c.comes_to(600'000, [&] { return c.slots_of(1) == 0; }));
    CHECK(c.is_even({0, 2, 3}));
    CHECK(c.most_at_once == 1);
    REQUIRE(c.run_until(30'000, [&] { return c.is_converged(); }));
    CHECK(c.view(1)->me().is_primary());  // nobody's replica
    c.crash(1);
    c.run_for(1'000);
    c.start(1);
    REQUIRE(c.run_until(30'000, [&] { return c.is_converged(); }));
    CHECK(c.view(1)->draining);
    CHECK(c.rests(60'000));
    c.drain(1, false);
    if (mode != BalanceMode::kSlots) continue;
    CHECK(c.comes_to(600'000, [&] { return c.is_even({0, 1, 2, 3}); }));
    check_rules(c);
  }
}

TEST_CASE("two nodes that are drained at once do so one after the other") {
  BalancedCluster c(3);
  c.mode = BalanceMode::kOff;
  c.create_primaries(5);
  c.drain(0, true);
  c.drain(3, true);
  REQUIRE(c.comes_to(900'000, [&] { return c.slots_of(0) == 0 && c.slots_of(3) == 0; }));
  CHECK(c.most_at_once == 1);
  CHECK(c.is_even({1, 2, 4}));
  CHECK(c.state_of(0) == "drained");
  check_rules(c);
}

TEST_CASE("a node that can give its slots to nobody says so and keeps them") {
  BalancedCluster c(4);
  c.create_primaries(3);
  for (int i = 0; i < 3; ++i) c.drain(i, true);
  c.run_for(60'000);
  CHECK(c.begun == 0);
  CHECK(c.state_of(0) == "no primary takes slots of this node");
}

TEST_CASE("keys become even within the band, by slots of a fitting size") {
  for (const auto seed : sim::seeds(3)) {
    CAPTURE(seed);
    BalancedCluster c(seed);
    c.mode = BalanceMode::kLoad;
    c.keys_in = [](Slot slot) { return std::uint64_t{slot < 3000 ? 50U : 2U} + slot % 7; };
    c.create_primaries(3);
    const auto differ = [&] {
      const auto [least, most] = std::minmax({c.keys_of(0), c.keys_of(1), c.keys_of(2)});
      return most - least;
    };
    CHECK(differ() > 100'000);
    const auto even = [&] {
      const std::uint64_t mean = (c.keys_of(0) + c.keys_of(1) + c.keys_of(2)) / 3;
      return differ() <= mean * migration::kLoadBandPercent / 100;
    };
    REQUIRE(c.comes_to(900'000, even));
    CHECK(c.most_at_once == 1);
    CHECK(c.rests(120'000));
    check_rules(c);
  }
}

TEST_CASE("one slot that has most of the load is not sent around") {
  BalancedCluster c(5);
  c.mode = BalanceMode::kLoad;
  c.keys_in = [](Slot slot) { return std::uint64_t{slot == 7 ? 1'000'000U : 0U}; };
  c.create_primaries(3);
  c.run_for(120'000);
  CHECK(c.begun == 0);
  CHECK(c.state_of(c.owners(0)[7]).find("small enough") != std::string::npos);
}

TEST_CASE("nodes that die and partitions in the middle of it lose no slot, and it goes on") {
  for (const auto seed : sim::seeds(4)) {
    CAPTURE(seed);
    BalancedCluster c(seed);
    c.create_primaries(4);
    const int added = c.join_empty();
    REQUIRE(c.run_until(30'000, [&] { return c.is_converged(); }));
    c.faults = {0.01, 0.01, 1, 30};
    for (int k = 0; k < 30; ++k) {
      const int i = static_cast<int>(c.rng.below(5));
      switch (c.rng.below(7)) {
        case 0: c.crash(i); break;
        case 1:
        case 2:
          if (!c.is_up(i)) c.start(i);
          break;
        case 3: {
          std::vector<int> groups;
          for (int n = 0; n < 5; ++n) groups.push_back(c.rng.chance(0.3) ? 1 : 0);
          c.set_groups(groups);
          break;
        }
        case 4: c.heal(); break;
        case 5: c.pause(i, static_cast<std::int64_t>(c.rng.below(4000))); break;
        default: break;
      }
      c.run_for(static_cast<std::int64_t>(c.rng.below(8000)));
    }
    c.heal();
    c.faults = {};
    for (int i = 0; i < 5; ++i) {
      if (!c.is_up(i)) c.start(i);
    }
    INFO(c.story(80));
    REQUIRE(c.comes_to(300'000, [&] { return c.is_even({0, 1, 2, 3, added}); }));
    REQUIRE(c.run_until(60'000, [&] { return c.is_converged(); }));
    const std::vector<int> all = c.owners(0);
    CHECK(std::count(all.begin(), all.end(), -1) == 0);
    CHECK(c.begun < 120);
    CHECK(c.rests(60'000));
    check_rules(c);
  }
}

TEST_CASE("news that are no news are passed over, and old ones are forgotten") {
  SimCluster c(1);
  c.create({c.add_node(), c.add_node(), c.add_node()});
  REQUIRE(c.run_until(30'000, [&] { return c.is_converged(); }));
  const auto heard = [&] {
    const ViewPtr v = c.view(1);
    return v->nodes[v->find(c.id(0))].balance;
  };
  Message m;
  m.type = MessageType::kModule;
  m.header = c.header_of(0);
  for (const std::string& payload :
       {std::string(), std::string(19, '\0'), std::string("\x09") + std::string(19, '\0')}) {
    m.body = ModuleBody{0x4845415254484231ULL, 1, payload};
    c.inject(0, 1, m);
    c.run_for(100);
    CHECK_FALSE(heard().has_value());
  }
  BalanceNews news;
  news.mode = BalanceMode::kLoad;
  news.takes = news.counts_cpu = true;
  news.keys = 77;
  c.admin(0, admin::TellBalance{news});
  c.run_for(200);
  REQUIRE(heard().has_value());
  CHECK(*heard() == news);
  c.run_for(10'000);
  CHECK_FALSE(heard().has_value());
}

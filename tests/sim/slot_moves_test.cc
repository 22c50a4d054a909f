// Slots that change hands as a whole: the epoch that the source reserves, the take, and what makes
// a take worthless.
#include <doctest/doctest.h>

#include <utility>

#include "tests/sim/sim_cluster.h"

using namespace hearth;
using namespace hearth::cluster;
using hearth::sim::SimCluster;

namespace {

// Three primaries that agree. Slot 42 goes from one to another.
struct Move {
  SimCluster c{1};
  const Slot slot = 42;
  int from = 0;
  int to = 0;

  Move() {
    c.create({c.add_node(), c.add_node(), c.add_node()});
    REQUIRE(c.run_until(30'000, [&] { return c.is_converged(); }));
    from = c.owners(0)[slot];
    to = (from + 1) % 3;
  }
  Epoch reserve() {
    const AdminReply reply = c.admin(from, admin::ReserveEpoch{});
    REQUIRE(reply.kind == AdminReply::Kind::kInteger);
    return static_cast<Epoch>(reply.integer);
  }
  AdminReply take(Epoch epoch) {
    SlotSet slots;
    slots.add(slot);
    return c.admin(to, admin::TakeSlots{slots, c.id(from).str(), epoch});
  }
  bool everyone_says(int owner, std::int64_t within = 20'000) {
    return c.run_until(within, [&] {
      for (int i = 0; i < 3; ++i) {
        if (c.is_up(i) && c.owners(i)[slot] != owner) return false;
      }
      return true;
    });
  }
};

}  // namespace

TEST_CASE("slots that were taken are the target's for everyone at once") {
  Move m;
  const Epoch epoch = m.reserve();
  CHECK(m.take(epoch).kind == AdminReply::Kind::kOk);
  CHECK(m.c.view(m.to)->me().config_epoch == epoch);
  CHECK(m.everyone_says(m.to, 500));
  CHECK(m.c.run_until(20'000, [&] { return m.c.is_converged(); }));
  CHECK(m.c.node(m.from).dropped.has(m.slot));
}

TEST_CASE("slots are not taken with an epoch that is not the latest, nor from who has them not") {
  Move m;
  const Epoch epoch = m.reserve();
  CHECK(m.c.admin(m.to, admin::BumpEpoch{}).kind == AdminReply::Kind::kStatus);
  CHECK(m.c.admin(m.to, admin::BumpEpoch{}).kind == AdminReply::Kind::kStatus);
  m.c.run_for(3'000);
  const AdminReply late = m.take(epoch);
  CHECK(late.text.starts_with("STALE"));
  const Epoch later = m.reserve();
  CHECK(later > epoch);
  std::swap(m.from, m.to);
  CHECK(m.take(later).text.starts_with("ERR"));  // from a node that does not own it
  std::swap(m.from, m.to);
  CHECK(m.take(later).kind == AdminReply::Kind::kOk);
  CHECK(m.take(later + 1).text.starts_with("ERR"));  // again
  CHECK(m.everyone_says(m.to));
}

TEST_CASE("a target that took the slots and was lost before anyone heard gets them not back") {
  Move m;
  m.c.set_groups({m.to == 0 ? 1 : 0, m.to == 1 ? 1 : 0, m.to == 2 ? 1 : 0});
  const Epoch epoch = m.reserve();
  CHECK(m.take(epoch).kind == AdminReply::Kind::kOk);
  m.c.run_for(200);  // it is on its disk
  m.c.crash(m.to);
  // The source goes on, with an epoch above the one that it gave away.
  CHECK(m.c.admin(m.from, admin::Outbid{epoch}).kind == AdminReply::Kind::kOk);
  CHECK(m.c.view(m.from)->me().config_epoch > epoch);
  m.c.run_for(1'000);
  m.c.heal();
  m.c.start(m.to);
  CHECK(m.c.run_until(30'000, [&] { return m.c.is_converged(); }));
  CHECK(m.everyone_says(m.from, 1'000));
  CHECK(m.c.node(m.to).dropped.has(m.slot));
}

TEST_CASE("a source that was away while its slots were taken comes back without them") {
  Move m;
  const Epoch epoch = m.reserve();
  m.c.crash(m.from);
  SlotSet slots;
  slots.add(m.slot);
  const std::string source = m.c.node(m.from).durable->me().id.str();
  CHECK(m.c.admin(m.to, admin::TakeSlots{slots, source, epoch}).kind == AdminReply::Kind::kOk);
  m.c.run_for(1'000);
  m.c.start(m.from);
  CHECK(m.c.run_until(30'000, [&] { return m.c.is_converged(); }));
  CHECK(m.everyone_says(m.to, 1'000));
}

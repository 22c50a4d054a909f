// Slot claims around failovers, as one machine sees them.
#include <doctest/doctest.h>

#include <algorithm>

#include "tests/sim/bare_machine.h"

using namespace hearth;
using namespace hearth::cluster;
using hearth::sim::BareMachine;

namespace {

// A machine that owns slots 0-99 with epoch 5, and two members: node 0, a primary with 100-199 and
// epoch 1, and node 1, its replica.
struct Shard : BareMachine {
  LinkId primary = 0;
  LinkId replica = 0;
  Shard() {
    join(0);
    join(1);
    admin::AddSlots mine;
    for (Slot s = 0; s < 100; ++s) mine.slots.push_back(s);
    feed(input::Admin{mine});
    primary = accept();
    replica = accept();
    receive(primary, word(0, 1, {100, 199}));
    receive(replica, follower(1, 0, 1, {100, 199}));
    tick();
    actions.clear();
  }
  [[nodiscard]] Message word(int n, Epoch epoch, SlotRange slots) const {
    Message m = heartbeat(MessageType::kPing, n);
    m.header.config_epoch = m.header.current_epoch = epoch;
    if (slots.first <= slots.last) m.header.slots.add(slots);
    return m;
  }
  [[nodiscard]] Message follower(int n, int of, Epoch epoch, SlotRange slots) const {
    Message m = word(n, epoch, slots);
    m.header.replica_of = id_of(of);
    m.header.flags = node_flag::kReplica;
    return m;
  }
  [[nodiscard]] NodeId owner(Slot slot) {
    const ViewPtr v = view();
    const NodeView* owner = v->owner_of(slot);
    return owner == nullptr ? NodeId{} : owner->id;
  }
  static constexpr SlotRange kNone{1, 0};
};

}  // namespace

TEST_CASE("an owner that claims a slot again after it stopped to is its owner as before") {
  Shard m;
  m.join(2);
  const LinkId other = m.accept();
  m.receive(m.primary, m.word(0, 3, {100, 150}));
  m.receive(m.primary, m.word(0, 3, {100, 199}));
  // Were the mark still there, an older claim would take the slot.
  m.receive(other, m.word(2, 2, {180, 180}));
  CHECK(m.owner(180) == BareMachine::id_of(0));
  m.receive(m.primary, m.word(0, 3, {100, 150}));
  m.receive(other, m.word(2, 2, {180, 180}));
  CHECK(m.owner(180) == BareMachine::id_of(2));
}

TEST_CASE("an importing node takes the word of a replica that took the source's place") {
  Shard m;
  m.feed(input::Admin{admin::SetSlotImporting{150, BareMachine::id_of(0).str()}});
  REQUIRE(!m.reply.is_error());
  m.receive(m.replica, m.word(1, 7, {100, 199}));
  CHECK(m.owner(150) == BareMachine::id_of(1));
  CHECK(m.owner(151) == BareMachine::id_of(1));
  const ViewPtr v = m.view();
  CHECK(v->importing_from(150) == v->find(BareMachine::id_of(1)));
  // The old source wakes up and does not know yet.
  m.receive(m.primary, m.word(0, 1, {100, 199}));
  CHECK(m.owner(150) == BareMachine::id_of(1));
  CHECK(m.view()->importing_from(150) == m.view()->find(BareMachine::id_of(1)));
}

TEST_CASE("an importing node does not take the word of anyone else") {
  Shard m;
  m.join(2);
  const LinkId other = m.accept();
  m.feed(input::Admin{admin::SetSlotImporting{150, BareMachine::id_of(0).str()}});
  m.receive(other, m.word(2, 9, {150, 151}));
  CHECK(m.owner(150) == BareMachine::id_of(0));
  CHECK(m.owner(151) == BareMachine::id_of(2));
}

TEST_CASE("a slot on its way to a failed primary goes to the replica that took its place") {
  Shard m;
  m.feed(input::Admin{admin::SetSlotMigrating{50, BareMachine::id_of(0).str()}});
  Message fail = m.word(1, 0, Shard::kNone);
  fail.type = MessageType::kFail;
  fail.body = FailBody{BareMachine::id_of(0)};
  m.receive(m.replica, fail);
  m.receive(m.replica, m.word(1, 7, {100, 199}));
  const ViewPtr v = m.view();
  CHECK(v->migrating_to(50) == v->find(BareMachine::id_of(1)));
}

TEST_CASE(
    "a primary that becomes a replica hands its slots over, and never leaves them to nobody") {
  Shard m;
  // Its header has the slots and the epoch of its new primary.
  m.receive(m.primary, m.follower(0, 1, 8, {100, 199}));
  for (Slot s = 100; s < 200; ++s) REQUIRE(m.owner(s) == BareMachine::id_of(1));
  CHECK(m.view()->assigned == 200);
  const ViewPtr v = m.view();
  CHECK(v->nodes[v->find(BareMachine::id_of(1))].is_primary());
  CHECK(v->nodes[v->find(BareMachine::id_of(1))].config_epoch == 8);
}

TEST_CASE(
    "slots of a primary that became a replica of an unknown node stay until somebody claims them") {
  Shard m;
  Message demoted = m.follower(0, 77, 8, {100, 199});
  m.receive(m.primary, demoted);
  CHECK(m.view()->assigned == 200);
  CHECK(m.owner(100) == BareMachine::id_of(0));
  m.receive(m.replica, m.word(1, 2, {100, 199}));
  CHECK(m.owner(100) == BareMachine::id_of(1));
  // A restart does not make them claims again.
  m.receive(m.primary, demoted);
  CHECK(m.view()->size == 2);
}

TEST_CASE("a primary that goes to another shard leaves its slots") {
  Shard m;
  m.join(2);
  const LinkId other = m.accept();
  m.receive(other, m.word(2, 4, {300, 400}));
  m.receive(m.primary, m.follower(0, 2, 4, {300, 400}));
  CHECK(m.owner(100).is_null());
  CHECK(m.owner(300) == BareMachine::id_of(2));
}

TEST_CASE("a vote is refused with an UPDATE about who owns what the candidate claims") {
  Shard m;
  m.receive(m.primary, m.word(0, 9, {100, 199}));
  m.actions.clear();
  Message request = m.follower(1, 0, 1, {100, 199});
  request.type = MessageType::kAuthRequest;
  request.body = std::monostate{};
  request.header.current_epoch = 20;
  request.header.message_flags = message_flag::kForceAck;
  m.receive(m.replica, request);
  const auto sends = m.all<action::Send>();
  REQUIRE(sends.size() == 1);
  REQUIRE(sends[0].message->type == MessageType::kUpdate);
  const auto& body = std::get<UpdateBody>(sends[0].message->body);
  CHECK(body.node == BareMachine::id_of(0));
  CHECK(body.config_epoch == 9);
}

TEST_CASE("two votes for replicas of one failed primary need two epochs, and nothing else") {
  Shard m;
  Message request = m.follower(1, 0, 1, {100, 199});
  request.type = MessageType::kAuthRequest;
  request.body = std::monostate{};
  request.header.message_flags = message_flag::kForceAck;
  const auto votes_after = [&](Epoch epoch) {
    request.header.current_epoch = epoch;
    m.actions.clear();
    m.receive(m.replica, request);
    const auto sends = m.all<action::Send>();
    return std::count_if(sends.begin(), sends.end(), [](const action::Send& s) {
      return s.message->type == MessageType::kAuthAck;
    });
  };
  CHECK(votes_after(20) == 1);
  CHECK(votes_after(20) == 0);
  CHECK(votes_after(21) == 1);
}

namespace {

// The same machine as a replica of node 0, with node 2 as another primary.
struct FollowingShard : Shard {
  LinkId other = 0;
  FollowingShard() {
    feed(input::Admin{admin::DelSlots{view_slots()}});
    join(2);
    other = accept();
    receive(other, word(2, 2, {200, 299}));
    feed(input::Admin{admin::Replicate{id_of(0).str(), false}});
    REQUIRE(!reply.is_error());
    tick();
  }
  [[nodiscard]] static std::vector<Slot> view_slots() {
    std::vector<Slot> slots;
    for (Slot s = 0; s < 100; ++s) slots.push_back(s);
    return slots;
  }
  [[nodiscard]] NodeId target(Slot slot) { return peer(view()->migrating_to(slot)); }
  [[nodiscard]] NodeId source(Slot slot) { return peer(view()->importing_from(slot)); }
  [[nodiscard]] NodeId peer(NodeIndex index) {
    return index == kNoNode ? NodeId{} : view()->nodes[index].id;
  }
};

constexpr auto kFollow = admin::SlotOrder::kFollow;

}  // namespace

TEST_CASE("a replica follows the open slots of its primary, by its word alone") {
  FollowingShard m;
  m.feed(input::Admin{admin::SetSlotMigrating{150, BareMachine::id_of(2).str()}});
  CHECK(m.reply.is_error());
  m.feed(input::Admin{admin::SetSlotMigrating{150, BareMachine::id_of(2).str(), kFollow}});
  m.feed(input::Admin{admin::SetSlotImporting{250, BareMachine::id_of(2).str(), kFollow}});
  CHECK(m.target(150) == BareMachine::id_of(2));
  CHECK(m.source(250) == BareMachine::id_of(2));
  m.feed(input::Admin{admin::SetSlotStable{150, kFollow}});
  CHECK(m.target(150).is_null());
  // Claims say who owns the slot; that of its own primary ends the import.
  m.feed(input::Admin{admin::SetSlotNode{250, BareMachine::id_of(0).str(), false, kFollow}});
  CHECK(m.owner(250) == BareMachine::id_of(2));
  Message claim = m.word(0, 9, {100, 199});
  claim.header.slots.add(SlotRange{250, 250});
  m.receive(m.primary, claim);
  CHECK(m.owner(250) == BareMachine::id_of(0));
  CHECK(m.source(250).is_null());
}

TEST_CASE("open slots that come with the data set replace those before, also of unknown nodes") {
  FollowingShard m;
  m.feed(input::Admin{admin::SetSlotMigrating{150, BareMachine::id_of(2).str(), kFollow}});
  m.feed(input::Admin{admin::AdoptOpenSlots{
      {{151, BareMachine::id_of(2), false}, {252, BareMachine::id_of(3), true}}}});
  CHECK(m.target(150).is_null());
  CHECK(m.target(151) == BareMachine::id_of(2));
  CHECK(m.source(252).is_null());
  m.join(3);
  m.tick(10);
  CHECK(m.source(252) == BareMachine::id_of(3));
  m.feed(input::Admin{admin::AdoptOpenSlots{}});
  CHECK(m.target(151).is_null());
  CHECK(m.source(252).is_null());
}

TEST_CASE("a replica that takes its primary's place goes on with its open slots") {
  FollowingShard m;
  m.feed(input::Admin{admin::SetSlotMigrating{150, BareMachine::id_of(2).str(), kFollow}});
  m.feed(input::Admin{admin::SetSlotImporting{250, BareMachine::id_of(2).str(), kFollow}});
  m.feed(input::Admin{admin::Failover{admin::Failover::Mode::kTakeover}});
  REQUIRE(!m.reply.is_error());
  CHECK(m.view()->me().is_primary());
  CHECK(m.target(150) == BareMachine::id_of(2));
  CHECK(m.source(250) == BareMachine::id_of(2));
}

TEST_CASE("a slot that its source gave up is taken by the node that imports it, after a while") {
  FollowingShard m;
  BusSettings settings = BareMachine::default_settings();
  settings.require_full_coverage = false;
  m.feed(input::SettingsChanged{settings});
  m.feed(input::Admin{admin::Failover{admin::Failover::Mode::kTakeover}});
  REQUIRE(m.view()->me().is_primary());
  const LinkId old = m.accept();
  for (const Slot slot : {Slot{250}, Slot{251}})
    m.feed(input::Admin{admin::SetSlotImporting{slot, BareMachine::id_of(2).str()}});
  REQUIRE(!m.reply.is_error());
  m.receive(m.other, m.word(2, 2, {200, 249}));
  CHECK(m.owner(250) == BareMachine::id_of(2));
  // Somebody who claims it comes first.
  m.receive(old, m.word(0, 99, {251, 251}));
  CHECK(m.owner(251) == BareMachine::id_of(0));
  m.tick(static_cast<int>(settings.node_timeout / kTickPeriod / 3));
  REQUIRE(m.view()->state == ClusterState::kOk);
  CHECK(m.owner(250) == m.view()->me().id);
  CHECK(m.owner(251) == BareMachine::id_of(0));
  CHECK(m.owner(252) == BareMachine::id_of(2));
}

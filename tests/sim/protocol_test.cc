// The bus protocol: joining, failure detection, claims, votes, administration.
#include <doctest/doctest.h>

#include <algorithm>

#include "cluster/nodes_file/nodes_file.h"
#include "cluster/wire/codec.h"
#include "tests/sim/bare_machine.h"
#include "tests/sim/options.h"
#include "tests/sim/sim_cluster.h"

using namespace hearth;
using namespace hearth::cluster;
using hearth::sim::SimCluster;

namespace {

struct Created : SimCluster {
  explicit Created(int count, std::uint64_t seed = 1) : SimCluster(seed) {
    std::vector<int> members;
    for (int i = 0; i < count; ++i) members.push_back(add_node());
    create(members);
    REQUIRE(run_until(10'000, [this] { return is_converged(); }));
  }
};

NodeFlags flags_seen(SimCluster& c, int by, const NodeId& of) {
  const ViewPtr v = c.view(by);
  const auto at = v->find(of);
  return at == kNoNode ? NodeFlags{0} : v->nodes[at].flags;
}

void check_rules(const SimCluster& c) {
  for (const auto& v : c.checker.violations()) FAIL_CHECK(v);
}

std::string name(const NodeId& id) { return id.str(); }

}  // namespace

TEST_CASE("nodes that one administrator introduced all know each other and agree") {
  for (const int count : {1, 2, 3, 6}) {
    CAPTURE(count);
    Created c(count);
    CHECK(c.view(0)->assigned == kSlotCount);
    CHECK(c.view(count - 1)->size == count);
    check_rules(c);
  }
}

TEST_CASE("a cluster comes together over a network that loses, doubles and reorders messages") {
  for (const auto seed : sim::seeds(8)) {
    CAPTURE(seed);
    SimCluster c(seed);
    c.faults = {0.2, 0.1, 1, 300};
    std::vector<int> members;
    for (int i = 0; i < 5; ++i) members.push_back(c.add_node());
    c.create(members);
    CHECK(c.run_until(120'000, [&] { return c.view(0)->nodes.size() == 5; }));
    c.faults = {};
    CHECK(c.run_until(30'000, [&] { return c.is_converged(); }));
    check_rules(c);
  }
}

TEST_CASE("a change of what a node announces is told to all at once, not by the next heartbeats") {
  Created c(6);
  const auto announce = [&](const std::string& hostname) {
    c.node(0).settings.hostname = hostname;
    c.feed(0, input::SettingsChanged{c.node(0).settings});
  };
  const auto all_see = [&](const std::string& hostname) {
    for (int i = 0; i < c.size(); ++i) {
      const ViewPtr v = c.view(i);
      if (v->nodes[v->find(c.id(0))].hostname != hostname) return false;
    }
    return true;
  };
  CHECK(all_see(""));
  for (const char* name : {"a.example.org", "b.example.org", ""}) {
    CAPTURE(name);
    announce(name);
    CHECK(c.run_until(200, [&] { return all_see(name); }));
  }
  check_rules(c);
}

// Gossip has told it of me, and it is not known here yet.
TEST_CASE("who pings without being known learns my names from the answer, if it reads them") {
  BusSettings settings = sim::BareMachine::default_settings();
  settings.hostname = "me.example.org";
  for (const bool reads_extensions : {true, false}) {
    CAPTURE(reads_extensions);
    sim::BareMachine m(std::nullopt, settings);
    const LinkId link = m.accept();
    m.actions.clear();
    Message ping = m.heartbeat(MessageType::kPing, 3);
    if (reads_extensions) ping.header.message_flags = message_flag::kExtensions;
    m.receive(link, std::move(ping));
    const auto sent = m.all<action::Send>();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].message->type == MessageType::kPong);
    CHECK(std::get<PingBody>(sent[0].message->body).extensions.hostname ==
          (reads_extensions ? "me.example.org" : ""));
  }
}

TEST_CASE("a message that is dropped on purpose counts as received and does nothing") {
  sim::BareMachine m;
  const auto meet = static_cast<std::size_t>(MessageType::kMeet);
  CHECK(m.view()->stats.received[meet] == 0);
  m.actions.clear();
  m.feed(input::MessageDropped{MessageType::kMeet});
  CHECK(m.view()->stats.received[meet] == 1);
  CHECK(m.all<action::Send>().empty());
  CHECK(m.view()->nodes.size() == 1);
}

TEST_CASE("an unassigned slot keeps the cluster down unless full coverage is not required") {
  Created c(3);
  const auto owner = c.owners(0)[100];
  CHECK(c.admin(owner, admin::DelSlots{{100}}).kind == AdminReply::Kind::kOk);
  c.run_for(100);
  CHECK(c.node(owner).view->state == ClusterState::kFail);
  auto settings = c.node(owner).settings;
  CHECK(c.admin(owner, admin::AddSlots{{100}}).kind == AdminReply::Kind::kOk);
  CHECK(c.run_until(8'000, [&] { return c.is_converged(); }));
  check_rules(c);
}

TEST_CASE("a dead node is failed by the majority, and cleared when it is back") {
  Created c(4);
  const NodeId dead = c.id(3);
  c.crash(3);
  // Suspicion after the time-out, agreement within another, plus a few ticks.
  const auto all_see_fail = [&] {
    return (flags_seen(c, 0, dead) & flags_seen(c, 1, dead) & flags_seen(c, 2, dead) &
            node_flag::kFail) != 0;
  };
  CHECK(c.run_until(2 * 2000 + 1000, all_see_fail));
  CHECK(c.node(0).view->state == ClusterState::kFail);
  c.start(3);
  CHECK(c.run_until(20'000, [&] { return c.is_converged(); }));
  CHECK(c.id(3) == dead);
  check_rules(c);
}

TEST_CASE("a minority stops serving, the majority goes on, healing brings all together") {
  Created c(5);
  for (int i = 0; i < 5; ++i) {
    c.node(i).settings.require_full_coverage = false;
  }
  c.set_groups({0, 0, 0, 1, 1});
  CHECK(c.run_until(8'000, [&] {
    return c.node(3).view->state == ClusterState::kFail &&
           c.node(4).view->state == ClusterState::kFail;
  }));
  CHECK((flags_seen(c, 3, c.id(0)) & node_flag::kFail) == 0);  // a minority cannot agree
  c.heal();
  CHECK(c.run_until(20'000, [&] { return c.is_converged(); }));
  check_rules(c);
}

TEST_CASE("a slot moves by SETSLOT and every node learns the new owner") {
  Created c(3);
  const Slot slot = 42;
  const int from = c.owners(0)[slot];
  const int to = (from + 1) % 3;
  CHECK(c.admin(to, admin::SetSlotImporting{slot, name(c.id(from))}).kind == AdminReply::Kind::kOk);
  CHECK(c.admin(from, admin::SetSlotMigrating{slot, name(c.id(to))}).kind == AdminReply::Kind::kOk);
  CHECK(c.view(from)->migrating_to(slot) == c.view(from)->find(c.id(to)));
  CHECK(c.view(to)->importing_from(slot) == c.view(to)->find(c.id(from)));
  CHECK(c.admin(from, admin::SetSlotNode{slot, name(c.id(to)), true}).text ==
        "ERR Can't assign hashslot 42 to a different node while I still hold keys for this hash "
        "slot.");
  CHECK(c.admin(to, admin::SetSlotNode{slot, name(c.id(to)), true}).kind == AdminReply::Kind::kOk);
  CHECK(c.admin(from, admin::SetSlotNode{slot, name(c.id(to)), false}).kind ==
        AdminReply::Kind::kOk);
  CHECK(c.run_until(5'000, [&] { return c.is_converged() && c.owners(0)[slot] == to; }));
  CHECK(c.view(from)->migrating.empty());
  CHECK(c.view(to)->importing.empty());
  check_rules(c);
}

TEST_CASE("a node that lost slots while it was away is told, and drops their keys") {
  Created c(3);
  const Slot slot = 42;
  const int from = c.owners(0)[slot];
  const int to = (from + 1) % 3;
  c.crash(from);
  const std::string source = c.node(from).durable->me().id.str();
  CHECK(c.admin(to, admin::SetSlotImporting{slot, source}).kind == AdminReply::Kind::kOk);
  CHECK(c.admin(to, admin::SetSlotNode{slot, name(c.id(to)), false}).kind == AdminReply::Kind::kOk);
  c.run_for(1'000);
  c.start(from);
  CHECK(c.owners(from)[slot] == from);
  CHECK(c.run_until(20'000, [&] { return c.is_converged() && c.owners(from)[slot] == to; }));
  CHECK(c.node(from).dropped.has(slot));
  CHECK(c.node(from).dropped.count() == 1);
  check_rules(c);
}

TEST_CASE("equal config epochs are told apart") {
  SimCluster c(3);
  for (int i = 0; i < 6; ++i) {
    c.add_node();
    c.start(i);
  }
  for (int i = 1; i < 6; ++i) c.meet(0, i);
  const auto distinct = [&] {
    std::vector<Epoch> epochs;
    for (int i = 0; i < 6; ++i) epochs.push_back(c.view(i)->me().config_epoch);
    std::sort(epochs.begin(), epochs.end());
    return std::adjacent_find(epochs.begin(), epochs.end()) == epochs.end();
  };
  CHECK(c.run_until(20'000, distinct));
  c.run_for(5'000);
  CHECK(distinct());
  check_rules(c);
}

TEST_CASE("a forgotten node stays away for a minute although gossip knows it") {
  Created c(4);
  const auto share = c.view(3)->me().slots.ranges();
  admin::DelSlots del;
  for (int slot = share.front().first; slot <= share.back().last; ++slot) {
    del.slots.push_back(static_cast<Slot>(slot));
  }
  for (int i = 0; i < 4; ++i) c.admin(i, del);
  const std::string gone = name(c.id(3));
  CHECK(c.admin(0, admin::Forget{gone}).kind == AdminReply::Kind::kOk);
  CHECK(c.admin(0, admin::Forget{name(c.id(0))}).text ==
        "ERR I tried hard but I can't forget myself...");
  CHECK(c.admin(0, admin::Forget{"abc"}).text == "ERR Unknown node abc");
  // The order spreads to the others.
  CHECK(c.run_until(5'000,
                    [&] { return c.view(1)->nodes.size() == 3 && c.view(2)->nodes.size() == 3; }));
  c.crash(3);
  c.run_for(70'000);
  CHECK(c.view(0)->nodes.size() == 3);
  check_rules(c);
}

TEST_CASE("a node that comes back at another address is found there") {
  Created c(3);
  c.crash(2);
  c.run_for(500);
  c.node(2).ip = "10.0.9.9";
  c.node(2).port = 6777;
  c.node(2).settings.announced.port = 6777;
  c.node(2).settings.announced.cport = 6777 + kBusPortOffset;
  c.start(2);
  CHECK(c.run_until(10'000, [&] {
    const auto at = c.view(0)->find(c.id(2));
    return c.view(0)->nodes[at].address.ip == "10.0.9.9" && c.is_converged();
  }));
  CHECK(c.view(1)->nodes[c.view(1)->find(c.id(2))].address.port == 6777);
  check_rules(c);
}

TEST_CASE("published messages reach the other nodes once") {
  Created c(3);
  c.publish(0, "news", "hello");
  c.run_for(100);
  CHECK(c.node(0).delivered.empty());
  CHECK(c.node(1).delivered == std::vector<std::string>{"news:hello"});
  CHECK(c.node(2).delivered == std::vector<std::string>{"news:hello"});
}

TEST_CASE("a node with a broken disk says nothing, and speaks again when the disk is back") {
  Created c(4);
  c.node(2).disk_broken = true;
  CHECK(c.admin(2, admin::BumpEpoch{}).text == "BUMPED 5");
  c.run_for(200);
  CHECK(c.view(0)->current_epoch == 4);
  c.run_for(6'000);
  CHECK((flags_seen(c, 0, c.id(2)) & (node_flag::kFail | node_flag::kPfail)) != 0);
  c.node(2).disk_broken = false;
  CHECK(c.run_until(20'000, [&] { return c.is_converged() && c.view(0)->current_epoch >= 5; }));
  check_rules(c);
}

TEST_CASE("RESET leaves the cluster; HARD takes a new id as well") {
  Created c(3);
  const NodeId before = c.id(2);
  CHECK(c.admin(2, admin::Reset{true, true}).is_error());
  c.checker.forget(before);
  CHECK(c.admin(2, admin::Reset{true, false}).kind == AdminReply::Kind::kOk);
  CHECK(c.id(2) != before);
  CHECK(c.view(2)->nodes.size() == 1);
  CHECK(c.view(2)->me().slot_count == 0);
  CHECK(c.view(2)->current_epoch == 0);
  c.run_for(5'000);
  CHECK(c.view(2)->nodes.size() == 1);
  check_rules(c);
}

namespace {

Message auth_request(SimCluster& c, int i, Epoch epoch) {
  Message m;
  m.type = MessageType::kAuthRequest;
  m.header = c.header_of(i);
  m.header.current_epoch = epoch;
  return m;
}

}  // namespace

TEST_CASE("a vote that is asked for before the news of the failure is given when it comes") {
  for (const std::int64_t ahead : {500, 1'500}) {
    CAPTURE(ahead);
    SimCluster c(3);
    for (int i = 0; i < 4; ++i) c.add_node();
    c.create({0, 1, 2});
    c.start(3);
    c.meet(0, 3);
    REQUIRE(c.run_until(10'000, [&] { return c.is_converged(); }));
    c.node(3).settings.no_failover = true;
    c.feed(3, input::SettingsChanged{c.node(3).settings});
    REQUIRE(c.replicate(3, 2).kind == AdminReply::Kind::kOk);
    REQUIRE(c.run_until(10'000,
                        [&] { return (flags_seen(c, 0, c.id(3)) & node_flag::kReplica) != 0; }));
    const auto acks = [&] { return c.view(0)->stats.sent[6]; };
    c.inject(3, 0, auth_request(c, 3, c.view(0)->current_epoch + 1));
    c.run_for(ahead);
    CHECK(acks() == 0);
    Message fail;
    fail.type = MessageType::kFail;
    fail.header = c.header_of(1);
    fail.body = FailBody{c.id(2)};
    c.inject(1, 0, fail);
    c.run_for(50);
    CHECK(acks() == (ahead < 1'000 ? 1 : 0));
  }
}

TEST_CASE("one vote per epoch, for a replica of a failed primary, and the winner takes the slots") {
  SimCluster c(5);
  for (int i = 0; i < 5; ++i) c.add_node();
  c.create({0, 1, 2});
  c.start(3);
  c.start(4);
  c.meet(0, 3);
  c.meet(0, 4);
  REQUIRE(c.run_until(10'000, [&] { return c.is_converged(); }));
  // The replicas' own elections are of failover_test.cc.
  c.node(3).settings.no_failover = c.node(4).settings.no_failover = true;
  for (const int i : {3, 4}) {
    c.feed(i, input::SettingsChanged{c.node(i).settings});
    REQUIRE(c.replicate(i, 2).kind == AdminReply::Kind::kOk);
  }
  REQUIRE(c.run_until(10'000, [&] {
    return (flags_seen(c, 0, c.id(3)) & flags_seen(c, 1, c.id(4)) & node_flag::kReplica) != 0;
  }));
  const auto acks = [&](int i) { return c.view(i)->stats.sent[6]; };

  const Epoch epoch = c.view(0)->current_epoch + 1;
  c.inject(3, 0, auth_request(c, 3, epoch));
  c.run_for(100);
  CHECK(acks(0) == 0);  // its primary is up

  const NodeId dead = c.id(2);
  const SlotSet slots = c.view(2)->me().slots;
  c.crash(2);
  REQUIRE(c.run_until(8'000, [&] {
    return (flags_seen(c, 0, dead) & flags_seen(c, 1, dead) & node_flag::kFail) != 0;
  }));
  const Epoch election = c.view(0)->current_epoch + 1;
  c.inject(3, 0, auth_request(c, 3, election));
  c.run_for(50);
  CHECK(acks(0) == 1);
  CHECK(c.node(0).durable->last_vote_epoch == election);
  c.inject(4, 0, auth_request(c, 4, election));
  c.run_for(50);
  CHECK(acks(0) == 1);  // the vote of this epoch is given
  c.crash(0);
  c.start(0);
  REQUIRE(c.run_until(8'000, [&] { return c.view(0)->last_vote_epoch == election; }));
  c.inject(4, 0, auth_request(c, 4, election));
  c.run_for(50);
  CHECK(acks(0) == 0);  // also after a restart

  c.crash(3);
  View file = *c.node(3).durable;
  auto& winner = file.nodes[file.myself];
  winner.flags = node_flag::kMyself | node_flag::kPrimary;
  winner.replica_of = NodeId{};
  winner.config_epoch = election;
  winner.slots = slots;
  file.nodes[file.find(dead)].slots.clear();
  file.current_epoch = election;
  c.write_file(3, file);
  c.node(3).offset = 1'000;  // and has the data
  c.start(3);
  CHECK(c.run_until(10'000, [&] {
    const auto at = c.view(0)->find(c.id(3));
    return c.view(0)->nodes[at].slots == slots && c.view(1)->state == ClusterState::kOk;
  }));
  // The old primary returns, learns that it owns nothing any more, and follows who does.
  c.start(2);
  CHECK(c.run_until(10'000, [&] { return c.view(2)->me().slot_count == 0; }));
  CHECK(c.view(2)->me().replica_of == c.id(3));
  CHECK(c.node(2).dropped.empty());  // its data is its primary's business now
  check_rules(c);
}

TEST_CASE(
    "a published message goes with a light header to those that take it, else with a full one") {
  sim::BareMachine m;
  const LinkId full = m.join(0);
  const LinkId light = m.join(1);
  REQUIRE(full != 0);
  REQUIRE(light != 0);
  Message pong = m.heartbeat(MessageType::kPong, 1);
  pong.header.flags |= node_flag::kLightPublish;
  m.receive(light, pong);
  m.actions.clear();
  m.feed(input::Publish{"channel", "text", false});
  int seen = 0;
  for (const auto& send : m.all<action::Send>()) {
    if (send.message->type != MessageType::kPublish) continue;
    ++seen;
    CHECK(send.message->light == (send.link == light));
    const std::size_t header =
        send.link == light ? wire::kLightHeaderBytes : wire::kFullHeaderBytes;
    CHECK(wire::encode(*send.message).size() == header + 8 + 7 + 4);
  }
  CHECK(seen == 2);
}

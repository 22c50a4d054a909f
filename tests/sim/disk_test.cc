// Messages and answers that wait for the disk, and others that do not.
#include <doctest/doctest.h>

#include <algorithm>

#include "cluster/nodes_file/nodes_file.h"
#include "tests/sim/bare_machine.h"
#include "tests/sim/sim_cluster.h"

using namespace hearth;
using namespace hearth::cluster;
using hearth::sim::BareMachine;
using hearth::sim::SimCluster;

namespace {

bool has_persist(const BareMachine& m) { return !m.all<action::Persist>().empty(); }

// A machine with a member (n = 0) that it is connected with, and no write under way.
struct Settled : BareMachine {
  LinkId out = 0;
  LinkId in = 0;
  Settled() {
    out = join(0);
    in = accept();
    receive(in, heartbeat(MessageType::kPing, 0));
    tick(5);
    actions.clear();
    disk_answers = false;
  }
};

}  // namespace

TEST_CASE("a new node says nothing before its file is written") {
  BareMachine m;
  m.disk_answers = false;
  m.machine = std::make_unique<Machine>(m.settings, std::nullopt, 3, m.now());
  m.actions.clear();
  m.tick();
  CHECK(has_persist(m));
  const LinkId link = m.accept();
  m.receive(link, m.heartbeat(MessageType::kPing, 0));
  CHECK(m.all<action::Send>().empty());
  m.feed(input::Persisted{true});
  m.receive(link, m.heartbeat(MessageType::kPing, 0));
  CHECK(m.all<action::Send>().size() == 1);
}

TEST_CASE("while an epoch is being saved heartbeats go on and tell the old one") {
  Settled m;
  const Epoch before = m.view()->current_epoch;
  m.feed(input::Admin{admin::BumpEpoch{}});
  CHECK(m.view()->current_epoch == before + 1);
  REQUIRE(m.all<action::Persist>().size() == 1);
  m.actions.clear();
  m.receive(m.in, m.heartbeat(MessageType::kPing, 0));
  m.tick(20);
  CHECK_FALSE(has_persist(m));  // one at a time
  auto sends = m.all<action::Send>();
  REQUIRE(!sends.empty());
  for (const auto& send : sends) {
    CHECK(send.message->header.current_epoch == before);
    CHECK(send.message->header.config_epoch == before);
  }
  m.actions.clear();
  m.feed(input::Persisted{true});
  m.receive(m.in, m.heartbeat(MessageType::kPing, 0));
  sends = m.all<action::Send>();
  REQUIRE(sends.size() == 1);
  CHECK(sends[0].message->header.current_epoch == before + 1);
}

TEST_CASE(
    "slots that are being saved are not claimed yet, and those given up are not claimed any more") {
  Settled m;
  m.feed(input::Admin{admin::AddSlots{{1, 2, 3}}});
  m.feed(input::Persisted{true});
  m.feed(input::Admin{admin::AddSlots{{4}}});
  Message taken = m.heartbeat(MessageType::kPing, 0);
  taken.header.config_epoch = 50;
  taken.header.current_epoch = 50;
  taken.header.slots.add(2);
  m.actions.clear();
  m.receive(m.in, taken);
  m.receive(m.in, taken);
  const auto sends = m.all<action::Send>();
  REQUIRE(!sends.empty());
  CHECK(sends.back().message->header.slots.ranges() == std::vector<SlotRange>{{1, 1}, {3, 3}});
  CHECK(m.view()->me().slots.ranges() == std::vector<SlotRange>{{1, 1}, {3, 4}});
}

TEST_CASE("a vote waits for the disk, and is lost when the disk refuses") {
  for (const bool works : {true, false}) {
    CAPTURE(works);
    Settled m;
    m.disk_answers = true;
    m.feed(input::Admin{admin::AddSlots{{9}}});
    const LinkId candidate_in = m.accept();
    m.join(1);  // the candidate, a replica of node 0
    Message hello = m.heartbeat(MessageType::kPing, 1);
    hello.header.replica_of = BareMachine::id_of(0);
    hello.header.flags = node_flag::kReplica;
    m.receive(candidate_in, hello);
    m.tick(2);
    m.disk_answers = false;
    m.actions.clear();
    Message request = hello;
    request.type = MessageType::kAuthRequest;
    request.body = std::monostate{};
    request.header.current_epoch = 10;
    request.header.message_flags = message_flag::kForceAck;
    m.receive(candidate_in, request);
    const auto is_vote = [](const action::Send& s) {
      return s.message->type == MessageType::kAuthAck;
    };
    const auto votes = [&] {
      const auto sends = m.all<action::Send>();
      return std::count_if(sends.begin(), sends.end(), is_vote);
    };
    REQUIRE(has_persist(m));
    CHECK(votes() == 0);
    m.tick();
    CHECK(votes() == 0);
    m.actions.clear();
    m.feed(input::Persisted{works});
    CHECK(votes() == (works ? 1 : 0));
    m.feed(input::Persisted{true});  // of the retry
    m.tick(2);
    CHECK(votes() == (works ? 1 : 0));
  }
}

TEST_CASE(
    "a change that comes during a write is saved by the next one, and its answer waits for that") {
  Settled m;
  Actions first = m.machine->step(input::Admin{admin::BumpEpoch{}}, m.now());
  CHECK(first.reply_after_save > m.machine->saved());
  Actions second = m.machine->step(input::Admin{admin::AddSlots{{5}}}, m.now());
  CHECK(second.reply_after_save > first.reply_after_save);
  CHECK(m.machine->step(input::Admin{admin::SetSlotStable{5}}, m.now()).reply_after_save == 0);
  m.actions.clear();
  m.feed(input::Persisted{true});
  CHECK(m.machine->saved() >= first.reply_after_save);
  CHECK(m.machine->saved() < second.reply_after_save);
  REQUIRE(m.all<action::Persist>().size() == 1);
  m.feed(input::Persisted{true});
  CHECK(m.machine->saved() >= second.reply_after_save);
  CHECK(m.machine->is_saved());
}

TEST_CASE(
    "a node whose disk refuses is mute, tries once a tick, and speaks when a write succeeds") {
  Settled m;
  m.feed(input::Admin{admin::BumpEpoch{}});
  m.feed(input::Persisted{false});
  m.actions.clear();
  for (int i = 0; i < 30; ++i) {
    m.receive(m.in, m.heartbeat(MessageType::kPing, 0));
    m.tick();
    m.feed(input::Persisted{false});
  }
  CHECK(m.all<action::Persist>().size() == 30);
  CHECK(m.all<action::Send>().empty());
  m.tick();
  m.feed(input::Persisted{true});
  m.receive(m.in, m.heartbeat(MessageType::kPing, 0));
  CHECK(m.all<action::Send>().size() == 1);
}

TEST_CASE("a disk that takes a second for each write fails nobody") {
  SimCluster c(5);
  std::vector<int> members;
  for (int i = 0; i < 4; ++i) members.push_back(c.add_node());
  c.create(members);
  REQUIRE(c.run_until(10'000, [&] { return c.is_converged(); }));
  c.node(1).disk_delay_ms_min = 1000;
  c.node(1).disk_delay_ms_max = 1500;
  for (int k = 0; k < 10; ++k) {
    c.admin(k % 4, admin::BumpEpoch{});
    for (int t = 0; t < 20; ++t) {
      c.run_for(100);
      for (int i = 0; i < 4; ++i) CHECK(c.node(i).view->state == ClusterState::kOk);
    }
  }
  c.node(1).disk_delay_ms_min = c.node(1).disk_delay_ms_max = 3;
  CHECK(c.run_until(10'000, [&] { return c.is_converged(); }));
  for (const auto& v : c.checker.violations()) FAIL_CHECK(v);
}

TEST_CASE("a crash at any operation of a write leaves a file that loads, old or new") {
  test::MemFileSystem disk;
  const std::string path = "nodes.conf";
  const std::string before = nodes_file_text(BareMachine::file_of(3));
  const std::string after = nodes_file_text(BareMachine::file_of(5));
  int operations = 0;
  {
    NodesStore store(disk);
    REQUIRE(store.open(path));
    REQUIRE(store.save(before));
    const int first = disk.operations();
    REQUIRE(store.save(after));
    operations = disk.operations() - first;
  }
  REQUIRE(operations >= 5);
  for (int at = 1; at <= operations + 1; ++at) {
    for (const std::size_t kept : {0, 1, 100, 100'000}) {
      CAPTURE(at);
      test::MemFileSystem torn;
      NodesStore store(torn);
      REQUIRE(store.open(path));
      REQUIRE(store.save(before));
      torn.fail_at(at);
      const bool ok = store.save(after).has_value();
      CHECK(ok == (at > operations));
      torn.keep_unsynced(kept);
      torn.crash();
      NodesStore again(torn);
      REQUIRE(again.open(path));
      const auto text = again.load();
      REQUIRE(text);
      CHECK((*text == before || *text == after));
      if (ok) CHECK(*text == after);
      CHECK(parse_nodes_file(*text).has_value());
    }
  }
}

// A stranger at the bus port, or a member that turned bad: bounds of what it can make a node keep
// and do.
#include <doctest/doctest.h>

#include <algorithm>

#include "cluster/bus/limits.h"
#include "cluster/nodes_file/nodes_file.h"
#include "tests/sim/bare_machine.h"

using namespace hearth;
using namespace hearth::cluster;
using hearth::sim::BareMachine;
namespace limits = hearth::cluster::limits;

namespace {

Message gossip_of(const BareMachine& m, int teller, int first, int count) {
  Message ping = m.heartbeat(MessageType::kPing, teller);
  auto& body = std::get<PingBody>(ping.body);
  for (int i = first; i < first + count; ++i) {
    GossipEntry e;
    e.id = BareMachine::id_of(i);
    e.ip = fmt::format("10.{}.{}.{}", 1 + i / 65536, i / 256 % 256, i % 256);
    e.port = 6379;
    e.cport = 16379;
    e.flags = node_flag::kPrimary;
    body.gossip.push_back(e);
  }
  return ping;
}

int known(BareMachine& m) { return static_cast<int>(m.view()->nodes.size()); }

}  // namespace

TEST_CASE("one packet with 65,535 unknown nodes leaves a bounded number, which age out unsaved") {
  BareMachine m;
  const LinkId link = m.join(0);
  REQUIRE(link != 0);
  REQUIRE(known(m) == 2);
  const LinkId inbound = m.accept();
  m.actions.clear();
  const int views = m.views;
  m.receive(inbound, gossip_of(m, 0, 1000, 65'535));
  CHECK(known(m) == 2 + static_cast<int>(limits::kHearsayPerTeller));
  CHECK(m.count_with(node_flag::kHandshake) == static_cast<int>(limits::kHearsayPerTeller));
  for (int i = 0; i < 50; ++i) {
    m.receive(inbound, gossip_of(m, 0, 100'000 + 1000 * i, 1000));
    if (i % 5 == 0) m.tick();
  }
  CHECK(known(m) == 2 + static_cast<int>(limits::kHearsayPerTeller));
  CHECK(m.views - views <= 11);  // a tick each, and none for a message
  for (const auto& persist : m.all<action::Persist>()) {
    const auto saved = parse_nodes_file(nodes_file_text(*persist.view));
    REQUIRE(saved.has_value());
    CHECK(saved->nodes.size() == 2);
  }
  // Nobody answers at those addresses.
  m.tick(60);
  CHECK(known(m) == 2);
}

TEST_CASE(
    "hearsay is not passed on, counts for nothing, and ends when somebody else answers there") {
  BareMachine m;
  m.join(0);
  const LinkId inbound = m.accept();
  m.receive(inbound, gossip_of(m, 0, 50, 3));
  REQUIRE(known(m) == 5);
  // Its own word counts only on a link to the address that was told.
  Message claim = m.heartbeat(MessageType::kPing, 50);
  claim.header.slots.add(SlotRange{0, 16383});
  claim.header.config_epoch = 9;
  m.receive(m.accept(), claim);
  CHECK(m.view()->assigned == 0);
  m.actions.clear();
  m.receive(inbound, m.heartbeat(MessageType::kPing, 0));
  for (const auto& send : m.all<action::Send>()) {
    CHECK(std::get<PingBody>(send.message->body).gossip.empty());
  }
  m.actions.clear();
  m.tick();
  const auto opened = m.all<action::OpenLink>();
  REQUIRE(opened.size() == 3);
  m.feed(input::LinkConnected{opened[0].link, "10.0.0.1"});
  m.receive(opened[0].link, m.heartbeat(MessageType::kPong, 50));
  m.feed(input::LinkConnected{opened[1].link, "10.0.0.1"});
  m.receive(opened[1].link, m.heartbeat(MessageType::kPong, 77));
  CHECK(known(m) == 4);
  CHECK(m.count_with(node_flag::kHandshake) == 1);
  const ViewPtr v = m.view();
  CHECK(v->find(BareMachine::id_of(50)) != kNoNode);
  CHECK(v->find(BareMachine::id_of(77)) == kNoNode);
}

TEST_CASE(
    "handshakes that strangers begin are bounded and leave room for those of administrators") {
  BareMachine m;
  for (int i = 0; i < 5000; ++i) m.receive(m.accept(), m.heartbeat(MessageType::kMeet, i));
  CHECK(known(m) == 1 + static_cast<int>(limits::kStrangersMax));
  m.feed(input::Admin{admin::Meet{"10.0.0.2", 6379, 16379}});
  CHECK(!m.reply.is_error());
  CHECK(known(m) == 2 + static_cast<int>(limits::kStrangersMax));
  for (int i = 0; i < 3000; ++i) {
    m.feed(input::Admin{admin::Meet{"10.0.1.2", 6379, static_cast<std::uint16_t>(1 + i)}});
  }
  CHECK(m.reply.is_error());
  CHECK(known(m) == 1 + static_cast<int>(limits::kHandshakesMax));
  m.tick(200);
  CHECK(known(m) == 1);
}

TEST_CASE("a table that is full of members refuses more of them and goes on") {
  constexpr int kMembers = static_cast<int>(limits::kNodesMax) - 3;
  BareMachine m(BareMachine::file_of(kMembers));
  m.tick(200);  // its links are on their way
  int joined = 0;
  for (int i = 0; i < 5; ++i) {
    m.receive(m.accept(), m.heartbeat(MessageType::kMeet, kMembers + i));
    joined = known(m) - kMembers - 1;
  }
  CHECK(joined == 2);
  m.receive(m.accept(), gossip_of(m, 0, 100'000, 1000));
  CHECK(known(m) == static_cast<int>(limits::kNodesMax));
  m.feed(input::Admin{admin::Meet{"10.0.0.2", 6379, 16379}});
  CHECK(m.reply.is_error());
}

TEST_CASE("links on which nobody known speaks are bounded, and closed when they idle") {
  BareMachine m;
  m.join(0);
  const LinkId member = m.accept();
  m.receive(member, m.heartbeat(MessageType::kPing, 0));
  m.actions.clear();
  const LinkId first = m.accept();
  for (std::size_t i = 0; i < limits::kUnknownLinksMax + 9; ++i) m.accept();
  auto closed = m.all<action::CloseLink>();
  REQUIRE(closed.size() == 11);  // with the one that the member's MEET came on
  CHECK(std::any_of(closed.begin(), closed.end(), [&](auto& c) { return c.link == first; }));
  CHECK(std::none_of(closed.begin(), closed.end(), [&](auto& c) { return c.link == member; }));
  m.actions.clear();
  m.tick(310);
  CHECK(m.all<action::CloseLink>().size() >= limits::kUnknownLinksMax);
}

TEST_CASE(
    "a node that does not answer connects is tried less and less often, and not all at once") {
  BareMachine m(BareMachine::file_of(400));
  m.tick(10);
  const auto links = m.machine->links();
  for (const auto& link : links) {
    if (!link.inbound) m.feed(input::LinkClosed{link.id, false});
  }
  m.actions.clear();
  std::size_t opened = 0;
  for (int t = 0; t < 100; ++t) {
    m.actions.clear();
    m.tick();
    const auto opens = m.all<action::OpenLink>();
    CHECK(opens.size() <= limits::kOpensPerTick + 401 / 8);
    opened += opens.size();
    for (const auto& open : opens) m.feed(input::LinkClosed{open.link, false});
  }
  CHECK(opened >= 400 * 9);  // about once a second each
  CHECK(opened <= 400 * 15);
}

TEST_CASE("the log takes so many lines a second, and counts the others") {
  BareMachine m;
  m.join(0);
  m.actions.clear();
  const LinkId link = m.accept();
  for (int i = 0; i < 20'000; ++i) {
    Message vote = m.heartbeat(MessageType::kMeet, 1);
    vote.header.port = static_cast<std::uint16_t>(1 + i);
    vote.type = MessageType::kPing;
    vote.header.sender = BareMachine::id_of(0);
    vote.header.cport = static_cast<std::uint16_t>(1 + i % 60'000);  // its address changes
    m.receive(link, vote);
  }
  m.tick(10);
  CHECK(m.all<action::Log>().size() <= static_cast<std::size_t>(2 * limits::kLogLinesPerSecond));
  bool told = false;
  for (const auto& line : m.all<action::Log>()) {
    told = told || line.text.find("lines were left out") != std::string::npos;
  }
  CHECK(told);
}

TEST_CASE("members that other members forget are bounded as well") {
  BareMachine m(BareMachine::file_of(2000));
  Message ping = m.heartbeat(MessageType::kPing, 0);
  ping.header.message_flags = message_flag::kExtensions;
  for (int i = 1; i < 2000; ++i) {
    std::get<PingBody>(ping.body).extensions.forgotten.push_back({BareMachine::id_of(i), 60});
  }
  const LinkId link = m.accept();
  m.receive(link, ping);
  CHECK(known(m) == 2);
  m.actions.clear();
  m.receive(link, ping);
  bool seen = false;
  for (const auto& send : m.all<action::Send>()) {
    const auto& body = std::get<PingBody>(send.message->body);
    seen = seen || body.extensions.forgotten.size() == limits::kBannedMax;
    CHECK(body.extensions.forgotten.size() <= limits::kBannedMax);
  }
  CHECK(seen);
}

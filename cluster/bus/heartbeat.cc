// Links and pings. Each node keeps one outgoing link to every other; pings go out on it and pongs
// come back on it. A link on which a ping waits for half the time-out is replaced, because the
// silence may be the connection's and not the node's.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "cluster/bus/state.h"

namespace hearth::cluster::bus {
namespace {

constexpr int kPingCandidates = 5;
constexpr Ms kHandshakeRetry = 1000;
constexpr Ms kUsualGapMost = 3 * std::chrono::milliseconds(kTickPeriod).count();  // between ticks
constexpr Ms kHearsayLife = 5000;  // gossip will tell of the node again
constexpr Ms kReopenDelayMax = 1000;
constexpr Ms kUnknownIdleMin = 10'000;
constexpr auto kTicksPerSecond = static_cast<std::uint64_t>(std::chrono::seconds{1} / kTickPeriod);

Ms handshake_timeout(const State& s) { return std::max<Ms>(s.timeout(), 1000); }

Ms handshake_life(const State& s, const Node& node) {
  const Ms life = handshake_timeout(s);
  return node.origin == Origin::kHearsay ? std::min(life, kHearsayLife) : life;
}

void greet(State& s, Node& node) {
  Link* link = s.find_link(node.link);
  if (link == nullptr || !link->connected) return;
  node.met_at = s.now_ms;
  // The answer to a ping from before the link broke is still awaited: failure detection counts
  // from the first ping that was not answered.
  const Ms waiting_since = node.ping_sent;
  s.send_heartbeat(*link, node.has(node_flag::kMeet) ? MessageType::kMeet : MessageType::kPing);
  if (waiting_since != kNever) node.ping_sent = waiting_since;
}

// Handshakes: repeated until answered, given up after the handshake time-out.
bool handshake_expired(State& s, Node& node) {
  if (!node.has(node_flag::kHandshake)) return false;
  if (s.age(node.created) > handshake_life(s, node)) return true;
  if (s.age(node.met_at) >= kHandshakeRetry) greet(s, node);
  return false;
}

// A MEET whose handshake succeeded here may have failed there: the peer answers my pings without
// knowing me. Its own link to me is the proof that it does; until then, MEET again.
void meet_again_if_unknown_there(State& s, Node& node) {
  if (!node.awaits_return_link) return;
  if (node.inbound != 0) {
    node.awaits_return_link = false;
    return;
  }
  if (s.age(node.met_at) < handshake_timeout(s)) return;
  Link* link = s.find_link(node.link);
  if (link == nullptr || !link->connected) return;
  node.met_at = s.now_ms;
  s.send_heartbeat(*link, MessageType::kMeet);
}

void ping_oldest_of_a_few(State& s) {
  Node* oldest = nullptr;
  for (int i = 0; i < kPingCandidates; ++i) {
    Node* node = s.roster[s.rng.below(s.roster.size())];
    if (node->has(node_flag::kMyself | node_flag::kHandshake) || node->ping_sent != kNever ||
        !s.is_connected(*node)) {
      continue;
    }
    if (oldest == nullptr || node->pong_received < oldest->pong_received) oldest = node;
  }
  if (oldest != nullptr) s.send_heartbeat(s.links[oldest->link], MessageType::kPing);
}

void keep_link_fresh(State& s, Node& node) {
  Link* link = s.find_link(node.link);
  if (link == nullptr) return;
  const Ms half = s.timeout() / 2;
  if (!link->connected) {
    if (s.age(link->opened) > std::max<Ms>(half, 500)) on_link_closed(s, link->id);
    return;
  }
  // Silence of this link counts, not of the node: it may still talk on its own link to me.
  if (s.age(link->opened) > s.timeout() && node.ping_sent != kNever &&
      s.age(node.ping_sent) > half && s.age(link->data_received) > half) {
    s.close_link(link->id);
    return;
  }
  if (node.ping_sent == kNever && s.age(node.pong_received) > half) {
    s.send_heartbeat(*link, MessageType::kPing);
  }
}

// When this process itself stood still (stopped, or a command that took seconds), the pongs that
// came meanwhile are not read yet. Waiting for them begins anew, or all peers would be suspected.
void excuse_own_pause(State& s) {
  const Ms pause = s.last_tick == kNever ? 0 : s.age(s.last_tick);
  s.last_tick = s.now_ms;
  // With a time-out of a few milliseconds the time between two ticks is no pause.
  if (pause <= std::max<Ms>(s.timeout() / 2, kUsualGapMost)) return;
  for (auto& [id, node] : s.nodes) {
    if (node.ping_sent != kNever) node.ping_sent = s.now_ms;
  }
  if (pause <= s.timeout()) return;
  // Others had the time to take its slots: it hears the majority again before it serves.
  s.lost_majority = true;
  s.majority_since = kNever;
  s.check_state = true;
  for (auto& [id, node] : s.nodes) node.data_received = kNever;
}

// Opens missing links, so many a tick: connecting to all of a large cluster at once, or again and
// again to nodes that are not there, would take the time of the clients.
void open_links(State& s) {
  std::vector<Node*> due;
  for (auto& [id, node] : s.nodes) {
    if (node.link == 0 && node.open_at <= s.now_ms &&
        !node.has(node_flag::kMyself | node_flag::kNoAddr)) {
      due.push_back(&node);
    }
  }
  const std::size_t most = limits::kOpensPerTick + s.nodes.size() / 8;
  const auto begin = std::find_if(due.begin(), due.end(),
                                  [&s](const Node* node) { return s.last_opened < node->id; });
  if (due.size() > most) std::rotate(due.begin(), begin, due.end());
  for (std::size_t i = 0; i < std::min(due.size(), most); ++i) s.open_link(*due[i]);
}

// Twice as long after each failure, a tick at first.
void delay_next_open(State& s, Node& node) {
  const Ms longest = std::clamp<Ms>(s.timeout() / 10, kTickPeriod.count(), kReopenDelayMax);
  const Ms delay = kTickPeriod.count() << std::min(node.open_failures++, 4);
  node.open_at = s.now_ms + std::min(delay, longest);
}

// Members identify themselves with their first ping. Who never does holds a descriptor for nothing.
void close_idle_unknown_links(State& s) {
  const Ms patience = std::max(kUnknownIdleMin, 2 * s.timeout());
  std::vector<LinkId> idle;
  for (const LinkId id : s.unknown_links) {
    const Link& link = s.links[id];
    if (std::min(s.age(link.opened), s.age(link.data_received)) > patience) idle.push_back(id);
  }
  for (const LinkId id : idle) s.close_link(id);
}

void refill_log_lines(State& s) {
  if (s.ticks % kTicksPerSecond != 0) return;
  s.log_lines_left = limits::kLogLinesPerSecond;
  if (s.log_lines_dropped == 0) return;
  s.note(log::Level::kNotice,
         fmt::format("Cluster bus: {} lines were left out of the log", s.log_lines_dropped));
  s.log_lines_dropped = 0;
}

void set_own_flags(State& s) {
  const NodeFlags before = s.myself->flags;
  if (s.settings.no_failover) {
    s.myself->set(node_flag::kNoFailover);
  } else {
    s.myself->unset(node_flag::kNoFailover);
  }
  if (before != s.myself->flags) s.may_save();
}

}  // namespace

void on_tick(State& s) {
  ++s.ticks;
  excuse_own_pause(s);
  set_own_flags(s);
  refill_log_lines(s);
  close_idle_unknown_links(s);
  std::erase_if(s.banned, [&s](const auto& entry) { return entry.second <= s.now_ms; });

  std::vector<Node*> expired;
  for (auto& [id, node] : s.nodes) {
    if (node.has(node_flag::kMyself | node_flag::kNoAddr)) continue;
    if (handshake_expired(s, node)) expired.push_back(&node);
  }
  for (Node* node : expired) s.remove_node(*node);
  open_links(s);

  const auto ticks_per_ping =
      static_cast<std::uint64_t>(std::max<Ms>(1, s.settings.ping_interval / kTickPeriod));
  if (s.ticks % ticks_per_ping == 0) ping_oldest_of_a_few(s);

  for (auto& [id, node] : s.nodes) {
    if (node.has(node_flag::kMyself | node_flag::kNoAddr | node_flag::kHandshake)) continue;
    meet_again_if_unknown_there(s, node);
    keep_link_fresh(s, node);
    check_timeouts(s, node);
  }
  tell_suspects(s);
  tick_short_data(s);
  tick_recovery(s);
  tick_replicas(s);
  tick_open_slots(s);
  tick_formation(s);
  if (s.ticks % kTicksPerSecond == 0) {
    check_own_ip(s);
    ask_seeds_if_alone(s);
  }
  if (s.cluster_state == ClusterState::kFail) s.check_state = true;
}

void on_link_accepted(State& s, const input::LinkAccepted& in) {
  Link& link = s.links[in.link];
  link.id = in.link;
  link.inbound = true;
  link.connected = true;
  link.opened = s.now_ms;
  link.peer_ip = in.peer_ip;
  link.local_ip = in.local_ip;
  s.unknown_links.insert(in.link);
  if (s.unknown_links.size() > limits::kUnknownLinksMax) s.close_link(*s.unknown_links.begin());
}

void on_link_connected(State& s, const input::LinkConnected& in) {
  Link* link = s.find_link(in.link);
  if (link == nullptr || link->node == nullptr) return;
  link->connected = true;
  link->opened = s.now_ms;
  link->local_ip = in.local_ip;
  s.view_changed = true;
  link->node->open_failures = 0;
  greet(s, *link->node);
}

void on_link_closed(State& s, LinkId id) {
  Link* link = s.find_link(id);
  if (link == nullptr) return;
  if (Node* node = link->node; !link->inbound && node != nullptr) delay_next_open(s, *node);
  // Unreachable counts as an unanswered ping, or a node that refuses connections would never be
  // suspected.
  if (Node* node = link->node; !link->inbound && node != nullptr && node->ping_sent == kNever) {
    node->ping_sent = s.now_ms;
  }
  s.close_link(id);
}

Node* start_handshake(State& s, const Address& address, Origin origin, NodeFlags extra_flags) {
  if (!is_safe_ip(address.ip) || address.ip.empty() || address.cport == 0) return nullptr;
  if (s.called.count({address.ip, address.cport}) != 0) return nullptr;
  if (!s.may_shake_hands(origin, nullptr)) return nullptr;
  s.called.emplace(address.ip, address.cport);
  NodeId made_up(s.rng.hex(NodeId::kLength));
  while (s.find(made_up) != nullptr) made_up = NodeId(s.rng.hex(NodeId::kLength));
  Node& node = s.add_handshake(made_up, origin, nullptr, extra_flags);
  node.address = address;
  return &node;
}

}  // namespace hearth::cluster::bus

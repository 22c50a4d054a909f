// Gossip: every heartbeat tells of a few other nodes, and of all that the sender suspects.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cluster/bus/state.h"

namespace hearth::cluster::bus {
namespace {

constexpr std::size_t kGossipMin = 3;
constexpr Ms kClockSkewAllowed = 500;

// Steady time to Unix seconds; 0 for never.
std::uint32_t unix_seconds(const State& s, Ms at) {
  if (at == kNever) return 0;
  return static_cast<std::uint32_t>((s.now.unix.ms - s.age(at)) / 1000);
}

GossipEntry entry_of(const State& s, const Node& node) {
  GossipEntry e;
  e.id = node.id;
  e.ping_sent = unix_seconds(s, node.ping_sent);
  e.pong_received = unix_seconds(s, node.pong_received);
  e.ip = node.address.ip;
  e.port = node.address.port;
  e.second_port = node.address.tls_port;
  e.cport = node.address.cport;
  e.flags = node.flags;
  return e;
}

Extensions own_extensions(const State& s) {
  Extensions ext;
  ext.hostname = s.myself->hostname;
  ext.human_name = s.myself->human_name;
  ext.client_ipv4 = s.myself->client_ipv4;
  ext.client_ipv6 = s.myself->client_ipv6;
  ext.shard_id = s.myself->shard_id;
  for (const auto& [id, until] : s.banned) {  // at most limits::kBannedMax
    ext.forgotten.push_back(
        {id, static_cast<std::uint64_t>(std::max<Ms>(1, (until - s.now_ms) / 1000))});
  }
  return ext;
}

// Hearsay: it becomes a node of mine when it answers at that address with that id. What the teller
// does not reach itself is not asked for; others tell of it when it is back.
void learn_unknown_node(State& s, Node& teller, const GossipEntry& e) {
  constexpr NodeFlags kUnusable =
      node_flag::kNoAddr | node_flag::kHandshake | node_flag::kPfail | node_flag::kFail;
  if ((e.flags & kUnusable) != 0) return;
  if ((e.flags & (node_flag::kPrimary | node_flag::kReplica)) == 0) return;
  if (e.ip.empty() || !is_safe_ip(e.ip) || e.cport == 0 || s.banned.count(e.id) != 0) return;
  if (!s.may_shake_hands(Origin::kHearsay, &teller)) return;
  Node& node = s.add_handshake(e.id, Origin::kHearsay, &teller);
  node.address = {e.ip, e.port, e.second_port, e.cport};
}

void learn_known_node(State& s, Node& sender, Node& node, const GossipEntry& e) {
  if (node.has(node_flag::kHandshake)) return;
  const bool suspected = (e.flags & (node_flag::kPfail | node_flag::kFail)) != 0;
  if (sender.votes() && &node != s.myself) {
    if (suspected) {
      add_failure_report(s, node, sender);
      fail_if_agreed(s, node);
    } else {
      remove_failure_report(s, node, sender);
    }
  }
  if (&node == s.myself) return;
  // Somebody I trust heard from it: no need to ping it myself. A clock that runs ahead must not
  // make a node look alive for ever, hence the bound.
  if (!suspected && node.ping_sent == kNever && count_failure_reports(s, node) == 0) {
    const Ms heard = s.now_ms - (s.now.unix.ms - Ms{e.pong_received} * 1000);
    if (heard <= s.now_ms + kClockSkewAllowed && heard > node.pong_received) {
      node.pong_received = std::min(heard, s.now_ms);
    }
  }
  // It moved, and I lost it: take the address at which others still reach it.
  if (node.has(node_flag::kFail | node_flag::kPfail) && !suspected &&
      (e.flags & node_flag::kNoAddr) == 0 && !e.ip.empty() && is_safe_ip(e.ip) &&
      (node.address.ip != e.ip || node.address.port != e.port || node.address.cport != e.cport)) {
    if (node.link != 0) s.close_link(node.link);
    node.address = {e.ip, e.port, e.second_port, e.cport};
    node.unset(node_flag::kNoAddr);
    node.open_at = kNever;
    s.may_save();
  }
}

void set_text(State& s, std::string& field, const std::string& value) {
  if (field == value || !is_safe_name(value)) return;
  field = value;
  s.may_save();
  s.publish_now();  // redirects tell it
}

void set_ip(State& s, std::string& field, const std::string& value) {
  if (field == value || !is_safe_ip(value)) return;
  field = value;
  s.may_save();
  s.publish_now();  // redirects tell it
}

}  // namespace

PingBody make_gossip(State& s, const Link& link) {
  PingBody body;
  const Node* receiver = link.node;
  const std::uint64_t mark = ++s.gossip_serial;
  const auto tell = [&](Node& node) {
    if (node.gossip_mark == mark || &node == s.myself || &node == receiver) return;
    if (node.has(node_flag::kHandshake | node_flag::kNoAddr)) return;
    node.gossip_mark = mark;
    body.gossip.push_back(entry_of(s, node));
  };
  // Random picks of all nodes: the ones that do not qualify, or come twice, are not replaced for
  // ever. With few nodes nearly all are told of anyway.
  const std::size_t wanted = std::max(kGossipMin, s.nodes.size() / 10);
  for (std::size_t tries = 3 * wanted; tries > 0 && body.gossip.size() < wanted; --tries) {
    Node& node = *s.roster[s.rng.below(s.roster.size())];
    if (node.has(node_flag::kPfail)) continue;
    if (s.is_connected(node) || node.slot_count > 0) tell(node);
  }
  for (const NodeId& id : s.suspects) {
    if (Node* node = s.find(id); node != nullptr) tell(*node);
  }
  // A peer that is not known here yet, but knows me, learns my names from the answer too.
  if (link.takes_extensions || (receiver != nullptr && receiver->has(node_flag::kExtensions))) {
    body.extensions = own_extensions(s);
  }
  return body;
}

void learn_gossip(State& s, Node& sender, const PingBody& body) {
  const std::size_t count = std::min(body.gossip.size(), limits::kGossipMax);
  for (std::size_t i = 0; i < count; ++i) {
    const GossipEntry& e = body.gossip[i];
    if (Node* node = s.find(e.id); node != nullptr) {
      learn_known_node(s, sender, *node, e);
    } else {
      learn_unknown_node(s, sender, e);
    }
  }
}

void learn_extensions(State& s, Node& sender, const Extensions& ext) {
  set_text(s, sender.hostname, ext.hostname);
  set_text(s, sender.human_name, ext.human_name);
  set_ip(s, sender.client_ipv4, ext.client_ipv4);
  set_ip(s, sender.client_ipv6, ext.client_ipv6);
  // Peers without shards: a primary is its own shard, a replica belongs to its primary's.
  NodeId shard = ext.shard_id;
  if (shard.is_null()) {
    const Node* primary = s.primary_of(sender);
    shard = primary != nullptr && primary != &sender ? primary->shard_id : sender.id;
  }
  if (sender.shard_id != shard) {
    sender.shard_id = shard;
    s.may_save();
  }
  for (const auto& forgotten : ext.forgotten) {
    Node* node = s.find(forgotten.id);
    if (node == nullptr || node == s.myself || node == &sender ||
        s.myself->replica_of == forgotten.id) {
      continue;
    }
    constexpr std::uint64_t kBanSecondsMax = 24 * 3600;
    ban(s, forgotten.id, static_cast<Ms>(std::min(forgotten.ttl_seconds, kBanSecondsMax)) * 1000);
    release_promise_to(s, forgotten.id);
    s.remove_node(*node);
  }
}

bool update_address(State& s, Node& node, Address current) {
  if (&node == s.myself) return false;
  if (current == node.address || !is_safe_ip(current.ip) || current.ip.empty()) return false;
  const bool reachable_elsewhere =
      current.ip != node.address.ip || current.cport != node.address.cport;
  node.address = std::move(current);
  s.may_save();
  if (reachable_elsewhere) {
    s.note(log::Level::kNotice, fmt::format("Address updated for node {}, now {}:{}", named(node),
                                            node.address.ip, node.address.port));
    if (node.link != 0) s.close_link(node.link);
    node.unset(node_flag::kNoAddr);
    node.open_at = kNever;
  }
  return true;
}

}  // namespace hearth::cluster::bus

// One received message: who sent it, what it proves, what it asks for.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/bus/state.h"

namespace hearth::cluster::bus {
namespace {

bool is_heartbeat(MessageType type) {
  return type == MessageType::kPing || type == MessageType::kPong || type == MessageType::kMeet;
}

void meet_stranger(State& s, const Link& link, const MessageHeader& header) {
  const std::string& ip = header.announced_ip.empty() ? link.peer_ip : header.announced_ip;
  start_handshake(s, {ip, header.port, header.second_port, header.cport}, Origin::kStranger, 0);
}

void identify_link(State& s, Link& link, Node& sender) {
  if (!link.inbound || link.node == &sender) return;
  if (sender.inbound != 0) s.close_link(sender.inbound);
  if (link.node != nullptr) link.node->inbound = 0;
  s.unknown_links.erase(link.id);
  link.node = &sender;
  sender.inbound = link.id;
}

enum class LinkPeer { kAsExpected, kGone };

// The node of a finished handshake is known already: the address at which it answered is news.
void meet_known_node(State& s, Node& known, const Node& handshake, const MessageHeader& header) {
  s.note(log::Level::kVerbose,
         fmt::format("Handshake: we already know node {}, updating the address if needed.",
                     header.sender.view()));
  if (&known == s.myself) return;
  const std::string& ip = header.announced_ip.empty() ? handshake.address.ip : header.announced_ip;
  update_address(s, known, {ip, header.port, header.second_port, header.cport});
}

// The first answer of a node that was only an address so far, or only hearsay.
LinkPeer finish_handshake(State& s, Node& node, const Message& message) {
  const MessageHeader& header = message.header;
  const NodeId before = node.id;
  LinkId claimed = node.claimed_inbound;
  if (before != header.sender) {
    if (node.origin == Origin::kHearsay) {  // somebody else answers there
      s.remove_node(node);
      return LinkPeer::kGone;
    }
    Node* known = s.find(header.sender);
    if (node.origin == Origin::kAsked && known == nullptr) {  // no seed of this cluster any more
      s.remove_node(node);
      return LinkPeer::kGone;
    }
    if (known != nullptr && !known->has(node_flag::kHandshake)) {
      meet_known_node(s, *known, node, header);
      s.remove_node(node);  // closes the link
      on_handshake_done(s, before, header.sender);
      return LinkPeer::kGone;
    }
    if (known != nullptr) {  // hearsay so far; this one has answered
      claimed = known->claimed_inbound;
      s.remove_node(*known);
    }
    s.rename_node(node, header.sender);
  }
  node.awaits_return_link = node.has(node_flag::kMeet);
  s.confirm(node);
  node.set(header.replica_of.is_null() ? node_flag::kPrimary : node_flag::kReplica);
  s.note(log::Level::kNotice, fmt::format("Handshake with node {} completed.", named(node)));
  if (Link* link = s.find_link(claimed); link != nullptr && link->node == nullptr) {
    identify_link(s, *link, node);
  }
  on_handshake_done(s, before, node.id);
  return LinkPeer::kAsExpected;
}

// Somebody else answers at the address of `node`: its address is not known any more.
LinkPeer lose_address(State& s, Link& link, Node& node, const NodeId& answering) {
  s.note(log::Level::kVerbose,
         fmt::format("PONG contains mismatching sender ID: expected {}, got {}", named(node),
                     answering.view()));
  node.set(node_flag::kNoAddr);
  node.address = {};
  s.close_link(link.id);
  s.may_save();
  return LinkPeer::kGone;
}

LinkPeer check_outgoing_peer(State& s, Link& link, const Message& message) {
  if (link.inbound) return LinkPeer::kAsExpected;
  Node& node = *link.node;
  if (node.has(node_flag::kHandshake)) return finish_handshake(s, node, message);
  if (node.id != message.header.sender) return lose_address(s, link, node, message.header.sender);
  return LinkPeer::kAsExpected;
}

void on_pong(State& s, const Link& link) {
  if (link.inbound) return;
  Node& node = *link.node;
  node.pong_received = s.now_ms;
  node.ping_sent = kNever;
  on_node_alive(s, node);
}

void learn_role(State& s, Node& sender, const MessageHeader& header) {
  if (header.replica_of.is_null()) {
    become_primary(s, sender);
    return;
  }
  if (!sender.is_replica()) {
    become_replica(s, sender, header);
  } else if (sender.replica_of != header.replica_of) {
    sender.replica_of = header.replica_of;
    s.may_save();
  }
  note_has_replica(s, header.replica_of);
  if (sender.id == s.myself->replica_of) mend_own_primary(s);
}

void learn_slots(State& s, Link& link, Node& sender, const MessageHeader& header) {
  Node* primary = s.primary_of(sender);
  if (primary == nullptr || (primary->slots == header.slots && primary->unclaimed.empty())) return;
  if (sender.is_primary()) learn_claims(s, sender, header.config_epoch, header.slots);
  correct_stale_claims(s, link, sender, header.config_epoch, header.slots);
}

void learn_header(State& s, Node& sender, const MessageHeader& header) {
  if (header.current_epoch > s.current_epoch) {
    s.current_epoch = header.current_epoch;
    s.must_save();
  }
  // A replica's header shows its primary's epoch; it says nothing about the replica's own.
  if (header.replica_of.is_null() && header.config_epoch > sender.config_epoch) {
    sender.config_epoch = header.config_epoch;
    on_new_epoch(s, sender);
    s.may_save();
  }
  sender.replication_offset = header.replication_offset;
  learn_held_offset(s, sender, header);
  if ((header.message_flags & message_flag::kExtensions) != 0) sender.set(node_flag::kExtensions);
  constexpr NodeFlags kCopied =
      node_flag::kNoFailover | node_flag::kLightPublish | node_flag::kLightModule;
  sender.flags = static_cast<NodeFlags>((sender.flags & ~kCopied) | (header.flags & kCopied));
}

void on_heartbeat(State& s, Link& link, const Message& message) {
  const MessageHeader& header = message.header;
  const bool from_myself = header.sender == s.myself->id;
  if (message.type != MessageType::kPong) {
    if (!from_myself || s.myself->address.ip.empty()) learn_own_ip(s, link, message.type);
    Node* known = s.find(header.sender);
    if (message.type == MessageType::kMeet && known == nullptr) meet_stranger(s, link, header);
    s.send_heartbeat(link, MessageType::kPong);
  }
  if (check_outgoing_peer(s, link, message) == LinkPeer::kGone || from_myself) return;

  Node* sender = s.find(header.sender);
  if (sender == nullptr || sender->has(node_flag::kHandshake)) return;
  if (message.type != MessageType::kPong && link.inbound) {
    const std::string& ip = header.announced_ip.empty() ? link.peer_ip : header.announced_ip;
    update_address(s, *sender, {ip, header.port, header.second_port, header.cport});
  }
  if (message.type == MessageType::kPong) on_pong(s, link);
  learn_role(s, *sender, header);
  learn_slots(s, link, *sender, header);
  resolve_epoch_collision(s, *sender);
  const auto& body = std::get<PingBody>(message.body);
  learn_gossip(s, *sender, body);
  if ((header.message_flags & message_flag::kExtensions) != 0) {
    learn_extensions(s, *sender, body.extensions);
  }
}

void on_body(State& s, Node& sender, const Message& message) {
  switch (message.type) {
    case MessageType::kFail:
      on_fail_message(s, sender, std::get<FailBody>(message.body).failed);
      break;
    case MessageType::kPublish:
    case MessageType::kPublishShard: {
      const auto& body = std::get<PublishBody>(message.body);
      s.out.emplace_back(
          action::Deliver{body.channel, body.message, message.type == MessageType::kPublishShard});
      break;
    }
    case MessageType::kAuthRequest: vote_if_due(s, sender, message.header); break;
    case MessageType::kUpdate:
      on_update_message(s, sender, std::get<UpdateBody>(message.body));
      break;
    case MessageType::kModule:
      on_formation_message(s, sender, std::get<ModuleBody>(message.body));
      on_failover_message(s, sender, std::get<ModuleBody>(message.body));
      on_balance_message(s, sender, std::get<ModuleBody>(message.body));
      on_recovery_message(s, sender, std::get<ModuleBody>(message.body));
      break;
    case MessageType::kAuthAck: on_vote(s, sender, message.header); break;
    case MessageType::kMfStart: on_manual_failover_request(s, sender, message.header); break;
    case MessageType::kPing:
    case MessageType::kPong:
    case MessageType::kMeet: break;
  }
}

}  // namespace

void on_message(State& s, Link& link, const Message& message) {
  ++s.stats.received[static_cast<std::size_t>(message.type)];
  link.data_received = s.now_ms;
  if (message.light) {
    if (link.node == nullptr || link.node->has(node_flag::kHandshake)) return;
    link.node->data_received = s.now_ms;
    on_body(s, *link.node, message);
    return;
  }
  link.takes_extensions = (message.header.message_flags & message_flag::kExtensions) != 0;
  Node* sender = s.find(message.header.sender);
  if (sender != nullptr && sender->has(node_flag::kHandshake)) {
    if (link.inbound && link.node == nullptr) sender->claimed_inbound = link.id;
    sender = nullptr;
  }
  if (sender == s.myself) sender = nullptr;
  if (sender != nullptr) {
    sender->data_received = s.now_ms;
    identify_link(s, link, *sender);
    learn_header(s, *sender, message.header);
  }
  if (is_heartbeat(message.type)) {
    on_heartbeat(s, link, message);
  } else if (sender != nullptr) {
    on_body(s, *sender, message);
  }
}

}  // namespace hearth::cluster::bus

#include "cluster/bus/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "src/base/check.h"

namespace hearth::cluster::bus {

Node* State::find(const NodeId& id) {
  const auto at = nodes.find(id);
  return at == nodes.end() ? nullptr : &at->second;
}

Node* State::find(std::string_view id) { return NodeId::is_valid(id) ? find(NodeId(id)) : nullptr; }

Node& State::add_node(const NodeId& id, NodeFlags flags) {
  const auto [at, added] = nodes.try_emplace(id);
  HEARTH_CHECK(added && nodes.size() < kNoNode);
  Node& node = at->second;
  roster.push_back(&node);
  node.id = id;
  node.flags = flags;
  node.shard_id = id;  // until the node says otherwise: old peers have no shards
  node.created = now_ms;
  view_changed = true;
  return node;
}

bool State::may_shake_hands(Origin origin, const Node* teller) const {
  const std::size_t all = handshakes[0] + handshakes[1] + handshakes[2] + handshakes[3];
  if (!has_room() || all >= limits::kHandshakesMax) return false;
  const std::size_t same = handshakes[static_cast<std::size_t>(origin)];
  switch (origin) {
    case Origin::kCalled:
    case Origin::kAsked: return true;
    case Origin::kStranger: return same < limits::kStrangersMax;
    case Origin::kHearsay: break;
  }
  return same < limits::kHearsayMax && teller != nullptr &&
         teller->told < static_cast<int>(limits::kHearsayPerTeller);
}

Node& State::add_handshake(const NodeId& id, Origin origin, Node* teller, NodeFlags more) {
  Node& node = add_node(id, static_cast<NodeFlags>(node_flag::kHandshake | more));
  node.origin = origin;
  ++handshakes[static_cast<std::size_t>(origin)];
  if (teller != nullptr) {
    node.told_by = teller->id;
    ++teller->told;
  }
  return node;
}

void State::end_handshake(Node& node) {
  if (!node.has(node_flag::kHandshake)) return;
  node.unset(node_flag::kHandshake | node_flag::kMeet);
  --handshakes[static_cast<std::size_t>(node.origin)];
  if (node.origin != Origin::kHearsay) {
    called.erase({node.address.ip, node.address.cport});
    return;
  }
  if (Node* teller = find(node.told_by); teller != nullptr && teller->told > 0) --teller->told;
}

void State::confirm(Node& node) {
  end_handshake(node);
  node.origin = Origin::kCalled;
  may_save();
}

void State::remove_node(Node& node) {
  HEARTH_CHECK(&node != myself);
  end_handshake(node);
  std::erase(roster, &node);
  suspects.erase(node.id);
  take_all_slots(node);
  const auto names_it = [&node](const auto& moving) { return moving.second == &node; };
  std::erase_if(migrating, names_it);
  std::erase_if(importing, names_it);
  if (node.reported) {
    for (auto& [id, other] : nodes) other.failure_reports.erase(node.id);
  }
  if (node.link != 0) close_link(node.link);
  if (node.inbound != 0) close_link(node.inbound);
  formation.peers.erase(node.id);
  nodes.erase(NodeId(node.id));
  may_save();
  check_state = true;
}

void State::rename_node(Node& node, const NodeId& id) {
  HEARTH_CHECK(nodes.find(id) == nodes.end());
  const bool own_shard = node.shard_id == node.id;
  auto handle = nodes.extract(node.id);  // the node keeps its place in memory
  handle.key() = id;
  handle.mapped().id = id;
  if (own_shard) handle.mapped().shard_id = id;
  nodes.insert(std::move(handle));
  view_changed = true;
}

Node* State::primary_of(Node& node) { return node.is_replica() ? find(node.replica_of) : &node; }

void State::give_slot(Node& node, Slot slot) {
  HEARTH_CHECK(owner[slot] == nullptr);
  owner[slot] = &node;
  node.slots.add(slot);
  ++node.slot_count;
  view_changed = check_state = true;
  if (&node == myself) view_changed_now = true;
}

void State::take_slot(Slot slot) {
  Node* node = owner[slot];
  if (node == nullptr) return;
  owner[slot] = nullptr;
  node->slots.remove(slot);
  node->unclaimed.remove(slot);
  --node->slot_count;
  view_changed = check_state = true;
  if (node == myself) view_changed_now = true;
}

void State::take_all_slots(Node& node) {
  const SlotSet slots = node.slots;
  slots.for_each([this](Slot slot) { take_slot(slot); });
}

Link* State::find_link(LinkId id) {
  const auto at = links.find(id);
  return at == links.end() ? nullptr : &at->second;
}

bool State::is_connected(const Node& node) {
  const Link* link = find_link(node.link);
  return link != nullptr && link->connected;
}

void State::open_link(Node& node) {
  HEARTH_CHECK(node.link == 0);
  const LinkId id = next_link;
  next_link += 2;
  Link& link = links[id];
  link.id = id;
  link.node = &node;
  link.opened = now_ms;
  link.peer_ip = node.address.ip;
  node.link = id;
  last_opened = node.id;
  // An attempt that nobody answers is a ping that nobody answers.
  if (node.ping_sent == kNever && !node.has(node_flag::kHandshake)) node.ping_sent = now_ms;
  out.emplace_back(action::OpenLink{id, node.address.ip, node.address.cport});
}

void State::close_link(LinkId id) {
  if (find_link(id) == nullptr) return;
  drop_link(id);
  out.emplace_back(action::CloseLink{id});
}

void State::drop_link(LinkId id) {
  const auto at = links.find(id);
  if (at == links.end()) return;
  unknown_links.erase(id);
  if (Node* node = at->second.node; node != nullptr) {
    if (node->link == id) {
      node->link = 0;
      if (at->second.connected) view_changed = true;
    }
    if (node->inbound == id) node->inbound = 0;
  }
  links.erase(at);
}

MessageHeader State::header() {
  MessageHeader h;
  h.sender = myself->id;
  // Without the disk knowing it, no message leaves: finish() in machine.cc.
  const Durable known = is_saved() || !durable ? durable_part(*this) : *durable;
  h.current_epoch = known.current_epoch;
  h.replica_of = known.replica_of;
  Node* primary = known.replica_of.is_null() ? myself : find(known.replica_of);
  if (primary == myself || primary == nullptr) {
    h.config_epoch = known.config_epoch;
    h.slots = known.slots;
    h.slots.intersect(myself->slots);  // what was lost meanwhile is not claimed any more
  } else {
    h.config_epoch = primary->config_epoch;
    h.slots = primary->slots;
  }
  h.announced_ip = settings.announced.ip;
  h.port = myself->address.port;
  h.second_port = myself->address.tls_port;
  h.cport = myself->address.cport;
  h.flags = myself->flags;
  if (h.replica_of != myself->replica_of) {  // the change of the role is being saved
    constexpr NodeFlags kRoles = node_flag::kPrimary | node_flag::kReplica;
    h.flags = static_cast<NodeFlags>(
        (h.flags & ~kRoles) | (h.replica_of.is_null() ? node_flag::kPrimary : node_flag::kReplica));
  }
  h.state = cluster_state;
  h.replication_offset = own_offset(*this);
  // Set even when no extension follows: it says that mine are understood.
  h.message_flags = message_flag::kExtensions;
  if (myself->is_primary() && manual.is_under_way() && now.data.writes_held) {
    h.message_flags |= message_flag::kPaused;
  }
  return h;
}

namespace {
// Votes, promises, and what is said of epochs and owners in the body.
bool tells_of_the_disk(const Message& message) {
  switch (message.type) {
    case MessageType::kAuthRequest:
    case MessageType::kAuthAck:
    case MessageType::kMfStart:
    case MessageType::kUpdate:
    case MessageType::kModule: return true;
    default: return false;
  }
}
}  // namespace

void State::send(Link& link, const std::shared_ptr<Message>& message) {
  if (!link.connected || awaits_heir()) return;
  if (!is_saved() && tells_of_the_disk(*message)) {
    // All of these are said again; not so often that this many would wait.
    if (held.size() < limits::kHeldMax) held.push_back({wanted, link.id, message, current_epoch});
    return;
  }
  ++stats.sent[static_cast<std::size_t>(message->type)];
  if (!message->light && (headless.empty() || headless.back() != message)) {
    headless.push_back(message);
  }
  out.emplace_back(action::Send{link.id, message});
}

void State::send(Link& link, MessageType type, decltype(Message::body) body) {
  send(link, std::make_shared<Message>(Message{type, false, {}, std::move(body)}));
}

void State::send(Node& node, MessageType type, decltype(Message::body) body) {
  if (Link* link = find_link(node.link); link != nullptr) send(*link, type, std::move(body));
}

void State::broadcast(MessageType type, decltype(Message::body) body) {
  const auto message = std::make_shared<Message>(Message{type, false, {}, std::move(body)});
  for (auto& [id, node] : nodes) {
    if (node.has(node_flag::kMyself | node_flag::kHandshake)) continue;
    if (Link* link = find_link(node.link); link != nullptr) send(*link, message);
  }
}

void State::send_heartbeat(Link& link, MessageType type) {
  if (!link.connected || awaits_heir()) return;
  if (!link.inbound && type == MessageType::kPing) link.node->ping_sent = now_ms;
  send(link, type, make_gossip(*this, link));
}

void State::broadcast_pong() {
  for (auto& [id, node] : nodes) {
    if (node.has(node_flag::kMyself | node_flag::kHandshake)) continue;
    if (Link* link = find_link(node.link); link != nullptr) {
      send_heartbeat(*link, MessageType::kPong);
    }
  }
}

// Peers can cause most lines, as many as they like; a log is not to be filled by them.
void State::note(log::Level level, std::string text) {
  if (log_lines_left == 0) {
    ++log_lines_dropped;
    return;
  }
  --log_lines_left;
  out.emplace_back(action::Log{level, std::move(text)});
}

std::string named(const Node& node) {
  return fmt::format("{} ({})", node.id.view(), node.human_name);
}

bool is_safe_name(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return std::isalnum(u) != 0 || c == '-' || c == '.' || c == '_';
  });
}

bool is_safe_ip(std::string_view text) {
  return text.size() <= kIpTextMax && std::all_of(text.begin(), text.end(), [](char c) {
           const auto u = static_cast<unsigned char>(c);
           return std::isalnum(u) != 0 || c == '-' || c == '.' || c == ':' || c == '%';
         });
}

}  // namespace hearth::cluster::bus

#include "tests/sim/whole/whole_cluster.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hearth::sim {

using namespace hearth::cluster;  // NOLINT: a test's own file

WholeCluster::~WholeCluster() {
  streams_.clear();
  wholes_.clear();
}

// --- nodes

void WholeCluster::node_starts(int i) {
  wholes_[i] = std::make_unique<WholeNode>(*this, i, node(i).disk, rng.next(), config_);
  // The bus runs while data is loaded, and is told of it here like in the server.
  at_node(i, 1, [this, i] {
    feed(i, input::Loading{true});
    if (!is_up(i)) return;
    whole(i).turn([this, i] { whole(i).begin(*view(i)); });
    feed(i, input::Loading{false});
  });
}

void WholeCluster::node_ended(int i) {
  for (auto& [replica, stream] : streams_) {
    if (replica == i || stream->primary == i)
      break_stream(stream, replica == i ? stream->primary : replica);
  }
  streams_.erase(i);
  std::vector<std::uint64_t> broken;
  for (const auto& [id, c] : connections_) {
    if (c.node == i && c.from != i) broken.push_back(id);
  }
  for (const std::uint64_t id : broken) tell_closed(id);
  wholes_.erase(i);
  turns_due_.erase(i);
}

// The side that opened it hears of the end, if the network lets it.
void WholeCluster::tell_closed(std::uint64_t id) {
  Connection& c = connections_.at(id);
  if (c.session == 0 && c.from < 0) return;
  const int node = std::exchange(c.node, -1);
  c.session = 0;
  const auto tell = [this, id] {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    Listener* listener = found->second.listener;
    connections_.erase(found);
    listener->closed(id);
  };
  if (c.from < 0) return at(delay(), tell);
  if (!c.broken && node >= 0 && can_hear(c.from, node)) at_node(c.from, delay(), tell);
}

void WholeCluster::slow_disk(int i, bool slow) { whole(i).hold_disk(slow); }

std::optional<AdminReply> WholeCluster::administer(WholeNode& of, AdminRequest request,
                                                   ClusterControl::Later later) {
  const int i = of.index();
  SimCluster::Later in_turn;
  if (later != nullptr) {
    in_turn = [this, i, told = std::move(later)](const AdminReply& reply) {
      whole(i).turn([&] { told(reply); });
    };
  }
  return SimCluster::administer(i, std::move(request), std::move(in_turn));
}

void WholeCluster::turn_soon(WholeNode& of) {
  const int i = of.index();
  if (!turns_due_.insert(i).second) return;
  at_node(i, 1, [this, i] {
    turns_due_.erase(i);
    whole(i).turn([] {});
  });
}

void WholeCluster::give_up(WholeNode& of) {
  at_node(of.index(), 0, [this, i = of.index()] { crash(i); });
}

void WholeCluster::node_ticks(int i) { whole(i).tick(); }

DataState WholeCluster::data_of(int i) {
  const auto at = wholes_.find(i);
  return at == wholes_.end() ? DataState{} : at->second->data().state();
}

void WholeCluster::show(int i, const ViewPtr& view) {
  SimCluster::show(i, view);
  whole(i).turn([&] { whole(i).show(view); });
}

void WholeCluster::follow(int i, const action::Follow& action) {
  whole(i).turn([&] { whole(i).data().follow(action); });
}

void WholeCluster::lead(int i) {
  whole(i).turn([&] { whole(i).data().lead(); });
}

void WholeCluster::hold_writes(int i, bool on) {
  whole(i).turn([&] { whole(i).data().hold_writes(on); });
}

void WholeCluster::drop_keys(int i, const SlotSet& slots) {
  whole(i).turn([&] { whole(i).data().drop_keys(slots); });
}

// --- bytes

std::int64_t WholeCluster::in_order(std::int64_t& last) {
  last = std::max(last, now_ms() + delay());
  return last - now_ms();
}

void WholeCluster::deliver(WholeNode& from, ConnId session, std::string bytes) {
  for (auto& [id, c] : connections_) {
    if (c.node != from.index() || c.session != session) continue;
    const auto arrive = [this, connection = id, text = std::move(bytes)] {
      const auto found = connections_.find(connection);
      if (found == connections_.end() || !passes(found->second)) return;
      found->second.listener->received(connection, text);
    };
    const std::int64_t delay = in_order(c.last_to_client);
    if (c.from < 0)
      at(delay, arrive);
    else
      at_node(c.from, delay, arrive);
    return;
  }
  for (const auto& [replica, stream] : streams_) {
    if (stream->primary == from.index() && stream->session == session) {
      return to_replica(stream, std::move(bytes));
    }
  }
}

// Bytes lost between nodes would come again on a real connection, or it breaks: it is dead then.
bool WholeCluster::passes(Connection& connection) {
  if (connection.from < 0) return true;
  if (connection.node < 0 || !can_hear(connection.from, connection.node)) connection.broken = true;
  return !connection.broken;
}

std::uint64_t WholeCluster::dial(WholeNode& from, const std::string& host, std::uint16_t port,
                                 Listener& listener) {
  const std::uint64_t id = next_connection_++;
  Connection c;
  c.from = from.index();
  c.node = node_at(host, port);
  c.listener = &listener;
  connections_[id] = c;
  if (c.node < 0 || !can_hear(c.from, c.node)) return id;  // nobody answers
  if (!is_up(c.node)) {
    tell_closed(id);
    return id;
  }
  at_node(c.node, delay(), [this, id] {
    const auto found = connections_.find(id);
    if (found == connections_.end() || !passes(found->second)) return;
    found->second.session = whole(found->second.node).open_session();
    at_node(found->second.from, delay(), [this, id] {
      const auto still = connections_.find(id);
      if (still != connections_.end() && passes(still->second)) still->second.listener->opened(id);
    });
  });
  return id;
}

void WholeCluster::session_ended(WholeNode& from, ConnId session) {
  for (const auto& [id, c] : connections_) {
    if (c.node != from.index() || c.session != session) continue;
    const std::uint64_t ended = id;
    return tell_closed(ended);
  }
  for (const auto& [replica, stream] : streams_) {
    if (stream->primary != from.index() || stream->session != session || !stream->open) continue;
    stream->session = 0;
    const StreamPtr held = stream;
    break_stream(held, held->replica);
    return;
  }
}

void WholeCluster::to_replica(const StreamPtr& stream, std::string bytes) {
  if (!stream->open) return;
  at_node(stream->replica, in_order(stream->last_down), [this, stream, text = std::move(bytes)] {
    if (!stream->open) return;
    // Bytes that were lost would come again on a real connection, or it breaks: it is dead then.
    if (!can_hear(stream->replica, stream->primary)) return break_stream(stream, -1);
    whole(stream->replica).link_received(text);
  });
}

// A side that is told hears it by the connection; the other one by its time-outs.
void WholeCluster::break_stream(const StreamPtr& stream, int told) {
  if (!std::exchange(stream->open, false) || told < 0 || !is_up(told)) return;
  if (!can_hear(stream->replica, stream->primary)) return;
  at_node(told, delay(), [this, stream, told] {
    if (told == stream->primary) {
      whole(told).turn([&] { whole(told).close_session(stream->session); });
    } else if (const auto at = streams_.find(told); at != streams_.end() && at->second == stream) {
      streams_.erase(at);
      whole(told).link_lost();
    }
  });
}

void WholeCluster::connect(WholeNode& from, const std::string& host, std::uint16_t port) {
  close_link(from);
  const int i = from.index();
  const int target = node_at(host, port);
  auto stream = std::make_shared<Stream>();
  stream->replica = i;
  stream->primary = target;
  streams_[i] = stream;
  if (target < 0 || !can_hear(i, target)) return;  // nobody answers
  if (!is_up(target)) return break_stream(stream, i);
  at_node(target, delay(), [this, stream, i, target] {
    if (!stream->open || !can_hear(i, target)) return;
    stream->session = whole(target).open_session();
    at_node(i, delay(), [this, stream, i] {
      if (stream->open) whole(i).link_connected();
    });
  });
}

void WholeCluster::send_to_primary(WholeNode& from, std::string bytes) {
  const auto found = streams_.find(from.index());
  if (found == streams_.end() || !found->second->open || found->second->session == 0) return;
  const StreamPtr stream = found->second;
  at_node(stream->primary, in_order(stream->last_up), [this, stream, text = std::move(bytes)] {
    if (!stream->open) return;
    if (!can_hear(stream->replica, stream->primary)) return break_stream(stream, -1);
    whole(stream->primary).receive(stream->session, text);
  });
}

void WholeCluster::close_link(WholeNode& from) {
  const auto found = streams_.find(from.index());
  if (found == streams_.end()) return;
  const StreamPtr stream = found->second;
  streams_.erase(found);
  if (stream->primary >= 0 && stream->session != 0) {
    break_stream(stream, stream->primary);
  } else {
    stream->open = false;
  }
}

// --- clients; the network between them and the nodes has no partitions

void WholeCluster::lose_data(int i) {
  for (const std::string& path : node(i).disk.paths()) {
    if (path.find("nodes.conf") == std::string::npos)
      HEARTH_CHECK(node(i).disk.remove(path).has_value());
  }
}

std::uint64_t WholeCluster::connect_client(int i, Listener& listener) {
  if (!is_up(i)) return 0;
  const std::uint64_t id = next_connection_++;
  Connection c;
  c.node = i;
  c.session = whole(i).open_session();
  c.listener = &listener;
  connections_[id] = c;
  return id;
}

void WholeCluster::send(std::uint64_t connection, std::string bytes) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  Connection& c = found->second;
  if (c.node < 0) return;
  at_node(c.node, in_order(c.last_to_node), [this, connection, text = std::move(bytes)] {
    const auto still = connections_.find(connection);
    if (still == connections_.end() || still->second.node < 0 || !passes(still->second)) return;
    whole(still->second.node).receive(still->second.session, text);
  });
}

// Bytes that have not arrived yet are not run any more: a client that gave up may write something
// else.
void WholeCluster::disconnect(std::uint64_t connection) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return;
  const Connection c = found->second;
  connections_.erase(found);
  if (c.node < 0 || c.session == 0) return;
  if (c.from >= 0 && (c.broken || !can_hear(c.from, c.node))) return;
  at_node(c.node, 0,
          [this, c] { whole(c.node).turn([&] { whole(c.node).close_session(c.session); }); });
}

}  // namespace hearth::sim

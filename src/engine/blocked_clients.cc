#include <algorithm>

#include "src/engine/blocked_clients.h"

namespace hearth {

BlockedClient& BlockedClients::add(ConnId id, BlockedClient client) {
  client.turn = ++turn_;
  for (const std::string& key : client.keys) {
    Queue& queue = queues_[{client.db, key}];
    queue.waiters.emplace(client.turn, id);
    if (client.wakes_without_type && queue.without_type++ == 0) ++removal_keys_;
  }
  if (client.keys.empty()) by_progress_.emplace(client.turn, id);
  if (client.deadline.us != 0) deadlines_.emplace(client.deadline, id);
  return clients_.insert_or_assign(id, std::move(client)).first->second;
}

void BlockedClients::remove(ConnId id) {
  const auto at = clients_.find(id);
  if (at == clients_.end()) return;
  const BlockedClient& client = at->second;
  for (const std::string& key : client.keys) {
    const auto queue = queues_.find(DbNameView(client.db, key));
    if (queue == queues_.end()) continue;
    queue->second.waiters.erase(client.turn);
    if (client.wakes_without_type && --queue->second.without_type == 0) --removal_keys_;
    // A ready key that nobody waits for any more is passed over when its turn comes.
    if (queue->second.waiters.empty()) queues_.erase(queue);
  }
  deadlines_.erase({client.deadline, id});
  by_progress_.erase(client.turn);
  put_off_.erase(client.turn);
  woken_.erase(client.turn);
  clients_.erase(at);
}

BlockedClient* BlockedClients::find(ConnId id) {
  const auto at = clients_.find(id);
  return at == clients_.end() ? nullptr : &at->second;
}

std::vector<ConnId> BlockedClients::ids() const {
  std::vector<std::pair<std::uint64_t, ConnId>> in_order;
  for (const auto& [id, client] : clients_) in_order.emplace_back(client.turn, id);
  std::sort(in_order.begin(), in_order.end());
  std::vector<ConnId> ids;
  ids.reserve(in_order.size());
  for (const auto& [turn, id] : in_order) ids.push_back(id);
  return ids;
}

std::vector<ConnId> BlockedClients::ids_without_keys() const {
  std::vector<ConnId> ids;
  for (const auto& [turn, id] : by_progress_) ids.push_back(id);
  return ids;
}

std::vector<ConnId> BlockedClients::take_woken() {
  std::vector<ConnId> ids;
  for (const auto& [turn, id] : woken_) ids.push_back(id);
  woken_.clear();
  return ids;
}

void BlockedClients::make_ready(const Key& key, Queue& queue) {
  if (queue.ready) return;
  queue.ready = true;
  ready_.push_back(key);
}

void BlockedClients::note_change(DbIndex db, std::string_view key) {
  if (queues_.empty()) return;
  const auto at = queues_.find(DbNameView(db, key));
  if (at != queues_.end()) make_ready(at->first, at->second);
}

void BlockedClients::note_all(DbIndex db) {
  for (auto& [key, queue] : queues_) {
    if (key.db == db) make_ready(key, queue);
  }
}

std::optional<BlockedClients::Key> BlockedClients::take_ready() {
  if (ready_.empty()) return std::nullopt;
  Key key = std::move(ready_.front());
  ready_.pop_front();
  if (const auto at = queues_.find(key); at != queues_.end()) at->second.ready = false;
  return key;
}

std::optional<BlockedClients::Waiter> BlockedClients::next_waiter(const Key& key,
                                                                  std::uint64_t turn) const {
  const auto queue = queues_.find(key);
  if (queue == queues_.end()) return std::nullopt;
  const auto at = queue->second.waiters.upper_bound(turn);
  if (at == queue->second.waiters.end()) return std::nullopt;
  return Waiter{at->second, at->first};
}

bool BlockedClients::wakes_without_type(const Key& key) const {
  const auto queue = queues_.find(key);
  return queue != queues_.end() && queue->second.without_type > 0;
}

std::vector<ConnId> BlockedClients::due(MonoTime now) const {
  std::vector<ConnId> ids;
  for (const auto& [deadline, id] : deadlines_) {
    if (deadline > now) break;
    ids.push_back(id);
  }
  return ids;
}

}  // namespace hearth

// BlockedClients: who waits for which keys, in which order, until when.
//
// Bookkeeping only; the engine runs the commands. A key that somebody waits for and that changed
// stands on the ready list once, in the order of the first change. Every look-up is O(log clients)
// or better. Engine thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "src/base/ids.h"
#include "src/base/name_map.h"
#include "src/base/time.h"
#include "src/command/blocking_control.h"
#include "src/command/table.h"
#include "src/store/entry.h"

namespace hearth {

// One client that waits, with what is needed to run its command again.
struct BlockedClient {
  const Command* command = nullptr;
  std::vector<std::string> argv;
  DbIndex db = 0;
  std::vector<std::string> keys;  // distinct; empty: waits for replicas or the log
  Type type = Type::kString;      // what it wants the keys to hold
  bool wakes_without_type = false;
  BlockingControl::OnTimeout on_timeout = BlockingControl::OnTimeout::kNullArray;
  MonoTime deadline{};     // 0: none
  std::uint64_t ns = 0;    // spent in the command so far
  bool announced = false;  // monitors were told of it
  std::uint64_t turn = 0;  // place in every queue it stands in; set by add()
};

class BlockedClients {
 public:
  using Key = DbName;
  explicit BlockedClients(std::uint64_t seed) : queues_(seed) {}

  // The client must not wait yet. The reference holds until it is removed.
  BlockedClient& add(ConnId id, BlockedClient client);
  // Does nothing if it does not wait.
  void remove(ConnId id);
  [[nodiscard]] BlockedClient* find(ConnId id);
  [[nodiscard]] bool empty() const { return clients_.empty(); }
  [[nodiscard]] bool waits_for_keys() const { return !queues_.empty(); }
  // Sessions that wait, in the order they began to.
  [[nodiscard]] std::vector<ConnId> ids() const;
  // The ones of them that wait for replicas or the log.
  [[nodiscard]] std::vector<ConnId> ids_without_keys() const;

  // The client was woken while a pause, a lock or a busy script held it: it is woken again when
  // that has ended, whether or not its keys change once more.
  void put_off(const BlockedClient& client, ConnId id) { put_off_.emplace(client.turn, id); }
  void wake_put_off() { woken_.merge(put_off_); }
  // Takes those that were woken so, in the order they began to wait.
  [[nodiscard]] std::vector<ConnId> take_woken();

  // The key changed, or everything in the database; puts what is waited for on the ready list.
  void note_change(DbIndex db, std::string_view key);
  void note_all(DbIndex db);
  [[nodiscard]] bool has_ready() const { return !ready_.empty() || !woken_.empty(); }
  // Takes the oldest off the list; nothing if it is empty.
  [[nodiscard]] std::optional<Key> take_ready();

  // The next who waits for the key, behind `turn` (0: the first).
  struct Waiter {
    ConnId id = 0;
    std::uint64_t turn = 0;
  };
  [[nodiscard]] std::optional<Waiter> next_waiter(const Key& key, std::uint64_t turn) const;
  // Turns handed out so far: who comes now stands behind it.
  [[nodiscard]] std::uint64_t last_turn() const { return turn_; }
  // Does somebody want to hear of the key when it is gone or of another type?
  [[nodiscard]] bool wakes_without_type(const Key& key) const;

  [[nodiscard]] MonoTime first_deadline() const {
    return deadlines_.empty() ? MonoTime{} : deadlines_.begin()->first;
  }
  [[nodiscard]] std::vector<ConnId> due(MonoTime now) const;
  [[nodiscard]] std::size_t timed_count() const { return deadlines_.size(); }
  [[nodiscard]] std::size_t key_count() const { return queues_.size(); }
  // Keys that somebody waits for who wants to hear of their removal.
  [[nodiscard]] std::size_t removal_key_count() const { return removal_keys_; }

 private:
  struct Queue {
    std::map<std::uint64_t, ConnId> waiters;  // by turn
    std::size_t without_type = 0;             // of them
    bool ready = false;
  };
  void make_ready(const Key& key, Queue& queue);

  std::unordered_map<ConnId, BlockedClient> clients_;
  DbNameMap<Queue> queues_;
  std::size_t removal_keys_ = 0;                     // queues with somebody that wakes without type
  std::map<std::uint64_t, ConnId> by_progress_;      // those without keys, by turn
  std::map<std::uint64_t, ConnId> put_off_, woken_;  // by turn
  std::set<std::pair<MonoTime, ConnId>> deadlines_;
  std::deque<Key> ready_;
  std::uint64_t turn_ = 0;
};

}  // namespace hearth

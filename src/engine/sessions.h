// Sessions: all clients, and the limits that each of them and all together are held to.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "src/command/client_control.h"
#include "src/engine/core.h"

namespace hearth {

struct ClientAddress {
  std::string address, local_address;
  int fd = -1;
  bool unix_socket = false, on_this_host = false, ipv6 = false;
};

class Sessions final : public ClientControl {
 public:
  Sessions(EngineCore& core, Executor& executor) : core_(core), executor_(executor) {}

  Session& open(const ClientAddress& from);
  // Every other part has forgotten it.
  void remove(Session& session);

  // ClientControl
  void for_each(const std::function<void(Session&)>& fn) override;
  [[nodiscard]] Session* find(ConnId id) override;
  [[nodiscard]] std::size_t count() const override { return sessions_.size(); }
  [[nodiscard]] MonoTime mono_now() const override { return core_.mono; }
  void kill(Session& victim, const Session& by) override;
  void wrote_to(Session& session) override;
  [[nodiscard]] bool is_over_output_limit(Session& session) override;
  void wait(Session& session) override { session.become(RunState::kWaiting); }
  void resume(Session& session, std::size_t reply_from) override;

  // The session is marked close_now or close_after_reply by somebody other than its own command.
  void end_soon(Session& session) { core_.host.close_soon(session); }
  // Replies that wait for replicas will not be given: each becomes an error.
  void fail_held_replies(Session& session);
  // Ends subscriptions to shard channels whose slots are not served here any more, and tells those
  // who listened. O(channels), and O(clients) if one is lost.
  void leave_lost_shard_channels();

  // The session may go on with its requests.
  void go_on(Session& session);
  // Its requests of this turn have run: their replies leave in this turn.
  void finish_replies(Session& session);

  // The memory of all clients together is limited by maxmemory-clients: the largest are closed to
  // get below. O(log clients), and nothing while there is no limit.
  void note_buffers(Session& session) {
    if (core_.hot.clients_most != 0) [[unlikely]]
      count_memory_of(session);
  }
  void evict_over_limit() {
    if (core_.hot.clients_most != 0 && total_bytes_ > core_.hot.clients_most) [[unlikely]]
      evict();
  }
  // A limit was set where there was none: nobody kept count before.
  void count_all();
  // Bytes that evicted clients still hold, and that the network reports as freed.
  [[nodiscard]] std::uint64_t dying_bytes() const { return dying_bytes_; }
  void released(std::size_t bytes) { dying_bytes_ -= bytes; }

  // The stream's offset up to which the log has what it must have before a reply may leave;
  // kNoBarrier: no reply waits.
  static constexpr std::uint64_t kNoBarrier = UINT64_MAX;
  void set_reply_barrier(std::uint64_t offset) { reply_barrier_ = offset; }
  // The host holds the session's output back. An offset above that of today is of another stream.
  [[nodiscard]] bool must_wait_for_disk(const Session& session) const {
    return session.write_offset > reply_barrier_ &&
           session.write_offset <= core_.replication_offset();
  }
  // The same of the replicas, with min-replicas-to-ack.
  void set_replica_barrier(std::uint64_t offset) { replica_barrier_ = offset; }
  [[nodiscard]] bool must_wait_for_replicas(const Session& session) const {
    return session.write_offset > replica_barrier_ &&
           session.write_offset <= core_.replication_offset() && !session.replica;
  }
  [[nodiscard]] bool must_hold_replies(const Session& session) const {
    return must_wait_for_disk(session) || must_wait_for_replicas(session);
  }
  // A session whose replies are held: true if the replicas took too long. It hears so now.
  [[nodiscard]] bool give_up_on_replicas(Session& session);
  // The stream ends here: writes that no replica has confirmed may be lost with it.
  void give_up_on_all_replicas();

  // A slice of all clients per tick, so that each is looked at about once a second: limits, idle
  // time, buffers that are larger than what they hold.
  void check_some(int tick_rate);

  [[nodiscard]] auto begin() const { return sessions_.begin(); }
  [[nodiscard]] auto end() const { return sessions_.end(); }

 private:
  void check_output_limits(Session& session);
  void fit_reply_buffer(Session& session);
  void count_memory_of(Session& session);
  void uncount_memory_of(Session& session);
  void evict();

  EngineCore& core_;
  Executor& executor_;
  std::map<ConnId, std::unique_ptr<Session>> sessions_;
  ConnId next_id_ = 1;
  ConnId checked_last_ = 0;
  std::uint64_t total_bytes_ = 0;  // sum of Session::counted_bytes; kept while there is a limit
  std::uint64_t dying_bytes_ = 0;
  std::uint64_t reply_barrier_ = kNoBarrier;
  std::uint64_t replica_barrier_ = kNoBarrier;
  std::set<std::pair<std::size_t, ConnId>> evictable_;  // by counted_bytes, without no_evict
};

}  // namespace hearth

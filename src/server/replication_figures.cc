// INFO replication of a primary, and the lines of INFO stats about synchronisation.
#include <string>

#include "src/command/handover_control.h"
#include "src/metrics/figures.h"
#include "src/server/replication.h"

namespace hearth {
namespace {

using replication::Replica;
using replication::ReplicaState;
namespace fig = figure;

// As clients know it.
std::string_view state_name(ReplicaState state) {
  switch (state) {
    case ReplicaState::kGreeting:
    case ReplicaState::kWaiting:
    case ReplicaState::kSaving: return "wait_bgsave";
    case ReplicaState::kSending:
    case ReplicaState::kAwaitAck: return "send_bulk";
    case ReplicaState::kOnline: break;
  }
  return "online";
}

constexpr std::string_view kNoReplicationId = "0000000000000000000000000000000000000000";

// A replica that is told of; a session that only fetches a snapshot is none.
bool is_listed(const Replica& replica, const Session* session) {
  return session != nullptr && replica.state != ReplicaState::kGreeting && !replica.snapshot_only;
}

}  // namespace

struct Replication::Figures {
  const Replication& r;
  MonoTime now;

  [[nodiscard]] bool has_second_id() const { return !r.side_.id2().empty(); }
  // fn(peer's session, its state) for each replica.
  template <typename F>
  void for_each_replica(F&& fn) const {
    for (const auto& [peer, replica] : r.side_.peers()) {
      const Session* session = r.session_of(peer);
      if (is_listed(replica, session)) fn(*session, replica);
    }
  }
  void add_replicas(FigureView& view) const;

  static const FigureRow<Figures> kRows[], kSyncRows[];
};

void Replication::Figures::add_replicas(FigureView& view) const {
  std::size_t number = 0;
  for_each_replica([&](const Session& session, const Replica& replica) {
    const bool has_lag = replica.state == ReplicaState::kOnline && replica.acknowledges;
    const std::string address = address_of(session, replica);
    view.begin_member(std::to_string(number++));
    view.add_part("ip", address);
    view.add_part("port", replica.port);
    view.add_part("state", state_name(replica.state));
    view.add_part("offset", replica.acked);
    view.add_part(
        "lag", has_lag ? std::chrono::duration_cast<seconds>(now - replica.acked_at).count() : 0);
    view.add_part("type", "replica");
    view.end_member();
  });
}

constexpr FigureRow<Replication::Figures> Replication::Figures::kRows[] = {
    {fig::gauge("connected_slaves", "Replicas."),
     [](const Figures& f) {
       std::size_t count = 0;
       f.for_each_replica([&](const Session&, const Replica&) { ++count; });
       return count;
     }},
    {fig::gauge("min_slaves_good_slaves", "Replicas that count for min-replicas-to-write."),
     [](const Figures& f) {
       const config::Settings& s = f.r.settings();
       const bool counts = s.min_replicas_to_write > 0 && s.min_replicas_max_lag.count() > 0;
       return counts ? FigureValue(f.r.side_.good_replicas()) : FigureValue();
     }},
    {fig::gauge("slave", "A replica: where it is, how far it has come, how long it is silent."),
     [](const Figures& f, FigureView& view) { f.add_replicas(view); }},
    {fig::constant("replicas_waiting_psync", "Always 0: slots are not handed over by replication."),
     [](const Figures&) { return 0; }},
    {fig::text("master_failover_state", "How far a FAILOVER is."),
     [](const Figures& f) {
       const HandoverControl* handover = f.r.engine_->services().handover;
       return handover == nullptr ? std::string_view("no-failover") : handover->state();
     }},
    {fig::text("master_replid", "Id of the stream of effects."),
     [](const Figures& f) { return f.r.engine_->reports().replication_id(); }},
    {fig::text("master_replid2", "Its id before this server was promoted, or zeros."),
     [](const Figures& f) {
       return f.has_second_id() ? std::string_view(f.r.side_.id2()) : kNoReplicationId;
     }},
    {fig::counter("master_repl_offset", "Bytes of the stream so far."),
     [](const Figures& f) { return f.r.offset(); }},
    {fig::gauge("second_repl_offset", "Offset up to which master_replid2 holds, or -1."),
     [](const Figures& f) {
       return f.has_second_id() ? static_cast<std::int64_t>(f.r.side_.id2_until()) : -1;
     }},
    {fig::gauge("repl_backlog_active", "1 if there is a backlog."),
     [](const Figures& f) { return f.r.side_.backlog().has_value(); }},
    {fig::setting("repl_backlog_size", "The parameter repl-backlog-size."),
     [](const Figures& f) { return f.r.settings().repl_backlog_size; }},
    {fig::gauge("repl_backlog_first_byte_offset", "Offset of the backlog's oldest byte."),
     [](const Figures& f) {
       const auto& backlog = f.r.side_.backlog();
       return backlog && backlog->held() > 0 ? backlog->first() : 0;
     }},
    {fig::gauge("repl_backlog_histlen", "Bytes in the backlog."),
     [](const Figures& f) {
       const auto& backlog = f.r.side_.backlog();
       return backlog ? backlog->held() : 0;
     }},
};

constexpr FigureRow<Replication::Figures> Replication::Figures::kSyncRows[] = {
    {fig::counter("sync_full", "Snapshots sent to replicas."),
     [](const Figures& f) { return f.r.side_.figures().full; }},
    {fig::counter("sync_partial_ok", "Replicas that went on where they stood."),
     [](const Figures& f) { return f.r.side_.figures().partial_ok; }},
    {fig::counter("sync_partial_err", "Replicas that asked for that in vain."),
     [](const Figures& f) { return f.r.side_.figures().partial_err; }},
};

void Replication::write_figures(FigureView& view) {
  const Figures figures{*this, ports_.clock->mono_now()};
  show_rows<Figures>(Figures::kRows, &figures, view);
}

void Replication::write_sync_figures(FigureView& view) {
  const Figures figures{*this, MonoTime{}};
  show_rows<Figures>(Figures::kSyncRows, &figures, view);
}

void Replication::list_figures(FigureView& view) {
  show_rows<Figures>(Figures::kRows, nullptr, view);
  show_rows<Figures>(Figures::kSyncRows, nullptr, view);
}

}  // namespace hearth

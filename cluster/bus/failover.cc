// A replica takes its primary's place.
//
// By vote: when the primary is FAIL, the replica asks all primaries with slots, in a new epoch; a
// majority makes it the owner of the slots under that epoch. Who has more data goes first: the
// replica whose offset nobody exceeds asks at once, the others a little later each, and so do the
// replicas of further primaries that failed at the same time, since a primary has one vote per
// epoch. An attempt without a majority is followed by another one, in the next epoch.
//
// By hand (CLUSTER FAILOVER): the primary holds its clients' writes and says at which offset; once
// this replica is there it asks for votes as above, and gets them although its primary is up. FORCE
// leaves the primary out, TAKEOVER the vote too.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cluster/bus/state.h"
#include "cluster/model/admin.h"

namespace hearth::cluster::bus {
namespace {

using ElectionPhase = Election::Phase;

// A MODULE message, which other servers pass over: a primary asks its replica to take over.
constexpr std::uint64_t kModule = 0x4845415254485231ULL;  // "HEARTHR1"
constexpr std::uint8_t kTakeOver = 1;

constexpr Ms kDelayParts = 30;  // of the node time-out
constexpr Ms kDelayMax = 500;

Ms delay_unit(const State& s) { return std::clamp<Ms>(s.timeout() / kDelayParts, 1, kDelayMax); }

// Replicas of my primary that have more than I do. Of equals the smallest id goes first.
int rank_of_me(const State& s, const Node& primary) {
  constexpr NodeFlags kOut =
      node_flag::kNoFailover | node_flag::kFail | node_flag::kPfail | node_flag::kHandshake;
  int rank = 0;
  for (const auto& [id, node] : s.nodes) {
    if (&node == s.myself || node.replica_of != primary.id || node.has(kOut)) continue;
    const std::uint64_t mine = own_offset(s);
    const bool first = node.replication_offset > mine ||
                       (node.replication_offset == mine && node.id < s.myself->id);
    rank += first ? 1 : 0;
  }
  return rank;
}

// Other failed primaries whose replicas ask before those of mine.
int rank_of_primary(const State& s, const Node& primary) {
  int rank = 0;
  for (const auto& [id, node] : s.nodes) {
    const bool failed = &node != &primary && node.votes() && node.has(node_flag::kFail);
    rank += failed && node.shard_id < primary.shard_id ? 1 : 0;
  }
  return rank;
}

bool is_too_old(const State& s) {
  const Ms factor = s.settings.replica_validity_factor;
  if (factor == 0) return false;
  if (!s.now.data.silence) return true;
  // The silence of the time that it took to call the primary failed is nobody's fault.
  const Ms age = std::max<Ms>(0, s.now.data.silence->count() - s.timeout());
  return age > factor * s.timeout() + s.settings.repl_ping_period.count();
}

// Why this replica does not stand for election; empty: it does.
std::string_view reason_against(const State& s, const Node& primary) {
  if (primary.slot_count == 0) return "its primary has no slots";
  if (s.now.data.is_warming) return "it is not warm yet (warm-gate)";
  if (s.manual.may_start) return {};
  if (!primary.has(node_flag::kFail)) return "its primary is up";
  if (s.settings.no_failover) return "cluster-replica-no-failover is set";
  if (is_too_old(s)) return "its data is too old (cluster-replica-validity-factor)";
  return {};
}

// Fellow replicas learn how far this one is, which decides who goes first.
void tell_fellows(State& s, const Node& primary) {
  for (auto& [id, node] : s.nodes) {
    if (&node == s.myself || node.replica_of != primary.id) continue;
    if (Link* link = s.find_link(node.link); link != nullptr) {
      s.send_heartbeat(*link, MessageType::kPong);
    }
  }
}

void plan(State& s, const Node& primary) {
  Election& e = s.election;
  e.phase = ElectionPhase::kWaiting;
  e.rank = rank_of_me(s, primary);
  const int primary_rank = s.manual.may_start ? 0 : rank_of_primary(s, primary);
  const bool at_once = s.manual.may_start || (e.rank == 0 && primary_rank == 0);
  Ms delay = 0;
  if (!at_once || e.attempts > 0) {
    const Ms unit = delay_unit(s);
    // Drawn anew for each attempt: two that asked at the same moment won't do so again.
    delay = unit + static_cast<Ms>(s.rng.below(static_cast<std::uint64_t>(unit) + 1)) +
            2 * unit * e.rank + unit * primary_rank;
  }
  e.ask_at = s.now_ms + delay;
  tell_fellows(s, primary);
  s.note(log::Level::kNotice,
         fmt::format("Start of election delayed for {} milliseconds (rank #{}, primary rank #{}, "
                     "offset {}).",
                     delay, e.rank, primary_rank, own_offset(s)));
}

void ask(State& s, const Node& primary) {
  Election& e = s.election;
  // Others have told of more data meanwhile.
  if (const int rank = rank_of_me(s, primary); rank > e.rank && !s.manual.may_start) {
    e.ask_at = s.now_ms + 2 * delay_unit(s) * (rank - e.rank);
    e.rank = rank;
    return;
  }
  s.current_epoch = greatest_epoch(s) + 1;
  s.must_save();
  e.phase = ElectionPhase::kAsking;
  e.asked_at = s.now_ms;
  e.epoch = s.current_epoch;
  e.votes.clear();
  ++e.attempts;
  s.note(log::Level::kNotice, fmt::format("Starting a failover election for epoch {}.", e.epoch));
  s.broadcast(MessageType::kAuthRequest);
}

void advance_election(State& s) {
  Election& e = s.election;
  const Node* primary = s.find(s.myself->replica_of);
  const std::string_view against =
      primary == nullptr ? std::string_view{"its primary is unknown"} : reason_against(s, *primary);
  if (!against.empty()) {
    const bool worth_telling = primary != nullptr && primary->has(node_flag::kFail) &&
                               primary->slot_count > 0 && e.told != against;
    const std::string_view told = worth_telling ? against : e.told;
    if (worth_telling) {
      s.note(
          log::Level::kWarning,
          fmt::format("Currently unable to failover: this replica does not stand: {}.", against));
    }
    e = {};
    if (primary != nullptr && primary->has(node_flag::kFail)) e.told = told;
    return;
  }
  e.told = {};
  if (e.phase == ElectionPhase::kAsking && s.age(e.asked_at) > attempt_time(s)) {
    s.note(log::Level::kWarning,
           fmt::format("Failover attempt of epoch {} expired: {} of {} votes.", e.epoch,
                       e.votes.size(), votes_needed(s)));
    e.phase = ElectionPhase::kNone;
  }
  if (e.phase == ElectionPhase::kNone) plan(s, *primary);
  if (e.phase == ElectionPhase::kWaiting && s.now_ms >= e.ask_at) ask(s, *primary);
}

// --- by hand

// The primary holds its writes for longer than the replica may take: what is not won by the
// replica's deadline is lost, and that comes first.
Ms hold_time(const State& s) { return s.settings.manual_failover_timeout.count() * 3 / 2; }

void end_if_due(State& s) {
  if (!s.manual.is_under_way() || s.now_ms < s.manual.ends) return;
  s.note(log::Level::kWarning, "Manual failover timed out.");
  end_failover(s);
}

// The replica can tell where to stop reading only once nothing is written any more.
void tell_held_offset(State& s, bool is_tick) {
  ManualFailover& m = s.manual;
  if (!s.now.data.writes_held || (m.told_replica && !is_tick)) return;
  Node* replica = s.find(m.replica);
  Link* link = replica == nullptr ? nullptr : s.find_link(replica->link);
  if (link == nullptr) return;
  if (!std::exchange(m.told_replica, true)) {
    s.note(log::Level::kNotice,
           fmt::format("Manual failover: writes are held at offset {}.", s.now.data.offset));
  }
  s.send_heartbeat(*link, MessageType::kPing);
}

void start_when_level(State& s) {
  ManualFailover& m = s.manual;
  if (m.may_start || !m.held_at || s.now.data.offset < *m.held_at) return;
  m.may_start = true;
  s.note(log::Level::kNotice,
         "All primary replication stream processed, manual failover can start.");
}

AdminReply cannot_fail_over(std::string_view text) {
  return {AdminReply::Kind::kError, fmt::format("ERR {}", text), 0};
}

}  // namespace

void promote(State& s, Epoch epoch) {
  Node& me = *s.myself;
  Node* before = s.find(me.replica_of);
  const SlotSet slots = before == nullptr ? SlotSet{} : slots_claimed_by(*before);
  become_primary(s, me);
  me.config_epoch = std::max(me.config_epoch, epoch);
  slots.for_each([&](Slot slot) {
    s.take_slot(slot);
    s.give_slot(me, slot);
  });
  keep_own_open_slots(s);
  end_failover(s);
  s.must_save();
  // Should it be lost before it is on the disk, no client may have been told that a write is done.
  s.serve_after_save = s.wanted;
  s.broadcast_pong_when_saved();
  s.publish_now();
  s.check_state = true;
}

void end_failover(State& s) {
  if (s.manual.is_under_way() && !s.manual.replica.is_null()) {
    s.out.emplace_back(action::HoldWrites{false});
  }
  s.manual = {};
  s.election = {};
}

void advance_failover(State& s, bool is_tick) {
  end_if_due(s);
  if (s.myself->is_primary()) {
    if (s.manual.is_under_way()) tell_held_offset(s, is_tick);
    return;
  }
  if (s.manual.is_under_way()) start_when_level(s);
  advance_election(s);
}

void on_vote(State& s, const Node& voter, const MessageHeader& header) {
  Election& e = s.election;
  // A vote is for the epoch that its header shows. Of another one it is a late answer to an attempt
  // that is over, and the voter may have chosen somebody else since.
  if (e.phase != ElectionPhase::kAsking || header.current_epoch != e.epoch || !voter.votes())
    return;
  e.votes.insert(voter.id);
  if (static_cast<int>(e.votes.size()) < votes_needed(s)) return;
  s.note(log::Level::kNotice, fmt::format("Failover election won: I'm the new primary, with epoch "
                                          "{} and {} votes.",
                                          e.epoch, e.votes.size()));
  promote(s, e.epoch);
}

void on_manual_failover_request(State& s, Node& sender, const MessageHeader& header) {
  // The header says whose replica it is, which its last heartbeat may not have known yet.
  if (!s.myself->is_primary() || header.replica_of != s.myself->id) return;
  end_failover(s);
  s.manual.ends = s.now_ms + hold_time(s);
  s.manual.replica = sender.id;
  s.out.emplace_back(action::HoldWrites{true});
  s.note(log::Level::kNotice,
         fmt::format("Manual failover requested by replica {}.", named(sender)));
}

void learn_held_offset(State& s, const Node& sender, const MessageHeader& header) {
  ManualFailover& m = s.manual;
  if ((header.message_flags & message_flag::kPaused) == 0 || sender.id != s.myself->replica_of ||
      !m.is_under_way() || m.held_at) {
    return;
  }
  m.held_at = header.replication_offset;
  s.note(log::Level::kNotice,
         fmt::format("Received replication offset for paused primary manual failover: {}",
                     header.replication_offset));
}

AdminReply fail_over(State& s, const admin::Failover& in) {
  using Mode = admin::Failover::Mode;
  if (s.myself->is_primary())
    return cannot_fail_over("You should send CLUSTER FAILOVER to a replica");
  Node* primary = s.find(s.myself->replica_of);
  if (primary == nullptr) return cannot_fail_over("I'm a replica but my master is unknown to me");
  if (s.now.data.is_warming)
    return cannot_fail_over("this node is not warm yet (warm-gate); WARM OPEN makes it serve");
  const bool is_there = !primary->has(node_flag::kFail) && s.is_connected(*primary);
  if (in.mode == Mode::kAgreed && !(is_there && s.now.data.link_up)) {
    return cannot_fail_over("Master is down or failed, please use CLUSTER FAILOVER FORCE");
  }
  end_failover(s);
  if (in.mode == Mode::kTakeover) {
    s.note(log::Level::kNotice, "Taking over the primary (user request).");
    s.current_epoch = greatest_epoch(s) + 1;
    promote(s, s.current_epoch);
    return {};
  }
  s.manual.ends = s.now_ms + s.settings.manual_failover_timeout.count();
  if (in.mode == Mode::kForce) {
    s.note(log::Level::kNotice, "Forced failover user request accepted.");
    s.manual.may_start = true;
    return {};
  }
  s.note(log::Level::kNotice, "Manual failover user request accepted.");
  s.send(*primary, MessageType::kMfStart);
  return {};
}

AdminReply hand_over(State& s) {
  constexpr NodeFlags kOut = node_flag::kFail | node_flag::kPfail | node_flag::kNoAddr |
                             node_flag::kHandshake | node_flag::kNoFailover;
  if (s.myself->is_replica() || s.myself->slot_count == 0)
    return cannot_fail_over("nothing to hand over");
  Node* best = nullptr;
  for (auto& [id, node] : s.nodes) {
    if (node.replica_of != s.myself->id || node.has(kOut) || !s.is_connected(node)) continue;
    if (best == nullptr || node.replication_offset > best->replication_offset) best = &node;
  }
  if (best == nullptr) return cannot_fail_over("no replica to hand over to");
  s.note(log::Level::kNotice, fmt::format("Asking replica {} to take over.", named(*best)));
  s.send(*best, MessageType::kModule, ModuleBody{kModule, kTakeOver, {}});
  return {};
}

void on_failover_message(State& s, const Node& sender, const ModuleBody& body) {
  if (body.module_id != kModule || body.type != kTakeOver) return;
  if (sender.id != s.myself->replica_of) return;
  const AdminReply done = fail_over(s, admin::Failover{});
  if (done.is_error()) {
    s.note(log::Level::kWarning,
           fmt::format("My primary asks me to take over, which can't be: {}", done.text));
  }
}

}  // namespace hearth::cluster::bus

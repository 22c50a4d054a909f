// Failure detection in two steps. A node that leaves a ping unanswered for the node time-out is
// suspected (PFAIL, my own opinion). When a majority of the voting primaries suspects it within
// twice the time-out, whoever sees that majority declares it failed (FAIL) and tells everyone.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/bus/state.h"

namespace hearth::cluster::bus {
namespace {

constexpr int kReportAgeFactor = 2;  // times the node time-out
constexpr int kFailUndoFactor = 2;   // times the node time-out
constexpr Ms kBetweenTellings = 500;
constexpr Ms kWritableDelay = 2000;  // after a start, before a primary accepts writes
constexpr Ms kRejoinDelayMin = 500;  // with a majority heard, before a primary accepts writes
constexpr Ms kRejoinDelayMax = 5000;

void set_suspected(State& s, Node& node, bool suspected) {
  if (suspected) {
    if (!node.has(node_flag::kPfail)) node.suspected_since = s.now_ms;
    node.set(node_flag::kPfail);
    s.suspects.insert(node.id);
  } else {
    node.unset(node_flag::kPfail);
    s.suspects.erase(node.id);
  }
}

void mark_failed(State& s, Node& node) {
  set_suspected(s, node, false);
  node.set(node_flag::kFail);
  node.failed_since = s.now_ms;
  s.may_save();
  s.check_state = true;
  vote_late(s, node);
}

struct Quorum {
  int size = 0;       // primaries with slots
  int reachable = 0;  // of these, heard in this life, and neither suspected nor failed
  int silent = 0;     // suspected or failed
  [[nodiscard]] int needed() const { return size / 2 + 1; }
  [[nodiscard]] bool is_majority() const { return reachable >= needed(); }
};

Quorum quorum_of(const State& s) {
  Quorum q;
  for (const auto& [id, node] : s.nodes) {
    if (!node.votes()) continue;
    ++q.size;
    const bool silent = node.has(node_flag::kPfail | node_flag::kFail);
    if (silent) ++q.silent;
    if (!silent && (&node == s.myself || node.data_received != kNever)) ++q.reachable;
  }
  return q;
}

bool is_covered(const State& s) {
  return std::all_of(s.owner.begin(), s.owner.end(), [](const Node* owner) {
    return owner != nullptr && !owner->has(node_flag::kFail);
  });
}

// Whether a primary may serve again. After a start, and after a time in a minority, it first hears
// the majority for a while: who took its slots meanwhile is among them, or known to them.
bool has_listened(const State& s) {
  const Ms delay =
      s.lost_majority ? std::clamp(s.timeout(), kRejoinDelayMin, kRejoinDelayMax) : kRejoinDelayMin;
  return s.age(s.started) >= kWritableDelay && s.age(s.majority_since) >= delay;
}

}  // namespace

bool knows_the_majority(const State& s) { return s.majority_since != kNever && has_listened(s); }

void check_timeouts(State& s, Node& node) {
  if (node.ping_sent == kNever) return;
  // Any bytes of the node prove that it lives, even while its pong is stuck behind them.
  const Ms silence = std::min(s.age(node.ping_sent), s.age(node.data_received));
  if (silence <= s.timeout() || node.has(node_flag::kPfail | node_flag::kFail)) return;
  s.note(log::Level::kDebug, fmt::format("Node {} possibly failing", named(node)));
  set_suspected(s, node, true);
  s.has_news_of_suspects = true;
  s.view_changed = s.check_state = true;
  fail_if_agreed(s, node);
}

void tell_suspects(State& s) {
  if (!s.has_news_of_suspects || s.age(s.suspects_told) < kBetweenTellings) return;
  s.has_news_of_suspects = false;
  if (!s.myself->votes()) return;
  s.suspects_told = s.now_ms;
  for (auto& [id, node] : s.nodes) {
    if (&node == s.myself || !node.votes() || node.has(node_flag::kPfail | node_flag::kFail)) {
      continue;
    }
    if (Link* link = s.find_link(node.link); link != nullptr) {
      s.send_heartbeat(*link, MessageType::kPong);
    }
  }
}

void on_node_alive(State& s, Node& node) {
  if (node.has(node_flag::kPfail)) {
    set_suspected(s, node, false);
    s.view_changed = s.check_state = true;
  }
  if (!node.has(node_flag::kFail)) return;
  if (!node.votes()) {
    s.note(log::Level::kNotice,
           fmt::format("Clear FAIL state for node {}: it is reachable again.", named(node)));
  } else if (s.age(node.failed_since) > s.timeout() * kFailUndoFactor) {
    // Its replicas had their time to take over and did not.
    s.note(log::Level::kNotice,
           fmt::format("Clear FAIL state for node {}: is reachable again and nobody is serving its "
                       "slots after some time.",
                       named(node)));
  } else {
    return;
  }
  node.unset(node_flag::kFail);
  s.may_save();
  s.check_state = true;
}

// FAIL was said of the primary of an older epoch. That it took a new one shows that it was at work
// since; if it is gone again, the majority will say so again. Without this, a node that gives way
// to the new epoch and becomes a replica would stand for election against it at once.
void on_new_epoch(State& s, Node& node) {
  if (!node.has(node_flag::kFail)) return;
  s.note(log::Level::kNotice,
         fmt::format("Clear FAIL state for node {}: it has a new epoch.", named(node)));
  node.unset(node_flag::kFail);
  s.may_save();
  s.check_state = true;
}

void add_failure_report(State& s, Node& about, Node& by) {
  by.reported = true;
  const auto [at, added] = about.failure_reports.insert_or_assign(by.id, s.now_ms);
  if (added) {
    s.note(log::Level::kVerbose,
           fmt::format("Node {} reported node {} as not reachable.", named(by), named(about)));
  }
}

void remove_failure_report(State& s, Node& about, const Node& by) {
  if (about.failure_reports.erase(by.id) > 0) {
    s.note(log::Level::kVerbose,
           fmt::format("Node {} reported node {} is back online.", named(by), named(about)));
  }
}

int count_failure_reports(State& s, Node& about) {
  std::erase_if(about.failure_reports, [&s](const auto& report) {
    return s.age(report.second) > s.timeout() * kReportAgeFactor;
  });
  return static_cast<int>(about.failure_reports.size());
}

int votes_needed(const State& s) { return quorum_of(s).needed(); }

void fail_if_agreed(State& s, Node& node) {
  if (!node.has(node_flag::kPfail)) return;
  const int agreed = count_failure_reports(s, node) + (s.myself->votes() ? 1 : 0);
  if (agreed < quorum_of(s).needed()) return;
  s.note(log::Level::kNotice,
         fmt::format("Marking node {} as failing (quorum reached).", named(node)));
  mark_failed(s, node);
  s.broadcast(MessageType::kFail, FailBody{node.id});
}

void on_fail_message(State& s, const Node& sender, const NodeId& failed) {
  Node* node = s.find(failed);
  if (node == nullptr || node->has(node_flag::kFail | node_flag::kMyself | node_flag::kHandshake)) {
    return;
  }
  s.note(log::Level::kNotice,
         fmt::format("FAIL message received from {} about {}", named(sender), named(*node)));
  mark_failed(s, *node);
}

void update_cluster_state(State& s) {
  const Quorum q = quorum_of(s);
  if (s.size != q.size) {
    s.size = q.size;
    s.view_changed = true;
  }
  if (!q.is_majority()) {
    s.lost_majority = s.lost_majority || q.silent > 0;
    s.majority_since = kNever;
  } else if (s.majority_since == kNever) {
    s.majority_since = s.now_ms;
  }
  const bool covered = !s.settings.require_full_coverage || is_covered(s);
  const bool promoted = s.saved >= s.serve_after_save;
  const bool ok = !s.loading && !s.awaits_heir() && promoted && q.is_majority() && covered;
  const ClusterState state = ok ? ClusterState::kOk : ClusterState::kFail;
  if (state == s.cluster_state) return;
  if (ok && s.myself->is_primary() && !has_listened(s)) return;
  if (ok) s.lost_majority = false;
  s.cluster_state = state;
  s.publish_now();
  s.note(log::Level::kNotice,
         fmt::format("Cluster state changed: {}", state == ClusterState::kOk ? "ok" : "fail"));
}

}  // namespace hearth::cluster::bus

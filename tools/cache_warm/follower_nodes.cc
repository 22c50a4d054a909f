// The part of `follow` that looks after the nodes of the cache: how far the stream may be
// confirmed, and whether a node lost what it had acknowledged.
//
//   acknowledged -> replicas have it -> saved in the cache -> replicas have that -> confirmed
//
// So a node may be lost at any time: its heir has everything before the saved position, and the
// saved position, or is found to lack it. Without replicas the steps follow at once. The end of a
// load is saved in the same way; changes are taken meanwhile.
#include <fmt/core.h>
#include <poll.h>

#include <algorithm>

#include "tools/cache_warm/follower.h"
#include "tools/cache_warm/follower_session.h"

namespace hearth::warm {
namespace {

constexpr microseconds kNodesEvery{5'000'000};
// While there is something to save or to confirm.
constexpr microseconds kProgressEvery{100'000};
// Looking at a node that does not answer takes a second, in which the stream waits.
constexpr microseconds kNodesAgain{2'000'000};
constexpr milliseconds kFirstLook{30'000};
constexpr microseconds kLastLooks{3'000'000};
constexpr milliseconds kNodeStep{50};

// Of an heir that has everything before the saved position.
std::string replay_text(const std::string& what) {
  return what + "; changes that it may lack are taken once more";
}

}  // namespace

// Nothing when one does not answer as a primary; or when they do not tell.
std::optional<std::vector<SlotOwner>> Follower::look_at_nodes() {
  Session& s = *session_;
  const std::uint64_t map = s.target->counters().map_updates + s.target->counters().moved;
  if (map != s.slots_as_of || s.slots.empty()) {
    s.slots_as_of = map;
    s.slots.clear();
    for (const client::Endpoint& node : s.target->nodes())
      s.slots[node.str()] = slots_fingerprint(s.target->slots_of({&node, 1}));
    s.watch->watch(s.target->nodes());
  }
  s.watch->look();
  auto owners = s.watch->owners([&](const client::Endpoint& node) { return s.slots[node.str()]; });
  if (!owners) s.target->renew_map();
  return owners;
}

// A node that is being replaced is waited for, since a load or a stream would wait as well.
Result<void> Follower::look_at_first() {
  Session& s = *session_;
  const MonoTime until = clock_.mono_now() + kFirstLook;
  for (;;) {
    if (const auto owners = look_at_nodes()) {
      s.anchors = anchors_of(*owners);
      return {};
    }
    if (s.watch->hides_streams()) {
      if (!has_begun_)
        progress_.print(
            "note: the cache does not tell INFO: keys that a node loses in a restart or "
            "a failover stay unnoticed");
      return {};
    }
    if (clock_.mono_now() >= until)
      return fail(ErrorCode::kIo,
                  fmt::format("{} does not answer as a primary", s.watch->silent_node()));
    if (is_interrupted()) return fail(ErrorCode::kBusy, "interrupted");
    HEARTH_TRY_VOID(turn_target(kNodeStep));
  }
}

// The reason to believe that keys were lost since an earlier run saved its position; empty: there
// is none. The anchors are those of the saved position afterwards.
Result<std::string> Follower::find_lost_nodes(const std::string& saved) {
  Session& s = *session_;
  // An earlier version saved none; or the nodes did not tell then, or do not now.
  if (saved.empty() || s.anchors.empty()) return std::string();
  const auto anchors = parse_anchors(saved);
  if (!anchors) return anchors.error().context;
  const auto owners = look_at_nodes();
  if (!owners)
    return fail(ErrorCode::kIo,
                fmt::format("{} does not answer as a primary", s.watch->silent_node()));
  Verdict verdict = s.watch->judge_streams(*anchors, *owners);
  if (verdict.fate == StreamFate::kLost) return verdict.what + " and may have lost keys";
  if (verdict.fate == StreamFate::kInherited) progress_.print(replay_text(verdict.what));
  s.anchors = std::move(verdict.anchors);
  return std::string();
}

Result<void> Follower::judge_nodes(std::span<const SlotOwner> owners) {
  Session& s = *session_;
  Verdict verdict = s.watch->judge_streams(s.anchors, owners);
  // Until the rows of a load are known to be with the replicas, the anchors are older than they.
  const bool is_older = s.state.phase == FollowPhase::kLoading;
  if (verdict.fate == StreamFate::kLost || (verdict.fate == StreamFate::kInherited && is_older)) {
    s.has_lost_nodes = true;
    return fail(ErrorCode::kNotFound, verdict.what + " and may have lost keys");
  }
  if (verdict.fate == StreamFate::kInherited)
    return fail(ErrorCode::kIo, replay_text(verdict.what));
  s.anchors = std::move(verdict.anchors);
  return {};
}

// The position is saved before it is confirmed: a slot that is further than what was saved is known
// to be another one.
Result<void> Follower::save_progress() {
  Session& s = *session_;
  if (const auto reached = s.machine->take_reached()) s.reached = *reached;
  const MonoTime now = clock_.mono_now();
  const bool has_news = s.reached.position > s.position || s.confirmed < s.position ||
                        s.polls != s.state.polls || s.gate.is_waiting() ||
                        s.state.phase == FollowPhase::kLoading;
  if (now + (has_news ? kNodesEvery - kProgressEvery : microseconds{0}) < s.look_at) return {};
  if (s.anchors.empty()) {
    // The nodes do not tell what they lose.
    s.look_at = now + kNodesEvery;
    if (!has_news) return {};
    s.held_position = s.reached.position;
    s.held_polls = s.polls;
    HEARTH_TRY_VOID(save_position());
    return confirm_saved();
  }
  const auto owners = look_at_nodes();
  // From the end of the look, which took a while if a node was away.
  s.look_at =
      clock_.mono_now() + kNodesEvery + (owners ? microseconds{0} : kNodesAgain - kProgressEvery);
  if (!owners) return {};
  HEARTH_TRY_VOID(judge_nodes(*owners));
  return pass_gate(*owners);
}

// The owners were just looked at, and have everything before the anchors.
Result<void> Follower::pass_gate(std::span<const SlotOwner> owners) {
  Session& s = *session_;
  const MonoTime now = clock_.mono_now();
  if (!s.gate.is_waiting()) {
    s.held_position = s.reached.position;
    s.held_polls = s.polls;
    s.gate.wait_for(anchors_of(owners), now);
  }
  if (!s.gate.passes(owners, now)) return {};
  // The replicas have the saved position too, if it was saved before this wait began.
  if (s.confirmed < s.position) HEARTH_TRY_VOID(confirm_saved());
  const auto is_other = [](const Anchor& a, const Anchor& b) {
    return a.name != b.name || a.slots != b.slots;
  };
  const auto& passed = s.gate.anchors();
  const bool has_other_nodes =
      !std::equal(passed.begin(), passed.end(), s.anchors.begin(), s.anchors.end(),
                  [&](const Anchor& a, const Anchor& b) { return !is_other(a, b); });
  s.anchors = passed;
  const bool is_loaded = s.state.phase == FollowPhase::kStreaming;
  if (is_loaded && s.held_position <= s.position && s.held_polls == s.state.polls &&
      !has_other_nodes)
    return {};
  HEARTH_TRY_VOID(save_position());
  const bool has_replicas = std::any_of(owners.begin(), owners.end(), [](const SlotOwner& owner) {
    return owner.stream.replicated.has_value();
  });
  return has_replicas ? Result<void>{} : confirm_saved();
}

Result<void> Follower::confirm_saved() {
  Session& s = *session_;
  s.confirmed = s.position;
  return s.is_streaming ? s.changes->confirm(s.confirmed) : Result<void>{};
}

// Of a load that has ended, too: replicas have its rows.
Result<void> Follower::save_position() {
  Session& s = *session_;
  s.state.phase = FollowPhase::kStreaming;
  if (s.held_position > s.position) s.position = s.held_position;
  s.state.position = s.changes->position_text(s.position);
  s.state.polls = s.held_polls;
  s.state.nodes = anchors_text(s.anchors);
  return write_follow_state(*s.notebook, options_.name, s.state);
}

// At the end of a session, whatever ended it: nothing is saved that a node lost meanwhile.
Result<void> Follower::save_last_progress() {
  Session& s = *session_;
  const MonoTime until = clock_.mono_now() + kLastLooks;
  do {
    s.look_at = clock_.mono_now();
    HEARTH_TRY_VOID(save_progress());
    if (s.reached.position <= s.position && s.confirmed >= s.position && s.polls == s.state.polls)
      return {};
    ::poll(nullptr, 0, static_cast<int>(kNodeStep.count()));
  } while (clock_.mono_now() < until);
  return {};
}

}  // namespace hearth::warm

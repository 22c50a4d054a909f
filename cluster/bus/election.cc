// Votes. A primary with slots gives at most one vote per epoch; it is on disk before it leaves.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "cluster/bus/state.h"

namespace hearth::cluster::bus {
namespace {

constexpr Ms kAttemptMin = 1000;
// News of a failure takes another way than the request that it leads to: so much longer at most.
constexpr Ms kNewsDelayMost = 1000;
constexpr std::string_view kIsUp = "its primary is up";

// The owner of a slot that the request claims with an epoch that is too old; null: none.
const Node* better_owner(const State& s, const MessageHeader& request) {
  const Node* better = nullptr;
  request.slots.for_each([&](Slot slot) {
    const Node* owner = s.owner[slot];
    if (better != nullptr || owner == nullptr || owner->unclaimed.has(slot)) return;
    if (owner->config_epoch > request.config_epoch) better = owner;
  });
  return better;
}

// Before the winner's claim has reached everyone, a second replica of the same primary must not
// win the next epoch.
bool voted_for_another(const State& s, const Node& primary, const Node& candidate) {
  return primary.voted_for != candidate.id && s.age(primary.voted_at) < attempt_time(s);
}

// Why the candidate gets no vote; empty: it does.
std::string_view refusal(State& s, const Node& candidate, const MessageHeader& request) {
  if (request.current_epoch < s.current_epoch) return "its epoch is in the past";
  if (s.last_vote_epoch == s.current_epoch) return "already voted for this epoch";
  if (!candidate.is_replica()) return "it is a primary";
  const Node* primary = s.find(candidate.replica_of);
  if (primary == nullptr) return "I don't know its primary";
  const bool forced = (request.message_flags & message_flag::kForceAck) != 0;
  if (!primary->has(node_flag::kFail) && !forced) return kIsUp;
  if (voted_for_another(s, *primary, candidate)) return "another replica has just got the vote";
  return {};
}

}  // namespace

Ms attempt_time(const State& s) { return std::max(kAttemptMin, s.timeout() / 2); }

void vote_if_due(State& s, Node& candidate, const MessageHeader& request) {
  if (!s.myself->votes()) return;
  std::string_view why = refusal(s, candidate, request);
  if (const Node* better = why.empty() ? better_owner(s, request) : nullptr; better != nullptr) {
    why = "a slot it claims has an owner with a greater epoch";
    // Or it would ask for ever with the claims that it knows.
    s.send(candidate, MessageType::kUpdate,
           UpdateBody{better->id, better->config_epoch, slots_claimed_by(*better)});
  }
  if (why == kIsUp) {
    s.find(candidate.replica_of)->early_request =
        std::make_unique<Node::EarlyRequest>(Node::EarlyRequest{candidate.id, request, s.now_ms});
  }
  if (!why.empty()) {
    s.note(log::Level::kWarning, fmt::format("Failover auth denied to {} for epoch {}: {}",
                                             named(candidate), request.current_epoch, why));
    return;
  }
  s.last_vote_epoch = s.current_epoch;
  if (Node* primary = s.find(candidate.replica_of); primary != nullptr) {
    primary->voted_for = candidate.id;
    primary->voted_at = s.now_ms;
  }
  s.must_save();
  s.send(candidate, MessageType::kAuthAck);
  s.note(log::Level::kNotice, fmt::format("Failover auth granted to {} for epoch {}",
                                          named(candidate), s.current_epoch));
}

void vote_late(State& s, Node& failed) {
  const auto request = std::move(failed.early_request);
  if (request == nullptr || s.age(request->at) > kNewsDelayMost) return;
  if (Node* candidate = s.find(request->candidate); candidate != nullptr)
    vote_if_due(s, *candidate, request->header);
}

}  // namespace hearth::cluster::bus

// Self-formation: N fresh nodes divide the slots among themselves, exactly once.
//
// A plan is (round, set of N node ids). A fresh node *promises* a plan when all its members report
// the same set; a promise is on disk before it leaves. A plan is *decided* once all N members have
// promised it; each then claims the share of its rank with the epoch of its rank. A node holds one
// promise at a time, its rounds only grow, and it lets go of a promise only on proof that the plan
// is dead: a member whose round is not smaller stands elsewhere. So of two plans that share a
// member at most one is ever decided. The argument in full: cluster/README.md, "Forming a cluster".
//
// Messages are MODULE messages of the bus, which other servers pass over.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/bus/state.h"
#include "src/base/bytes.h"
#include "src/base/hash.h"

namespace hearth::cluster::bus {
namespace {

using Phase = FormationState::Phase;

constexpr std::uint64_t kModuleId = 0x4845415254484631ULL;  // "HEARTHF1"
enum FormationMessage : std::uint8_t { kStatus = 1, kPromise = 2, kDecided = 3 };

constexpr Ms kTellEvery = 500;
constexpr Ms kSeedRetry = 1000;
constexpr Ms kSettledSeedRetry = 5000;
constexpr Ms kSettle = 1000;     // the member set must stand still this long before a promise
constexpr Ms kPeerFresh = 3000;  // a peer not heard for this long is no candidate
constexpr Ms kJoinSettle = 2000;
constexpr Ms kPatience = 5000;  // before a plan that this node cannot join is refused
constexpr std::size_t kMembersMax = 1000;
constexpr std::uint64_t kRoundMax = std::uint64_t{1} << 62;  // a round has a next one

struct Plan {
  std::uint64_t round = 0;
  Epoch epoch = 0;
  std::vector<NodeId> members;
};

// Nodes of a plan: the primaries and their replicas.
std::size_t plan_size(const State& s) {
  const auto primaries = static_cast<std::size_t>(s.settings.expected_size);
  const auto all = primaries * static_cast<std::size_t>(1 + s.settings.replicas_per_shard);
  return std::min(all, kMembersMax + 1);
}

// Of the members and of how many of them are to be primaries: who means another number reports
// another candidate, and promises nothing.
std::uint64_t digest_of(const State& s, const std::vector<NodeId>& members) {
  std::string text;
  for (const auto& id : members) text += id.view();
  const auto primaries = static_cast<std::uint64_t>(s.settings.expected_size);
  return hash_bytes(text, primaries) | 1;  // 0 is "none"
}

std::string status_payload(const State& s) {
  std::string out;
  ByteWriter w(out);
  w.be(static_cast<std::uint16_t>(plan_size(s)));
  w.be(s.formation.state.round);
  w.be(s.formation.candidate);
  return out;
}

std::string plan_payload(const FormationState& state) {
  std::string out;
  ByteWriter w(out);
  w.be(state.round);
  w.be(state.epoch);
  w.be(static_cast<std::uint16_t>(state.members.size()));
  for (const auto& id : state.members) w.bytes(id.view());
  return out;
}

bool read_plan(std::string_view payload, Plan& plan) {
  ByteReader in(payload);
  std::uint16_t count = 0;
  if (!in.be(plan.round) || !in.be(plan.epoch) || !in.be(count)) return false;
  if (plan.round > kRoundMax || plan.epoch > kEpochMax) return false;
  if (count == 0 || count > kMembersMax || in.remaining() != count * NodeId::kLength) return false;
  for (unsigned i = 0; i < count; ++i) {
    std::string_view id;
    if (!in.take(NodeId::kLength, id) || !NodeId::is_valid(id)) return false;
    plan.members.emplace_back(id);
  }
  return std::is_sorted(plan.members.begin(), plan.members.end());
}

bool has_member(const std::vector<NodeId>& members, const NodeId& id) {
  return std::binary_search(members.begin(), members.end(), id);
}

void tell(State& s, Node& node, FormationMessage kind, std::string payload) {
  s.send(node, MessageType::kModule, ModuleBody{kModuleId, kind, std::move(payload)});
}

void tell_all(State& s) {
  s.formation.told = s.now_ms;
  const bool promised = s.formation.state.phase == Phase::kPromised;
  const std::string payload = promised ? plan_payload(s.formation.state) : status_payload(s);
  for (auto& [id, node] : s.nodes) {
    if (node.has(node_flag::kMyself | node_flag::kHandshake)) continue;
    tell(s, node, promised ? kPromise : kStatus, payload);
  }
}

// --- meeting the seeds

// Known, and knowing me: its own link to me is the proof of that.
bool is_mutual(const State& s, const Node& node) {
  return &node == s.myself || (node.inbound != 0 && !node.has(node_flag::kNoAddr));
}

bool is_settled(State& s, const Formation::SeedState& seed) {
  return std::any_of(seed.nodes.begin(), seed.nodes.end(), [&s](const NodeId& id) {
    const Node* node = s.find(id);
    return node != nullptr && is_mutual(s, *node);
  });
}

void contact_seeds(State& s) {
  s.formation.seeds.resize(s.settings.seeds.size());
  for (std::size_t i = 0; i < s.formation.seeds.size(); ++i) {
    auto& seed = s.formation.seeds[i];
    // A name may get more addresses while nodes start, so it is asked for again, less often.
    if (s.age(seed.tried) < (is_settled(s, seed) ? kSettledSeedRetry : kSeedRetry)) continue;
    seed.tried = s.now_ms;
    std::erase_if(seed.handshakes, [&s](const NodeId& id) { return s.find(id) == nullptr; });
    s.out.emplace_back(action::ResolveSeed{i, s.settings.seeds[i].host});
  }
}

// Whether the node of this address and this one know each other, so that it need not be met.
bool has_met(const State& s, const std::string& ip, std::uint16_t cport) {
  return std::any_of(s.nodes.begin(), s.nodes.end(), [&](const auto& entry) {
    const Node& node = entry.second;
    return node.address.ip == ip && node.address.cport == cport && is_mutual(s, node);
  });
}

// --- choosing the members

bool is_seed(const State& s, const NodeId& id) {
  return std::any_of(s.formation.seeds.begin(), s.formation.seeds.end(),
                     [&id](const auto& seed) { return seed.nodes.count(id) != 0; });
}

bool may_be_member(State& s, const NodeId& id, const Formation::Peer& peer) {
  const Node* node = s.find(id);
  return node != nullptr && peer.expected_size == static_cast<int>(plan_size(s)) &&
         s.age(peer.heard) <= kPeerFresh && node->is_primary() && node->slot_count == 0 &&
         node->inbound != 0 && s.is_connected(*node) &&
         !node->has(node_flag::kPfail | node_flag::kFail | node_flag::kHandshake);
}

// A majority of the seeds must be in: two groups of nodes that cannot see each other then cannot
// both be complete.
bool has_seed_majority(const State& s, const std::vector<NodeId>& members) {
  std::size_t in = 0;
  for (const auto& seed : s.formation.seeds) {
    const auto is_in = [&members](const NodeId& id) { return has_member(members, id); };
    if (std::any_of(seed.nodes.begin(), seed.nodes.end(), is_in)) ++in;
  }
  return s.formation.seeds.empty() || 2 * in > s.formation.seeds.size();
}

// The nodes this one would form a cluster with; empty while there are none.
std::vector<NodeId> choose_members(State& s) {
  const std::size_t wanted = plan_size(s);
  if (wanted > kMembersMax) return {};
  std::vector<NodeId> members{s.myself->id};
  for (const auto& [id, peer] : s.formation.peers) {
    if (may_be_member(s, id, peer)) members.push_back(id);
  }
  if (members.size() < wanted) return {};
  // With more fresh nodes than places all must leave out the same ones: seeds first, then by id.
  std::sort(members.begin(), members.end(), [&s](const NodeId& a, const NodeId& b) {
    return std::pair(!is_seed(s, a), a) < std::pair(!is_seed(s, b), b);
  });
  members.resize(wanted);
  std::sort(members.begin(), members.end());
  if (!has_member(members, s.myself->id) || !has_seed_majority(s, members)) return {};
  return members;
}

// --- promising and claiming

void promise(State& s, std::vector<NodeId> members) {
  auto& f = s.formation;
  std::uint64_t round = f.state.round + 1;
  for (const auto& id : members) {
    if (const auto peer = f.peers.find(id); peer != f.peers.end()) {
      round = std::max(round, peer->second.round);
    }
  }
  const bool all_lead = s.settings.replicas_per_shard == 0;
  f.state = {Phase::kPromised, round, s.current_epoch, std::move(members),
             all_lead ? 0 : static_cast<std::size_t>(s.settings.expected_size)};
  s.must_save();
  s.note(log::Level::kNotice, fmt::format("Forming a cluster of {} nodes: promised round {}",
                                          f.state.members.size(), round));
  tell_all(s);
}

void release(State& s, std::string_view why) {
  auto& f = s.formation;
  s.note(log::Level::kNotice,
         fmt::format("Forming a cluster: round {} came to nothing: {}", f.state.round, why));
  f.state.phase = Phase::kPending;
  f.state.members.clear();
  f.state.primaries = 0;
  f.state.epoch = 0;
  f.candidate = 0;
  s.must_save();
}

Slot first_slot_of(std::size_t rank, std::size_t members) {
  return static_cast<Slot>((rank * kSlotCount + members / 2) / members);
}

// The plan is decided: take the share of my rank.
void claim(State& s, Epoch base) {
  auto& state = s.formation.state;
  const auto& members = state.members;
  const auto at = std::lower_bound(members.begin(), members.end(), s.myself->id);
  const auto rank = static_cast<std::size_t>(at - members.begin());
  // Those behind the primaries claim nothing: they become replicas as late comers do (replica.cc).
  const std::size_t primaries = state.primaries == 0 ? members.size() : state.primaries;
  const bool leads = rank < primaries;
  const int first = leads ? first_slot_of(rank, primaries) : 0;
  const int end = !leads                  ? 0
                  : rank + 1 == primaries ? kSlotCount
                                          : first_slot_of(rank + 1, primaries);
  for (int i = first; i < end; ++i) {
    // An administrator may have given slots of a late member to somebody else.
    if (s.owner[static_cast<Slot>(i)] == nullptr) s.give_slot(*s.myself, static_cast<Slot>(i));
  }
  s.myself->config_epoch = base + rank + 1;
  s.current_epoch = std::max(s.current_epoch, base + members.size());
  state.phase = Phase::kDone;
  state.epoch = base;
  s.formation.peers.clear();
  s.must_save();
  s.note(log::Level::kNotice,
         leads ? fmt::format("Formed a cluster of {} nodes: this one serves slots {}-{}",
                             members.size(), first, end - 1)
               : fmt::format("Formed a cluster of {} nodes: this one will be a replica",
                             members.size()));
  for (const auto& id : members) {
    if (Node* node = s.find(id); node != nullptr && node != s.myself) {
      tell(s, *node, kDecided, plan_payload(state));
    }
  }
  s.broadcast_pong_when_saved();
}

void claim_if_decided(State& s) {
  const auto& f = s.formation;
  Epoch base = f.state.epoch;
  for (const auto& id : f.state.members) {
    if (id == s.myself->id) continue;
    const auto peer = f.peers.find(id);
    if (peer == f.peers.end() || !peer->second.promised || peer->second.round != f.state.round ||
        peer->second.members != f.state.members) {
      return;
    }
    base = std::max(base, peer->second.epoch);
  }
  claim(s, base);
}

bool all_report(const State& s, const std::vector<NodeId>& members, std::uint64_t digest) {
  return std::all_of(members.begin(), members.end(), [&](const NodeId& id) {
    if (id == s.myself->id) return true;
    const auto peer = s.formation.peers.find(id);
    return peer != s.formation.peers.end() && peer->second.candidate == digest;
  });
}

// A peer waits for this node's promise to a plan that this node cannot join. Stepping over its
// round is the proof the peer needs to let go of it.
void refuse_hopeless_plans(State& s) {
  auto& f = s.formation;
  if (s.age(f.candidate_since) < kPatience) return;
  for (const auto& [id, peer] : f.peers) {
    if (!peer.promised || peer.round <= f.state.round || peer.candidate == f.candidate ||
        !has_member(peer.members, s.myself->id)) {
      continue;
    }
    f.state.round = peer.round;
    s.must_save();
  }
}

void tick_pending(State& s) {
  auto& f = s.formation;
  std::vector<NodeId> members = choose_members(s);
  const std::uint64_t digest = members.empty() ? 0 : digest_of(s, members);
  if (digest != f.candidate) {
    f.candidate = digest;
    f.candidate_since = s.now_ms;
    tell_all(s);
  }
  refuse_hopeless_plans(s);
  if (digest != 0 && s.age(f.candidate_since) >= kSettle && all_report(s, members, digest)) {
    promise(s, std::move(members));
    claim_if_decided(s);
  }
}

bool knows_slot_owner(const State& s) {
  return std::any_of(s.nodes.begin(), s.nodes.end(),
                     [](const auto& entry) { return entry.second.slot_count > 0; });
}

// Somebody else counts this node among the cluster's, and had the time to write it down.
bool is_known_to_others(const State& s) {
  return std::any_of(s.nodes.begin(), s.nodes.end(), [&s](const auto& entry) {
    const auto link = s.links.find(entry.second.inbound);
    return is_mutual(s, entry.second) && link != s.links.end() &&
           s.age(link->second.opened) >= kJoinSettle;
  });
}

// --- messages

bool may_remember(const State& s, const NodeId& peer) {
  return s.formation.peers.size() < limits::kFormingPeersMax || s.formation.peers.count(peer) != 0;
}

void on_status(State& s, const NodeId& from, std::string_view payload) {
  ByteReader in(payload);
  std::uint16_t expected = 0;
  Formation::Peer heard;
  if (!in.be(expected) || !in.be(heard.round) || !in.be(heard.candidate)) return;
  if (heard.round > kRoundMax || !may_remember(s, from)) return;
  auto& peer = s.formation.peers[from];
  // Messages may arrive out of order: a promise of a later round stands.
  if (peer.promised && heard.round < peer.round) return;
  heard.expected_size = expected;
  heard.heard = s.now_ms;
  peer = heard;
  const auto& mine = s.formation.state;
  if (mine.phase == Phase::kPromised && has_member(mine.members, from) &&
      heard.round >= mine.round) {
    release(s, "a member gave it up");
  }
}

void on_promise(State& s, const NodeId& from, Plan plan) {
  if (!may_remember(s, from)) return;
  auto& peer = s.formation.peers[from];
  if (plan.round < peer.round) return;
  peer.expected_size = static_cast<int>(plan.members.size());
  peer.candidate = digest_of(s, plan.members);
  peer.heard = s.now_ms;
  peer.promised = true;
  peer.round = plan.round;
  peer.epoch = plan.epoch;
  peer.members = std::move(plan.members);
  const auto& mine = s.formation.state;
  if (mine.phase != Phase::kPromised || !has_member(mine.members, from)) return;
  if (peer.round == mine.round && peer.members == mine.members) {
    claim_if_decided(s);
  } else if (peer.round >= mine.round) {
    release(s, "a member promised another plan");
  }
}

void on_decided(State& s, const NodeId& from, const Plan& plan) {
  const auto& mine = s.formation.state;
  if (mine.phase != Phase::kPromised || !has_member(mine.members, from)) return;
  if (plan.round == mine.round && plan.members == mine.members) {
    claim(s, plan.epoch);
  } else {
    release(s, "a member belongs to another cluster");
  }
}

}  // namespace

bool is_forming(const State& s) {
  const auto phase = s.formation.state.phase;
  return phase == Phase::kPending || phase == Phase::kPromised;
}

void start_formation(State& s) {
  if (s.settings.seeds.empty() && s.settings.expected_size <= 0) return;
  s.formation.state.phase = Phase::kPending;
}

void resume_formation(State& s) {
  if (!is_forming(s)) return;
  if (s.settings.seeds.empty() && s.settings.expected_size <= 0) {
    stop_formation(s, "no seeds are configured any more");
  }
}

void tick_formation(State& s) {
  if (!is_forming(s)) return;
  const bool promised = s.formation.state.phase == Phase::kPromised;
  contact_seeds(s);
  // An existing cluster: nothing to form, only to join.
  if (!promised && (s.settings.expected_size <= 0 || knows_slot_owner(s))) {
    if (is_known_to_others(s)) stop_formation(s, "joined the nodes that the seeds know");
    return;
  }
  if (s.age(s.formation.told) >= kTellEvery) tell_all(s);
  if (!promised) tick_pending(s);
}

void on_formation_message(State& s, Node& sender, const ModuleBody& body) {
  if (body.module_id != kModuleId) return;
  const auto& mine = s.formation.state;
  if (mine.phase == Phase::kDone) {
    if (body.type != kDecided && has_member(mine.members, sender.id)) {
      tell(s, sender, kDecided, plan_payload(mine));
    }
    return;
  }
  if (!is_forming(s)) return;
  if (body.type == kStatus) {
    on_status(s, sender.id, body.payload);
    return;
  }
  Plan plan;
  if (!read_plan(body.payload, plan)) return;
  if (body.type == kPromise)
    on_promise(s, sender.id, std::move(plan));
  else if (body.type == kDecided)
    on_decided(s, sender.id, plan);
}

void on_seed_resolved(State& s, const input::SeedResolved& in) {
  if (in.seed >= s.formation.seeds.size() || in.seed >= s.settings.seeds.size()) return;
  auto& seed = s.formation.seeds[in.seed];
  const Seed& place = s.settings.seeds[in.seed];
  const std::size_t count = std::min(in.ips.size(), kSeedAddressesMax);
  if (!is_forming(s)) {  // ask_seeds_if_alone
    for (std::size_t i = 0; i < count; ++i) {
      start_handshake(s, {in.ips[i], place.port, 0, place.cport}, Origin::kAsked, 0);
    }
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    // Met although known, once, to learn who stands behind this seed.
    if (has_met(s, in.ips[i], place.cport) && is_settled(s, seed)) continue;
    const Node* node = start_handshake(s, {in.ips[i], place.port, 0, place.cport}, Origin::kCalled,
                                       node_flag::kMeet);
    if (node != nullptr) seed.handshakes.insert(node->id);
  }
}

void on_handshake_done(State& s, const NodeId& made_up, const NodeId& real) {
  if (!is_forming(s)) return;
  for (auto& seed : s.formation.seeds) {
    if (seed.handshakes.erase(made_up) > 0) seed.nodes.insert(real);
  }
}

void stop_formation(State& s, std::string_view why) {
  if (!is_forming(s)) return;
  s.formation.state = {};
  s.formation.peers.clear();
  s.must_save();
  s.note(log::Level::kNotice, fmt::format("Forming a cluster: over, {}", why));
}

void release_promise_to(State& s, const NodeId& forgotten) {
  auto& state = s.formation.state;
  if (state.phase != Phase::kPromised || !has_member(state.members, forgotten)) return;
  // The administrator vouches that the member is gone. Should it come back with a claim after all,
  // the next plan must not use the epochs of this one.
  s.current_epoch += state.members.size();
  release(s, "an administrator made me forget a member");
}

}  // namespace hearth::cluster::bus

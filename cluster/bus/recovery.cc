// Recovery of a majority that is lost for good, by an administrator: CLUSTER RECOVER.
//
// When a zone takes half of the primaries with it, nobody can be elected: votes of a majority are
// missing, although replicas of the lost primaries are there. Whether the others are dead or only
// out of reach is nothing that a node can know, so an administrator says it, and names the loss.
// One surviving node then makes the plan:
//
//   each lost primary's best replica here takes its place, as CLUSTER FAILOVER TAKEOVER does
//   each surviving primary keeps its slots
//   all of them under epochs of their own, far above every known one
//
// The distance is the fence: what the other side did on its own meanwhile (elections, moves of
// slots) raised its epochs by one each time, so its claims are the older ones when it comes back,
// and its primaries become replicas. The plan's epochs are on this node's disk before anyone hears
// of them, so a second plan begins above them.
//
// Each node holds the plan against its own view: a primary that it still hears is not lost.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "cluster/bus/state.h"
#include "src/base/bytes.h"

namespace hearth::cluster::bus {
namespace {

constexpr std::uint64_t kRecoveryModule = 0x4845415254485631ULL;  // "HEARTHV1"
constexpr std::uint8_t kTakePlaces = 1;
constexpr Epoch kFence = Epoch{1} << 20;
constexpr Ms kRepeatAfter = 1000;
constexpr Ms kRepeatFor = 5000;
constexpr NodeFlags kSilent = node_flag::kPfail | node_flag::kFail;

AdminReply cannot_recover(std::string text) {
  return {AdminReply::Kind::kError, "ERR " + std::move(text), 0};
}

struct Loss {
  int primaries = 0;          // with slots
  std::vector<NodeId> lost;   // of these, ascending
  bool is_fresh = false;      // one of them is silent for less than two time-outs in all
  std::vector<NodeId> heirs;  // their replicas that are to take over
  [[nodiscard]] int needed() const { return primaries / 2 + 1; }
  [[nodiscard]] int reachable() const { return primaries - static_cast<int>(lost.size()); }
  [[nodiscard]] bool has_majority() const { return reachable() >= needed(); }
};

Ms silent_for(const State& s, const Node& node) {
  return s.age(node.has(node_flag::kFail) ? node.failed_since : node.suspected_since);
}

std::uint64_t offset_of(const State& s, const Node& node) {
  return &node == s.myself ? own_offset(s) : node.replication_offset;
}

// Of each lost primary the replica with the most data that is heard here; of equals the one with
// the smallest id.
std::vector<NodeId> heirs_of(const State& s, const std::vector<NodeId>& lost) {
  constexpr NodeFlags kOut =
      kSilent | node_flag::kHandshake | node_flag::kNoAddr | node_flag::kNoFailover;
  std::map<NodeId, const Node*> best;
  for (const auto& [id, node] : s.nodes) {
    if (!node.is_replica() || node.has(kOut)) continue;
    if (!std::binary_search(lost.begin(), lost.end(), node.replica_of)) continue;
    const auto link = s.links.find(node.link);
    if (&node != s.myself && (link == s.links.end() || !link->second.connected)) continue;
    const Node*& heir = best[node.replica_of];
    if (heir == nullptr || offset_of(s, node) > offset_of(s, *heir)) heir = &node;
  }
  std::vector<NodeId> heirs;
  heirs.reserve(best.size());
  for (const auto& [primary, heir] : best) heirs.push_back(heir->id);
  return heirs;
}

Loss loss_of(const State& s) {
  Loss loss;
  for (const auto& [id, node] : s.nodes) {
    if (!node.votes()) continue;
    ++loss.primaries;
    if (!node.has(kSilent)) continue;
    loss.lost.push_back(id);
    loss.is_fresh = loss.is_fresh || silent_for(s, node) <= s.timeout();
  }
  loss.heirs = heirs_of(s, loss.lost);
  return loss;
}

// Why there is no plan; empty: there is one.
std::string why_no_plan(const Loss& loss, const admin::Recover& in) {
  const auto lost = static_cast<int>(loss.lost.size());
  if (loss.has_majority()) {
    return fmt::format(
        "{} of {} primaries are heard, which is a majority: replicas take over by "
        "themselves, or by CLUSTER FAILOVER",
        loss.reachable(), loss.primaries);
  }
  if (in.nodes.empty() && in.count != lost) {
    return fmt::format("{} of {} primaries are lost for this node, not {}", lost, loss.primaries,
                       in.count);
  }
  if (!in.nodes.empty()) {
    const std::set<std::string> named(in.nodes.begin(), in.nodes.end());
    std::set<std::string> known;
    for (const NodeId& id : loss.lost) known.insert(id.str());
    for (const std::string& id : named) {
      if (known.count(id) == 0) return "node " + id + " is no primary that is lost for this node";
    }
    for (const std::string& id : known) {
      if (named.count(id) == 0) return "node " + id + " is lost too, and was not named";
    }
  }
  if (loss.is_fresh) return "the loss is younger than cluster-node-timeout: try again later";
  const int heirs = static_cast<int>(loss.heirs.size());
  if (loss.reachable() + heirs < loss.needed()) {
    return fmt::format(
        "replicas of {} of the {} lost primaries are heard here, which makes no "
        "majority of {}",
        heirs, lost, loss.primaries);
  }
  return {};
}

struct PlaceOrder {
  Epoch epoch = 0;  // of the node that is told
  Epoch last = 0;   // the greatest of the plan
  std::vector<NodeId> lost;
};

std::string order_payload(const PlaceOrder& order) {
  std::string out;
  ByteWriter w(out);
  w.be(order.epoch);
  w.be(order.last);
  w.be(static_cast<std::uint16_t>(order.lost.size()));
  for (const NodeId& id : order.lost) w.bytes(id.view());
  return out;
}

bool read_order(std::string_view payload, PlaceOrder& order) {
  ByteReader in(payload);
  std::uint16_t count = 0;
  if (!in.be(order.epoch) || !in.be(order.last) || !in.be(count)) return false;
  if (order.epoch == 0 || order.epoch > order.last || order.last > kEpochMax) return false;
  if (count == 0 || count > limits::kNodesMax || in.remaining() != count * NodeId::kLength) {
    return false;
  }
  for (unsigned i = 0; i < count; ++i) {
    std::string_view id;
    if (!in.take(NodeId::kLength, id) || !NodeId::is_valid(id)) return false;
    order.lost.emplace_back(id);
  }
  return true;
}

// Why this node does not follow the order; empty: it does.
std::string why_not_followed(const State& s, const PlaceOrder& order) {
  for (const NodeId& id : order.lost) {
    const auto at = s.nodes.find(id);
    if (at == s.nodes.end() || !at->second.votes() || at->second.has(kSilent)) continue;
    return fmt::format("primary {} is not lost for this node", id.view());
  }
  for (const auto& [id, node] : s.nodes) {
    const bool later =
        node.config_epoch > order.last || (&node != s.myself && node.config_epoch == order.epoch);
    if (later && node.is_primary()) return "there are later epochs than those of the plan";
  }
  if (s.myself->is_replica() && !s.now.data.silence && s.settings.replica_validity_factor != 0) {
    return "this replica never had its primary's data";
  }
  return {};
}

void follow_order(State& s, const PlaceOrder& order) {
  Node& me = *s.myself;
  const bool is_heir = me.is_replica() && std::find(order.lost.begin(), order.lost.end(),
                                                    me.replica_of) != order.lost.end();
  if (!is_heir && !me.votes()) return;
  if (const std::string why = why_not_followed(s, order); !why.empty()) {
    return s.note(log::Level::kWarning, "CLUSTER RECOVER of another node is not followed: " + why);
  }
  s.current_epoch = std::max(s.current_epoch, order.last);
  if (is_heir) {
    s.note(log::Level::kWarning,
           fmt::format("Taking the place of my lost primary {} with epoch {} (CLUSTER RECOVER).",
                       me.replica_of.view(), order.epoch));
    return promote(s, order.epoch);
  }
  if (order.epoch <= me.config_epoch) return;
  me.config_epoch = order.epoch;
  s.note(log::Level::kWarning,
         fmt::format("New configEpoch set to {} (CLUSTER RECOVER).", order.epoch));
  s.must_save();
  s.broadcast_pong_when_saved();
}

// To all that have not followed yet.
void tell_plan(State& s) {
  s.recovery.told = s.now_ms;
  PlaceOrder order{0, s.recovery.last, s.recovery.lost};
  for (const auto& [id, epoch] : s.recovery.epochs) {
    Node* node = s.find(id);
    if (node == nullptr || (node->is_primary() && node->config_epoch >= epoch)) continue;
    order.epoch = epoch;
    if (node == s.myself) {
      follow_order(s, order);
    } else {
      s.send(*node, MessageType::kModule,
             ModuleBody{kRecoveryModule, kTakePlaces, order_payload(order)});
    }
  }
}

}  // namespace

AdminReply recover(State& s, const admin::Recover& in) {
  const Loss loss = loss_of(s);
  if (std::string why = why_no_plan(loss, in); !why.empty()) return cannot_recover(std::move(why));
  std::vector<Node*> told;
  for (auto& [id, node] : s.nodes) {
    if (node.votes() && !node.has(kSilent)) told.push_back(&node);
  }
  for (const NodeId& id : loss.heirs) told.push_back(s.find(id));
  const Epoch base = greatest_epoch(s) + kFence;
  Recovery plan;
  plan.last = base + told.size();
  if (plan.last > kEpochMax) return cannot_recover("there are no epochs left above the known ones");
  s.current_epoch = plan.last;
  s.must_save();
  s.note(
      log::Level::kWarning,
      fmt::format("CLUSTER RECOVER: {} of {} primaries are given up, {} replicas take over, with "
                  "epochs up to {}.",
                  loss.lost.size(), loss.primaries, loss.heirs.size(), plan.last));
  plan.lost = loss.lost;
  for (std::size_t i = 0; i < told.size(); ++i) plan.epochs[told[i]->id] = base + 1 + i;
  plan.ends = s.now_ms + 2 * std::max<Ms>(s.timeout(), kRepeatFor);
  s.recovery = std::move(plan);
  const Epoch last = s.recovery.last;
  tell_plan(s);
  return {AdminReply::Kind::kStatus,
          fmt::format("{} of {} lost primaries are replaced, with epochs up to {}",
                      loss.heirs.size(), loss.lost.size(), last),
          0};
}

// A message may be lost with its link, and a survivor without its new epoch is without the fence.
void tick_recovery(State& s) {
  if (s.recovery.ends == kNever) return;
  if (s.now_ms >= s.recovery.ends) {
    s.recovery = {};
  } else if (s.age(s.recovery.told) >= kRepeatAfter) {
    tell_plan(s);
  }
}

void on_recovery_message(State& s, const Node& sender, const ModuleBody& body) {
  if (body.module_id != kRecoveryModule || body.type != kTakePlaces) return;
  PlaceOrder order;
  if (!read_order(body.payload, order)) {
    return s.note(log::Level::kWarning,
                  "An order of CLUSTER RECOVER that can't be read came from " + named(sender));
  }
  follow_order(s, order);
}

std::string recovery_hint(const State& s) {
  const Loss loss = loss_of(s);
  if (loss.lost.empty() || loss.has_majority()) return {};
  const std::size_t lost = loss.lost.size();
  const admin::Recover whole{static_cast<std::int64_t>(lost), {}};
  const std::string said = fmt::format("{} of {} primaries are lost", lost, loss.primaries);
  const std::string why = why_no_plan(loss, whole);
  if (!why.empty()) return fmt::format("{}, {}", said, why);
  return fmt::format(
      "{}; if they are down for good, CLUSTER RECOVER LOST {} lets {} replicas take "
      "over",
      said, lost, loss.heirs.size());
}

}  // namespace hearth::cluster::bus

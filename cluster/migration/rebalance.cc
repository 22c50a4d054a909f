#include "cluster/migration/rebalance.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace hearth::cluster::migration {
namespace {

constexpr NodeFlags kSilent = node_flag::kPfail | node_flag::kFail;
constexpr std::uint64_t kJitterMs = 1000;

std::uint64_t mixed(std::uint64_t digest, std::uint64_t value) {
  return (digest ^ value) * 0x100000001b3ULL;
}

std::uint64_t mixed(std::uint64_t digest, const NodeId& id) {
  for (const char c : id.view()) digest = mixed(digest, static_cast<unsigned char>(c));
  return digest;
}

std::uint64_t measure_of(const SlotLoad& slot, bool by_cpu) {
  return by_cpu ? slot.cpu_us : slot.keys;
}

}  // namespace

void Rebalancer::learn_end(const Situation& in) {
  if (!in.ended || !ordered_) return;
  const NodeId target = *std::exchange(ordered_, std::nullopt);
  if (*in.ended) {
    refused_.erase(target);
    return;
  }
  Refusal& refusal = refused_[target];
  refusal.length = std::clamp(2 * refusal.length, kRefusedFor, kRefusedMost);
  refusal.until = now_ + refusal.length;
}

bool Rebalancer::is_refused(const Member& member) const {
  const auto at = refused_.find(member.node->id);
  return at != refused_.end() && now_ < at->second.until;
}

void Rebalancer::refresh_news(const Situation& in) {
  const NodeView& me = in.view.me();
  const bool serves = me.is_primary() && in.view.state == ClusterState::kOk;
  if (!serves || me.slot_count > 0) {
    empty_since_.reset();
  } else if (!empty_since_) {
    empty_since_ = now_;
  }
  const bool settled_in =
      me.slot_count > 0 || (empty_since_ && now_ - *empty_since_ >= kNewcomerPatience);
  news_.mode = in.mode;
  news_.draining = in.view.draining;
  news_.takes = serves && settled_in && !in.view.draining && in.mode != BalanceMode::kOff;
  news_.moving = in.moving;
  news_.stuck = false;
  news_.counts_cpu = in.counts_cpu;
  news_.keys = in.keys;
  news_.cpu_us = in.cpu_us;
}

std::vector<Rebalancer::Member> Rebalancer::primaries(const Situation& in) const {
  std::vector<Member> all;
  for (const NodeView& node : in.view.nodes) {
    if (!node.is_primary() || node.has(node_flag::kHandshake | node_flag::kNoAddr)) continue;
    Member member;
    member.node = &node;
    member.is_me = &node == &in.view.me();
    member.news = member.is_me ? &news_ : node.balance ? &*node.balance : nullptr;
    member.healthy = !node.has(kSilent) && (member.is_me || node.link_connected);
    all.push_back(member);
  }
  return all;
}

// Nodes stand in the order of their ids, so all find the same node where the smallest id decides.
std::optional<Rebalancer::Pair> Rebalancer::drain_pair(std::vector<Member>& all) const {
  Pair pair;
  std::uint64_t slots = 0, targets = 0;
  for (Member& member : all) {
    member.measure = static_cast<std::uint64_t>(member.node->slot_count);
    const bool drains = member.news != nullptr && member.news->draining;
    if (drains && pair.source == nullptr && member.measure > 0 &&
        (member.is_me || !member.news->stuck)) {
      pair.source = &member;
    }
    const bool takes = member.measure > 0 || (member.news != nullptr && member.news->takes);
    if (drains || member.is_me || !member.healthy || !takes || is_refused(member)) continue;
    slots += member.measure;
    ++targets;
    if (pair.target == nullptr || member.measure < pair.target->measure) pair.target = &member;
  }
  if (pair.source == nullptr) return std::nullopt;
  if (pair.target == nullptr) return pair;
  const std::uint64_t even = (slots + pair.source->measure) / targets;
  const std::uint64_t room = even > pair.target->measure ? even - pair.target->measure : 1;
  pair.most = std::min(room, pair.source->measure);
  return pair;
}

std::optional<Rebalancer::Pair> Rebalancer::even_pair(const Situation& in,
                                                      std::vector<Member>& all) const {
  if (in.mode == BalanceMode::kOff) return std::nullopt;
  const auto takes_part = [&](const Member& member) {
    return member.healthy && member.news != nullptr && member.news->mode == in.mode &&
           !member.news->draining && (member.node->slot_count > 0 || member.news->takes);
  };
  Pair pair;
  if (in.mode == BalanceMode::kLoad) {
    const bool cpu = std::all_of(all.begin(), all.end(), [&](const Member& m) {
      return !takes_part(m) || m.news->counts_cpu;
    });
    pair.by = cpu ? Pair::By::kCpu : Pair::By::kKeys;
  }
  std::uint64_t sum = 0, count = 0;
  const Member* least = nullptr;
  for (Member& member : all) {
    if (!takes_part(member)) continue;
    switch (pair.by) {
      case Pair::By::kSlots:
        member.measure = static_cast<std::uint64_t>(member.node->slot_count);
        break;
      case Pair::By::kKeys: member.measure = member.news->keys; break;
      case Pair::By::kCpu: member.measure = member.news->cpu_us; break;
    }
    sum += member.measure;
    ++count;
    const bool gives = member.node->slot_count > 0 && (member.is_me || !member.news->stuck);
    if (gives && (pair.source == nullptr || member.measure > pair.source->measure))
      pair.source = &member;
    if (!member.news->takes) continue;
    if (least == nullptr || member.measure < least->measure) least = &member;
    if (is_refused(member)) continue;
    if (pair.target == nullptr || member.measure < pair.target->measure) pair.target = &member;
  }
  if (pair.source == nullptr || least == nullptr) return std::nullopt;
  const std::uint64_t mean = sum / count;
  std::uint64_t band = std::max<std::uint64_t>(2, mean * kSlotBandPercent / 100);
  if (pair.by != Pair::By::kSlots) {
    const std::uint64_t floor = pair.by == Pair::By::kCpu ? kCpuBandMin : kKeysBandMin;
    band = std::max(floor, mean * kLoadBandPercent / 100);
  }
  const std::uint64_t most = pair.source->measure;
  if (most <= least->measure + band) return std::nullopt;
  // Without the targets that refused lately the difference may be within the band.
  if (pair.target == nullptr || most <= pair.target->measure + band) {
    pair.target = nullptr;
    return pair;
  }
  const std::uint64_t lack = mean > pair.target->measure ? mean - pair.target->measure : 1;
  const std::uint64_t surplus = most > mean + 1 ? most - mean - 1 : 1;
  pair.most = std::min({lack, surplus, (most - pair.target->measure) / 2});
  return pair;
}

std::string Rebalancer::unrest(const Situation& in, const std::vector<Member>& all) const {
  if (in.view.state != ClusterState::kOk) return "the cluster is down";
  if (in.moving) return "a move of this node is under way";
  if (!in.view.migrating.empty() || !in.view.importing.empty())
    return "slots of this node are being moved by CLUSTER SETSLOT";
  for (const Member& member : all) {
    if (member.news != nullptr && member.news->moving)
      return fmt::format("a move of node {} is under way", member.node->id.view());
    if (!member.healthy && member.node->slot_count > 0)
      return fmt::format("primary {} does not answer", member.node->id.view());
  }
  return {};
}

void Rebalancer::watch(const Situation& in, const std::vector<Member>& all,
                       const std::optional<Pair>& pair) {
  std::uint64_t digest = 0xcbf29ce484222325ULL;
  for (const Member& member : all) {
    digest = mixed(digest, member.node->id);
    digest = mixed(digest, static_cast<std::uint64_t>(member.node->slot_count));
    digest = mixed(digest, member.healthy ? 1 : 0);
    if (member.news == nullptr) continue;
    digest = mixed(digest, static_cast<std::uint64_t>(member.news->mode));
    digest = mixed(digest, (member.news->draining ? 1U : 0U) | (member.news->takes ? 2U : 0U) |
                               (member.news->moving ? 4U : 0U));
  }
  digest = mixed(digest, in.view.state == ClusterState::kOk ? 1 : 0);
  if (pair) digest = mixed(digest, pair->source->node->id);
  if (pair && pair->target != nullptr) digest = mixed(digest, pair->target->node->id);
  if (digest == seen_) return;
  seen_ = digest;
  seen_since_ = now_;
  nothing_fits_until_ = now_;
  jitter_ = milliseconds{static_cast<std::int64_t>(rng_.below(kJitterMs))};
}

SlotSet Rebalancer::choose(const Situation& in, const Pair& pair) const {
  std::vector<SlotLoad> mine;
  for (const SlotLoad& slot : in.slots()) {
    if (!in.view.in_motion(slot.slot)) mine.push_back(slot);
  }
  SlotSet chosen;
  const bool by_slots = pair.by == Pair::By::kSlots;
  const bool by_cpu = pair.by == Pair::By::kCpu;
  if (by_slots) {
    std::reverse(mine.begin(), mine.end());  // from the end, so that ranges stay whole
  } else {
    std::stable_sort(mine.begin(), mine.end(), [&](const SlotLoad& a, const SlotLoad& b) {
      return measure_of(a, by_cpu) > measure_of(b, by_cpu);
    });
  }
  std::uint64_t budget = pair.most, keys = 0;
  int count = 0;
  for (const SlotLoad& slot : mine) {
    if (count == kSlotsPerMove || budget == 0) break;
    const std::uint64_t cost = by_slots ? 1 : measure_of(slot, by_cpu);
    if (cost == 0 || cost > budget) continue;
    if (count > 0 && keys + slot.keys > kKeysPerMove) break;
    chosen.add(slot.slot);
    budget -= cost;
    keys += slot.keys;
    ++count;
  }
  return chosen;
}

std::optional<SlotOrder> Rebalancer::step(const Situation& in, MonoTime now) {
  now_ = now;
  learn_end(in);
  // One that failed long ago begins with the shortest time again.
  std::erase_if(refused_,
                [&](const auto& entry) { return now_ >= entry.second.until + kRefusedMost; });
  refresh_news(in);
  const NodeView& me = in.view.me();
  if (!me.is_primary() || (in.mode == BalanceMode::kOff && !in.view.draining)) {
    state_ = me.is_primary() ? "off" : "a replica has no slots to move";
    seen_ = 0;
    return std::nullopt;
  }
  if (in.view.draining && me.slot_count == 0) {
    state_ = "drained";
    seen_ = 0;
    return std::nullopt;
  }
  std::vector<Member> all = primaries(in);
  std::optional<Pair> pair = drain_pair(all);
  if (!pair) pair = even_pair(in, all);
  watch(in, all, pair);
  const std::string wait = unrest(in, all);
  if (!pair) {
    state_ = wait.empty() ? "even" : wait;
    return std::nullopt;
  }
  if (!pair->source->is_me) {
    state_ = fmt::format("node {} gives slots next", pair->source->node->id.view());
    return std::nullopt;
  }
  if (pair->target == nullptr) {
    news_.stuck = true;
    state_ = "no primary takes slots of this node";
    return std::nullopt;
  }
  if (!wait.empty()) {
    state_ = wait;
    return std::nullopt;
  }
  milliseconds settle = kSettlePeriods * balance_period(in.view.nodes.size());
  if (pair->by == Pair::By::kCpu) settle = std::max(settle, kLoadSettle);
  if (now_ - seen_since_ < settle + jitter_) {
    state_ = "waits for the cluster to settle";
    return std::nullopt;
  }
  SlotSet slots;
  if (now_ >= nothing_fits_until_) slots = choose(in, *pair);
  if (slots.empty()) {
    if (now_ >= nothing_fits_until_) nothing_fits_until_ = now_ + kNothingFitsFor;
    news_.stuck = true;
    state_ = "no slot of this node is small enough to make loads more even";
    return std::nullopt;
  }
  const NodeId target = pair->target->node->id;
  state_ = fmt::format("moves {} slots to {}", slots.count(), target.view());
  ordered_ = target;
  news_.moving = true;
  return SlotOrder{std::move(slots), target};
}

}  // namespace hearth::cluster::migration

// The part of a load that finds out what the target lost after it had acknowledged it, and loads
// that again.
#include <fmt/core.h>

#include <algorithm>

#include "tools/cache_warm/crew.h"
#include "tools/cache_warm/loader.h"

namespace hearth::warm {
namespace {

constexpr milliseconds kLossTick{100};
constexpr milliseconds kLossLook{50};
// Replicas report once a second. A load does not wait for one that is slow or stopped.
constexpr microseconds kReplicasMost{5'000'000};

}  // namespace

void Loader::take_anchors() {
  anchors_.clear();
  anchor_slots_.clear();
  const auto owners = slot_owners();
  if (!owners) return;
  anchors_ = anchors_of(*owners);
  for (const SlotOwner& owner : *owners)
    anchor_slots_.push_back(front_->slots_of({&owner.endpoint, 1}));
}

std::optional<std::vector<SlotOwner>> Loader::slot_owners() const {
  return watch_->owners([this](const client::Endpoint& endpoint) {
    return slots_fingerprint(front_->slots_of({&endpoint, 1}));
  });
}

// A primary that died with the last row is replaced after a while, or comes back. Nothing where
// that cannot be known, or the job ends.
std::optional<std::vector<SlotOwner>> Loader::await_owners() {
  const MonoTime until = clock_.mono_now() + plan_.target.retry_for;
  for (;;) {
    watch_->look();
    if (watch_->hides_streams()) return std::nullopt;
    if (auto owners = slot_owners()) {
      job_.tell_waiting(0, "");
      return owners;
    }
    const std::string silent = watch_->silent_node();
    job_.tell_waiting(0, silent);
    if (!job_.may_go_on()) return std::nullopt;
    if (clock_.mono_now() >= until) {
      job_.stop(
          LoadEnd::kTargetFailed,
          fmt::format("{} does not answer: it may have lost rows that it acknowledged", silent));
      return std::nullopt;
    }
    front_->renew_map();
    // A failure of this client is a node that does not answer either.
    if (auto turned = front_->turn(kLossLook); !turned) wait_for(kLossLook);
    watch_->watch(front_->nodes());
  }
}

Loader::Losses Loader::find_losses() {
  Losses losses;
  losses.slots = job_.take_lost_slots();
  if (losses.slots.any())
    losses.what = fmt::format("{} slots moved or were flushed", losses.slots.count());
  const bool writes = options_.kind == RunKind::kLoad || options_.repair;
  if (job_.is_stopped() || !writes) return losses;
  if (anchors_.empty()) {
    watch_->look();
    return losses;
  }
  run_crew(
      1, [&](int) { find_lost_streams(losses); }, [this] { tick(); }, kLossTick);
  return losses;
}

// Ends when the replicas have everything, so that a failover after the load loses nothing of it.
void Loader::find_lost_streams(Losses& losses) {
  ReplicaGate gate;
  bool has_begun = false;
  const MonoTime until = clock_.mono_now() + kReplicasMost;
  for (;;) {
    const auto owners = await_owners();
    if (!owners) return;
    const Verdict verdict = watch_->judge_streams(anchors_, *owners);
    if (verdict.fate != StreamFate::kSame) return add_lost(losses, verdict, *owners);
    const MonoTime now = clock_.mono_now();
    if (!std::exchange(has_begun, true)) gate.wait_for(anchors_of(*owners), now);
    if (gate.passes(*owners, now)) return;
    if (now >= until) {
      report_.notes.push_back(
          fmt::format("replicas of the target did not confirm all rows within {} s: a failover now "
                      "may lose some",
                      std::chrono::duration_cast<std::chrono::seconds>(kReplicasMost).count()));
      return;
    }
    if (!job_.may_go_on()) return;
    job_.tell_waiting(0, "replicas of the target");
    wait_for(kLossLook);
  }
}

void Loader::add_lost(Losses& losses, const Verdict& verdict,
                      const std::vector<SlotOwner>& owners) const {
  losses.what = verdict.what;
  losses.nodes = verdict.heirs;
  for (const std::size_t index : verdict.changed) losses.slots |= anchor_slots_[index];
  losses.slots |= front_->slots_of(verdict.heirs);
  if (verdict.heirs.size() == verdict.changed.size()) return;
  // Nobody says who has the slots of a node that is gone: one of those that were not there before.
  for (const SlotOwner& owner : owners) {
    const bool was_there = std::any_of(anchors_.begin(), anchors_.end(), [&](const Anchor& anchor) {
      return anchor.name == owner.stream.name;
    });
    if (was_there) continue;
    losses.nodes.push_back(owner.endpoint);
    losses.slots |= front_->slots_of({&owner.endpoint, 1});
  }
}

// One more pass over all rows, which sends those of the lost slots. False: the load is over.
bool Loader::load_again(const Losses& losses) {
  if (!losses_.note(losses.nodes, losses.slots) || !options_.replay.empty()) {
    job_.stop(LoadEnd::kDataLost, losses.what + " and may have lost keys");
    return false;
  }
  ++report_.reloads;
  progress_.print(losses.what + ": their keys are loaded again");
  // A node that was flushed lost more than the keys that it refused: all of its slots.
  reload_slots_ = losses.slots;
  for (const client::Endpoint& node : front_->nodes()) {
    const auto slots = front_->slots_of({&node, 1});
    if ((slots & losses.slots).any()) reload_slots_ |= slots;
  }
  take_anchors();
  job_.slots = &reload_slots_;
  job_.checkpoint = nullptr;
  checkpoint_.reset();
  options_.checkpoint.clear();
  job_.count_again();
  if (!epoch_.empty()) {
    run_crew(
        1,
        [this](int) {
          if (auto opened = read_anew(); !opened) stop_for(opened.error(), LoadEnd::kSourceFailed);
        },
        [this] { tick(); }, kLossTick);
    if (job_.is_stopped()) return false;
  }
  if (auto queued = queue_chunks(); !queued) {
    stop_for(queued.error(), LoadEnd::kSourceFailed);
    return false;
  }
  return run_pass_over_losses().has_value();
}

}  // namespace hearth::warm

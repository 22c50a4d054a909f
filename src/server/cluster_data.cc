#include "src/server/cluster_data.h"

#include <utility>

#include "cluster/model/slot.h"
#include "src/base/log.h"

namespace hearth {

cluster::DataState ClusterData::state() const {
  cluster::DataState data;
  // While a replica loads a snapshot its data is nobody's.
  const bool is_whole = !parts_.follower->is_replica() || parts_.replication->can_continue();
  data.offset = is_whole ? parts_.replication->offset() : 0;
  data.is_empty = parts_.engine->keyspace().total_keys() == 0;
  data.owes_replicas = parts_.replication->owes_replicas();
  data.writes_held = parts_.engine->holds().holds_writes(WriteHolder::kFailover);
  data.link_up = parts_.follower->link_is_up();
  data.silence = parts_.follower->silence();
  data.is_warming = parts_.engine->warm_gate().is_closed();
  return data;
}

void ClusterData::show(cluster::ViewPtr view) {
  if (!loading_) settle_slots(*view);
  // Clients that wait for keys are sent to the slots' new owner by this; nobody answers the others
  // here.
  parts_.replication->refuse_replicas(view->awaits_heir);
  parts_.engine->set_cluster_view(std::move(view));
  if (std::exchange(was_demoted_, false)) parts_.engine->blocking().unblock_all(kDemoted);
}

void ClusterData::follow(const cluster::action::Follow& action) {
  if (loading_) {
    follow_after_load_ = action;
    return;
  }
  parts_.before_change();
  drops_.finish_all();  // a replica removes nothing by itself
  hide_others({});      // and hides anew what is not its new primary's
  was_demoted_ = was_demoted_ || !parts_.follower->is_replica();
  parts_.follower->follow_node(action.host, action.port, action.other_data);
}

void ClusterData::lead() {
  follow_after_load_.reset();
  if (loading_) return;
  parts_.before_change();
  parts_.follower->lead();
}

void ClusterData::hold_writes(bool on) {
  parts_.engine->holds().hold_writes(WriteHolder::kFailover, on);
}

void ClusterData::drop_keys(const cluster::SlotSet& slots) {
  if (loading_) {
    slots.for_each([this](Slot slot) { lost_while_loading_.add(slot); });
    return;
  }
  parts_.before_change();
  std::uint64_t keys = 0;
  const Keyspace& keyspace = parts_.engine->keyspace();
  slots.for_each([&](Slot slot) {
    for (DbIndex i = 0; i < keyspace.db_count(); ++i) keys += keyspace.db(i).stored_in_slot(slot);
  });
  drops_.add(slots, SlotDrops::Events::kTold);
  if (keys > 0) log::notice("{} keys are dropped: other nodes took their slots", keys);
}

// The slots may have gone to others while this node was down, or while it was loading. Served by
// others since, the values here are old, and would come back with the slot.
void ClusterData::loaded(const cluster::View& view) {
  loading_ = false;
  cluster::SlotSet others = std::exchange(lost_while_loading_, {});
  if (follow_after_load_) others.clear();  // the primary says what goes
  cluster::SlotSet unowned;
  const Keyspace& keyspace = parts_.engine->keyspace();
  const auto has_keys = [&keyspace](Slot slot) {
    for (DbIndex i = 0; i < keyspace.db_count(); ++i) {
      if (keyspace.db(i).count_in_slot(slot) > 0) return true;
    }
    return false;
  };
  for (int i = 0; i < kSlotCount; ++i) {
    const auto slot = static_cast<Slot>(i);
    if (!has_keys(slot) || view.in_motion(slot)) continue;
    const cluster::NodeIndex owner = view.owner[slot];
    if (owner == cluster::kNoNode) {
      unowned.add(slot);
    } else if (owner != view.myself && view.me().is_primary()) {
      others.add(slot);
    }
  }
  parts_.before_change();
  drops_.add(others, SlotDrops::Events::kTold);
  if (const std::uint64_t dropped = drops_.finish_all(); dropped > 0) {
    log::warning("{} keys of {} slots that other nodes own were dropped after loading", dropped,
                 others.count());
  }
  if (!unowned.empty()) {
    log::warning(
        "There are keys in {} slots that no node owns: they are kept, and served if this "
        "node is given the slots",
        unowned.count());
  }
  if (follow_after_load_) follow(*std::exchange(follow_after_load_, std::nullopt));
}

// A replica gets keys that are on their way to its primary before the slots are that one's.
void ClusterData::hide_others(const cluster::SlotSet& slots) {
  if (slots == hidden_) return;
  cluster::SlotSet shown = hidden_, hidden = slots;
  shown.subtract(slots);
  hidden.subtract(hidden_);
  shown.for_each([this](Slot slot) { hide_slot(*parts_.engine, slot, false); });
  hidden.for_each([this](Slot slot) { hide_slot(*parts_.engine, slot, true); });
  hidden_ = slots;
}

void ClusterData::settle_slots(const cluster::View& view) {
  const cluster::NodeView& me = view.me();
  const bool follows = me.is_replica();
  const cluster::NodeIndex owner = follows ? view.find(me.replica_of) : view.myself;
  cluster::SlotSet others, regained;
  for (int i = 0; i < kSlotCount; ++i) {
    const auto slot = static_cast<Slot>(i);
    if (view.owner[slot] != owner && view.owner[slot] != cluster::kNoNode)
      others.add(slot);
    else if (view.owner[slot] == owner && drops_.has(slot))
      regained.add(slot);
  }
  if (follows) return hide_others(others);
  if (!regained.empty()) drops_.finish(regained);  // what it held is old
  if (hidden_.empty()) return;
  // A replica took its primary's place: what was on its way to that one is not complete.
  cluster::SlotSet incomplete = hidden_;
  incomplete.intersect(others);
  hide_others({});
  drops_.add(incomplete, SlotDrops::Events::kNone);
}

void ClusterData::deliver(const std::string& channel, const std::string& message, bool shard) {
  parts_.before_change();
  PubSub& pubsub = parts_.engine->pubsub();
  if (!shard) {
    pubsub.publish(channel, message);
    return;
  }
  const PubSub::Heard heard = pubsub.publish_shard(channel, message);
  if (heard.bytes > 0 && parts_.engine->settings().cluster_slot_stats_enabled)
    parts_.engine->stats().slots.add(cluster::slot_of(channel), {0, 0, heard.bytes});
}

}  // namespace hearth

#include "src/server/slot_drops.h"

#include <string>
#include <vector>

#include "src/command/keys.h"
#include "src/command/write_guard.h"

namespace hearth {

void hide_slot(Engine& engine, Slot slot, bool hidden) {
  for (DbIndex i = 0; i < engine.keyspace().db_count(); ++i)
    engine.keyspace().db(i).set_hidden(slot, hidden);
}

void SlotDrops::add(const cluster::SlotSet& slots, Events events) {
  slots.for_each([&](Slot slot) {
    bool any = false;
    for (DbIndex i = 0; i < engine_.keyspace().db_count(); ++i)
      any = any || engine_.keyspace().db(i).stored_in_slot(slot) > 0;
    hide_slot(engine_, slot, any);
    if (any) pending_.insert_or_assign(slot, events);
  });
}

std::uint64_t SlotDrops::step(std::uint64_t most) {
  std::uint64_t dropped = 0;
  while (!pending_.empty() && dropped < most)
    dropped += drop_some(pending_.begin()->first, most - dropped);
  return dropped;
}

std::uint64_t SlotDrops::finish(const cluster::SlotSet& slots) {
  std::uint64_t dropped = 0;
  slots.for_each([&](Slot slot) {
    if (has(slot)) dropped += drop_some(slot, UINT64_MAX);
  });
  return dropped;
}

std::uint64_t SlotDrops::drop_some(Slot slot, std::uint64_t most) {
  const bool silent = pending_.at(slot) == Events::kNone;
  KeyEnvironment& env = engine_.environment();
  if (silent) engine_.begin_import();
  std::uint64_t dropped = 0;
  bool rest = false;
  for (DbIndex i = 0; i < engine_.keyspace().db_count(); ++i) {
    Keys keys(env, i);
    std::vector<std::string> names;
    keys.database().for_each_in_slot(slot, most - dropped,
                                     [&](const Entry& e) { names.emplace_back(e.key()); });
    for (const std::string& name : names) {
      const KeyRef key = keys.make_ref(name);
      const Found at = keys.database().find(key);
      if (!at) continue;
      keys.remove(key, at, true);
      env.effects->replicate_as({i, slot}, "DEL", name);
      env.effects->event(Notify::kGeneric, "del", i, name);
      // The slot's new owner has its versions. Here they would crowd out those of other slots.
      forget_version(keys, key, *env.effects);
      ++dropped;
    }
    rest = rest || keys.database().stored_in_slot(slot) > 0;
  }
  env.effects->keep_apart();
  engine_.commit();
  if (silent) engine_.end_import();
  if (!rest) {
    pending_.erase(slot);
    hide_slot(engine_, slot, false);
  }
  return dropped;
}

}  // namespace hearth

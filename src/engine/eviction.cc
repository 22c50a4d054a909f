#include "src/engine/eviction.h"

#include <algorithm>

#include "src/command/replication_control.h"

namespace hearth {

void Eviction::set_policy(EvictionPolicy policy) {
  if (core_.hot.policy != policy) pool_.clear();
  core_.hot.policy = policy;
}

std::uint64_t Eviction::unsent_to_replicas() const {
  return core_.services.replication != nullptr ? core_.services.replication->unsent_bytes() : 0;
}

std::uint64_t Eviction::used_bytes() const {
  const std::uint64_t used = memory::used_bytes();
  return used - std::min(used, sessions_.dying_bytes() + unsent_to_replicas());
}

// Returns what it freed, or will when the background thread gets to it.
std::uint64_t Eviction::evict_one(const EvictionPool::Candidate& victim) {
  Keys keys(core_.env, victim.db);
  const KeyRef ref = keys.make_ref(victim.key);
  const Found at = keys.database().find(ref);
  if (!at || (volatile_only(core_.hot.policy) && !at->has_deadline())) return 0;
  const std::uint64_t bytes = at->memory_bytes();
  keys.remove(ref, at, core_.env.lazy_eviction);
  ++core_.stats.evicted_keys;
  core_.effects.replicate_as({victim.db, ref.slot}, core_.env.lazy_eviction ? "UNLINK" : "DEL",
                             ref.name);
  core_.effects.event(Notify::kEvicted, "evicted", victim.db, ref.name);
  return bytes;
}

bool Eviction::make_room() {
  const bool has_room = evict_until_room();
  note_room(has_room);
  return has_room;
}

void Eviction::note_room(bool has_room) {
  if (has_room == (exceeded_since_.us == 0)) return;
  core_.stats.eviction_exceeded_us += static_cast<std::uint64_t>(exceeded_for().count());
  exceeded_since_ = has_room ? MonoTime{} : core_.mono;
}

// The bytes of removed keys are counted, not how the use of memory falls: telling replicas and
// clients of each eviction takes memory too, for a while, and must not make for more evictions.
bool Eviction::evict_until_room() {
  sessions_.evict_over_limit();
  const std::uint64_t maxmemory = core_.hot.maxmemory;
  const std::uint64_t used = used_bytes();
  if (used <= maxmemory) return true;
  if (core_.hot.policy == EvictionPolicy::kNoEviction || core_.paused || core_.script_busy)
    return false;
  // maxmemory-eviction-tenacity 0..10 is up to 500 us a command, growing by 15 % a step to 99;
  // 100 has no limit.
  const int tenacity = core_.settings().maxmemory_eviction_tenacity;
  std::uint64_t limit_ns =
      tenacity <= 10 ? 50'000ULL * static_cast<std::uint64_t>(tenacity) : 500'000;
  for (int i = 10; i < tenacity && i < 100; ++i) limit_ns += limit_ns * 15 / 100;
  const std::uint64_t start = core_.ticks();
  const std::uint64_t wanted = used - maxmemory;
  std::uint64_t freed = 0;
  EvictionPool::Candidate victim;
  bool freed_enough = false;
  for (unsigned n = 1; !freed_enough; ++n) {
    const auto samples = static_cast<std::size_t>(core_.settings().maxmemory_samples);
    if (!pool_.pick(core_.keyspace, core_.hot.policy, samples, core_.env.now, core_.env.lfu_params,
                    core_.rng, victim)) {
      break;
    }
    freed += evict_one(victim);
    freed_enough = freed >= wanted;
    if (n % 16 != 0) continue;
    if (used_bytes() <= maxmemory) freed_enough = true;
    // Out of time for this command, not out of keys: the next command goes on.
    if (tenacity < 100 && core_.ticks() - start > limit_ns) freed_enough = true;
    commit();
  }
  commit();
  const std::uint64_t spent = core_.ticks() - start;
  if (spent >= core_.hot.latency_ns) {
    core_.latency.add("eviction-cycle", core_.env.now,
                      static_cast<std::uint32_t>(spent / kNsPerMs));
  }
  // The last key may have gone for what others hold.
  return freed_enough || used_bytes() <= maxmemory;
}

void Eviction::commit() {
  if (core_.depth != 0 || core_.effects.empty()) return;
  core_.effects.keep_apart();
  executor_.commit();
}

}  // namespace hearth

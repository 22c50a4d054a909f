#include "src/engine/expiry.h"

#include <algorithm>
#include <utility>

namespace hearth {
namespace {

// Expired fields that are removed from one hash in a step of the cycle.
constexpr std::uint64_t kFieldsPerStep = 1024;

}  // namespace

void Expiry::on_commit(const CommittedUnit& unit) {
  if (!core_.following || core_.actor == nullptr || core_.actor->replaying) return;
  const auto find = [this](DbIndex db, std::string_view key) {
    return core_.keyspace.db(db).find(Keys(core_.env, db).make_ref(key));
  };
  for (const KeyEvent& event : unit.events) {
    const Found at = find(event.db, event.key);
    own_.note(event.db, event.key, at ? at->deadline() : kNoDeadline);
  }
  own_.prune([&](DbIndex db, std::string_view key, std::int64_t deadline) {
    const Found at = find(db, key);
    return at && at->deadline() == deadline;
  });
}

// A deadline that is another now was set by the primary since then, and counts.
void Expiry::expire_own() {
  while (const auto due = own_.take_due(core_.env.now)) {
    Keys keys(core_.env, due->db);
    const KeyRef ref = keys.make_ref(due->key);
    const Found at = keys.database().find(ref);
    if (at && at->deadline() == due->deadline) keys.expire(ref, at);
  }
  commit();
}

void Expiry::commit() {
  if (core_.effects.empty()) return;
  core_.effects.keep_apart();
  executor_.commit();
}

// Until few of the keys that were looked at last are stale, or the time is over; then false.
bool Expiry::expire_database(DbIndex index, std::uint64_t stale_percent, std::uint64_t end,
                             Totals& totals) {
  Database& db = core_.keyspace.db(index);
  Totals window;
  for (;;) {
    due_.clear();
    const Database::ExpireStep step = db.expire_step(core_.env.now, 256, due_);
    Keys keys(core_.env, index);
    for (const Entry* e : due_) {
      // The name is copied: it dies with its entry.
      const std::string name(e->key());
      const KeyRef ref = keys.make_ref(name);
      const Found at = keys.database().find(ref);
      if (at && at->expired(core_.env.now))
        keys.expire(ref, at);
      else if (at)
        keys.expire_fields(ref, at, kFieldsPerStep);
    }
    commit();
    window.sampled += step.sampled;
    window.expired += step.expired;
    totals.sampled += step.sampled;
    totals.expired += step.expired;
    if (step.finished_round) return true;
    if (window.sampled >= 200) {
      if (window.expired * 100 <= window.sampled * stale_percent) return true;
      window = {};
    }
    if (core_.ticks() > end) {
      ++core_.stats.expired_time_cap_reached;
      return false;
    }
  }
}

void Expiry::run_cycle(int tick_rate) {
  if (core_.following && !core_.paused) expire_own();
  if (!core_.env.expire_removes || !is_active_ || core_.loading) return;
  // Effort 1 .. 10: more time per tick, and a smaller share of stale keys before it stops.
  const auto effort =
      static_cast<std::uint64_t>(std::max(0, core_.settings().active_expire_effort - 1));
  const std::uint64_t tick_ns = 1'000'000'000ULL / static_cast<std::uint64_t>(tick_rate);
  const std::uint64_t start = core_.ticks();
  const std::uint64_t end = start + tick_ns * (25 + 2 * effort) / 100;
  Totals totals;
  for (DbIndex i = 0; i < core_.keyspace.db_count(); ++i) {
    if (core_.keyspace.db(i).timed_count() == 0) continue;
    if (!expire_database(i, 10 - effort, end, totals)) break;
  }
  Stats& stats = core_.stats;
  const std::uint64_t share = totals.sampled == 0 ? 0 : totals.expired * 10000 / totals.sampled;
  stats.stale_percent_x100 = (stats.stale_percent_x100 * 95 + share * 5) / 100;
  const std::uint64_t spent = core_.ticks() - start;
  stats.expire_cycle_us += spent / 1000;
  if (spent >= core_.hot.latency_ns) {
    core_.latency.add("expire-cycle", core_.env.now, static_cast<std::uint32_t>(spent / kNsPerMs));
  }
}

}  // namespace hearth

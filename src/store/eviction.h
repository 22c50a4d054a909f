// Eviction: which key goes when memory is short, and the access field that decides it.
//
// The access field has 24 bits. Under an LRU policy it is a clock of seconds (wraps after 194
// days); under an LFU policy 16 bits of minutes and an 8-bit logarithmic counter.
// Sampled, as the field does it: a few entries are drawn, the best of them enter a pool of 16
// candidates that lasts over rounds, and the best of the pool goes.
// Source: public documentation of lfu-log-factor, lfu-decay-time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/base/eviction_policy.h"
#include "src/base/ids.h"
#include "src/base/random.h"
#include "src/base/time.h"
#include "src/store/keyspace.h"

namespace hearth {

struct LfuParams {
  std::uint32_t log_factor = 10;
  std::uint32_t decay_minutes = 1;  // 0: never decays
};

namespace access_clock {
// The LRU field for this moment.
[[nodiscard]] constexpr std::uint32_t lru(UnixMillis now) {
  return static_cast<std::uint32_t>(now.ms / 1000) & 0xffffff;
}
[[nodiscard]] std::int64_t lru_idle_ms(std::uint32_t field, UnixMillis now);
[[nodiscard]] std::uint32_t lru_from_idle(std::int64_t idle_seconds, UnixMillis now);
// The LFU field of a new key: counter 5.
[[nodiscard]] std::uint32_t lfu_new(UnixMillis now);
[[nodiscard]] std::uint32_t lfu_with_counter(std::uint8_t counter, UnixMillis now);
// The counter after the decay for the time that passed.
[[nodiscard]] std::uint8_t lfu_counter(std::uint32_t field, UnixMillis now,
                                       const LfuParams& params);
// The field after one more access: decayed, then incremented with probability 1/((c-5)*factor+1).
[[nodiscard]] std::uint32_t lfu_touched(std::uint32_t field, UnixMillis now,
                                        const LfuParams& params, Rng& rng);
}  // namespace access_clock

class EvictionPool {
 public:
  struct Candidate {
    std::uint64_t score = 0;  // larger goes first
    DbIndex db = 0;
    std::string key;
  };

  // Draws `samples` entries of every database and remembers the best. Then takes the best
  // candidate that may go; its key may be gone meanwhile, so the caller looks it up and asks again.
  // Returns false when nothing qualifies.
  bool pick(Keyspace& keyspace, EvictionPolicy policy, std::size_t samples, UnixMillis now,
            const LfuParams& lfu, Rng& rng, Candidate& out);
  void clear() { pool_.clear(); }

 private:
  static constexpr std::size_t kPoolSize = 16;
  void offer(std::uint64_t score, DbIndex db, std::string_view key);
  std::vector<Candidate> pool_;  // ascending score
  std::vector<const Entry*> drawn_;
  DbIndex next_db_ = 0;  // random policies take turns over the databases
};

}  // namespace hearth

// Tombstones: the versions of keys that are gone.
//
// A key that was written with a version (SET ... VER n) and is then removed, by whatever, leaves
// its version here, so that a change which comes late does not bring an old value back. A tombstone
// knows its key by a fingerprint that is the same on every server; two keys that share one cost a
// refused write, which is a miss and no stale value.
//
// Memory is bounded: when there are too many, the older half goes, and the highest version among
// them becomes the floor, which an absent key's version has to exceed. Tombstones, and the floor,
// go when they are old enough; so a client that writes the highest version keeps others from
// absent keys for no longer than that.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "src/base/ids.h"
#include "src/base/time.h"
#include "src/ds/fingerprint_map.h"

namespace hearth {

class Tombstones {
 public:
  // Of one database; at most 16 MB.
  static constexpr std::size_t kMost = 250'000;

  // seed: of the tables, so that nobody can choose names that stand close to each other.
  explicit Tombstones(std::uint64_t seed, std::size_t most = kMost);

  // Its lowest bits are the slot, so that those of slots that move are found.
  [[nodiscard]] static std::uint64_t fingerprint(std::string_view key, Slot slot);
  [[nodiscard]] static Slot slot_of(std::uint64_t fingerprint) {
    return static_cast<Slot>(fingerprint % kSlotCount);
  }

  [[nodiscard]] bool empty() const {
    return young_.places.empty() && old_.places.empty() && floor() == 0;
  }
  [[nodiscard]] std::size_t size() const { return young_.places.size() + old_.places.size(); }
  [[nodiscard]] std::size_t memory_bytes() const {
    return young_.places.memory_bytes() + old_.places.memory_bytes();
  }
  [[nodiscard]] std::uint64_t floor() const { return std::max(young_floor_, old_floor_); }
  // The version that a write to the absent key has to exceed; 0: any will do. O(1).
  [[nodiscard]] std::uint64_t of(std::uint64_t fingerprint) const;
  // The key with this fingerprint is gone, and had this version, not 0. A higher one stays. O(1).
  void add(std::uint64_t fingerprint, std::uint64_t version);
  // The key is back: its tombstone goes. Returns its version; 0: it had none. The floor stays
  // apart.
  std::uint64_t take(std::uint64_t fingerprint);
  void raise_floor(std::uint64_t version);
  // Lets those go that are older than `life`, at the latest when they are twice as old.
  void age(UnixMillis now, milliseconds life);
  void clear();

  // fn(fingerprint, version); a key whose version rose may come twice.
  template <typename F>
  void for_each(F&& fn) const {
    old_.places.for_each(fn);
    young_.places.for_each(fn);
  }

 private:
  struct Generation {
    explicit Generation(std::uint64_t seed) : places(seed) {}
    ds::FingerprintMap places;
    std::uint64_t highest = 0;
  };
  // The younger generation becomes the older one, which goes.
  void turn();

  std::uint64_t seed_;
  std::size_t most_;
  Generation young_, old_;
  std::uint64_t young_floor_ = 0, old_floor_ = 0;  // raised since the last turn by age, and before
  UnixMillis turned_{};
};

}  // namespace hearth

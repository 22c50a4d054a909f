#include "src/store/tombstones.h"

#include <algorithm>
#include <utility>

#include "src/base/hash.h"

namespace hearth {

Tombstones::Tombstones(std::uint64_t seed, std::size_t most)
    : seed_(seed), most_(most), young_(seed), old_(seed) {}

std::uint64_t Tombstones::fingerprint(std::string_view key, Slot slot) {
  constexpr std::uint64_t kSeed = 0x6865'6172'7468'0001;  // a part of the file format
  const std::uint64_t hash = hash_bytes(key, kSeed);
  return hash - hash % kSlotCount + slot;
}

std::uint64_t Tombstones::of(std::uint64_t fingerprint) const {
  return std::max({floor(), young_.places.find(fingerprint), old_.places.find(fingerprint)});
}

void Tombstones::add(std::uint64_t fingerprint, std::uint64_t version) {
  std::uint64_t& held = young_.places[fingerprint];
  held = std::max(held, version);
  young_.highest = std::max(young_.highest, version);
  if (young_.places.size() < most_ / 2) return;
  raise_floor(old_.highest);
  turn();
}

std::uint64_t Tombstones::take(std::uint64_t fingerprint) {
  const std::uint64_t version =
      std::max(young_.places.find(fingerprint), old_.places.find(fingerprint));
  young_.places.erase(fingerprint);
  old_.places.erase(fingerprint);
  return version;
}

void Tombstones::raise_floor(std::uint64_t version) {
  young_floor_ = std::max(young_floor_, version);
}

void Tombstones::age(UnixMillis now, milliseconds life) {
  if (now - turned_ < life) return;
  turned_ = now;
  old_floor_ = std::exchange(young_floor_, 0);
  turn();
}

void Tombstones::turn() { old_ = std::exchange(young_, Generation(seed_)); }

void Tombstones::clear() {
  young_ = old_ = Generation(seed_);
  young_floor_ = old_floor_ = 0;
}

}  // namespace hearth

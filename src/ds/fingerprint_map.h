// FingerprintMap: 64-bit fingerprints to 64-bit numbers above 0, 16 bytes a place, without a
// pointer or an allocation for each: freeing one costs nothing per entry.
//
// Open addressing with linear probing; at most half of the places are taken. The order of places
// follows from a seed, so that nobody can choose fingerprints that follow each other. O(1) each;
// a table that doubles moves what it holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "src/base/hash.h"

namespace hearth::ds {

class FingerprintMap {
 public:
  explicit FingerprintMap(std::uint64_t seed) : seed_(seed) {}

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t memory_bytes() const { return places_.capacity() * sizeof(Place); }
  // 0: none stands there.
  [[nodiscard]] std::uint64_t find(std::uint64_t fingerprint) const {
    if (size_ == 0) return 0;
    return places_[place_of(fingerprint)].number;
  }
  // The number of a fingerprint, made 0 if it is new; the caller makes it more than that at once.
  // Valid until the next change.
  std::uint64_t& operator[](std::uint64_t fingerprint) {
    if (2 * (size_ + 1) > places_.size()) grow();
    Place& place = places_[place_of(fingerprint)];
    if (place.number == 0) {
      place.fingerprint = fingerprint;
      ++size_;
    }
    return place.number;
  }
  void erase(std::uint64_t fingerprint) {
    if (size_ == 0) return;
    std::size_t hole = place_of(fingerprint);
    if (places_[hole].number == 0) return;
    --size_;
    // An entry that would not be found behind the hole moves into it.
    for (std::size_t i = next(hole); places_[i].number != 0; i = next(i)) {
      const std::size_t wanted = first_place(places_[i].fingerprint);
      if (distance(wanted, i) < distance(hole, i)) continue;
      places_[hole] = places_[i];
      hole = i;
    }
    places_[hole] = {};
  }
  // fn(fingerprint, number) for each.
  template <typename F>
  void for_each(F&& fn) const {
    for (const Place& place : places_) {
      if (place.number != 0) fn(place.fingerprint, place.number);
    }
  }
  void clear() {
    places_ = {};
    size_ = 0;
  }

 private:
  struct Place {
    std::uint64_t fingerprint = 0;
    std::uint64_t number = 0;  // 0: the place is free
  };
  static constexpr std::size_t kPlacesLeast = 16;

  [[nodiscard]] std::size_t next(std::size_t i) const { return (i + 1) & (places_.size() - 1); }
  [[nodiscard]] std::size_t distance(std::size_t from, std::size_t to) const {
    return (to - from) & (places_.size() - 1);
  }
  [[nodiscard]] std::size_t first_place(std::uint64_t fingerprint) const {
    const std::string_view bytes(reinterpret_cast<const char*>(&fingerprint), sizeof(fingerprint));
    return hash_bytes(bytes, seed_) & (places_.size() - 1);
  }
  // Where the fingerprint stands, or the free place where it would.
  [[nodiscard]] std::size_t place_of(std::uint64_t fingerprint) const {
    std::size_t i = first_place(fingerprint);
    while (places_[i].number != 0 && places_[i].fingerprint != fingerprint) i = next(i);
    return i;
  }
  void grow() {
    std::vector<Place> old(places_.empty() ? kPlacesLeast : 2 * places_.size());
    old.swap(places_);
    for (const Place& place : old) {
      if (place.number != 0) places_[place_of(place.fingerprint)] = place;
    }
  }

  std::uint64_t seed_;
  std::size_t size_ = 0;
  std::vector<Place> places_;
};

}  // namespace hearth::ds

// OrderedChunks: an ordered sequence of small values in chunks, a B-tree of two levels.
//
// Look-ups are two binary searches; appending is O(1); insertion and removal anywhere move at most
// one chunk and the directory of chunks, 24 bytes for every kChunk values or so. For what grows at
// its end and is taken away in any order: nodes of a stream, pending entries of a group.
//
//   KeyOf::key(const T&) -> K     K is compared by < and ==; no two values have the same key
//
// Places and pointers end with the next insertion or removal.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

#include "src/base/check.h"

namespace hearth::ds {

template <typename T, typename KeyOf>
class OrderedChunks {
 public:
  static constexpr std::size_t kChunk = 64;

  struct Place {
    std::size_t chunk = 0;
    std::size_t index = 0;
    bool operator==(const Place&) const = default;
  };

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // Bytes of the allocations as they were asked for; what the values own is the owner's.
  [[nodiscard]] std::size_t memory_bytes() const {
    std::size_t bytes = chunks_.capacity() * sizeof(Chunk);
    if (chunks_.empty()) return bytes;
    // All but the last chunk are between half full and full.
    return bytes + (chunks_.size() - 1) * kChunk * sizeof(T) +
           chunks_.back().capacity() * sizeof(T);
  }

  [[nodiscard]] Place begin() const { return {0, 0}; }
  [[nodiscard]] Place end() const { return {chunks_.size(), 0}; }
  [[nodiscard]] T& at(Place p) { return chunks_[p.chunk][p.index]; }
  [[nodiscard]] const T& at(Place p) const { return chunks_[p.chunk][p.index]; }
  [[nodiscard]] const T& front() const { return chunks_.front().front(); }
  [[nodiscard]] T& back() { return chunks_.back().back(); }
  [[nodiscard]] const T& back() const { return chunks_.back().back(); }

  // p is not end().
  [[nodiscard]] Place next(Place p) const {
    if (p.index + 1 < chunks_[p.chunk].size()) return {p.chunk, p.index + 1};
    return {p.chunk + 1, 0};
  }
  // p is not begin().
  [[nodiscard]] Place previous(Place p) const {
    if (p.index > 0) return {p.chunk, p.index - 1};
    return {p.chunk - 1, chunks_[p.chunk - 1].size() - 1};
  }

  // The first value whose key is not less; end() if there is none.
  template <typename K>
  [[nodiscard]] Place lower_bound(const K& key) const {
    const auto chunk = std::partition_point(
        chunks_.begin(), chunks_.end(), [&](const Chunk& c) { return KeyOf::key(c.back()) < key; });
    if (chunk == chunks_.end()) return end();
    const auto value = std::partition_point(chunk->begin(), chunk->end(),
                                            [&](const T& v) { return KeyOf::key(v) < key; });
    return {static_cast<std::size_t>(chunk - chunks_.begin()),
            static_cast<std::size_t>(value - chunk->begin())};
  }
  // The last value whose key is not greater; end() if there is none.
  template <typename K>
  [[nodiscard]] Place floor(const K& key) const {
    // Most look-ups are for keys at the end.
    if (!empty() && !(key < KeyOf::key(back()))) return previous(end());
    const Place p = lower_bound(key);
    if (p != end() && KeyOf::key(at(p)) == key) return p;
    return p == begin() ? end() : previous(p);
  }
  template <typename K>
  [[nodiscard]] T* find(const K& key) {
    const Place p = lower_bound(key);
    return p != end() && KeyOf::key(at(p)) == key ? &at(p) : nullptr;
  }
  template <typename K>
  [[nodiscard]] const T* find(const K& key) const {
    return const_cast<OrderedChunks*>(this)->find(key);
  }

  // The key is greater than all others.
  T& append(T value) {
    HEARTH_DCHECK(empty() || KeyOf::key(back()) < KeyOf::key(value));
    if (chunks_.empty() || chunks_.back().size() == kChunk) chunks_.emplace_back();
    chunks_.back().push_back(std::move(value));
    ++size_;
    return chunks_.back().back();
  }
  // The key is not there.
  T& insert(T value) {
    Place p = lower_bound(KeyOf::key(value));
    if (p == end()) return append(std::move(value));
    if (chunks_[p.chunk].size() == kChunk) {
      split(p.chunk);
      if (p.index > kChunk / 2) p = {p.chunk + 1, p.index - kChunk / 2};
    }
    Chunk& chunk = chunks_[p.chunk];
    const auto put =
        chunk.insert(chunk.begin() + static_cast<std::ptrdiff_t>(p.index), std::move(value));
    ++size_;
    return *put;
  }
  // Returns the place behind it.
  Place erase(Place p) {
    Chunk& chunk = chunks_[p.chunk];
    chunk.erase(chunk.begin() + static_cast<std::ptrdiff_t>(p.index));
    --size_;
    if (chunk.empty()) {
      chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(p.chunk));
      return {p.chunk, 0};
    }
    if (p.chunk + 1 < chunks_.size() && chunk.size() + chunks_[p.chunk + 1].size() <= kChunk / 2)
      join_next(p.chunk);
    return p.index < chunks_[p.chunk].size() ? p : Place{p.chunk + 1, 0};
  }
  template <typename K>
  bool erase_key(const K& key) {
    const Place p = lower_bound(key);
    if (p == end() || !(KeyOf::key(at(p)) == key)) return false;
    erase(p);
    return true;
  }

 private:
  using Chunk = std::vector<T>;

  void split(std::size_t index) {
    Chunk upper;
    upper.reserve(kChunk);
    Chunk& lower = chunks_[index];
    const auto middle = lower.begin() + static_cast<std::ptrdiff_t>(kChunk / 2);
    std::move(middle, lower.end(), std::back_inserter(upper));
    lower.erase(middle, lower.end());
    chunks_.insert(chunks_.begin() + static_cast<std::ptrdiff_t>(index + 1), std::move(upper));
  }
  void join_next(std::size_t index) {
    Chunk& lower = chunks_[index];
    Chunk& upper = chunks_[index + 1];
    std::move(upper.begin(), upper.end(), std::back_inserter(lower));
    chunks_.erase(chunks_.begin() + static_cast<std::ptrdiff_t>(index + 1));
  }

  std::vector<Chunk> chunks_;  // none is empty
  std::size_t size_ = 0;
};

}  // namespace hearth::ds

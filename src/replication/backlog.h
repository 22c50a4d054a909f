// Backlog: the newest bytes of the stream of effects, once for everybody.
//
// Replicas read it by offset, each at its own pace: one that was away for a moment goes on where it
// was, one that gets a snapshot reads the stream from that moment on when it is loaded. The
// capacity says how much is kept for those that may come back; keep_from() holds more for the
// slowest of those that are there.
//
// Offsets count the bytes of the stream from its beginning; the first byte has offset 1. Memory:
// what is kept, in blocks of kBlockBytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace hearth::replication {

class Backlog {
 public:
  static constexpr std::size_t kBlockBytes = 16 * 1024;
  static constexpr std::uint64_t kNobody = UINT64_MAX;

  explicit Backlog(std::uint64_t capacity, std::uint64_t last = 0)
      : capacity_(capacity), last_(last) {}

  void append(std::string_view bytes);
  // Keeps the newest bytes.
  void set_capacity(std::uint64_t capacity);
  // The slowest reader wants this byte next; kNobody: there is none.
  void keep_from(std::uint64_t offset);

  [[nodiscard]] std::uint64_t capacity() const { return capacity_; }
  // Offset of the newest byte: how far the stream has come.
  [[nodiscard]] std::uint64_t last() const { return last_; }
  // Of the oldest byte within the capacity.
  [[nodiscard]] std::uint64_t first() const { return last_ - held() + 1; }
  [[nodiscard]] std::uint64_t held() const { return std::min(stored(), capacity_); }
  // Can somebody who wants the byte `offset` next go on from here?
  [[nodiscard]] bool can_continue_at(std::uint64_t offset) const {
    return offset >= first() && offset <= last_ + 1;
  }
  [[nodiscard]] std::uint64_t memory_bytes() const { return blocks_.size() * kBlockBytes; }

  // Calls fn(piece) for at most `most` bytes from `offset` on, which are there: those of a reader
  // that keep_from() knows, or that can_continue_at() there. Returns how many they were.
  template <typename F>
  std::uint64_t read(std::uint64_t offset, std::uint64_t most, F&& fn) const {
    std::uint64_t given = 0;
    while (offset <= last_ && given < most) {
      const std::string_view piece = piece_at(offset).substr(0, most - given);
      fn(piece);
      given += piece.size();
      offset += piece.size();
    }
    return given;
  }
  // All bytes from `offset` on. It can be continued there.
  [[nodiscard]] std::string from(std::uint64_t offset) const;

 private:
  [[nodiscard]] std::uint64_t stored() const { return last_ + 1 - begin(); }
  // Offset of the oldest byte that is there.
  [[nodiscard]] std::uint64_t begin() const { return blocks_.empty() ? last_ + 1 : begin_; }
  // The bytes from `offset` on that stand in its block.
  [[nodiscard]] std::string_view piece_at(std::uint64_t offset) const;
  void trim();

  std::uint64_t capacity_;
  std::uint64_t last_;
  std::uint64_t kept_from_ = kNobody;
  std::uint64_t begin_ = 0;         // of the first block
  std::deque<std::string> blocks_;  // all full but the last
};

}  // namespace hearth::replication

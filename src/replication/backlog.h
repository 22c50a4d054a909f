// Backlog: the last bytes of the stream of effects, so that a replica that was away for a moment
// gets what it missed and not everything.
//
// Offsets count the bytes of the stream from its beginning; the first byte has offset 1. The
// backlog holds the bytes [first(), end()). Memory: the capacity, taken as it fills.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::replication {

class Backlog {
 public:
  explicit Backlog(std::uint64_t capacity, std::uint64_t last = 0)
      : capacity_(capacity), last_(last) {}

  void append(std::string_view bytes);
  // Keeps the newest bytes.
  void set_capacity(std::uint64_t capacity);

  [[nodiscard]] std::uint64_t capacity() const { return capacity_; }
  // Offset of the newest byte: how far the stream has come.
  [[nodiscard]] std::uint64_t last() const { return last_; }
  [[nodiscard]] std::uint64_t first() const { return last_ - held_ + 1; }
  [[nodiscard]] std::uint64_t held() const { return held_; }
  // Can somebody who wants the byte `offset` next go on from here?
  [[nodiscard]] bool can_continue_at(std::uint64_t offset) const {
    return offset >= first() && offset <= last_ + 1;
  }
  // All bytes from `offset` on. It can be continued there.
  [[nodiscard]] std::string from(std::uint64_t offset) const;

 private:
  std::uint64_t capacity_;
  std::uint64_t last_;
  std::uint64_t held_ = 0;
  std::string ring_;      // grows up to the capacity, then it is overwritten from the start
  std::size_t next_ = 0;  // where the next byte goes
};

}  // namespace hearth::replication

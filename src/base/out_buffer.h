// OutBuffer: bytes on their way out, in segments.
//
// Writers reserve room and commit what they wrote; the network gathers segments into one writev
// and consumes what the kernel took. Appending never moves bytes that stand already. Memory is
// given back when all is consumed; how large the first segment is next time follows what was
// needed lately, so that a client with large replies is not served by small pieces.
//
// A buffer has a bound: a short request can ask for one large value a thousand times. Bytes past it
// are dropped, and overflowed() tells: the reader is to get none of them, nor anything else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace hearth {

class OutBuffer {
 public:
  OutBuffer() = default;
  OutBuffer(const OutBuffer&) = delete;
  OutBuffer& operator=(const OutBuffer&) = delete;
  OutBuffer(OutBuffer&& other) noexcept { swap(other); }
  OutBuffer& operator=(OutBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~OutBuffer() { clear(); }

  // At least n writable bytes in one piece. Valid until the next call.
  char* reserve(std::size_t n) {
    if (static_cast<std::size_t>(limit_ - tail_) < n) [[unlikely]]
      grow(n);
    return tail_;
  }
  void commit(std::size_t n) { tail_ += n; }
  void append(std::string_view bytes) {
    if (static_cast<std::size_t>(limit_ - tail_) < bytes.size()) [[unlikely]] {
      grow(bytes.size());
      if (overflowed_) return;
    }
    std::memcpy(tail_, bytes.data(), bytes.size());
    tail_ += bytes.size();
  }

  // The most bytes that may wait. clear() ends an overflow.
  static constexpr std::size_t kMost = std::size_t{4} << 30;
  void set_most(std::size_t bytes) { most_ = bytes; }
  [[nodiscard]] bool overflowed() const { return overflowed_; }

  // Bytes written and not yet consumed.
  [[nodiscard]] std::size_t size() const {
    return closed_bytes_ + static_cast<std::size_t>(tail_ - tail_begin_) - consumed_;
  }
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] std::size_t segment_count() const { return segments_.size() - passed_; }
  [[nodiscard]] std::size_t capacity_bytes() const { return capacity_; }
  // Of the first segment, or if there is none, of the one that will be made.
  [[nodiscard]] std::size_t first_capacity() const {
    return segments_.empty() ? first_bytes_ : segments_[passed_].capacity;
  }
  // Bytes that stand in the first segment.
  [[nodiscard]] std::size_t first_size() const {
    return segment_count() < 2 ? size() : segments_[passed_].used - consumed_;
  }

  // Makes the next first segment fit the most bytes that waited at once since forget_peak().
  enum class Fit : std::uint8_t { kSame, kGrown, kShrunk };
  Fit fit_first_segment();
  void forget_peak() { peak_ = size(); }

  // Calls fn(data, length) for up to `most` pieces, in order.
  template <typename F>
  void gather(unsigned most, F&& fn) const {
    std::size_t skip = consumed_;
    for (std::size_t i = passed_; i < segments_.size() && most > 0; ++i, --most) {
      const Segment& s = segments_[i];
      const std::size_t used =
          i + 1 == segments_.size() ? static_cast<std::size_t>(tail_ - s.data) : s.used;
      if (used > skip) fn(s.data + skip, used - skip);
      skip = 0;
    }
  }

  // n <= size(). Whole segments are freed as they pass; O(segments that pass), amortized.
  void consume(std::size_t n);

  // Forgets what was written after size() was `size_before`; none of it may have been consumed.
  void truncate(std::size_t size_before);

  void clear();
  [[nodiscard]] std::string str() const;
  void swap(OutBuffer& other) noexcept;

 private:
  static constexpr std::size_t kSmallFirst = 1024;  // a few small replies
  struct Segment {
    char* data;
    std::size_t capacity;
    std::size_t used;  // of the last segment: see tail_
  };
  void grow(std::size_t n);
  void spill(std::size_t n);

  std::vector<Segment> segments_;
  std::size_t passed_ = 0;      // segments at the front that are consumed and freed; fewer than all
  char* tail_begin_ = nullptr;  // start of the last segment
  char* tail_ = nullptr;        // where the next byte goes
  char* limit_ = nullptr;
  std::size_t closed_bytes_ = 0;  // in all segments but the last
  std::size_t consumed_ = 0;      // of the first segment
  std::size_t capacity_ = 0;
  std::size_t first_bytes_ = kSmallFirst;
  std::size_t peak_ = 0;  // as far as consume() and clear() saw it
  std::size_t most_ = kMost;
  bool overflowed_ = false;  // the last segment holds bytes that are dropped
};

}  // namespace hearth

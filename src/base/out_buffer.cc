#include "src/base/out_buffer.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "src/base/check.h"

namespace hearth {
namespace {
constexpr std::size_t kLargeFirst = 16 * 1024;
constexpr std::size_t kSecondSegment = 16 * 1024;
constexpr std::size_t kLargestSegment = 256 * 1024;

// Allocators have four sizes for each power of two: what is paid for is used, and counted.
std::size_t whole_size(std::size_t n) {
  const std::size_t step = std::max<std::size_t>(16, std::bit_floor(n) / 4);
  return (n + step - 1) / step * step;
}
}  // namespace

// The last segment takes the dropped bytes, again and again: those before it may be on their way to
// the kernel.
void OutBuffer::spill(std::size_t n) {
  Segment& last = segments_.back();
  if (last.capacity < n) {
    ::operator delete(last.data);
    capacity_ += n - last.capacity;
    last = {static_cast<char*>(::operator new(n)), n, 0};
  }
  tail_begin_ = tail_ = last.data;
  limit_ = last.data + n;
}

void OutBuffer::grow(std::size_t n) {
  if (overflowed_) return spill(n);
  overflowed_ = size() + n > most_;
  std::size_t size = first_bytes_;
  if (!segments_.empty()) {
    segments_.back().used = static_cast<std::size_t>(tail_ - tail_begin_);
    closed_bytes_ += segments_.back().used;
    size = std::clamp(segments_.back().capacity * 2, kSecondSegment, kLargestSegment);
  }
  size = whole_size(std::max(size, n));
  auto* data = static_cast<char*>(::operator new(size));
  segments_.push_back({data, size, 0});
  capacity_ += size;
  tail_begin_ = tail_ = data;
  limit_ = data + size;
}

OutBuffer::Fit OutBuffer::fit_first_segment() {
  peak_ = std::max(peak_, size());
  const std::size_t before = first_bytes_;
  if (peak_ > first_bytes_)
    first_bytes_ = kLargeFirst;
  else if (peak_ <= kSmallFirst)
    first_bytes_ = kSmallFirst;
  return first_bytes_ > before ? Fit::kGrown : first_bytes_ < before ? Fit::kShrunk : Fit::kSame;
}

void OutBuffer::consume(std::size_t n) {
  HEARTH_DCHECK(n <= size());
  peak_ = std::max(peak_, size());
  consumed_ += n;
  while (passed_ + 1 < segments_.size() && consumed_ >= segments_[passed_].used) {
    Segment& segment = segments_[passed_++];
    consumed_ -= segment.used;
    closed_bytes_ -= segment.used;
    capacity_ -= segment.capacity;
    ::operator delete(std::exchange(segment.data, nullptr));
  }
  if (passed_ > segments_.size() / 2) {
    segments_.erase(segments_.begin(), segments_.begin() + static_cast<std::ptrdiff_t>(passed_));
    passed_ = 0;
  }
  if (size() == 0 && !overflowed_) clear();
}

void OutBuffer::truncate(std::size_t size_before) {
  while (!segments_.empty()) {
    const std::size_t surplus = size() - size_before;
    const auto in_last = static_cast<std::size_t>(tail_ - tail_begin_);
    if (surplus <= in_last) {
      tail_ -= surplus;
      return;
    }
    capacity_ -= segments_.back().capacity;
    ::operator delete(segments_.back().data);
    segments_.pop_back();
    const Segment& last = segments_.back();
    closed_bytes_ -= last.used;
    tail_begin_ = last.data;
    tail_ = last.data + last.used;
    limit_ = last.data + last.capacity;
  }
}

void OutBuffer::clear() {
  peak_ = std::max(peak_, size());
  for (const Segment& s : segments_) ::operator delete(s.data);
  segments_.clear();
  overflowed_ = false;
  passed_ = 0;
  tail_begin_ = tail_ = limit_ = nullptr;
  closed_bytes_ = consumed_ = capacity_ = 0;
}

std::string OutBuffer::str() const {
  std::string text;
  text.reserve(size());
  gather(~0U, [&](const char* data, std::size_t n) { text.append(data, n); });
  return text;
}

void OutBuffer::swap(OutBuffer& other) noexcept {
  std::swap(segments_, other.segments_);
  std::swap(passed_, other.passed_);
  std::swap(tail_begin_, other.tail_begin_);
  std::swap(tail_, other.tail_);
  std::swap(limit_, other.limit_);
  std::swap(closed_bytes_, other.closed_bytes_);
  std::swap(consumed_, other.consumed_);
  std::swap(capacity_, other.capacity_);
  std::swap(first_bytes_, other.first_bytes_);
  std::swap(peak_, other.peak_);
  std::swap(most_, other.most_);
  std::swap(overflowed_, other.overflowed_);
}

}  // namespace hearth

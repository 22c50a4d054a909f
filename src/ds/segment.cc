#include "src/ds/segment.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>

#include "src/base/check.h"

namespace hearth::ds {
namespace {

constexpr std::size_t kCapacityMost = 65535;
// Most segments are cut to this size, that of a node of the lists that hold them.
constexpr std::size_t kUsualMost = 8192;
// Below this every byte counts, and moving everything is cheap: grow by a size class only.
constexpr std::size_t kTight = 256;

// The allocator's size classes: four to each power of two, multiples of 16 at the small end.
std::size_t size_class(std::size_t bytes) {
  if (bytes <= 128) return (bytes + 15) / 16 * 16;
  const std::size_t step = std::bit_ceil(bytes) / 8;
  return std::min(kCapacityMost, (bytes + step - 1) / step * step);
}

}  // namespace

Segment::~Segment() { std::free(bytes_); }

Segment Segment::clone() const {
  return bytes_ == nullptr ? Segment() : from_elements(elements(), count());
}

Segment Segment::from_elements(std::string_view elements, std::size_t count) {
  Segment s;
  HEARTH_CHECK(elements.size() <= kDataMost);
  s.reallocate(size_class(kHeader + elements.size()), kHeader);
  if (!elements.empty()) std::memcpy(s.bytes_ + kHeader, elements.data(), elements.size());
  s.set_end(kHeader + elements.size());
  s.set_count(count);
  return s;
}

Segment::Position Segment::at(std::size_t index) const {
  Position p = kEnd;
  if (index <= count() / 2) {
    p = begin();
    for (; index > 0; --index) p += static_cast<Position>(stored_size_at(bytes_ + p));
  } else {
    p = end();
    for (std::size_t n = count() - index; n > 0; --n) p = before(p);
  }
  return p;
}

// Moves everything to an allocation of this capacity, the first element to `begin`.
void Segment::reallocate(std::size_t new_capacity, std::size_t new_begin) {
  auto* fresh = static_cast<char*>(std::malloc(new_capacity));
  HEARTH_CHECK(fresh != nullptr);
  const std::size_t used = data_bytes();
  const std::size_t n = size();
  if (used > 0) std::memcpy(fresh + new_begin, bytes_ + begin(), used);
  std::free(bytes_);
  bytes_ = fresh;
  store_le(bytes_ + 4, static_cast<std::uint16_t>(new_capacity));
  set_begin(new_begin);
  set_end(new_begin + used);
  set_count(n);
}

// `bytes` of room at one end. What the other end has stays there if all of it has to move to a
// larger place; else half of it changes sides, so that a list that is filled at one end and emptied
// at the other moves each element a few times in its life.
void Segment::make_room(bool in_front, std::size_t bytes) {
  const std::size_t used = data_bytes();
  HEARTH_CHECK(used + bytes <= kCapacityMost - kHeader);
  const std::size_t room = bytes_ == nullptr ? 0 : capacity() - kHeader - used;
  if (room >= bytes && room >= used / 2) {
    const std::size_t here = std::max(bytes, room / 2);
    const std::size_t to = kHeader + (in_front ? here : room - here);
    std::memmove(bytes_ + to, bytes_ + begin(), used);
    set_begin(to);
    set_end(to + used);
    return;
  }
  const std::size_t least = kHeader + used + bytes;
  std::size_t wanted = least < kTight ? least : least + used / 2;
  if (least <= kUsualMost) wanted = std::min(wanted, kUsualMost);
  const std::size_t fresh = size_class(std::min(wanted, kCapacityMost));
  // A segment that grows at one end needs no room at the other.
  reallocate(fresh, in_front ? fresh - used : kHeader);
}

void Segment::push_front(const EncodedElement& e) {
  const std::size_t size = stored_size(e);
  if (bytes_ == nullptr || begin() - kHeader < size) make_room(true, size);
  const std::size_t to = begin() - size;
  store(e, bytes_ + to);
  set_begin(to);
  set_count(count() + 1);
}

void Segment::push_back(const EncodedElement& e) {
  const std::size_t size = stored_size(e);
  if (bytes_ == nullptr || capacity() - end() < size) make_room(false, size);
  store(e, bytes_ + end());
  set_end(end() + size);
  set_count(count() + 1);
}

void Segment::pop_front() {
  set_begin(begin() + stored_size_at(bytes_ + begin()));
  set_count(count() - 1);
  give_back();
}

void Segment::pop_back() {
  set_end(before(end()));
  set_count(count() - 1);
  give_back();
}

// Makes the gap [at, at + new_size) where [at, at + old_size) was, moving what is behind it.
void Segment::resize_gap(Position at, std::size_t old_size, std::size_t new_size) {
  if (new_size > old_size && capacity() - end() < new_size - old_size) {
    const std::size_t offset = at - begin();
    make_room(false, new_size - old_size);
    at = static_cast<Position>(begin() + offset);
  }
  const std::size_t tail = end() - at - old_size;
  std::memmove(bytes_ + at + new_size, bytes_ + at + old_size, tail);
  set_end(at + new_size + tail);
}

Segment::Position Segment::insert(Position at, const EncodedElement& e) {
  const std::size_t offset = at - begin();
  resize_gap(at, 0, stored_size(e));
  at = static_cast<Position>(begin() + offset);
  store(e, bytes_ + at);
  set_count(count() + 1);
  return at;
}

Segment::Position Segment::replace(Position at, const EncodedElement& e) {
  const std::size_t offset = at - begin();
  resize_gap(at, stored_size_at(bytes_ + at), stored_size(e));
  at = static_cast<Position>(begin() + offset);
  store(e, bytes_ + at);
  return at;
}

Segment::Position Segment::erase(Position at, std::size_t n) {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < n; ++i) bytes += stored_size_at(bytes_ + at + bytes);
  const std::size_t offset = at - begin();
  set_count(count() - n);
  if (offset == 0) {
    set_begin(at + bytes);
  } else if (at + bytes == end()) {
    set_end(at);
  } else {
    resize_gap(at, bytes, 0);
  }
  give_back();
  return offset == data_bytes() ? kEnd : static_cast<Position>(begin() + offset);
}

// A segment that has become much smaller gives memory back; some room stays for the next elements.
void Segment::give_back() {
  const std::size_t used = data_bytes();
  if (capacity() <= kTight || (kHeader + used) * 4 > capacity()) return;
  const std::size_t fresh = size_class(kHeader + used + used / 2);
  if (fresh < capacity()) reallocate(fresh, kHeader + (fresh - kHeader - used) / 2);
}

Segment Segment::split(std::size_t index) {
  const Position from = at(index);
  Segment tail =
      from_elements({bytes_ + from, static_cast<std::size_t>(end() - from)}, count() - index);
  set_end(from);
  set_count(index);
  give_back();
  return tail;
}

void Segment::append(const Segment& other) {
  const std::string_view more = other.elements();
  if (more.empty()) return;
  if (bytes_ == nullptr || capacity() - end() < more.size()) make_room(false, more.size());
  std::memcpy(bytes_ + end(), more.data(), more.size());
  set_end(end() + more.size());
  set_count(count() + other.count());
}

}  // namespace hearth::ds

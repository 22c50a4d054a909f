#include "src/base/input_buffer.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace hearth {
namespace {

constexpr std::size_t kBytesMost = std::numeric_limits<std::size_t>::max() / 8;

// The allocator has four sizes to each power of two: what it takes is used, and counted.
std::size_t whole_allocation(std::size_t bytes) {
  const std::size_t step = std::max<std::size_t>(std::bit_floor(bytes) / 4, 16);
  return (bytes + step - 1) / step * step;
}

}  // namespace

std::span<char> InputBuffer::room(std::size_t least, std::size_t expected) {
  const std::size_t unread = size();
  if (capacity_ - end_ >= least && data_ != nullptr) return {data_ + end_, capacity_ - end_};
  if (least > kBytesMost - unread) return {};
  if (begin_ > 0 && begin_ >= unread && capacity_ - unread >= least) {
    // Moves no more bytes than were consumed since the last time.
    std::memmove(data_, data_ + begin_, unread);
    begin_ = 0;
    end_ = unread;
    return {data_ + end_, capacity_ - end_};
  }
  // A quarter more at the least: many announcements, each a little past what is here, must not
  // make the buffer grow in small steps. Four times as much at the most, so that what is announced
  // costs no more than what came.
  std::size_t size = 2 * unread;
  if (expected > 0) size = std::clamp(expected, unread + unread / 4, 4 * unread);
  if (!resize(std::max(size, unread + least))) return {};
  return {data_ + end_, capacity_ - end_};
}

bool InputBuffer::append(std::string_view bytes, std::size_t expected) {
  if (bytes.empty()) return true;
  const auto space = room(bytes.size(), expected);
  if (space.empty()) return false;
  std::memcpy(space.data(), bytes.data(), bytes.size());
  filled(bytes.size());
  return true;
}

bool InputBuffer::resize(std::size_t bytes) {
  bytes = whole_allocation(bytes);
  const std::size_t unread = size();
  char* moved = nullptr;
  if (begin_ == 0) {
    // Large blocks mostly grow in place.
    moved = static_cast<char*>(std::realloc(data_, bytes));
    if (moved == nullptr) return false;
  } else {
    moved = static_cast<char*>(std::malloc(bytes));
    if (moved == nullptr) return false;
    std::memcpy(moved, data_ + begin_, unread);
    std::free(data_);
  }
  data_ = moved;
  capacity_ = bytes;
  begin_ = 0;
  end_ = unread;
  return true;
}

void InputBuffer::trim(std::size_t keep) {
  const std::size_t unread = size();
  if (unread == 0) {
    if (capacity_ <= whole_allocation(keep)) return;
    release();
    if (keep > 0) static_cast<void>(resize(keep));
    return;
  }
  const std::size_t wanted = std::max(2 * unread, keep);
  if (capacity_ / 2 > wanted) static_cast<void>(resize(wanted));
}

void InputBuffer::release() {
  std::free(data_);
  data_ = nullptr;
  capacity_ = begin_ = end_ = 0;
}

}  // namespace hearth

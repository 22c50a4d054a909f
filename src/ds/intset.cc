#include "src/ds/intset.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <limits>

#include "src/base/check.h"
#include "src/ds/raw_bytes.h"

namespace hearth::ds {
namespace {

template <typename T>
bool holds(std::int64_t value) {
  return value >= std::numeric_limits<T>::min() && value <= std::numeric_limits<T>::max();
}

std::size_t width_for(std::int64_t value) {
  if (holds<std::int16_t>(value)) return 2;
  return holds<std::int32_t>(value) ? 4 : 8;
}

}  // namespace

Intset::Intset() : bytes_(allocate(kHeader)) {
  store_le(bytes_, std::uint32_t{2});
  store_le(bytes_ + 4, std::uint32_t{0});
}

Intset::~Intset() { std::free(bytes_); }

Intset Intset::clone() const {
  const std::string_view all = bytes();
  char* copy = allocate(all.size());
  std::memcpy(copy, all.data(), all.size());
  return Intset(copy);
}

Result<Intset> Intset::from_bytes(std::string_view bytes) {
  if (bytes.size() < kHeader) return fail(ErrorCode::kCorrupt, "an intset shorter than its header");
  const std::uint32_t width = load_le<std::uint32_t>(bytes.data());
  const std::uint64_t count = load_le<std::uint32_t>(bytes.data() + 4);
  if (width != 2 && width != 4 && width != 8) {
    return fail(ErrorCode::kCorrupt, fmt::format("an intset of width {}", width));
  }
  if (bytes.size() != kHeader + count * width || count > kCountMax) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("an intset of {} values in {} bytes", count, bytes.size()));
  }
  char* copy = allocate(bytes.size());
  std::memcpy(copy, bytes.data(), bytes.size());
  Intset set(copy);
  for (std::size_t i = 1; i < count; ++i) {
    if (set.at(i - 1) >= set.at(i)) {
      return fail(ErrorCode::kCorrupt, fmt::format("an intset that does not ascend at {}", i));
    }
  }
  return set;
}

std::int64_t Intset::at(std::size_t index) const {
  const char* values = bytes_ + kHeader;
  switch (width()) {
    case 2: return load_le<std::int16_t>(values + index * 2);
    case 4: return load_le<std::int32_t>(values + index * 4);
    default: return load_le<std::int64_t>(values + index * 8);
  }
}

void Intset::put(std::size_t index, std::int64_t value) {
  char* values = bytes_ + kHeader;
  switch (width()) {
    case 2: store_le(values + index * 2, static_cast<std::int16_t>(value)); break;
    case 4: store_le(values + index * 4, static_cast<std::int32_t>(value)); break;
    default: store_le(values + index * 8, value);
  }
}

std::size_t Intset::lower_bound(std::int64_t value) const {
  std::size_t low = 0;
  std::size_t high = size();
  // Ascending insertion is common: the end is looked at first.
  if (high > 0 && at(high - 1) < value) return high;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (at(middle) < value)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

bool Intset::contains(std::int64_t value) const {
  if (width_for(value) > width()) return false;
  const std::size_t index = lower_bound(value);
  return index < size() && at(index) == value;
}

void Intset::resize(std::size_t width, std::size_t count) {
  bytes_ = static_cast<char*>(std::realloc(bytes_, kHeader + count * width));
  HEARTH_CHECK(bytes_ != nullptr);
}

void Intset::widen(std::size_t width) {
  const std::size_t count = size();
  Intset old = clone();
  resize(width, count);
  store_le(bytes_, static_cast<std::uint32_t>(width));
  for (std::size_t i = 0; i < count; ++i) put(i, old.at(i));
}

bool Intset::add(std::int64_t value) {
  if (width_for(value) > width()) widen(width_for(value));
  const std::size_t count = size();
  HEARTH_CHECK(count < kCountMax);
  const std::size_t index = lower_bound(value);
  if (index < count && at(index) == value) return false;
  const std::size_t w = width();
  resize(w, count + 1);
  char* place = bytes_ + kHeader + index * w;
  std::memmove(place + w, place, (count - index) * w);
  put(index, value);
  store_le(bytes_ + 4, static_cast<std::uint32_t>(count + 1));
  return true;
}

void Intset::erase_at(std::size_t index) {
  const std::size_t w = width();
  const std::size_t count = size();
  char* place = bytes_ + kHeader + index * w;
  std::memmove(place, place + w, (count - index - 1) * w);
  resize(w, count - 1);
  store_le(bytes_ + 4, static_cast<std::uint32_t>(count - 1));
}

bool Intset::erase(std::int64_t value) {
  if (width_for(value) > width()) return false;
  const std::size_t index = lower_bound(value);
  if (index >= size() || at(index) != value) return false;
  erase_at(index);
  return true;
}

}  // namespace hearth::ds

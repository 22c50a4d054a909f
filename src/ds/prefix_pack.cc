#include "src/ds/prefix_pack.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "src/base/check.h"

namespace hearth::ds {
namespace {

char* resized(char* old, std::size_t size) {
  auto* p = static_cast<char*>(std::realloc(old, size));
  HEARTH_CHECK(p != nullptr);
  return p;
}

std::size_t common_length(std::string_view a, std::string_view b) {
  const std::size_t most = std::min(a.size(), b.size());
  const auto end = a.begin() + static_cast<std::ptrdiff_t>(most);
  return static_cast<std::size_t>(std::mismatch(a.begin(), end, b.begin()).first - a.begin());
}

}  // namespace

PrefixPack::PrefixPack() : bytes_(nullptr) { restart({}); }

PrefixPack::~PrefixPack() { std::free(bytes_); }

PrefixPack PrefixPack::clone() const {
  char* copy = resized(nullptr, total_bytes());
  std::memcpy(copy, bytes_, total_bytes());
  return PrefixPack(copy);
}

PrefixPack::Position PrefixPack::at(std::size_t index) const {
  Position p = first();
  for (std::size_t i = 0; i < index; ++i) p = next(p);
  return p;
}

PrefixPack::Position PrefixPack::find(std::string_view text) const {
  if (!text.starts_with(prefix())) return kEnd;
  text.remove_prefix(prefix().size());
  for (Position p = first(); p != kEnd; p = next(p)) {
    if (rest_at(p) == text) return p;
  }
  return kEnd;
}

// Empty, with this prefix.
void PrefixPack::restart(std::string_view prefix) {
  bytes_ = resized(bytes_, kHeader + prefix.size());
  store_le(bytes_, static_cast<std::uint32_t>(kHeader + prefix.size()));
  store_le(bytes_ + 4, std::uint16_t{0});
  bytes_[6] = static_cast<char>(prefix.size());
  prefix.copy(bytes_ + kHeader, prefix.size());
}

// Appends the string whose part behind the prefix is head and tail.
void PrefixPack::append_rest(std::string_view head, std::string_view tail) {
  const std::size_t length = head.size() + tail.size();
  const std::size_t width = length < kLong ? 1 : 5;
  const std::size_t at = total_bytes();
  HEARTH_CHECK(at + width + length <= kBytesMax && size() < kCountMax);
  bytes_ = resized(bytes_, at + width + length);
  char* p = bytes_ + at;
  *p = static_cast<char>(width == 1 ? length : kLong);
  if (width > 1) store_le(p + 1, static_cast<std::uint32_t>(length));
  head.copy(p + width, head.size());
  tail.copy(p + width + head.size(), tail.size());
  store_le(bytes_, static_cast<std::uint32_t>(at + width + length));
  store_le(bytes_ + 4, static_cast<std::uint16_t>(size() + 1));
}

void PrefixPack::shorten_prefix(std::size_t length) {
  const std::string_view old_prefix = prefix();
  PrefixPack fresh;
  fresh.restart(old_prefix.substr(0, length));
  for (Position p = first(); p != kEnd; p = next(p))
    fresh.append_rest(old_prefix.substr(length), rest_at(p));
  *this = std::move(fresh);
}

void PrefixPack::append(std::string_view text) {
  if (empty())
    restart(text.substr(0, kPrefixMax));
  else if (const std::size_t common = common_length(prefix(), text); common < prefix().size())
    shorten_prefix(common);
  append_rest(text.substr(prefix().size()), {});
}

void PrefixPack::erase(Position at) {
  const std::string_view rest = rest_at(at);
  const auto behind = static_cast<std::size_t>(rest.data() + rest.size() - bytes_);
  const std::size_t total = total_bytes() - (behind - at);
  std::memmove(bytes_ + at, bytes_ + behind, total_bytes() - behind);
  store_le(bytes_, static_cast<std::uint32_t>(total));
  store_le(bytes_ + 4, static_cast<std::uint16_t>(size() - 1));
  bytes_ = resized(bytes_, total);
}

}  // namespace hearth::ds

// PrefixPack: distinct byte strings in one allocation, what they all begin with stored once.
//
//   bytes u32 | count u16 | prefix length u8 | prefix | rests
//   rest = length u8, or 255 and u32 LE | bytes behind the prefix
//
// Members of one set are often named alike ("user:1041", "user:1102"): ten such names take little
// more than their differences. Never leaves memory: files get a listpack.
//
// Positions are byte offsets; an edit invalidates them. Every edit is O(bytes), and so is looking
// up. Ask fits() before appending.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "src/base/bytes.h"

namespace hearth::ds {

class PrefixPack {
 public:
  using Position = std::uint32_t;
  static constexpr Position kEnd = 0;  // no string has it
  static constexpr std::size_t kBytesMax = std::size_t{1} << 30;
  static constexpr std::size_t kCountMax = 65535;

  PrefixPack();
  ~PrefixPack();
  PrefixPack(PrefixPack&& other) noexcept : bytes_(std::exchange(other.bytes_, nullptr)) {}
  PrefixPack& operator=(PrefixPack&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  PrefixPack(const PrefixPack&) = delete;
  PrefixPack& operator=(const PrefixPack&) = delete;
  [[nodiscard]] PrefixPack clone() const;

  [[nodiscard]] std::size_t total_bytes() const { return load_le<std::uint32_t>(bytes_); }
  [[nodiscard]] std::size_t size() const { return load_le<std::uint16_t>(bytes_ + 4); }
  [[nodiscard]] bool empty() const { return size() == 0; }
  // Whether a string of this length can be added.
  [[nodiscard]] bool fits(std::size_t length) const {
    return size() < kCountMax && total_bytes() + size() * kPrefixMax + length + 16 <= kBytesMax;
  }

  // kEnd where there is none.
  [[nodiscard]] Position first() const { return empty() ? kEnd : rests_at(); }
  [[nodiscard]] Position next(Position at) const {
    const std::string_view rest = rest_at(at);
    const auto behind = static_cast<Position>(rest.data() + rest.size() - bytes_);
    return behind == total_bytes() ? kEnd : behind;
  }
  // The index-th string, which must exist. O(index).
  [[nodiscard]] Position at(std::size_t index) const;
  // The whole string, put together in `scratch`.
  [[nodiscard]] std::string_view get(Position at, std::string& scratch) const {
    scratch.assign(prefix());
    scratch.append(rest_at(at));
    return scratch;
  }
  [[nodiscard]] Position find(std::string_view text) const;

  // `text` must not be there yet.
  void append(std::string_view text);
  void erase(Position at);

 private:
  static constexpr std::size_t kPrefixMax = 255;
  static constexpr std::size_t kHeader = 7;

  explicit PrefixPack(char* bytes) : bytes_(bytes) {}
  [[nodiscard]] std::string_view prefix() const {
    return {bytes_ + kHeader, static_cast<unsigned char>(bytes_[6])};
  }
  [[nodiscard]] Position rests_at() const {
    return static_cast<Position>(kHeader + static_cast<unsigned char>(bytes_[6]));
  }
  [[nodiscard]] std::string_view rest_at(Position at) const {
    const char* p = bytes_ + at;
    const auto length = static_cast<unsigned char>(*p);
    if (length != kLong) [[likely]]
      return {p + 1, length};
    return {p + 5, load_le<std::uint32_t>(p + 1)};
  }
  static constexpr unsigned kLong = 255;
  void restart(std::string_view prefix);
  void shorten_prefix(std::size_t length);
  void append_rest(std::string_view head, std::string_view tail);

  char* bytes_;
};

}  // namespace hearth::ds

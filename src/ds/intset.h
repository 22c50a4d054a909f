// Intset: distinct 64-bit integers in ascending order, in one allocation.
//
//   width u32 LE (2, 4 or 8) | count u32 LE | values, `width` bytes LE each
//
// These are the bytes of the public "intset" format, so that they stand in RDB files and DUMP
// payloads as they are. All values have the width that the widest needs; it never shrinks.
//
// Looking up is O(log n), adding and removing O(n). At most kCountMax values: ask before adding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "src/base/bytes.h"
#include "src/base/result.h"

namespace hearth::ds {

class Intset {
 public:
  static constexpr std::size_t kCountMax = std::size_t{1} << 27;

  Intset();
  ~Intset();
  Intset(Intset&& other) noexcept : bytes_(std::exchange(other.bytes_, nullptr)) {}
  Intset& operator=(Intset&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  Intset(const Intset&) = delete;
  Intset& operator=(const Intset&) = delete;
  [[nodiscard]] Intset clone() const;

  // A copy of untrusted bytes. kCorrupt unless width, count and length agree and the values ascend.
  [[nodiscard]] static Result<Intset> from_bytes(std::string_view bytes);

  [[nodiscard]] std::string_view bytes() const { return {bytes_, kHeader + size() * width()}; }
  [[nodiscard]] std::size_t size() const { return load_le<std::uint32_t>(bytes_ + 4); }
  // index < size(); the values ascend.
  [[nodiscard]] std::int64_t at(std::size_t index) const;
  [[nodiscard]] bool contains(std::int64_t value) const;

  // False if it was there already.
  bool add(std::int64_t value);
  // False if it was not there.
  bool erase(std::int64_t value);
  void erase_at(std::size_t index);

  // For an owner that keeps the one pointer in a form of its own: gives it away, takes it back.
  [[nodiscard]] char* release() { return std::exchange(bytes_, nullptr); }
  [[nodiscard]] static Intset adopt(char* bytes) { return Intset(bytes); }

 private:
  static constexpr std::size_t kHeader = 8;

  explicit Intset(char* bytes) : bytes_(bytes) {}
  [[nodiscard]] std::size_t width() const { return load_le<std::uint32_t>(bytes_); }
  // Index of the first value that is not below `value`.
  [[nodiscard]] std::size_t lower_bound(std::int64_t value) const;
  void put(std::size_t index, std::int64_t value);
  void resize(std::size_t width, std::size_t count);
  void widen(std::size_t width);

  char* bytes_;
};

}  // namespace hearth::ds

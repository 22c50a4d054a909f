// Readers and writers of bytes with bounds, for formats that are read field by field.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace hearth {

// A count or size for an interface that takes signed numbers; it stays far below 2^63.
[[nodiscard]] constexpr std::int64_t as_signed(std::uint64_t value) noexcept {
  return static_cast<std::int64_t>(value);
}

static_assert(std::endian::native == std::endian::little,
              "fixed-width fields are copied as little endian");

// Fixed-width integers at unaligned addresses.
template <typename T>
[[nodiscard]] inline T load_le(const void* p) noexcept {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <typename T>
inline void store_le(void* p, T v) noexcept {
  std::memcpy(p, &v, sizeof v);
}

// As ==, but short texts are compared in place, by two words that may overlap, without a call.
[[nodiscard]] inline bool same_bytes(std::string_view a, std::string_view b) noexcept {
  const std::size_t n = a.size();
  if (n != b.size()) return false;
  const char* const p = a.data();
  const char* const q = b.data();
  if (n > 16) return std::memcmp(p, q, n) == 0;
  if (n >= 8) {
    return load_le<std::uint64_t>(p) == load_le<std::uint64_t>(q) &&
           load_le<std::uint64_t>(p + n - 8) == load_le<std::uint64_t>(q + n - 8);
  }
  if (n >= 4) {
    return load_le<std::uint32_t>(p) == load_le<std::uint32_t>(q) &&
           load_le<std::uint32_t>(p + n - 4) == load_le<std::uint32_t>(q + n - 4);
  }
  return n == 0 || (p[0] == q[0] && p[n / 2] == q[n / 2] && p[n - 1] == q[n - 1]);
}

template <typename T>
[[nodiscard]] inline T swap_bytes(T v) noexcept {
  if constexpr (sizeof(T) == 1) return v;
  if constexpr (sizeof(T) == 2)
    return static_cast<T>(__builtin_bswap16(static_cast<std::uint16_t>(v)));
  if constexpr (sizeof(T) == 4)
    return static_cast<T>(__builtin_bswap32(static_cast<std::uint32_t>(v)));
  if constexpr (sizeof(T) == 8)
    return static_cast<T>(__builtin_bswap64(static_cast<std::uint64_t>(v)));
}
template <typename T>
[[nodiscard]] inline T load_be(const void* p) noexcept {
  return swap_bytes(load_le<T>(p));
}
template <typename T>
inline void store_be(void* p, T v) noexcept {
  store_le(p, swap_bytes(v));
}

// Walks borrowed bytes. A read past the end returns false and marks the reader failed for good,
// so a decoder may read a whole record and ask once.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes)
      : begin_(bytes.data()), p_(begin_), end_(begin_ + bytes.size()) {}

  template <typename T>
  bool le(T& out) noexcept {
    if (!has(sizeof(T))) return false;
    out = load_le<T>(p_);
    p_ += sizeof(T);
    return true;
  }
  template <typename T>
  bool be(T& out) noexcept {
    if (!has(sizeof(T))) return false;
    out = load_be<T>(p_);
    p_ += sizeof(T);
    return true;
  }
  // A view of the next n bytes, borrowed from the input.
  bool take(std::size_t n, std::string_view& out) noexcept {
    if (!has(n)) return false;
    out = {p_, n};
    p_ += n;
    return true;
  }
  bool skip(std::size_t n) noexcept {
    std::string_view unused;
    return take(n, unused);
  }
  [[nodiscard]] std::size_t remaining() const noexcept {
    return static_cast<std::size_t>(end_ - p_);
  }
  [[nodiscard]] std::size_t offset() const noexcept {
    return static_cast<std::size_t>(p_ - begin_);
  }
  [[nodiscard]] bool failed() const noexcept { return failed_; }

 private:
  bool has(std::size_t n) noexcept {
    if (failed_ || n > remaining()) {
      failed_ = true;
      return false;
    }
    return true;
  }
  const char* begin_;
  const char* p_;
  const char* end_;
  bool failed_ = false;
};

// Appends fields to a string.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  template <typename T>
  void le(T v) {
    char buf[sizeof(T)];
    store_le(buf, v);
    out_.append(buf, sizeof buf);
  }
  template <typename T>
  void be(T v) {
    char buf[sizeof(T)];
    store_be(buf, v);
    out_.append(buf, sizeof buf);
  }
  void bytes(std::string_view v) { out_.append(v); }
  void zeros(std::size_t n) { out_.append(n, '\0'); }
  // Exactly `width` bytes: v cut or filled with zeros.
  void fixed(std::string_view v, std::size_t width) {
    v = v.substr(0, width);
    out_.append(v);
    out_.append(width - v.size(), '\0');
  }
  [[nodiscard]] std::size_t size() const { return out_.size(); }

 private:
  std::string& out_;
};

}  // namespace hearth

// StreamId: the name and place of a stream entry: milliseconds, and a number within them.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/bytes.h"

namespace hearth {

struct StreamId {
  std::uint64_t ms = 0;
  std::uint64_t seq = 0;

  friend constexpr auto operator<=>(const StreamId&, const StreamId&) = default;
  [[nodiscard]] constexpr bool is_zero() const { return ms == 0 && seq == 0; }
};

inline constexpr StreamId kStreamIdMin{0, 0};
inline constexpr StreamId kStreamIdMax{UINT64_MAX, UINT64_MAX};
// "18446744073709551615-18446744073709551615"
inline constexpr std::size_t kStreamIdTextMax = 41;
// As files and the index have it: both parts big endian.
inline constexpr std::size_t kStreamIdBytes = 16;

// The id next to it; nothing behind the last and before the first.
[[nodiscard]] std::optional<StreamId> successor(StreamId id) noexcept;
[[nodiscard]] std::optional<StreamId> predecessor(StreamId id) noexcept;

// "<ms>-<seq>", written at out (kStreamIdTextMax bytes); returns how many.
std::size_t format_stream_id(StreamId id, char* out) noexcept;
[[nodiscard]] std::string stream_id_text(StreamId id);

// "<ms>-<seq>", or "<ms>" with `missing_seq` for the rest. Digits only, no overflow.
[[nodiscard]] std::optional<StreamId> parse_stream_id(std::string_view text,
                                                      std::uint64_t missing_seq) noexcept;
// One part of an id: digits only.
[[nodiscard]] std::optional<std::uint64_t> parse_stream_id_part(std::string_view text) noexcept;

[[nodiscard]] inline StreamId load_stream_id(const char* bytes) {
  return {load_be<std::uint64_t>(bytes), load_be<std::uint64_t>(bytes + 8)};
}
inline void store_stream_id(char* bytes, StreamId id) {
  store_be(bytes, id.ms);
  store_be(bytes + 8, id.seq);
}

}  // namespace hearth

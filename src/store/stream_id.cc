#include "src/store/stream_id.h"

#include <cerrno>
#include <cstdlib>

#include "src/base/format_number.h"

namespace hearth {

std::optional<StreamId> successor(StreamId id) noexcept {
  if (id == kStreamIdMax) return std::nullopt;
  if (id.seq == UINT64_MAX) return StreamId{id.ms + 1, 0};
  return StreamId{id.ms, id.seq + 1};
}

std::optional<StreamId> predecessor(StreamId id) noexcept {
  if (id == kStreamIdMin) return std::nullopt;
  if (id.seq == 0) return StreamId{id.ms - 1, UINT64_MAX};
  return StreamId{id.ms, id.seq - 1};
}

std::size_t format_stream_id(StreamId id, char* out) noexcept {
  std::size_t length = format_uint64(id.ms, out);
  out[length++] = '-';
  return length + format_uint64(id.seq, out + length);
}

std::string stream_id_text(StreamId id) {
  char text[kStreamIdTextMax];
  return {text, format_stream_id(id, text)};
}

std::optional<std::uint64_t> parse_stream_id_part(std::string_view text) noexcept {
  constexpr std::size_t kPartMost = 127;
  if (text.empty() || text.size() > kPartMost || text.find('\0') != std::string_view::npos)
    return std::nullopt;
  // The field's servers read it with strtoull: blanks and a '+' may stand in front.
  char copy[kPartMost + 1];
  copy[text.copy(copy, text.size())] = '\0';
  if (text.front() == '-') return std::nullopt;
  char* end = nullptr;
  errno = 0;
  const std::uint64_t value = std::strtoull(copy, &end, 10);
  if (errno != 0 || end != copy + text.size()) return std::nullopt;
  return value;
}

std::optional<StreamId> parse_stream_id(std::string_view text, std::uint64_t missing_seq) noexcept {
  const std::size_t dash = text.find('-');
  const auto ms = parse_stream_id_part(text.substr(0, dash));
  if (!ms) return std::nullopt;
  if (dash == std::string_view::npos) return StreamId{*ms, missing_seq};
  const auto seq = parse_stream_id_part(text.substr(dash + 1));
  if (!seq) return std::nullopt;
  return StreamId{*ms, *seq};
}

}  // namespace hearth

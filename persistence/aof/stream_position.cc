#include "persistence/aof/stream_position.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/base/parse_number.h"

namespace hearth::aof {
namespace {

constexpr std::string_view kPositionNote = "#REPL:";
constexpr std::size_t kStreamIdDigits = 40;

bool is_stream_name(std::string_view text) {
  return text.size() == kStreamIdDigits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

}  // namespace

std::string position_note(const StreamPosition& position) {
  return fmt::format("{}{} {} {}\r\n", kPositionNote, position.id, position.offset, position.db);
}

std::optional<StreamPosition> parse_position_note(std::string_view line) {
  if (!line.starts_with(kPositionNote)) return std::nullopt;
  line.remove_prefix(kPositionNote.size());
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t first = line.find(' ');
  const std::size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  PositionFields fields;
  fields.take("repl-id", line.substr(0, first));
  fields.take("repl-offset", line.substr(first + 1, second - first - 1));
  fields.take("repl-stream-db", line.substr(second + 1));
  return fields.position();
}

void PositionFields::take(std::string_view name, std::string_view value) {
  if (name == "repl-id") {
    if (is_stream_name(value)) position_.id = value;
    return;
  }
  const auto number = parse_int64(value);
  if (!number || *number < 0) return;
  if (name == "repl-offset") {
    position_.offset = static_cast<std::uint64_t>(*number);
    has_offset_ = true;
  } else if (name == "repl-stream-db" && *number <= INT16_MAX) {
    position_.db = static_cast<DbIndex>(*number);
  }
}

std::optional<StreamPosition> PositionFields::position() const {
  if (position_.id.empty() || !has_offset_) return std::nullopt;
  return position_;
}

}  // namespace hearth::aof

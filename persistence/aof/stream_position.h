// Where the stream of effects stands that a data set is made of: what a replica asks its primary to
// go on from, and what replicas may ask of a primary that was restarted. Snapshots hold it in their
// auxiliary fields, the append-only log in a note behind its last command.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/ids.h"

namespace hearth::aof {

struct StreamPosition {
  std::string id;            // 40 hexadecimal digits
  std::uint64_t offset = 0;  // of the last byte whose effects are in the data
  DbIndex db = 0;            // that the next effect belongs to if it does not say so
  friend bool operator==(const StreamPosition&, const StreamPosition&) = default;
};

// One line between commands. Readers that don't know it skip it, as every line that begins with #.
[[nodiscard]] std::string position_note(const StreamPosition& position);
// Nothing for other lines.
[[nodiscard]] std::optional<StreamPosition> parse_position_note(std::string_view line);

// Gathers the auxiliary fields of a snapshot, repl-id, repl-offset and repl-stream-db.
class PositionFields {
 public:
  void take(std::string_view name, std::string_view value);
  // Nothing unless id and offset were there and make sense.
  [[nodiscard]] std::optional<StreamPosition> position() const;

 private:
  StreamPosition position_;
  bool has_offset_ = false;
};

}  // namespace hearth::aof

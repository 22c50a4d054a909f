// CommandStream: committed units as the bytes of commands, for the append-only file and for
// replicas.
//
// A unit with several effects that belong together stands between MULTI and EXEC; SELECT goes in
// front of an effect in another database than the one before.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "src/effects/effect_log.h"

namespace hearth {

class CommandStream {
 public:
  // target: the bit of Effect::targets that effects for this stream's reader have.
  explicit CommandStream(std::uint8_t target) : target_(target) {}
  // Appends the unit's commands to `out`; nothing if none of them is for this reader.
  void append(const CommittedUnit& unit, std::string& out);
  // The next effect selects its database again: the reader starts anew.
  void forget_database() { selected_.reset(); }

 private:
  void select(DbIndex db, std::string& out);
  std::uint8_t target_;
  std::optional<DbIndex> selected_;
};

// One command in the multibulk form.
void append_command(std::span<const std::string_view> words, std::string& out);
void append_command(std::span<const std::string> words, std::string& out);

}  // namespace hearth

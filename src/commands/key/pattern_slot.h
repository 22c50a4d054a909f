// The one slot that all keys matching a pattern stand in, if the pattern decides it.
#pragma once

#include <optional>
#include <string_view>

#include "cluster/model/slot.h"

namespace hearth::commands {

// "{user}:*" and "abc{user}?" fix the slot by their hash tag, a pattern without wildcards fixes it
// by the whole of it. Nothing if a wildcard or an escape stands before the end of the tag.
[[nodiscard]] inline std::optional<Slot> fixed_slot(std::string_view pattern) {
  const std::string_view literal = pattern.substr(0, pattern.find_first_of("*?[\\"));
  if (literal.size() == pattern.size()) return cluster::slot_of(pattern);
  const std::size_t open = literal.find('{');
  if (open == std::string_view::npos) return std::nullopt;
  const std::size_t close = literal.find('}', open + 1);
  // "{}" is no tag: such a key is hashed as a whole.
  if (close == std::string_view::npos || close == open + 1) return std::nullopt;
  return cluster::slot_of(literal);
}

}  // namespace hearth::commands

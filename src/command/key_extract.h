// Keys of a command line, by its key specs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "src/command/table.h"
#include "src/effects/effect_log.h"

namespace hearth {

// Fills `out` with the positions of all keys, in order. False if the words don't fit the specs (a
// count that is no number or too large): then the handler refuses them too, and reaches no key.
// Words must have passed the arity check.
[[nodiscard]] bool extract_keys(const Command& command, std::span<const std::string_view> argv,
                                std::vector<KeyPosition>& out);

// The slot of the keys of a replicated command; none if it names no key. `positions` is scratch.
[[nodiscard]] std::optional<Slot> slot_of_effect(const CommandTable& commands, const Effect& effect,
                                                 std::vector<KeyPosition>& positions);

// The command works on its keys in another database than the selected one too: MOVE, COPY with DB.
[[nodiscard]] bool reaches_other_database(const Command& command,
                                          std::span<const std::string_view> argv);

}  // namespace hearth

// Reads the commands of an append-only file, one after the other.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "persistence/io/input_window.h"
#include "src/base/result.h"

namespace hearth::aof {

struct ReplayHandler {
  // Runs a command. An error stops the replay.
  std::function<Result<void>(std::span<const std::string_view>)> run;
  // A line that begins with #, between commands. May be empty.
  std::function<void(std::string_view line)> note;
  // An open MULTI holds back what was given to `run`.
  std::function<bool()> in_transaction;
  // Called after each command with the offset reached; an error stops the replay.
  std::function<Result<void>(std::uint64_t)> progress;
};

struct ReplayEnd {
  // The file ends in the middle of a command or of a transaction; up to here it is whole.
  bool cut_off = false;
  std::uint64_t whole_up_to = 0;
};

// The window stands at a command; commands go up to the end of the file.
// Errors: kCorrupt with file and offset if the bytes are no commands; what the handler returns.
[[nodiscard]] Result<ReplayEnd> replay(io::InputWindow& in, const ReplayHandler& handler);

}  // namespace hearth::aof

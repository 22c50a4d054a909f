// The state of the script that runs; for the engine's own files.
#pragma once

#include <optional>

#include "src/engine/engine.h"

namespace hearth {

struct Engine::ScriptRun {
  Session session;  // runs the script's commands
  Session* caller = nullptr;
  ScriptStart start;
  std::uint64_t started_ticks = 0;
  bool active = false;
  bool wrote = false;      // a write command was let through
  bool killed = false;     // is to end as soon as it can be told
  bool no_memory = false;  // the server was above its limit at the start
  bool read_only = false;
  bool allow_oom = false;
  bool one_slot = false;  // keys of one slot alone
  std::optional<Slot> slot;
};

}  // namespace hearth

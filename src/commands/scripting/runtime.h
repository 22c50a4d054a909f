// The runtime of scripts, for the commands of this family.
#pragma once

#include "src/command/context.h"
#include "src/command/script_control.h"

namespace hearth::commands {

// Errors: this build of the server runs no scripts.
[[nodiscard]] inline Result<ScriptControl*, ReplyError> scripts_of(const CommandContext& ctx) {
  ScriptControl* scripts = ctx.services().scripts;
  if (scripts == nullptr) return refuse("ERR this server runs without scripts");
  return scripts;
}

}  // namespace hearth::commands

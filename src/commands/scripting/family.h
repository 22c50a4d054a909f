// The scripting family: scripts and libraries of functions, and what is done with them.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kEval, kEvalRo, kEvalSha, kEvalShaRo, kFcall, kFcallRo, kScript, kFunction;

inline constexpr const CommandSpec* kScriptingFamily[] = {
    &kEval, &kEvalRo, &kEvalSha, &kEvalShaRo, &kFcall, &kFcallRo, &kScript, &kFunction,
};

}  // namespace hearth::commands

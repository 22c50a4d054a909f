// The persistence family: snapshots and rewrites of the append-only file.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kSave, kBgSave, kBgRewriteAof;

inline constexpr const CommandSpec* kPersistenceFamily[] = {&kSave, &kBgSave, &kBgRewriteAof};

}  // namespace hearth::commands

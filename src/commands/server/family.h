// The server family: what the server is, holds and has done, and how it is run.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kCommand, kConfig, kInfo, kTime, kDbSize, kLastSave, kRole, kFlushDb,
    kFlushAll, kSwapDb, kSlowLog, kCommandLog, kLatency, kMemory, kLolwut, kMonitor, kShutdown,
    kDebug, kModule, kHotKeys, kWarm;

inline constexpr const CommandSpec* kServerFamily[] = {
    &kCommand, &kConfig,   &kInfo,     &kTime,    &kDbSize,     &kLastSave, &kRole,
    &kFlushDb, &kFlushAll, &kSwapDb,   &kSlowLog, &kCommandLog, &kLatency,  &kMemory,
    &kLolwut,  &kMonitor,  &kShutdown, &kDebug,   &kModule,     &kHotKeys,  &kWarm,
};

}  // namespace hearth::commands

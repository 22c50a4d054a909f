// The replication family: what a replica says to its primary.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kSync, kPsync, kReplConf, kReplicaOf, kSlaveOf, kFailover;

inline constexpr const CommandSpec* kReplicationFamily[] = {&kSync,      &kPsync,   &kReplConf,
                                                            &kReplicaOf, &kSlaveOf, &kFailover};

}  // namespace hearth::commands

// The cluster family: the CLUSTER container, and what a session says about redirects.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kCluster, kAsking, kReadonly, kReadwrite;
// Subcommands, by file: report.cc, topology.cc, admin.cc, slots.cc.
extern const CommandSpec kClusterInfo, kClusterNodes, kClusterMyId, kClusterMyShardId,
    kClusterReplicas, kClusterSlaves, kClusterLinks, kClusterCountFailureReports;
extern const CommandSpec kClusterSlots, kClusterShards;
extern const CommandSpec kClusterMeet, kClusterForget, kClusterReset, kClusterBumpEpoch,
    kClusterSetConfigEpoch, kClusterSaveConfig;
extern const CommandSpec kClusterAddSlots, kClusterAddSlotsRange, kClusterDelSlots,
    kClusterDelSlotsRange, kClusterFlushSlots, kClusterSetSlot, kClusterKeySlot,
    kClusterCountKeysInSlot, kClusterGetKeysInSlot;

inline constexpr const CommandSpec* kClusterFamily[] = {&kCluster, &kAsking, &kReadonly,
                                                        &kReadwrite};

}  // namespace hearth::commands

// The cluster family: the CLUSTER container, and what a session says about redirects.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kCluster, kAsking, kReadonly, kReadwrite;
// Subcommands, by file: report.cc, slot_stats.cc, topology.cc, admin.cc, replicas.cc, drain.cc,
// slots.cc, move_slots.cc.
extern const CommandSpec kClusterInfo, kClusterNodes, kClusterMyId, kClusterMyShardId,
    kClusterReplicas, kClusterSlaves, kClusterLinks, kClusterCountFailureReports;
extern const CommandSpec kClusterSlotStats;
extern const CommandSpec kClusterSlots, kClusterShards;
extern const CommandSpec kClusterMeet, kClusterForget, kClusterReset, kClusterBumpEpoch,
    kClusterSetConfigEpoch, kClusterSaveConfig;
extern const CommandSpec kClusterReplicate, kClusterFailover, kClusterRecover;
extern const CommandSpec kClusterDrain;
extern const CommandSpec kClusterAddSlots, kClusterAddSlotsRange, kClusterDelSlots,
    kClusterDelSlotsRange, kClusterFlushSlots, kClusterSetSlot, kClusterKeySlot,
    kClusterCountKeysInSlot, kClusterGetKeysInSlot;
extern const CommandSpec kClusterMigrateSlots, kClusterGetSlotMigrations,
    kClusterCancelSlotMigrations, kClusterMigration, kClusterSyncSlots, kClusterFlushSlot;

inline constexpr const CommandSpec* kClusterFamily[] = {&kCluster, &kAsking, &kReadonly,
                                                        &kReadwrite};

}  // namespace hearth::commands

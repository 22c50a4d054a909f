// The family of commands that work on keys of any type.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kDel, kUnlink, kExists, kTouch, kType, kExpire, kPExpire, kExpireAt,
    kPExpireAt, kPersist, kTtl, kPTtl, kExpireTime, kPExpireTime, kKeys, kScan, kRandomKey, kRename,
    kRenameNx, kCopy, kMove, kObject, kSort, kSortRo, kDump, kRestore, kRestoreAsking, kMigrate,
    kWait, kWaitAof, kClusterScan;

inline constexpr const CommandSpec* kKeyFamily[] = {
    &kDel,      &kUnlink,    &kExists,      &kTouch,  &kType,     &kExpire,        &kPExpire,
    &kExpireAt, &kPExpireAt, &kPersist,     &kTtl,    &kPTtl,     &kExpireTime,    &kPExpireTime,
    &kKeys,     &kScan,      &kRandomKey,   &kRename, &kRenameNx, &kCopy,          &kMove,
    &kObject,   &kSort,      &kSortRo,      &kDump,   &kRestore,  &kRestoreAsking, &kMigrate,
    &kWait,     &kWaitAof,   &kClusterScan,
};

}  // namespace hearth::commands

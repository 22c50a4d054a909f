// The hash family.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kHGet, kHMGet, kHGetAll, kHKeys, kHVals, kHLen, kHExists, kHStrLen, kHSet,
    kHMSet, kHSetNx, kHDel, kHIncrBy, kHIncrByFloat, kHRandField, kHScan, kHExpire, kHPExpire,
    kHExpireAt, kHPExpireAt, kHPersist, kHTtl, kHPTtl, kHExpireTime, kHPExpireTime, kHGetDel,
    kHGetEx, kHSetEx, kHImport;

inline constexpr const CommandSpec* kHashFamily[] = {
    &kHGet,         &kHMGet,        &kHGetAll,    &kHKeys,  &kHVals,   &kHLen,
    &kHExists,      &kHStrLen,      &kHSet,       &kHMSet,  &kHSetNx,  &kHDel,
    &kHIncrBy,      &kHIncrByFloat, &kHRandField, &kHScan,  &kHExpire, &kHPExpire,
    &kHExpireAt,    &kHPExpireAt,   &kHPersist,   &kHTtl,   &kHPTtl,   &kHExpireTime,
    &kHPExpireTime, &kHGetDel,      &kHGetEx,     &kHSetEx, &kHImport,
};

}  // namespace hearth::commands

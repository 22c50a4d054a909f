// The string family.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kGet, kGetDel, kGetEx, kGetSet, kSet, kSetEx, kPSetEx, kSetNx, kAppend,
    kStrLen, kSetRange, kGetRange, kSubStr, kIncr, kDecr, kIncrBy, kDecrBy, kIncrByFloat, kMGet,
    kMSet, kMSetNx, kMSetEx, kLcs, kDigest, kDelEx, kDelIfEq, kIncrEx;

inline constexpr const CommandSpec* kStringFamily[] = {
    &kGet,    &kGetDel, &kGetEx,  &kGetSet,      &kSet,      &kSetEx,  &kPSetEx,
    &kSetNx,  &kAppend, &kStrLen, &kSetRange,    &kGetRange, &kSubStr, &kIncr,
    &kDecr,   &kIncrBy, &kDecrBy, &kIncrByFloat, &kMGet,     &kMSet,   &kMSetNx,
    &kMSetEx, &kLcs,    &kDigest, &kDelEx,       &kDelIfEq,  &kIncrEx,
};

}  // namespace hearth::commands

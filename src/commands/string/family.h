// The string family.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kGet, kGetDel, kGetEx, kGetSet, kSet, kSetEx, kPSetEx, kSetNx, kAppend,
    kStrLen, kSetRange, kGetRange, kSubStr, kIncr, kDecr, kIncrBy, kDecrBy, kIncrByFloat, kMGet,
    kMSet, kMSetNx, kLcs;

inline constexpr const CommandSpec* kStringFamily[] = {
    &kGet,    &kGetDel,      &kGetEx,    &kGetSet,   &kSet,    &kSetEx, &kPSetEx, &kSetNx,
    &kAppend, &kStrLen,      &kSetRange, &kGetRange, &kSubStr, &kIncr,  &kDecr,   &kIncrBy,
    &kDecrBy, &kIncrByFloat, &kMGet,     &kMSet,     &kMSetNx, &kLcs,
};

}  // namespace hearth::commands

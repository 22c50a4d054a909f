// The sorted set family.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kZAdd, kZIncrBy, kZRem, kZCard, kZScore, kZMScore, kZRank, kZRevRank,
    kZCount, kZLexCount, kZRange, kZRangeStore, kZRevRange, kZRangeByScore, kZRevRangeByScore,
    kZRangeByLex, kZRevRangeByLex, kZRemRangeByRank, kZRemRangeByScore, kZRemRangeByLex, kZPopMin,
    kZPopMax, kZMPop, kBZPopMin, kBZPopMax, kBZMPop, kZUnion, kZInter, kZDiff, kZInterCard,
    kZUnionStore, kZInterStore, kZDiffStore, kZRandMember, kZScan;

inline constexpr const CommandSpec* kZsetFamily[] = {
    &kZAdd,
    &kZIncrBy,
    &kZRem,
    &kZCard,
    &kZScore,
    &kZMScore,
    &kZRank,
    &kZRevRank,
    &kZCount,
    &kZLexCount,
    &kZRange,
    &kZRangeStore,
    &kZRevRange,
    &kZRangeByScore,
    &kZRevRangeByScore,
    &kZRangeByLex,
    &kZRevRangeByLex,
    &kZRemRangeByRank,
    &kZRemRangeByScore,
    &kZRemRangeByLex,
    &kZPopMin,
    &kZPopMax,
    &kZMPop,
    &kBZPopMin,
    &kBZPopMax,
    &kBZMPop,
    &kZUnion,
    &kZInter,
    &kZDiff,
    &kZInterCard,
    &kZUnionStore,
    &kZInterStore,
    &kZDiffStore,
    &kZRandMember,
    &kZScan,
};

}  // namespace hearth::commands

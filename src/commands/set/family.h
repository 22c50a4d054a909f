// The set family.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kSAdd, kSRem, kSMove, kSCard, kSIsMember, kSMIsMember, kSMembers, kSScan,
    kSPop, kSRandMember, kSInter, kSUnion, kSDiff, kSInterStore, kSUnionStore, kSDiffStore,
    kSInterCard, kSDiffCard, kSUnionCard;

inline constexpr const CommandSpec* kSetFamily[] = {
    &kSAdd,       &kSRem,       &kSMove,     &kSCard,       &kSIsMember,
    &kSMIsMember, &kSMembers,   &kSScan,     &kSPop,        &kSRandMember,
    &kSInter,     &kSUnion,     &kSDiff,     &kSInterStore, &kSUnionStore,
    &kSDiffStore, &kSInterCard, &kSDiffCard, &kSUnionCard,
};

}  // namespace hearth::commands

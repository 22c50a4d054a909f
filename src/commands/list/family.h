// The list family.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kLPush, kRPush, kLPushX, kRPushX, kLInsert, kLPop, kRPop, kLMPop, kBLPop,
    kBRPop, kBLMPop, kLLen, kLIndex, kLRange, kLPos, kLSet, kLTrim, kLRem, kLMove, kRPopLPush,
    kLMoveM, kBLMove, kBRPopLPush, kBLMoveM;

inline constexpr const CommandSpec* kListFamily[] = {
    &kLPush, &kRPush, &kLPushX, &kRPushX,    &kLInsert, &kLPop,   &kRPop,       &kLMPop,
    &kBLPop, &kBRPop, &kBLMPop, &kLLen,      &kLIndex,  &kLRange, &kLPos,       &kLSet,
    &kLTrim, &kLRem,  &kLMove,  &kRPopLPush, &kLMoveM,  &kBLMove, &kBRPopLPush, &kBLMoveM,
};

}  // namespace hearth::commands

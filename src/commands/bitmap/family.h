// The bitmap family.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kSetBit, kGetBit, kBitCount, kBitPos, kBitOp, kBitField, kBitFieldRo;

inline constexpr const CommandSpec* kBitmapFamily[] = {
    &kSetBit, &kGetBit, &kBitCount, &kBitPos, &kBitOp, &kBitField, &kBitFieldRo,
};

}  // namespace hearth::commands

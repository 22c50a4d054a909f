// The hyperloglog family.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kPfAdd, kPfCount, kPfMerge, kPfDebug, kPfSelfTest;

inline constexpr const CommandSpec* kHyperLogLogFamily[] = {
    &kPfAdd, &kPfCount, &kPfMerge, &kPfDebug, &kPfSelfTest,
};

}  // namespace hearth::commands

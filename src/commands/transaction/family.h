// The transaction family: several commands as one unit, if what they rely on has not changed.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kMulti, kExec, kDiscard, kWatch, kUnwatch;

inline constexpr const CommandSpec* kTransactionFamily[] = {&kMulti, &kExec, &kDiscard, &kWatch,
                                                            &kUnwatch};

}  // namespace hearth::commands

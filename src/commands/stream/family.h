// The stream family.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kXAdd, kXCfgSet, kXIdmpRecord, kXTrim, kXSetId, kXRange, kXRevRange, kXLen,
    kXDel, kXDelEx, kXAck, kXAckDel, kXNack, kXGroup, kXPending, kXClaim, kXAutoClaim, kXInfo,
    kXRead, kXReadGroup;

inline constexpr const CommandSpec* kStreamFamily[] = {
    &kXAdd,     &kXCfgSet, &kXIdmpRecord, &kXTrim, &kXSetId,  &kXRange,     &kXRevRange,
    &kXLen,     &kXDel,    &kXDelEx,      &kXAck,  &kXAckDel, &kXNack,      &kXGroup,
    &kXPending, &kXClaim,  &kXAutoClaim,  &kXInfo, &kXRead,   &kXReadGroup,
};

}  // namespace hearth::commands

// The acl family: users and what they may do.
#pragma once

#include <span>

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kAcl;
extern const CommandSpec kAclLog, kAclLoad, kAclSave, kAclDryRun, kAclCat, kAclGenPass;

inline constexpr const CommandSpec* kAclFamily[] = {&kAcl};

}  // namespace hearth::commands

// Parts of command specs that several files of this family share.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/command/common_specs.h"
#include "src/command/docs.h"
#include "src/command/spec.h"

namespace hearth::commands {

inline constexpr ArgDoc kReferences[] = {args::token("keepref", "KEEPREF"),
                                         args::token("delref", "DELREF"),
                                         args::token("acked", "ACKED")};
inline constexpr ArgDoc kStrategy[] = {args::token("maxlen", "MAXLEN"),
                                       args::token("minid", "MINID").from("6.2.0")};
inline constexpr ArgDoc kOperator[] = {args::token("equal", "="),
                                       args::token("approximately", "~")};
inline constexpr CommandSpec kStreamHelp = help_spec("5.0.0", Group::kStream, Acl::kStream);

}  // namespace hearth::commands

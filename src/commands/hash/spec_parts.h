// Parts of command specs that several files of this family share.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/command/common_specs.h"
#include "src/command/spec.h"

namespace hearth::commands {

inline constexpr std::int64_t kNoField = -2;
inline constexpr std::int64_t kNotTimed = -1;
inline constexpr ArgDoc kFieldParts[] = {args::integer("numfields"), args::string("field").many()};
inline constexpr ArgDoc kFields = args::block("fields", kFieldParts, "FIELDS");
inline constexpr Flag kWriteFlags = Flag::kWrite | Flag::kDenyOom | Flag::kFast;
inline constexpr std::string_view kPerField = "O(N) with the number of fields.";
inline constexpr ArgDoc kFieldValue[] = {args::string("field"), args::string("value")};

}  // namespace hearth::commands

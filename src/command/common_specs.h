// Parts of command specs that occur in many families.
#pragma once

#include <string_view>

#include "src/command/spec.h"

namespace hearth {

// One key, the first argument, and what is done with it.
inline constexpr KeySpec kReadKey[] = {KeySpec::one(1, access::kRead)};
inline constexpr KeySpec kUpdateKey[] = {KeySpec::one(1, access::kModify)};
inline constexpr KeySpec kInsertKey[] = {KeySpec::one(1, access::kAdd)};
inline constexpr KeySpec kDeleteKey[] = {KeySpec::one(1, access::kRW | access::kDelete)};

// A command whose only argument is its key.
inline constexpr ArgDoc kKeyArg[] = {args::key()};

// Tips of COMMAND INFO.
inline constexpr std::string_view kNondeterministic[] = {"nondeterministic_output"};
inline constexpr std::string_view kNondeterministicOrder[] = {"nondeterministic_output_order"};

}  // namespace hearth

// The parts of the parameter table, one per subject. Used by sections() alone.
#pragma once

#include <span>

#include "src/config/parameter.h"

namespace hearth::config {

// Short names for the rows.
inline constexpr Flag kImm = Flag::kImmutable;
inline constexpr Flag kIdle = Flag::kNoEffect;

std::span<const Parameter> network_parameters();
std::span<const Parameter> tls_parameters();
std::span<const Parameter> process_parameters();
std::span<const Parameter> access_parameters();
std::span<const Parameter> memory_parameters();
std::span<const Parameter> encoding_parameters();
std::span<const Parameter> observation_parameters();
std::span<const Parameter> snapshot_parameters();
std::span<const Parameter> append_only_parameters();
std::span<const Parameter> replication_parameters();
std::span<const Parameter> cluster_parameters();
std::span<const Parameter> warm_parameters();

}  // namespace hearth::config

// The family of positions.
#pragma once

#include "src/command/spec.h"

namespace hearth::commands {

extern const CommandSpec kGeoAdd, kGeoPos, kGeoHash, kGeoDist, kGeoSearch, kGeoSearchStore,
    kGeoRadius, kGeoRadiusRo, kGeoRadiusByMember, kGeoRadiusByMemberRo;

inline constexpr const CommandSpec* kGeoFamily[] = {
    &kGeoAdd,         &kGeoPos,    &kGeoHash,     &kGeoDist,           &kGeoSearch,
    &kGeoSearchStore, &kGeoRadius, &kGeoRadiusRo, &kGeoRadiusByMember, &kGeoRadiusByMemberRo,
};

}  // namespace hearth::commands

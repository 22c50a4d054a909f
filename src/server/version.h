// The name and versions of this server.
#pragma once

namespace hearth {

inline constexpr const char* kVersion = "0.1.0";
// The version whose behaviour clients may expect; they choose features by it.
inline constexpr const char* kRedisVersion = "7.4.0";

}  // namespace hearth

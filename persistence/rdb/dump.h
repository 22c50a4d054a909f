// DUMP payloads: type byte, body, RDB version u16 LE, CRC-64 u64 LE over all before it.
//
// The version of a key (VER n) stands between body and RDB version, as "hver" and a u64 LE. Other
// servers don't look at what follows the body there.
#pragma once

#include <string>
#include <string_view>

#include "persistence/rdb/format.h"
#include "persistence/rdb/object.h"

namespace hearth::rdb {

// A payload that RESTORE accepts on any server of the target's version, and later.
[[nodiscard]] std::string dump_payload(const Entry& entry, const EncodeOptions& options);

// The footer behind the type byte and the body: version and checksum.
void append_dump_footer(std::uint16_t version, std::string& payload);

enum class Checksum : bool { kSkip, kVerify };

// Errors: kUnsupported if version or checksum are wrong (the body was not looked at), kCorrupt if
// the body is.
[[nodiscard]] Result<Object> parse_dump_payload(std::string_view payload,
                                                const DecodeLimits& limits,
                                                Checksum checksum = Checksum::kVerify,
                                                VersionCheck version_check = VersionCheck::kStrict);

}  // namespace hearth::rdb

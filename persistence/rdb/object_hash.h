// Hashes in their RDB forms; used by encode_object and decode_object alone.
#pragma once

#include "persistence/rdb/object.h"

namespace hearth::rdb {

EncodedType encode_hash(const Hash& hash, const EncodeOptions& options, std::string& out);
[[nodiscard]] Result<Hash> decode_hash(std::uint8_t type, std::uint16_t version, ByteReader& in,
                                       const DecodeLimits& limits);

}  // namespace hearth::rdb

// Sets in their RDB forms; used by encode_object and decode_object alone.
#pragma once

#include "persistence/rdb/object.h"

namespace hearth::rdb {

EncodedType encode_set(const Set& set, const EncodeOptions& options, std::string& out);
[[nodiscard]] bool is_set_type(std::uint8_t type);
[[nodiscard]] Result<Set> decode_set(std::uint8_t type, ByteReader& in, const DecodeLimits& limits);

}  // namespace hearth::rdb

// Lists in their RDB forms; used by encode_object and decode_object alone.
#pragma once

#include "persistence/rdb/object.h"
#include "src/store/list.h"

namespace hearth::rdb {

EncodedType encode_list(const ListView& list, const EncodeOptions& options, std::string& out);
[[nodiscard]] Result<List> decode_list(std::uint8_t type, ByteReader& in,
                                       const DecodeLimits& limits);

}  // namespace hearth::rdb

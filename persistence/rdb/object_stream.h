// Streams in their RDB forms; used by encode_object and decode_object alone.
//
// Peers know no pending entry without a consumer (XNACK makes them). They are written as those of a
// consumer without a name, delivered at time 0, which any peer can claim at once; reading such a
// consumer gives them back.
#pragma once

#include "persistence/rdb/object.h"
#include "src/store/stream.h"

namespace hearth::rdb {

EncodedType encode_stream(const Stream& stream, const EncodeOptions& options, std::string& out);
[[nodiscard]] bool is_stream_type(std::uint8_t type);
[[nodiscard]] Result<std::unique_ptr<Stream>> decode_stream(std::uint8_t type, ByteReader& in,
                                                            const DecodeLimits& limits);

}  // namespace hearth::rdb

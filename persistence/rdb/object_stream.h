// Streams in their RDB forms; used by encode_object, decode_object and the log's base.
//
// Peers know no pending entry without a consumer (XNACK makes them). They are written as those of a
// consumer without a name, delivered at time 0, which any peer can claim at once; reading such a
// consumer gives them back.
#pragma once

#include "persistence/rdb/object.h"
#include "src/store/stream.h"

namespace hearth::rdb {

// A DUMP payload of the stream's groups alone, in a stream without entries and without a past. What
// is pending in them need not be there.
[[nodiscard]] std::string stream_groups_payload(const Stream& stream, const EncodeOptions& options);
EncodedType encode_stream(const Stream& stream, const EncodeOptions& options, std::string& out);
[[nodiscard]] bool is_stream_type(std::uint8_t type);
// length_differs: see Object.
[[nodiscard]] Result<std::unique_ptr<Stream>> decode_stream(std::uint8_t type, ByteReader& in,
                                                            const DecodeLimits& limits,
                                                            bool* length_differs = nullptr);

}  // namespace hearth::rdb

// Stream ids and entries as they are replied.
#pragma once

#include <cstdint>

#include "src/proto/reply_writer.h"
#include "src/store/stream.h"

namespace hearth::commands {

void reply_id(ReplyWriter& reply, StreamId id);
// The two parts of an entry that the reader stands at: its id, and an array of fields and values.
void reply_entry_parts(ReplyWriter& reply, StreamReader& reader);
// An array of both.
void reply_entry(ReplyWriter& reply, StreamReader& reader);
// Up to `count` entries of the range as an array.
void reply_range(ReplyWriter& reply, const Stream& stream, StreamId from, StreamId to,
                 StreamReader::Order order, std::uint64_t count);

}  // namespace hearth::commands

#include "src/commands/stream/entry_reply.h"

namespace hearth::commands {

void reply_id(ReplyWriter& reply, StreamId id) {
  char text[kStreamIdTextMax];
  reply.bulk({text, format_stream_id(id, text)});
}

void reply_entry_parts(ReplyWriter& reply, StreamReader& reader) {
  reply_id(reply, reader.id());
  reply.array(reader.field_count() * 2);
  reader.for_each_field([&](std::string_view field, std::string_view value) {
    reply.bulk(field);
    reply.bulk(value);
  });
}

void reply_entry(ReplyWriter& reply, StreamReader& reader) {
  reply.array(2);
  reply_entry_parts(reply, reader);
}

void reply_range(ReplyWriter& reply, const Stream& stream, StreamId from, StreamId to,
                 StreamReader::Order order, std::uint64_t count) {
  std::uint64_t left = stream.count(from, to, count);
  reply.array(left);
  if (left == 0) return;
  StreamReader reader(stream, from, to, order);
  for (; left > 0 && reader.next(); --left) reply_entry(reply, reader);
}

}  // namespace hearth::commands

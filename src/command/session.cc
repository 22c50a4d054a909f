#include "src/command/session.h"

#include "src/command/services.h"
#include "src/proto/reply_writer.h"

namespace hearth {

void Session::on_message(std::string_view pattern, std::string_view channel,
                         std::string_view payload, bool shard) {
  ReplyWriter reply(executing ? own_pushes : out, resp);
  const bool by_pattern = !pattern.empty();
  reply.push(by_pattern ? 4 : 3);
  reply.bulk(by_pattern ? "pmessage" : shard ? "smessage" : "message");
  if (by_pattern) reply.bulk(pattern);
  reply.bulk(channel);
  reply.bulk(payload);
  if (!executing && clients != nullptr) clients->wrote_to(*this);
}

std::size_t Session::memory_bytes() const {
  return sizeof(Session) + out.capacity_bytes() + own_pushes.capacity_bytes() + query_bytes +
         query_free + argv_bytes + queue_bytes + name.size();
}

}  // namespace hearth

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

namespace {
// What a name costs besides itself: its place in the tables of who listens and who watches.
constexpr std::size_t kNameOverhead = 64;

std::size_t bytes_of(const decltype(Session::field_sets)& sets) {
  constexpr std::size_t kNodeBytes = 64;
  std::size_t bytes = 0;
  for (const auto& [name, fields] : sets) {
    bytes += kNodeBytes + name.size();
    for (const std::string& field : fields) bytes += sizeof field + field.size();
  }
  return bytes;
}

}  // namespace

std::size_t Session::memory_bytes() const {
  const std::size_t names = subscriptions.normal_count() + subscriptions.shard_channels.size() +
                            (tracking != nullptr ? tracking->prefixes.size() : 0);
  const std::size_t listened = names * (sizeof(std::string) + kNameOverhead) +
                               watched.size() * (sizeof(WatchedKey) + kNameOverhead);
  return sizeof(Session) + out.capacity_bytes() + own_pushes.capacity_bytes() + query_bytes +
         query_free + argv_bytes + queue_bytes + name.size() + listened + bytes_of(field_sets);
}

}  // namespace hearth

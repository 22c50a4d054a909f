#include "src/command/session.h"

#include "src/command/client_control.h"
#include "src/proto/reply_writer.h"

namespace hearth {

std::size_t Session::on_message(std::string_view pattern, std::string_view channel,
                                std::string_view payload, bool shard) {
  OutBuffer& out_to = message_output(*this);
  const std::size_t before = out_to.size();
  ReplyWriter reply(out_to, resp);
  const bool by_pattern = !pattern.empty();
  reply.push(by_pattern ? 4 : 3);
  reply.bulk(by_pattern ? "pmessage" : shard ? "smessage" : "message");
  if (by_pattern) reply.bulk(pattern);
  reply.bulk(channel);
  reply.bulk(payload);
  const std::size_t bytes = out_to.size() - before;
  if (!is_running() && clients != nullptr) clients->wrote_to(*this);
  return bytes;
}

void Session::on_shard_channel_lost(std::string_view channel) {
  ReplyWriter reply(message_output(*this), resp);
  reply.push(3);
  reply.bulk("sunsubscribe");
  reply.bulk(channel);
  reply.integer(static_cast<std::int64_t>(subscriptions.shard_channels.size()));
  if (!is_running() && clients != nullptr) clients->wrote_to(*this);
}

namespace {
// Bytes that a name costs besides its own: places in the tables of listeners and watchers.
constexpr std::size_t kNameOverhead = 64;

std::size_t bytes_of(const FieldSets::Fields& fields, std::string_view name) {
  constexpr std::size_t kNodeBytes = 64;
  std::size_t bytes = kNodeBytes + name.size();
  for (const std::string& field : fields) bytes += sizeof(std::string) + field.size();
  return bytes;
}

}  // namespace

void FieldSets::put(std::string_view name, Fields fields) {
  erase(name);
  bytes_ += bytes_of(fields, name);
  sets_.emplace(name, std::move(fields));
}

const FieldSets::Fields* FieldSets::find(std::string_view name) const {
  const auto at = sets_.find(name);
  return at == sets_.end() ? nullptr : &at->second;
}

bool FieldSets::erase(std::string_view name) {
  const auto at = sets_.find(name);
  if (at == sets_.end()) return false;
  bytes_ -= bytes_of(at->second, at->first);
  sets_.erase(at);
  return true;
}

void FieldSets::clear() {
  sets_.clear();
  bytes_ = 0;
}

std::size_t Session::memory_bytes() const {
  const std::size_t names = subscriptions.normal_count() + subscriptions.shard_channels.size() +
                            (tracking != nullptr ? tracking->prefixes.size() : 0);
  const std::size_t listened = names * (sizeof(std::string) + kNameOverhead) +
                               watched.size() * (sizeof(WatchedKey) + kNameOverhead);
  return sizeof(Session) + out.capacity_bytes() + own_pushes.capacity_bytes() + query_bytes +
         query_free + argv_bytes + queue_bytes + name.size() + listened + field_sets.bytes();
}

}  // namespace hearth

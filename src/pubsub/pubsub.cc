#include "src/pubsub/pubsub.h"

#include "src/base/glob.h"

namespace hearth {

PubSub::Map& PubSub::map_of(Kind kind) {
  return kind == Kind::kChannel ? channels_ : kind == Kind::kPattern ? patterns_ : shard_channels_;
}
const PubSub::Map& PubSub::map_of(Kind kind) const {
  return kind == Kind::kChannel ? channels_ : kind == Kind::kPattern ? patterns_ : shard_channels_;
}

Subscriptions::Names& PubSub::names_of(Kind kind, Subscriptions& mine) {
  return kind == Kind::kChannel   ? mine.channels
         : kind == Kind::kPattern ? mine.patterns
                                  : mine.shard_channels;
}

bool PubSub::subscribe(Kind kind, std::string_view name, Subscriber& who, Subscriptions& mine) {
  Subscriptions::Names& names = names_of(kind, mine);
  if (names.contains(name)) return false;
  Map& map = map_of(kind);
  auto channel = map.find(name);
  if (channel == map.end()) channel = map.try_emplace(std::string(name)).first;
  auto& [full_name, listeners] = *channel;
  const auto mine_at =
      names.try_emplace(full_name, Subscriptions::At{&*channel, listeners.size()}).first;
  listeners.push_back({&who, &mine_at->second.place});
  return true;
}

// The last listener takes the place of the one that leaves, so that leaving is O(1). Erasing the
// channel frees the string that the subscriber's map uses as its key: the caller erases that entry
// right after, before any look-up.
void PubSub::leave(Kind kind, const Subscriptions::At& at) {
  auto& listeners = at.channel->second;
  listeners[at.place] = listeners.back();
  *listeners[at.place].place = at.place;
  listeners.pop_back();
  if (!listeners.empty()) return;
  Map& map = map_of(kind);
  map.erase(map.find(at.channel->first));
}

bool PubSub::unsubscribe(Kind kind, std::string_view name, Subscriptions& mine) {
  Subscriptions::Names& names = names_of(kind, mine);
  const auto at = names.find(name);
  if (at == names.end()) return false;
  leave(kind, at->second);
  names.erase(at);
  return true;
}

void PubSub::unsubscribe_all(Subscriptions& mine) {
  for (const Kind kind : {Kind::kChannel, Kind::kPattern, Kind::kShard}) {
    for (const auto& [name, at] : names_of(kind, mine)) leave(kind, at);
    names_of(kind, mine).clear();
  }
}

std::size_t PubSub::publish(std::string_view channel, std::string_view payload) {
  std::size_t receivers = 0;
  if (const auto at = channels_.find(channel); at != channels_.end()) {
    for (const Listener& l : at->second) l.who->on_message({}, channel, payload, false);
    receivers += at->second.size();
  }
  for (const auto& [pattern, listeners] : patterns_) {
    if (!glob_match(pattern, channel)) continue;
    for (const Listener& l : listeners) l.who->on_message(pattern, channel, payload, false);
    receivers += listeners.size();
  }
  return receivers;
}

PubSub::Heard PubSub::publish_shard(std::string_view channel, std::string_view payload) {
  Heard heard;
  const auto at = shard_channels_.find(channel);
  if (at == shard_channels_.end()) return heard;
  heard.receivers = at->second.size();
  for (const Listener& l : at->second) heard.bytes += l.who->on_message({}, channel, payload, true);
  return heard;
}

std::size_t PubSub::count(Kind kind, std::string_view name) const {
  const auto at = map_of(kind).find(name);
  return at == map_of(kind).end() ? 0 : at->second.size();
}

void PubSub::for_each_channel(Kind kind, const std::function<void(std::string_view)>& fn) const {
  for (const auto& [name, listeners] : map_of(kind)) fn(name);
}

}  // namespace hearth

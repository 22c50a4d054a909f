#include "src/pubsub/pubsub.h"

#include <algorithm>

#include "src/base/glob.h"

namespace hearth {

PubSub::Map& PubSub::map_of(Kind kind) {
  return kind == Kind::kChannel ? channels_ : kind == Kind::kPattern ? patterns_ : shard_channels_;
}
const PubSub::Map& PubSub::map_of(Kind kind) const {
  return kind == Kind::kChannel ? channels_ : kind == Kind::kPattern ? patterns_ : shard_channels_;
}

std::vector<std::string>& PubSub::names_of(Kind kind, Subscriptions& mine) {
  return kind == Kind::kChannel   ? mine.channels
         : kind == Kind::kPattern ? mine.patterns
                                  : mine.shard_channels;
}

bool PubSub::subscribe(Kind kind, std::string_view name, Subscriber& who, Subscriptions& mine) {
  auto& listeners = map_of(kind)[std::string(name)];
  if (std::find(listeners.begin(), listeners.end(), &who) != listeners.end()) return false;
  listeners.push_back(&who);
  names_of(kind, mine).emplace_back(name);
  return true;
}

bool PubSub::unsubscribe(Kind kind, std::string_view name, Subscriber& who, Subscriptions& mine) {
  Map& map = map_of(kind);
  const auto at = map.find(name);
  if (at == map.end()) return false;
  auto& listeners = at->second;
  const auto me = std::find(listeners.begin(), listeners.end(), &who);
  if (me == listeners.end()) return false;
  listeners.erase(me);
  if (listeners.empty()) map.erase(at);
  auto& names = names_of(kind, mine);
  names.erase(std::find(names.begin(), names.end(), name));
  return true;
}

void PubSub::unsubscribe_all(Subscriber& who, Subscriptions& mine) {
  for (const Kind kind : {Kind::kChannel, Kind::kPattern, Kind::kShard}) {
    auto& names = names_of(kind, mine);
    while (!names.empty()) {
      const std::string name = names.back();
      unsubscribe(kind, name, who, mine);
    }
  }
}

std::size_t PubSub::publish(std::string_view channel, std::string_view payload) {
  std::size_t receivers = 0;
  if (const auto at = channels_.find(channel); at != channels_.end()) {
    for (Subscriber* s : at->second) s->on_message({}, channel, payload, false);
    receivers += at->second.size();
  }
  for (const auto& [pattern, listeners] : patterns_) {
    if (!glob_match(pattern, channel)) continue;
    for (Subscriber* s : listeners) s->on_message(pattern, channel, payload, false);
    receivers += listeners.size();
  }
  return receivers;
}

std::size_t PubSub::publish_shard(std::string_view channel, std::string_view payload) {
  const auto at = shard_channels_.find(channel);
  if (at == shard_channels_.end()) return 0;
  for (Subscriber* s : at->second) s->on_message({}, channel, payload, true);
  return at->second.size();
}

std::size_t PubSub::count(Kind kind, std::string_view name) const {
  const auto at = map_of(kind).find(name);
  return at == map_of(kind).end() ? 0 : at->second.size();
}

void PubSub::for_each_channel(Kind kind, const std::function<void(std::string_view)>& fn) const {
  for (const auto& [name, listeners] : map_of(kind)) fn(name);
}

}  // namespace hearth

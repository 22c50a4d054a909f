// PubSub: who listens to which channel, pattern and shard channel.
//
// Delivery is a virtual call per subscriber; what a message looks like on the wire is the
// subscriber's business. Engine thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/name_map.h"

namespace hearth {

class Subscriber {
 public:
  virtual ~Subscriber() = default;
  // pattern is empty unless the subscription is one; shard marks a shard channel. Returns the size
  // of the message as the subscriber hears it.
  virtual std::size_t on_message(std::string_view pattern, std::string_view channel,
                                 std::string_view payload, bool shard) = 0;
};

// A channel, pattern or shard channel with all who listen to it, in no order.
struct Listener {
  Subscriber* who;
  std::size_t* place;  // this listener's index, kept with the subscriber's names
};
using Channel = std::pair<const std::string, std::vector<Listener>>;

// Names that one subscriber listens to, in the order of their bytes; kept by the subscriber,
// changed by PubSub only.
struct Subscriptions {
  struct At {
    Channel* channel;
    std::size_t place;  // in its listeners
  };
  using Names = std::map<std::string_view, At>;  // the names stand in the channels
  Names channels, patterns, shard_channels;
  [[nodiscard]] std::size_t normal_count() const { return channels.size() + patterns.size(); }
};

class PubSub {
 public:
  enum class Kind : std::uint8_t { kChannel, kPattern, kShard };

  explicit PubSub(std::uint64_t seed) : channels_(seed), patterns_(seed), shard_channels_(seed) {}

  // True if it was not subscribed before. O(log names of the subscriber), as all of these.
  bool subscribe(Kind kind, std::string_view name, Subscriber& who, Subscriptions& mine);
  // True if it was subscribed.
  bool unsubscribe(Kind kind, std::string_view name, Subscriptions& mine);
  void unsubscribe_all(Subscriptions& mine);

  // Returns how many received it. O(listeners + patterns).
  std::size_t publish(std::string_view channel, std::string_view payload);
  struct Heard {
    std::size_t receivers = 0;
    std::uint64_t bytes = 0;  // of all their messages
  };
  Heard publish_shard(std::string_view channel, std::string_view payload);

  [[nodiscard]] std::size_t count(Kind kind, std::string_view name) const;
  [[nodiscard]] std::size_t pattern_count() const { return patterns_.size(); }
  [[nodiscard]] std::size_t channel_count() const { return channels_.size(); }
  [[nodiscard]] std::size_t shard_channel_count() const { return shard_channels_.size(); }
  void for_each_channel(Kind kind, const std::function<void(std::string_view)>& fn) const;
  [[nodiscard]] bool has_listeners() const { return !channels_.empty() || !patterns_.empty(); }

 private:
  using Map = NameMap<std::vector<Listener>>;
  [[nodiscard]] Map& map_of(Kind kind);
  [[nodiscard]] const Map& map_of(Kind kind) const;
  static Subscriptions::Names& names_of(Kind kind, Subscriptions& mine);
  void leave(Kind kind, const Subscriptions::At& at);

  Map channels_, patterns_, shard_channels_;
};

}  // namespace hearth

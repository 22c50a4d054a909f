#include "src/pubsub/pubsub.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <tuple>
#include <utility>

#include "src/base/random.h"

using namespace hearth;
using Kind = PubSub::Kind;

namespace {

class Client final : public Subscriber {
 public:
  std::size_t on_message(std::string_view pattern, std::string_view, std::string_view payload,
                         bool) override {
    heard.emplace_back(pattern);
    return payload.size();
  }
  Subscriptions mine;
  std::vector<std::string> heard;  // the patterns it heard by, "" for a channel
};

}  // namespace

TEST_CASE("who is subscribed hears each message once for each subscription, seeded") {
  for (const std::uint64_t seed : {1, 2, 3}) {
    CAPTURE(seed);
    Rng rng(seed);
    PubSub pubsub(seed);
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 12; ++i) clients.push_back(std::make_unique<Client>());
    // Kind, name, index of the client.
    std::set<std::tuple<Kind, std::string, std::size_t>> model;
    const std::string names[] = {"a", "b", "ab", "*", "a*", "?"};
    for (int step = 0; step < 4000; ++step) {
      const std::size_t who = rng.below(clients.size());
      Client& client = *clients[who];
      const Kind kind = std::array{Kind::kChannel, Kind::kPattern, Kind::kShard}[rng.below(3)];
      const std::string& name = names[rng.below(std::size(names))];
      switch (rng.below(rng.chance(0.02) ? 4 : 3)) {
        case 0:
          CHECK(pubsub.subscribe(kind, name, client, client.mine) ==
                model.emplace(kind, name, who).second);
          break;
        case 1:
          CHECK(pubsub.unsubscribe(kind, name, client.mine) ==
                (model.erase({kind, name, who}) > 0));
          break;
        case 2: {
          const auto count = [&](Kind of) {
            return static_cast<std::size_t>(
                std::count_if(model.begin(), model.end(), [&](const auto& entry) {
                  return std::get<0>(entry) == of && std::get<1>(entry) == name;
                }));
          };
          REQUIRE(pubsub.count(Kind::kChannel, name) == count(Kind::kChannel));
          REQUIRE(pubsub.count(Kind::kShard, name) == count(Kind::kShard));
          pubsub.publish("ab", "payload");
          for (std::size_t i = 0; i < clients.size(); ++i) {
            std::vector<std::string> expected;
            if (model.contains({Kind::kChannel, "ab", i})) expected.emplace_back("");
            for (const char* pattern : {"*", "a*", "ab"}) {
              if (model.contains({Kind::kPattern, pattern, i})) expected.emplace_back(pattern);
            }
            std::vector<std::string> heard = std::exchange(clients[i]->heard, {});
            std::sort(heard.begin(), heard.end());
            REQUIRE(heard == expected);
          }
          break;
        }
        default:
          pubsub.unsubscribe_all(client.mine);
          std::erase_if(model, [&](const auto& entry) { return std::get<2>(entry) == who; });
          CHECK(client.mine.normal_count() + client.mine.shard_channels.size() == 0);
      }
    }
    for (auto& client : clients) pubsub.unsubscribe_all(client->mine);
    CHECK_FALSE(pubsub.has_listeners());
    CHECK(pubsub.shard_channel_count() == 0);
  }
}

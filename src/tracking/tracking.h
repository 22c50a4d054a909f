// Client side caching: which client has read which key, and which wants to hear of which prefixes.
//
// A table knows client ids only; who a message goes to and how it looks is the engine's business.
// In the default mode a key is remembered for the clients that read it, until it changes once. In
// the broadcasting mode nothing is remembered: clients hear of every change under their prefixes.
// Source: the public documentation of client side caching.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/ids.h"
#include "src/base/name_map.h"
#include "src/base/random.h"

namespace hearth::tracking {

enum class Mode : std::uint8_t {
  kAll,        // every key that is read
  kOptIn,      // only by the command behind CLIENT CACHING YES
  kOptOut,     // not by the command behind CLIENT CACHING NO
  kBroadcast,  // by prefixes
};

// One client's tracking; exists while it is on.
struct Client {
  Mode mode = Mode::kAll;
  bool no_loop = false;               // its own changes are no news to it
  bool caching = false;               // CLIENT CACHING was said: the next command differs
  bool redirect_is_gone = false;      // the client that gets its messages has left
  ConnId redirect = 0;                // 0: messages go to itself
  std::vector<std::string> prefixes;  // kBroadcast, sorted; "" is every key
};

class Table {
 public:
  explicit Table(std::uint64_t seed) : keys_(seed) {}

  // The client read the key. O(log clients of the key).
  void remember(std::string_view key, ConnId client);
  // The clients that read the key, which is forgotten.
  [[nodiscard]] std::vector<ConnId> take(std::string_view key);
  // Some key with its clients, forgotten too. Nothing if none is remembered.
  [[nodiscard]] std::optional<std::pair<std::string, std::vector<ConnId>>> take_any(Rng& rng);
  void clear();

  void add_prefix(std::string_view prefix, ConnId client);
  void remove_prefix(std::string_view prefix, ConnId client);
  // Calls fn(prefix, clients) for each prefix of the key, the longest first. It costs a look-up for
  // each of them and for each length at which another prefix departs from the key, however many
  // prefixes there are.
  template <typename F>
  void for_each_prefix_of(std::string_view key, F&& fn) const {
    for (std::string_view rest = key;;) {
      // The greatest prefix that is not behind `rest`: no other one agrees with it for longer.
      auto at = prefixes_.upper_bound(rest);
      if (at == prefixes_.begin()) return;
      --at;
      const std::string& prefix = at->first;
      const auto parting = std::mismatch(prefix.begin(), prefix.end(), rest.begin(), rest.end());
      const auto common = static_cast<std::size_t>(parting.first - prefix.begin());
      if (common < prefix.size()) {
        rest = rest.substr(0, common);
        continue;
      }
      fn(prefix, at->second);
      if (common == 0) return;
      rest = rest.substr(0, common - 1);
    }
  }
  // The clients that listen to exactly this prefix, in the order of their ids.
  [[nodiscard]] std::vector<ConnId> clients_of(std::string_view prefix) const {
    const auto at = prefixes_.find(prefix);
    return at == prefixes_.end() ? std::vector<ConnId>{} : at->second;
  }

  [[nodiscard]] std::size_t key_count() const { return keys_.size(); }
  // Pairs of key and client.
  [[nodiscard]] std::size_t item_count() const { return items_; }
  [[nodiscard]] std::size_t prefix_count() const { return prefixes_.size(); }

 private:
  NameMap<std::vector<ConnId>> keys_;  // sorted
  std::map<std::string, std::vector<ConnId>, std::less<>> prefixes_;
  std::size_t items_ = 0;
};

// Does one of the prefixes begin the other? An empty one overlaps with all.
[[nodiscard]] bool overlap(std::string_view a, std::string_view b);
// One of `prefixes` that overlaps with `prefix`, nothing if none does. No two of them overlap with
// each other. O(log prefixes).
[[nodiscard]] std::optional<std::string_view> overlapping_one(
    const std::set<std::string_view>& prefixes, std::string_view prefix);

}  // namespace hearth::tracking

#include "src/tracking/tracking.h"

#include <algorithm>

namespace hearth::tracking {

void Table::remember(std::string_view key, ConnId client) {
  auto at = keys_.find(key);
  if (at == keys_.end()) at = keys_.emplace(key, std::vector<ConnId>{}).first;
  auto& clients = at->second;
  const auto place = std::lower_bound(clients.begin(), clients.end(), client);
  if (place != clients.end() && *place == client) return;
  clients.insert(place, client);
  ++items_;
}

std::vector<ConnId> Table::take(std::string_view key) {
  const auto at = keys_.find(key);
  if (at == keys_.end()) return {};
  std::vector<ConnId> clients = std::move(at->second);
  keys_.erase(at);
  items_ -= clients.size();
  return clients;
}

std::optional<std::pair<std::string, std::vector<ConnId>>> Table::take_any(Rng& rng) {
  if (keys_.empty()) return std::nullopt;
  // A random bucket that has a key. A table that has lost most of its keys is made smaller first,
  // so that the walk to the next full bucket is short.
  if (keys_.size() * 8 < keys_.bucket_count()) keys_.rehash(0);
  std::size_t bucket = rng.below(keys_.bucket_count());
  while (keys_.bucket_size(bucket) == 0) bucket = (bucket + 1) % keys_.bucket_count();
  std::string key = keys_.begin(bucket)->first;
  std::vector<ConnId> clients = take(key);
  return std::pair{std::move(key), std::move(clients)};
}

void Table::clear() {
  keys_.clear();
  items_ = 0;
}

void Table::add_prefix(std::string_view prefix, ConnId client) {
  auto at = prefixes_.find(prefix);
  if (at == prefixes_.end()) at = prefixes_.emplace(prefix, std::vector<ConnId>{}).first;
  auto& clients = at->second;
  const auto place = std::lower_bound(clients.begin(), clients.end(), client);
  if (place == clients.end() || *place != client) clients.insert(place, client);
}

void Table::remove_prefix(std::string_view prefix, ConnId client) {
  const auto at = prefixes_.find(prefix);
  if (at == prefixes_.end()) return;
  const auto place = std::lower_bound(at->second.begin(), at->second.end(), client);
  if (place != at->second.end() && *place == client) at->second.erase(place);
  if (at->second.empty()) prefixes_.erase(at);
}

bool overlap(std::string_view a, std::string_view b) {
  return a.starts_with(b) || b.starts_with(a);
}

// Names that begin with `prefix` stand right behind it. A name that begins it stands before it,
// with nothing in between: that would begin with it too.
std::optional<std::string_view> overlapping_one(const std::set<std::string_view>& prefixes,
                                                std::string_view prefix) {
  const auto next = prefixes.lower_bound(prefix);
  if (next != prefixes.end() && next->starts_with(prefix)) return *next;
  if (next != prefixes.begin() && prefix.starts_with(*std::prev(next))) return *std::prev(next);
  return std::nullopt;
}

}  // namespace hearth::tracking

#include "tools/cache_warm/node_watch.h"

#include <fmt/core.h>
#include <poll.h>

#include <algorithm>
#include <chrono>

namespace hearth::warm {
namespace {

constexpr microseconds kLookEvery{500'000};
// Speeds of shorter spans say little, and a lower rate shows after what is on its way.
constexpr microseconds kRateEvery{100'000};
// Commands a second of health checks, exporters and this program.
constexpr std::uint64_t kIdleOpsMost = 100;
// Each node is asked at least once in so many PINGs.
constexpr std::size_t kPingsOfRound = 20;
constexpr std::size_t kNameBytesMost = 128;
constexpr std::size_t kHotKeysMost = 100'000;

}  // namespace

NodeWatch::NodeWatch(client::DispatcherOptions options, const Clock& clock,
                     std::vector<client::Endpoint> nodes)
    : options_(std::move(options)), clock_(clock) {
  options_.single = true;
  options_.links_per_node = 1;
  options_.client_name = "cache-warm-watch";
  for (auto& endpoint : nodes) nodes_.emplace_back().endpoint = std::move(endpoint);
}

NodeWatch::~NodeWatch() = default;

Result<RespValue> NodeWatch::call(Node& node, std::initializer_list<std::string_view> command) {
  if (!node.client) {
    client::DispatcherOptions options = options_;
    options.seeds = {node.endpoint};
    node.client = std::make_unique<client::Client>(std::move(options), clock_, silent_, stop_);
    if (auto connected = node.client->connect(); !connected) {
      node.client.reset();
      return unexpected<Error>(connected.error());
    }
  }
  auto reply = node.client->call(command);
  if (!reply) node.client.reset();
  return reply;
}

std::optional<RespValue> NodeWatch::ask(Node& node,
                                        std::initializer_list<std::string_view> command) {
  auto reply = call(node, command);
  if (!reply || reply->is_error()) return std::nullopt;
  return *std::move(reply);
}

Result<void> NodeWatch::tell_all(std::initializer_list<std::string_view> command) {
  Result<void> outcome;
  for (Node& node : nodes_) {
    const auto reply = call(node, command);
    if (!outcome || (reply && !reply->is_error())) continue;
    outcome = fail(ErrorCode::kInvalid, fmt::format("{}: {}", node.endpoint.str(),
                                                    reply ? reply->text() : reply.error().context));
  }
  return outcome;
}

Result<void> NodeWatch::tell_progress(const Job& job, LoadPhase phase) {
  if (!takes_reports_) return {};
  const std::vector<MappingTally> tallies = job.tallies();
  ready_.resize(tallies.size());
  std::vector<bool> is_through;
  for (std::size_t i = 0; i < tallies.size(); ++i)
    is_through.push_back(phase == LoadPhase::kRuns && job.is_through(i));
  const bool are_all = std::find(is_through.begin(), is_through.end(), false) == is_through.end();
  Result<void> told;
  for (std::size_t i = 0; told && i < tallies.size(); ++i) {
    const bool is_done = phase == LoadPhase::kOver || (is_through[i] && !are_all);
    if (is_done && ready_[i] && phase == LoadPhase::kRuns) continue;
    ready_[i] = is_done;
    const MappingTally& tally = tallies[i];
    // As a server takes them.
    std::string name = tally.name.substr(0, kNameBytesMost);
    for (char& c : name) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
    }
    const std::uint64_t done = tally.rows_stored + tally.rows_bad + tally.rows_expired +
                               tally.rows_skipped + tally.rows_resumed;
    const std::uint64_t expected = job.mappings[i].expected_rows;
    told = tell_all({"WARM", "PROGRESS", name, std::to_string(done),
                     expected > 0 ? std::to_string(expected) : "-"});
    if (told && is_done) told = tell_all({"WARM", "READY", name});
  }
  takes_reports_ = told.has_value();
  return told;
}

std::vector<std::string> NodeWatch::hot_keys(std::size_t most_of_node) {
  std::vector<std::string> keys;
  for (Node& node : nodes_) {
    const auto reply = ask(node, {"WARM", "HOT", std::to_string(most_of_node)});
    if (!reply) continue;
    for (const RespValue& key : reply->items()) {
      if (keys.size() >= kHotKeysMost) return keys;
      keys.emplace_back(key.text());
    }
  }
  return keys;
}

void NodeWatch::look_at(Node& node) {
  node.has_answered = false;
  const auto reply = call(node, {"INFO"});
  if (!reply) return;
  node.refuses = reply->is_error();
  if (node.refuses) return;
  auto info = parse_node_info(reply->text());
  if (!info) return;
  node.has_answered = true;
  if (!node.first) node.first = info;
  if (node.last && node.last->stream.run_id != info->stream.run_id)
    node.evicted += node.last->evicted_keys;
  node.last = std::move(info);
}

void NodeWatch::look() {
  for (Node& node : nodes_) look_at(node);
}

// Some of the nodes, in turn.
void NodeWatch::ping_some(Pacer& pacer) {
  const std::size_t count = (nodes_.size() + kPingsOfRound - 1) / kPingsOfRound;
  for (std::size_t i = 0; i < count; ++i) {
    Node& node = nodes_[next_ping_++ % nodes_.size()];
    // The first answer takes a connection besides.
    if (!node.client && !call(node, {"PING"})) continue;
    const MonoTime begun = clock_.mono_now();
    // An error is an answer too: a user may not have the right.
    if (call(node, {"PING"})) pacer.note(clock_.mono_now() - begun);
  }
}

void NodeWatch::run(Job& job, const std::atomic<bool>& stop, bool adapts, bool reports) {
  if (nodes_.empty()) return;
  stop_ = &stop;
  for (Node& node : nodes_) node.client.reset();  // they look at another flag
  Pacer pacer(job.plan.target.latency_limit, has_clients());
  MonoTime rate_at = clock_.mono_now();
  MonoTime look_at = rate_at + kLookEvery;
  if (adapts) job.rate.set_rate(pacer.rate(rate_at, 0));
  while (!stop.load(std::memory_order_relaxed)) {
    const MonoTime begun = clock_.mono_now();
    if (adapts) {
      ping_some(pacer);
      if (begun >= rate_at) {
        std::uint64_t rows = 0;
        for (const auto& tally : job.tallies()) rows += tally.rows_stored;
        job.rate.set_rate(pacer.rate(begun, rows));
        rate_at = begun + kRateEvery;
      }
    }
    if (begun >= look_at) {
      look();
      check_memory(job);
      if (reports) static_cast<void>(tell_progress(job, LoadPhase::kRuns));
      look_at = clock_.mono_now() + kLookEvery;
    }
    const auto left =
        std::chrono::ceil<milliseconds>(Pacer::kPingEvery - (clock_.mono_now() - begun));
    if (left.count() > 0) ::poll(nullptr, 0, static_cast<int>(left.count()));
  }
  for (Node& node : nodes_) node.client.reset();
  stop_ = &never_;
}

void NodeWatch::check_memory(Job& job) const {
  const double limit = job.plan.target.memory_limit;
  if (limit >= 1) return;
  for (const Node& node : nodes_) {
    if (!node.last || !node.last->evicts()) continue;
    const auto fill =
        static_cast<double>(node.last->used_memory) / static_cast<double>(node.last->max_memory);
    if (fill >= limit) {
      job.stop(LoadEnd::kMemoryFull,
               fmt::format("{}: {:.0f} % of maxmemory is used; going on would evict keys "
                           "(memory_limit = \"100%\" allows it)",
                           node.endpoint.str(), fill * 100));
    }
  }
}

std::uint64_t NodeWatch::evicted_by(const Node& node) {
  if (!node.first || !node.last) return 0;
  const std::uint64_t now = node.evicted + node.last->evicted_keys;
  return now - std::min(now, node.first->evicted_keys);
}

std::uint64_t NodeWatch::evicted() const {
  std::uint64_t sum = evicted_before_;
  for (const Node& node : nodes_) sum += evicted_by(node);
  return sum;
}

void NodeWatch::watch(std::vector<client::Endpoint> nodes) {
  std::vector<Node> kept;
  for (auto& endpoint : nodes) {
    const auto known = std::find_if(nodes_.begin(), nodes_.end(),
                                    [&](const Node& node) { return node.endpoint == endpoint; });
    if (known == nodes_.end()) {
      kept.emplace_back().endpoint = std::move(endpoint);
    } else {
      kept.push_back(std::move(*known));
      nodes_.erase(known);
    }
  }
  for (const Node& node : nodes_) evicted_before_ += evicted_by(node);
  nodes_ = std::move(kept);
}

bool NodeWatch::hides_streams() const {
  return std::any_of(nodes_.begin(), nodes_.end(), [](const Node& node) {
    return node.refuses || (node.last && node.last->stream.name.empty());
  });
}

std::string NodeWatch::silent_node() const {
  for (const Node& node : nodes_) {
    if (!node.has_answered || !node.last->stream.is_primary) return node.endpoint.str();
  }
  return "";
}

std::optional<std::vector<SlotOwner>> NodeWatch::owners(const SlotsOf& slots) const {
  if (!silent_node().empty() || hides_streams()) return std::nullopt;
  std::vector<SlotOwner> owners;
  for (const Node& node : nodes_)
    owners.push_back({node.endpoint, node.last->stream, slots(node.endpoint)});
  return owners;
}

Verdict NodeWatch::judge_streams(std::span<const Anchor> anchors,
                                 std::span<const SlotOwner> owners) {
  Verdict verdict = judge(anchors, owners, {});
  if (verdict.fate != StreamFate::kLost) return verdict;
  std::vector<NodeStream> others;
  for (const std::size_t index : verdict.changed) {
    Node other;
    other.endpoint = anchors[index].endpoint;
    const bool is_owner = std::any_of(owners.begin(), owners.end(), [&](const SlotOwner& owner) {
      return owner.endpoint == other.endpoint;
    });
    if (is_owner) continue;
    look_at(other);
    if (other.has_answered) others.push_back(other.last->stream);
  }
  return others.empty() ? verdict : judge(anchors, owners, others);
}

bool NodeWatch::knows_nodes() const {
  return std::all_of(nodes_.begin(), nodes_.end(),
                     [](const Node& node) { return node.last.has_value(); });
}

bool NodeWatch::evicts() const {
  return std::any_of(nodes_.begin(), nodes_.end(),
                     [](const Node& node) { return node.last && node.last->evicts(); });
}

bool NodeWatch::has_clients() const {
  return std::any_of(nodes_.begin(), nodes_.end(), [](const Node& node) {
    return !node.last || node.last->ops_per_second > kIdleOpsMost;
  });
}

std::optional<std::uint64_t> NodeWatch::room_bytes() const {
  std::uint64_t room = 0;
  for (const Node& node : nodes_) {
    if (!node.last || node.last->max_memory == 0) return std::nullopt;
    room += node.last->max_memory - std::min(node.last->max_memory, node.last->used_memory);
  }
  return room;
}

}  // namespace hearth::warm

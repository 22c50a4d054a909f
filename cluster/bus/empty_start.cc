// A primary that starts without data although it has replicas, since its disk was lost or nothing
// is saved to one. Served from nothing, its slots would be empty, and its replicas would take over
// the emptiness. So it keeps silent instead: the others find it failed, one of its replicas takes
// its place, and it becomes a replica of that one. If nobody takes its place in time, it serves
// with what it has.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/bus/state.h"

namespace hearth::cluster::bus {
namespace {

// Being found failed takes one time-out and the spreading of reports, the vote about one more.
constexpr Ms kPatienceFactor = 4;  // times the node time-out
constexpr Ms kPatienceMore = 2000;

bool has_heirs(const State& s) {
  return std::any_of(s.nodes.begin(), s.nodes.end(), [&s](const auto& entry) {
    const Node& node = entry.second;
    return node.replica_of == s.myself->id && node.is_replica() &&
           !node.has(node_flag::kFail | node_flag::kNoAddr | node_flag::kNoFailover);
  });
}

template <typename F>
void for_each_connected(State& s, F&& fn) {
  for (auto& [id, node] : s.nodes) {
    Link* link = s.find_link(node.link);
    if (link != nullptr && link->connected && !node.has(node_flag::kHandshake)) fn(node, *link);
  }
}

void stop_waiting(State& s, log::Level level, std::string text) {
  s.heir_awaited_since = kNever;
  for_each_connected(s, [&s](Node&, Link& link) { s.send_heartbeat(link, MessageType::kPing); });
  s.check_state = true;
  s.publish_now();
  s.note(level, std::move(text));
}

}  // namespace

void judge_loaded_data(State& s) {
  if (s.loading || s.data_judged) return;
  s.data_judged = true;
  if (!s.myself->votes() || !s.now.data.is_empty || !has_heirs(s)) return;
  s.heir_awaited_since = s.now_ms;
  s.publish_now();
  s.note(log::Level::kWarning,
         "This primary started with an empty data set and has replicas: it keeps silent until one "
         "of them has taken its place");
}

void tick_empty_start(State& s) {
  judge_loaded_data(s);
  if (!s.awaits_heir()) return;
  // Nobody was asked anything, so nobody owes an answer.
  for_each_connected(s, [](Node& node, Link&) { node.ping_sent = kNever; });
  if (!s.myself->votes())
    return stop_waiting(s, log::Level::kNotice, "A replica has taken the place of this node");
  // While most primaries are not heard, nobody can be elected either.
  const Ms patience = kPatienceFactor * s.timeout() + kPatienceMore;
  if (std::min(s.age(s.heir_awaited_since), s.age(s.majority_since)) <= patience) return;
  stop_waiting(s, log::Level::kWarning,
               "No replica has taken the place of this node: it serves with an empty data set");
}

}  // namespace hearth::cluster::bus

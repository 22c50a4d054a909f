// A primary that starts with less data than its replicas have: without any, since its disk was lost
// or nothing is saved to one, or without its last writes, which were acknowledged because replicas
// had them (min-replicas-to-ack). Served from that, its slots would lose what was promised, and its
// replicas would take the loss over. So it keeps silent instead: the others find it failed, one of
// its replicas takes its place, and it becomes a replica of that one. It serves with what it has
// when no replica has more, or when nobody takes its place in time.
#include <fmt/format.h>

#include <algorithm>

#include "cluster/bus/state.h"

namespace hearth::cluster::bus {
namespace {

// Being found failed takes one time-out and the spreading of reports, the vote about one more.
constexpr Ms kPatienceFactor = 4;  // times the node time-out
constexpr Ms kPatienceMore = 2000;

// A replica, or a former primary of the shard that may be one by now. FAIL was said before the
// start, perhaps of a node that had just come back.
bool may_be_heir(const State& s, const Node& node) {
  const bool is_replica = node.is_replica() && node.replica_of == s.myself->id;
  const bool was_primary = !node.is_replica() && node.slot_count == 0 && !node.shard_id.is_null() &&
                           node.shard_id == s.myself->shard_id && &node != s.myself;
  return (is_replica || was_primary) &&
         !node.has(node_flag::kHandshake | node_flag::kNoAddr | node_flag::kNoFailover);
}

bool has_heirs(const State& s) {
  return std::any_of(s.nodes.begin(), s.nodes.end(),
                     [&s](const auto& entry) { return may_be_heir(s, entry.second); });
}

// All of them were heard since the start, and no one has more.
bool has_as_much_as_heirs(const State& s) {
  return std::all_of(s.nodes.begin(), s.nodes.end(), [&s](const auto& entry) {
    const Node& node = entry.second;
    return !may_be_heir(s, node) ||
           (node.data_received != kNever && node.replication_offset <= s.now.data.offset);
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
  const DataState& data = s.now.data;
  if (!s.myself->votes() || !(data.is_empty || data.owes_replicas) || !has_heirs(s)) return;
  s.heir_awaited_since = s.now_ms;
  s.publish_now();
  s.note(
      log::Level::kWarning,
      data.is_empty
          ? "This primary started with an empty data set and has replicas: it keeps silent until "
            "one of them has taken its place"
          : "This primary may have lost writes that its replicas have: it keeps silent until one "
            "of them has taken its place, or none has more");
}

void tick_short_data(State& s) {
  judge_loaded_data(s);
  if (!s.awaits_heir()) return;
  // Nobody was asked anything, so nobody owes an answer.
  for_each_connected(s, [](Node& node, Link&) { node.ping_sent = kNever; });
  if (!s.myself->votes())
    return stop_waiting(s, log::Level::kNotice, "A replica has taken the place of this node");
  if (!s.now.data.is_empty && has_as_much_as_heirs(s))
    return stop_waiting(s, log::Level::kNotice, "No replica has more than this node: it serves");
  // While most primaries are not heard, nobody can be elected either.
  const Ms patience = kPatienceFactor * s.timeout() + kPatienceMore;
  if (std::min(s.age(s.heir_awaited_since), s.age(s.majority_since)) <= patience) return;
  stop_waiting(s, log::Level::kWarning,
               "No replica has taken the place of this node: it serves with the data that it has");
}

}  // namespace hearth::cluster::bus

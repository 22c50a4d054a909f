// Where this node is, and where the others went: what is done when addresses change.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cluster/bus/state.h"

namespace hearth::cluster::bus {
namespace {

constexpr Ms kSettleAfterStart = 2000;  // links come up before their addresses are counted
constexpr Ms kAskSeedsEvery = 5000;
constexpr Ms kAloneMin = 2000;

void take_own_ip(State& s, const std::string& ip) {
  s.myself->address.ip = ip;
  s.may_save();
  s.note(log::Level::kNotice, fmt::format("IP address for this node updated to {}", ip));
}

bool is_member_link(const Link& link) {
  return link.node != nullptr && link.connected && !link.node->has(node_flag::kHandshake) &&
         link.data_received != kNever && !link.local_ip.empty();
}

// Since when no other node of the cluster has said anything.
Ms silence_of_all(const State& s) {
  Ms silence = s.age(s.started);
  for (const auto& [id, node] : s.nodes) {
    if (&node == s.myself || node.has(node_flag::kHandshake)) continue;
    silence = std::min(silence, s.age(node.data_received));
  }
  return silence;
}

}  // namespace

// A node learns its address from the links that others open to it, unless it is configured. A MEET
// counts more than a ping: an administrator chose the address it came to.
void learn_own_ip(State& s, const Link& link, MessageType type) {
  const Address& own = s.myself->address;
  if (!s.settings.announced.ip.empty() || !link.inbound) return;
  if (type != MessageType::kMeet && !own.ip.empty()) return;
  if (link.local_ip.empty() || link.local_ip == own.ip) return;
  take_own_ip(s, link.local_ip);
}

// The machine may have got another address since nodes.conf was written. The peers follow this node
// to it by themselves; it is told to clients when no link with a member ends at the old one any
// more.
void check_own_ip(State& s) {
  const std::string& own = s.myself->address.ip;
  if (!s.settings.announced.ip.empty() || own.empty()) return;
  if (s.age(s.started) < kSettleAfterStart) return;
  std::map<std::string, int> ends;
  for (const auto& [id, link] : s.links) {
    if (!is_member_link(link)) continue;
    if (link.local_ip == own) return;
    ++ends[link.local_ip];
  }
  if (ends.empty()) return;
  const auto most = std::max_element(
      ends.begin(), ends.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  take_own_ip(s, most->first);
}

void ask_seeds_if_alone(State& s) {
  if (is_forming(s) || s.settings.seeds.empty() || s.nodes.size() < 2) return;
  auto& seeds = s.formation.seeds;
  if (silence_of_all(s) < std::max(kAloneMin, s.timeout() / 3)) return;
  seeds.resize(s.settings.seeds.size());
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    if (s.age(seeds[i].tried) < kAskSeedsEvery) continue;
    seeds[i].tried = s.now_ms;
    s.out.emplace_back(action::ResolveSeed{i, s.settings.seeds[i].host});
  }
}

}  // namespace hearth::cluster::bus

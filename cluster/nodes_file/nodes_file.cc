#include "cluster/nodes_file/nodes_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "cluster/model/render.h"
#include "src/base/parse_number.h"

namespace hearth::cluster {
namespace {

using Words = std::vector<std::string_view>;

// Epochs and rounds: there must be next ones.
constexpr std::uint64_t kFileNumberMax = std::uint64_t{1} << 63;

Words split(std::string_view text, char separator) {
  Words words;
  while (true) {
    const auto end = text.find(separator);
    words.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return words;
    text.remove_prefix(end + 1);
  }
}

Words words_of(std::string_view line) {
  Words words = split(line, ' ');
  std::erase_if(words, [](std::string_view w) { return w.empty(); });
  return words;
}

template <typename T>
std::optional<T> number(std::string_view text) {
  const auto n = parse_uint64(text);
  if (!n || *n > std::numeric_limits<T>::max()) return std::nullopt;
  return static_cast<T>(*n);
}

std::optional<Slot> slot_number(std::string_view text) {
  const auto n = number<Slot>(text);
  return n && *n < kSlotCount ? n : std::nullopt;
}

// A slot in motion before every node of the file is known.
struct OpenSlot {
  Slot slot = 0;
  NodeId peer;
};

struct Parser {
  View view;
  std::vector<OpenSlot> migrating;
  std::vector<OpenSlot> importing;

  bool address(std::string_view text, NodeView& node);
  bool flags(std::string_view text, NodeView& node);
  bool slots(std::string_view text, NodeView& node);
  bool open_slot(std::string_view text);
  bool variables(const Words& words);
  bool formation(std::string_view text);
  bool node_line(const Words& words);
  bool connect_open_slots(const std::vector<OpenSlot>& from, std::vector<SlotInMotion>& to);
};

bool Parser::address(std::string_view text, NodeView& node) {
  const Words parts = split(text, ',');
  std::string_view place = parts[0];
  const auto at = place.rfind('@');
  std::optional<std::uint16_t> cport;
  if (at != std::string_view::npos) {
    cport = number<std::uint16_t>(place.substr(at + 1));
    if (!cport) return false;
    place = place.substr(0, at);
  }
  const auto colon = place.rfind(':');  // an IPv6 address has colons of its own
  if (colon == std::string_view::npos) return false;
  const auto port = number<std::uint16_t>(place.substr(colon + 1));
  if (!port) return false;
  node.address.ip = place.substr(0, colon);
  node.address.port = *port;
  node.address.cport = cport.value_or(static_cast<std::uint16_t>(*port + kBusPortOffset));
  if (parts.size() > 1) node.hostname = parts[1];
  for (std::size_t i = 2; i < parts.size(); ++i) {
    const auto equals = parts[i].find('=');
    if (equals == std::string_view::npos) return false;
    const auto name = parts[i].substr(0, equals);
    const auto value = parts[i].substr(equals + 1);
    if (name == "shard-id") {
      if (!NodeId::is_valid(value)) return false;
      node.shard_id = NodeId(value);
    } else if (name == "nodename") {
      node.human_name = value;
    } else if (name == "tls-port" || name == "tcp-port") {
      const auto n = number<std::uint16_t>(value);
      if (!n) return false;
      (name == "tls-port" ? node.address.tls_port : node.address.port) = *n;
    } else if (name == "client-ipv4") {
      node.client_ipv4 = value;
    } else if (name == "client-ipv6") {
      node.client_ipv6 = value;
    }
  }
  return node.address.ip.size() <= kIpTextMax && node.hostname.size() <= kHostnameMax &&
         node.human_name.size() <= kHumanNameMax;
}

bool Parser::flags(std::string_view text, NodeView& node) {
  static constexpr std::array<std::pair<std::string_view, NodeFlags>, 11> kNames{{
      {"myself", node_flag::kMyself},
      {"master", node_flag::kPrimary},
      {"primary", node_flag::kPrimary},
      {"slave", node_flag::kReplica},
      {"replica", node_flag::kReplica},
      {"fail?", node_flag::kPfail},
      {"fail", node_flag::kFail},
      {"handshake", node_flag::kHandshake},
      {"noaddr", node_flag::kNoAddr},
      {"nofailover", node_flag::kNoFailover},
      {"noflags", 0},
  }};
  for (const auto word : split(text, ',')) {
    const auto* const known = std::find_if(kNames.begin(), kNames.end(),
                                           [&](const auto& entry) { return entry.first == word; });
    if (known == kNames.end()) return false;
    node.flags = static_cast<NodeFlags>(node.flags | known->second);
  }
  return true;
}

// "[93->-<id>]" or "[77-<-<id>]", brackets included.
bool Parser::open_slot(std::string_view text) {
  if (text.size() < 2 || text.back() != ']') return false;
  text = text.substr(1, text.size() - 2);
  const auto dash = text.find('-');
  if (dash == std::string_view::npos || text.size() != dash + 3 + NodeId::kLength) return false;
  const auto slot = slot_number(text.substr(0, dash));
  const auto arrow = text.substr(dash, 3);
  const auto peer = text.substr(dash + 3);
  if (!slot || !NodeId::is_valid(peer) || (arrow != "->-" && arrow != "-<-")) return false;
  (arrow == "->-" ? migrating : importing).push_back({*slot, NodeId(peer)});
  return true;
}

bool Parser::slots(std::string_view text, NodeView& node) {
  if (text.front() == '[') return open_slot(text);
  const auto dash = text.find('-');
  const auto first = slot_number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : slot_number(text.substr(dash + 1));
  if (!first || !last || *first > *last) return false;
  node.slots.add(SlotRange{*first, *last});
  return true;
}

// "pending", or "promised|done:<round>:<epoch>:<id>,<id>...[:<primaries>]"
bool Parser::formation(std::string_view text) {
  auto& f = view.formation;
  if (text == "pending") {
    f.phase = FormationState::Phase::kPending;
    return true;
  }
  const Words parts = split(text, ':');
  if (parts.size() != 4 && parts.size() != 5) return false;
  if (parts[0] == "pending") {
    f.phase = FormationState::Phase::kPending;
  } else if (parts[0] == "promised") {
    f.phase = FormationState::Phase::kPromised;
  } else if (parts[0] == "done") {
    f.phase = FormationState::Phase::kDone;
  } else {
    return false;
  }
  const auto round = number<std::uint64_t>(parts[1]);
  const auto epoch = number<Epoch>(parts[2]);
  if (!round || !epoch || *round > kFileNumberMax || *epoch > kFileNumberMax) return false;
  f.round = *round;
  f.epoch = *epoch;
  if (parts.size() == 5) {
    const auto primaries = number<std::uint64_t>(parts[4]);
    if (!primaries || *primaries > kFileNumberMax) return false;
    f.primaries = *primaries;
  }
  if (parts[3].empty()) return true;
  for (const auto id : split(parts[3], ',')) {
    if (!NodeId::is_valid(id)) return false;
    f.members.emplace_back(id);
  }
  return std::is_sorted(f.members.begin(), f.members.end());
}

bool Parser::variables(const Words& words) {
  for (std::size_t i = 1; i + 1 < words.size(); i += 2) {
    if (words[i] == "formation") {
      if (!formation(words[i + 1])) return false;
      continue;
    }
    const auto n = number<Epoch>(words[i + 1]);
    if (words[i] == "draining") {
      if (!n || *n > 1) return false;
      view.draining = *n == 1;
    } else if (words[i] == "currentEpoch") {
      if (!n || *n > kFileNumberMax) return false;
      view.current_epoch = *n;
    } else if (words[i] == "lastVoteEpoch") {
      if (!n || *n > kFileNumberMax) return false;
      view.last_vote_epoch = *n;
    }
  }
  return words.size() % 2 == 1;
}

bool Parser::node_line(const Words& words) {
  if (words.size() < 8 || !NodeId::is_valid(words[0])) return false;
  NodeView node;
  node.id = NodeId(words[0]);
  if (view.find(node.id) != kNoNode) return false;
  if (!address(words[1], node) || !flags(words[2], node)) return false;
  if (words[3] != "-") {
    if (!NodeId::is_valid(words[3])) return false;
    node.replica_of = NodeId(words[3]);
  }
  const auto epoch = number<Epoch>(words[6]);
  if (!epoch || *epoch > kFileNumberMax) return false;
  // A replica's line shows its primary's epoch.
  node.config_epoch = node.is_replica() ? 0 : *epoch;
  for (std::size_t i = 8; i < words.size(); ++i) {
    if (!slots(words[i], node)) return false;
  }
  if (node.has(node_flag::kMyself)) {
    if (view.myself != kNoNode) return false;
    view.myself = static_cast<NodeIndex>(view.nodes.size());
  } else if (node.has(node_flag::kHandshake)) {
    return true;  // its id means nothing
  }
  view.nodes.push_back(std::move(node));
  return view.nodes.size() < kNoNode;
}

bool Parser::connect_open_slots(const std::vector<OpenSlot>& from, std::vector<SlotInMotion>& to) {
  for (const auto& open : from) {
    const NodeIndex peer = view.find(open.peer);
    if (peer == kNoNode) return false;
    to.push_back({open.slot, peer});
  }
  std::sort(to.begin(), to.end(),
            [](const SlotInMotion& a, const SlotInMotion& b) { return a.slot < b.slot; });
  return true;
}

std::string formation_text(const FormationState& f) {
  std::string_view phase;
  switch (f.phase) {
    case FormationState::Phase::kOff: return {};
    case FormationState::Phase::kPending: phase = "pending"; break;
    case FormationState::Phase::kPromised: phase = "promised"; break;
    case FormationState::Phase::kDone: phase = "done"; break;
  }
  std::string out = fmt::format(" formation {}:{}:{}:", phase, f.round, f.epoch);
  for (const auto& id : f.members) {
    if (out.back() != ':') out += ',';
    out += id.view();
  }
  if (f.primaries != 0) out += fmt::format(":{}", f.primaries);
  return out;
}

}  // namespace

std::string nodes_file_text(const View& view) {
  std::string out = cluster_nodes_text(view, NodeLineFor::kFile);
  out += fmt::format("vars currentEpoch {} lastVoteEpoch {}{}{}\n", view.current_epoch,
                     view.last_vote_epoch, formation_text(view.formation),
                     view.draining ? " draining 1" : "");
  return out;
}

Result<View> parse_nodes_file(std::string_view text) {
  Parser parser;
  int line_number = 0;
  while (!text.empty()) {
    ++line_number;
    const auto end = text.find('\n');
    // A file is renamed into place whole, so a last line without its end is damage.
    if (end == std::string_view::npos) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("nodes file, line {}: the line is cut", line_number));
    }
    const Words words = words_of(text.substr(0, end));
    text.remove_prefix(end + 1);
    if (words.empty()) continue;
    const bool good = words[0] == "vars" ? parser.variables(words) : parser.node_line(words);
    if (!good) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("nodes file, line {}: not a node or variables", line_number));
    }
  }
  View& view = parser.view;
  if (view.myself == kNoNode) {
    return fail(ErrorCode::kCorrupt, "nodes file: no line has the flag 'myself'");
  }
  if (!parser.connect_open_slots(parser.migrating, view.migrating) ||
      !parser.connect_open_slots(parser.importing, view.importing)) {
    return fail(ErrorCode::kCorrupt, "nodes file: a slot in motion names an unknown node");
  }
  // Older files have no variables: the largest epoch seen is the least that is true.
  for (const auto& node : view.nodes) {
    view.current_epoch = std::max(view.current_epoch, node.config_epoch);
  }
  view.index();
  return std::move(view);
}

}  // namespace hearth::cluster

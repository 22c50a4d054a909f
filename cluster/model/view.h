// View: what a node knows of its cluster, frozen. Published as shared_ptr<const View>; readers keep
// the pointer for as long as they use it, the bus publishes a new one for every change.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/model/balance.h"
#include "cluster/model/slot_set.h"
#include "cluster/model/types.h"
#include "src/base/ids.h"
#include "src/base/time.h"

namespace hearth::cluster {

using NodeIndex = std::uint16_t;
inline constexpr NodeIndex kNoNode = 0xffff;

struct NodeView {
  NodeId id;
  Address address;
  std::string hostname;     // empty: none announced
  std::string human_name;   // empty: none announced
  std::string client_ipv4;  // address told to clients in place of address.ip; empty: none
  std::string client_ipv6;
  NodeId shard_id;
  NodeFlags flags = 0;
  NodeId replica_of;  // null: a primary
  Epoch config_epoch = 0;
  UnixMillis ping_sent;      // 0: no ping is waiting for its answer
  UnixMillis pong_received;  // 0: never
  std::uint64_t replication_offset = 0;
  bool link_connected = false;
  SlotSet slots;
  int slot_count = 0;
  std::optional<BalanceNews> balance;  // as it told lately; mine: as I tell

  [[nodiscard]] bool has(NodeFlags flag) const { return (flags & flag) != 0; }
  [[nodiscard]] bool is_primary() const { return has(node_flag::kPrimary); }
  [[nodiscard]] bool is_replica() const { return has(node_flag::kReplica); }
};

// A slot on its way to, or from, the node at `peer`.
struct SlotInMotion {
  Slot slot = 0;
  NodeIndex peer = kNoNode;
};

// The harm that DEBUG may do to received messages.
struct BusDisturbance {
  static constexpr int kNothing = -1;
  static constexpr int kEverything = -2;
  int dropped_type = kNothing;  // number of a message type, or one of the above
  bool close_on_drop = false;   // a dropped message takes its link with it
};
enum class LinkSide : std::uint8_t { kTo, kFrom, kBoth };

// How far a node is with forming a cluster by itself out of `cluster-seeds`; see cluster/README.md,
// "Forming a cluster". Part of what nodes.conf keeps.
struct FormationState {
  enum class Phase : std::uint8_t {
    kOff,       // an administrator, or an existing cluster, decides about slots
    kPending,   // fresh: waits for its peers
    kPromised,  // bound to the plan (round, members) until it is decided or known to be dead
    kDone,      // claimed its share under the plan
  };
  Phase phase = Phase::kOff;
  std::uint64_t round = 0;        // of the plan; 0: none yet
  Epoch epoch = 0;                // kPromised: own epoch when promising; kDone: base of the plan
  std::vector<NodeId> members{};  // of the plan, ascending
  std::size_t primaries = 0;      // the first so many of them divide the slots; 0: all

  friend bool operator==(const FormationState&, const FormationState&) = default;
};

// One line of CLUSTER LINKS.
struct LinkInfo {
  bool outgoing = false;
  NodeId node;
  UnixMillis created;
  std::size_t send_buffer_bytes = 0;  // not sent yet
};

// Counts per message type; the index is the type number on the bus.
inline constexpr std::size_t kMessageTypes = 11;
struct BusStats {
  std::array<std::uint64_t, kMessageTypes> sent{};
  std::array<std::uint64_t, kMessageTypes> received{};
  std::uint64_t links_over_buffer_limit = 0;
};

// The parameters that decide what a client is told. They may change at run time, with the view.
struct RedirectSettings {
  EndpointType endpoint_type = EndpointType::kIp;  // cluster-preferred-endpoint-type
  bool reads_when_down = false;                    // cluster-allow-reads-when-down
  bool shard_pubsub_when_down = true;              // cluster-allow-pubsubshard-when-down
};

// cluster-require-full-coverage is not among the settings here: it decides `state` in the bus.
struct View {
  std::vector<NodeView> nodes;  // handshake nodes included; at most 0xfffe
  NodeIndex myself = kNoNode;
  ClusterState state = ClusterState::kFail;
  bool draining = false;      // an administrator wants this node to give all its slots away
  std::string recovery_hint;  // empty, or the way out of a lost majority: CLUSTER RECOVER
  bool awaits_heir = false;   // I am a primary without data whose replicas are to take its place
  Epoch current_epoch = 0;
  Epoch last_vote_epoch = 0;
  int size = 0;                         // primaries that own at least one slot
  std::vector<SlotInMotion> migrating;  // ascending by slot; peer is the target
  std::vector<SlotInMotion> importing;  // ascending by slot; peer is the source
  FormationState formation;
  RedirectSettings settings;
  BusStats stats;

  // Derived by index().
  std::array<NodeIndex, kSlotCount> owner;  // kNoNode: nobody
  std::bitset<kSlotCount> served;           // mine, cluster ok, neither migrating nor importing
  int assigned = 0;                         // slots with an owner

  View() { owner.fill(kNoNode); }
  // Computes the derived fields from the others; call it once, last. O(slots + nodes).
  void index();

  // The fast yes of the hot path: a command whose keys are all in `slot` runs here, whatever the
  // session is. False means: ask redirect().
  [[nodiscard]] bool serves(Slot slot) const noexcept { return served[slot]; }

  [[nodiscard]] const NodeView& me() const { return nodes[myself]; }
  [[nodiscard]] const NodeView* owner_of(Slot slot) const {
    return owner[slot] == kNoNode ? nullptr : &nodes[owner[slot]];
  }
  // O(nodes).
  [[nodiscard]] NodeIndex find(const NodeId& id) const;
  // The other end of a slot in motion; kNoNode when it does not move. O(log slots in motion).
  [[nodiscard]] NodeIndex migrating_to(Slot slot) const;
  [[nodiscard]] NodeIndex importing_from(Slot slot) const;
  [[nodiscard]] bool in_motion(Slot slot) const {
    return migrating_to(slot) != kNoNode || importing_from(slot) != kNoNode;
  }
};

using ViewPtr = std::shared_ptr<const View>;

}  // namespace hearth::cluster

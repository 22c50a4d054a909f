// The requests of an administrator: one type for each CLUSTER subcommand that changes something.
// Nodes are named by the text the client sent, because the answers quote it.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "cluster/model/balance.h"
#include "cluster/model/slot_set.h"
#include "src/base/ids.h"

namespace hearth::cluster {

// A slot that moves the classic way: to the node, or from it.
struct OpenSlot {
  Slot slot = 0;
  NodeId node;
  bool imports = false;
};

namespace admin {
// How far a SETSLOT goes. A primary asks first, tells its replicas next and does it last, so that
// the replica that takes its place knows of the move.
enum class SlotOrder : std::uint8_t {
  kAsk,     // the answer alone
  kDo,      // a primary, for a client
  kFollow,  // a replica, for its primary
};
struct AddSlots {
  std::vector<Slot> slots;
};
struct DelSlots {
  std::vector<Slot> slots;
};
struct FlushSlots {
  bool has_keys = false;  // the data set is not empty
};
struct SetSlotMigrating {
  Slot slot = 0;
  std::string node;
  SlotOrder order = SlotOrder::kDo;
};
struct SetSlotImporting {
  Slot slot = 0;
  std::string node;
  SlotOrder order = SlotOrder::kDo;
};
struct SetSlotStable {
  Slot slot = 0;
  SlotOrder order = SlotOrder::kDo;
};
// A replica learns the new owner from that one's heartbeats, as everybody does.
struct SetSlotNode {
  Slot slot = 0;
  std::string node;
  bool has_keys = false;  // the slot holds keys here
  SlotOrder order = SlotOrder::kDo;
};
// A replica's: all open slots of its primary, as they came with the data set.
struct AdoptOpenSlots {
  std::vector<OpenSlot> slots;
};
struct Meet {
  std::string ip;
  std::uint16_t port = 0;
  std::uint16_t cport = 0;
};
struct Forget {
  std::string node;
};
struct BumpEpoch {};
struct SetConfigEpoch {
  std::int64_t epoch = 0;
};
struct SaveConfig {};
struct Reset {
  bool hard = false;
  bool has_keys = false;
};
struct Replicate {
  std::string node;
  bool has_keys = false;  // the data set is not empty
};
struct ReplicateNoOne {};
struct Failover {
  enum class Mode : std::uint8_t {
    kAgreed,    // the primary holds its writes until this replica has them all
    kForce,     // without the primary
    kTakeover,  // without votes
  };
  Mode mode = Mode::kAgreed;
};
struct HandOver {};  // to the replica with the most data
// Slots are moved as a whole in three steps, see cluster/README.md, "Moving slots". The source
// reserves an epoch above all that it knows (answered as a number); the target takes the slots with
// it, unless somebody has a later one ("STALE ..."). A source that can't learn whether the target
// did makes that epoch worthless by a later one of its own.
struct ReserveEpoch {};
struct TakeSlots {
  SlotSet slots;
  std::string source;
  Epoch epoch = 0;
};
struct Outbid {
  Epoch epoch = 0;
};
// This node gives its slots away and takes none, or does so no more. Survives a restart.
struct Drain {
  bool on = false;
};
// The news of this node's balance for the others. No administrator says this: SlotBalancer does.
struct TellBalance {
  BalanceNews news;
};
// The majority is lost for good: replicas here take the places of lost primaries. `count` and
// `nodes`: the loss as the administrator knows it, by number or by names.
struct Recover {
  std::int64_t count = 0;          // without names
  std::vector<std::string> nodes;  // all of the lost primaries
};
struct CountFailureReports {
  std::string node;
};
}  // namespace admin

using AdminRequest =
    std::variant<admin::AddSlots, admin::DelSlots, admin::FlushSlots, admin::SetSlotMigrating,
                 admin::SetSlotImporting, admin::SetSlotStable, admin::SetSlotNode,
                 admin::AdoptOpenSlots, admin::Meet, admin::Forget, admin::BumpEpoch,
                 admin::SetConfigEpoch, admin::SaveConfig, admin::Reset, admin::Replicate,
                 admin::ReplicateNoOne, admin::Failover, admin::HandOver, admin::ReserveEpoch,
                 admin::TakeSlots, admin::Outbid, admin::Drain, admin::TellBalance, admin::Recover,
                 admin::CountFailureReports>;

struct AdminReply {
  enum class Kind : std::uint8_t { kOk, kStatus, kInteger, kError };
  Kind kind = Kind::kOk;
  std::string text{};        // kStatus: "BUMPED 5"; kError: the whole text, "ERR ..."
  std::int64_t integer = 0;  // kInteger

  [[nodiscard]] bool is_error() const { return kind == Kind::kError; }
};

}  // namespace hearth::cluster

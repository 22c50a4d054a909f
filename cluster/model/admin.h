// The requests of an administrator: one type for each CLUSTER subcommand that changes something.
// Nodes are named by the text the client sent, because the answers quote it.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "src/base/ids.h"

namespace hearth::cluster {

namespace admin {
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
};
struct SetSlotImporting {
  Slot slot = 0;
  std::string node;
};
struct SetSlotStable {
  Slot slot = 0;
};
struct SetSlotNode {
  Slot slot = 0;
  std::string node;
  bool has_keys = false;  // the slot holds keys here
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
struct CountFailureReports {
  std::string node;
};
}  // namespace admin

using AdminRequest =
    std::variant<admin::AddSlots, admin::DelSlots, admin::FlushSlots, admin::SetSlotMigrating,
                 admin::SetSlotImporting, admin::SetSlotStable, admin::SetSlotNode, admin::Meet,
                 admin::Forget, admin::BumpEpoch, admin::SetConfigEpoch, admin::SaveConfig,
                 admin::Reset, admin::CountFailureReports>;

struct AdminReply {
  enum class Kind : std::uint8_t { kOk, kStatus, kInteger, kError };
  Kind kind = Kind::kOk;
  std::string text{};        // kStatus: "BUMPED 5"; kError: the whole text, "ERR ..."
  std::int64_t integer = 0;  // kInteger

  [[nodiscard]] bool is_error() const { return kind == Kind::kError; }
};

}  // namespace hearth::cluster

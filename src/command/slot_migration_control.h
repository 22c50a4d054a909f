// SlotMigrationControl: moves of whole slots between nodes, as commands see them. Implemented by
// the composition root; how a move goes: cluster/README.md, "Moving slots".
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/model/slot_set.h"
#include "src/base/time.h"
#include "src/command/outcome.h"

namespace hearth {

struct Session;

// A move in which this node takes part, or took.
struct SlotMove {
  std::string name;  // 40 hexadecimal digits, the same at both ends
  bool is_import = false;
  cluster::SlotSet slots;
  std::string source, target;                 // ids
  UnixMillis created, updated, heard, ended;  // ended 0: it goes on
  std::string_view state;
  std::string message;
  milliseconds paused{0};  // writes waited for so long; the source's
  bool failed = false;

  [[nodiscard]] bool is_over() const { return ended.ms != 0; }
};

class SlotMigrationControl {
 public:
  virtual ~SlotMigrationControl() = default;

  struct Order {
    cluster::SlotSet slots;
    std::string target;  // id
  };
  // Begins one move for each order, or none.
  [[nodiscard]] virtual Outcome migrate(std::vector<Order> orders) = 0;
  // Asks the owner of the slots to move them here; the name of the move.
  [[nodiscard]] virtual Result<std::string, ReplyError> import(const cluster::SlotSet& slots) = 0;
  // Those that go on and those that ended lately, in the order of their beginning.
  virtual void for_each(const std::function<void(const SlotMove&)>& fn) const = 0;
  enum class Which : std::uint8_t { kExports, kAll };
  // Ends moves that are not handed over yet: the one of that name, or with "" all. Returns how
  // many.
  virtual std::size_t cancel(Which which, std::string_view name) = 0;
  // Some of the slots are part of a move that goes on.
  [[nodiscard]] virtual bool is_moving(const cluster::SlotSet& slots) const = 0;
  // The state of evening slots out, as a text for people: CLUSTER DRAIN STATUS.
  [[nodiscard]] virtual std::string balance_state() const = 0;

  // --- what nodes say to each other, by CLUSTER SYNCSLOTS
  // The session is the source's link from now on.
  [[nodiscard]] virtual Outcome establish(Session& session, std::string_view name,
                                          std::string_view source,
                                          const cluster::SlotSet& slots) = 0;
  // The next chunk of its stream; and the order to take the slots. Both answer later.
  [[nodiscard]] virtual Outcome data(Session& session, std::string_view chunk) = 0;
  [[nodiscard]] virtual Outcome commit(Session& session, std::uint64_t epoch) = 0;
  // OK if this node has taken the slots of that move, the error NOTTAKEN if it has not and never
  // will.
  [[nodiscard]] virtual Outcome query(std::string_view name, const cluster::SlotSet& slots) = 0;
  // A target asks this node, the source.
  [[nodiscard]] virtual Outcome request(std::string_view name, const std::string& target,
                                        const cluster::SlotSet& slots) = 0;
};

}  // namespace hearth

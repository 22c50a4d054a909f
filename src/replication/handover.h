// Handover: FAILOVER of a primary, as a state machine. Its writes are held until a replica has all
// of them; then this server follows that replica, whose PSYNC it asks to become the primary.
//
//   state          ends by
//   kNone          an order
//   kWaiting       the replica has confirmed everything; the time-out, or an abort. With FORCE the
//                  time-out hands over all the same
//   kHandingOver   the replica's answer; an abort. A replica that can't be reached is asked again
//
// Writes are held from the order until the end, whatever it is.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "src/base/time.h"

namespace hearth::replication {

class Handover {
 public:
  enum class State : std::uint8_t { kNone, kWaiting, kHandingOver };

  struct Order {
    std::string host;  // of the replica; empty: whichever has everything first
    std::uint16_t port = 0;
    bool force = false;
    milliseconds timeout{0};  // 0: none
  };
  struct Candidate {
    std::string host;
    std::uint16_t port = 0;
    std::uint64_t confirmed = 0;
  };

  // --- what is to be done, in this order ---
  struct HoldWrites {
    bool on = false;
  };
  struct AskForAcks {};
  struct Follow {  // and ask it to take over
    std::string host;
    std::uint16_t port = 0;
  };
  struct Lead {};  // nobody took over
  struct Note {
    std::string text;
  };
  using Action = std::variant<HoldWrites, AskForAcks, Follow, Lead, Note>;
  using Actions = std::vector<Action>;

  [[nodiscard]] Actions begin(MonoTime now, Order order);
  // False: nothing is under way. The actions follow from take().
  [[nodiscard]] bool abort();
  // How far this server's stream and its online replicas are; each tick and turn.
  [[nodiscard]] Actions look(MonoTime now, std::uint64_t offset,
                             std::span<const Candidate> replicas);
  // The replica's answer to PSYNC.
  [[nodiscard]] Actions answered(bool accepted);
  [[nodiscard]] Actions take() { return std::exchange(actions_, {}); }

  [[nodiscard]] State state() const { return state_; }

 private:
  void hand_over(const std::string& host, std::uint16_t port);
  void end(std::string why);

  State state_ = State::kNone;
  Order order_;
  MonoTime deadline_{};  // 0: none
  Actions actions_;
};

}  // namespace hearth::replication

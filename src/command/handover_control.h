// HandoverControl: FAILOVER, by which a primary's place goes to one of its replicas. Implemented by
// the composition root.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "src/base/time.h"
#include "src/command/outcome.h"

namespace hearth {

class HandoverControl {
 public:
  virtual ~HandoverControl() = default;
  struct Order {
    std::string host;  // of the replica; empty: whichever has everything first
    std::uint16_t port = 0;
    bool force = false;
    milliseconds timeout{0};  // 0: none
  };
  // Begins; how it goes on, INFO tells. Errors: as for the client.
  [[nodiscard]] virtual Outcome begin(const Order& order) = 0;
  // False if none is under way.
  [[nodiscard]] virtual bool abort() = 0;
  // For INFO: "no-failover", "waiting-for-sync", "failover-in-progress".
  [[nodiscard]] virtual std::string_view state() const = 0;
};

}  // namespace hearth

// How often a load lost what it wrote, and whether it is worth another pass.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "src/base/ids.h"
#include "tools/client/endpoint.h"

namespace hearth::warm {

// A slot that moves while rows arrive is loaded again, and a reshard of a whole cluster moves each
// slot once, over many passes. A slot or a node that loses its keys again and again is another
// matter: the load would never end. So the bound is per slot and per node, not per pass.
class LossHistory {
 public:
  static constexpr std::uint8_t kTimesMax = 3;

  // Notes one pass. True: all that was lost may be loaded again. Linear in the slots.
  bool note(std::span<const client::Endpoint> restarted, const std::bitset<kSlotCount>& lost) {
    bool may = true;
    for (const client::Endpoint& node : restarted) may = ++nodes_[node.str()] <= kTimesMax && may;
    for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
      if (lost.test(slot)) may = ++slots_[slot] <= kTimesMax && may;
    }
    return may;
  }

 private:
  std::array<std::uint8_t, kSlotCount> slots_{};
  std::map<std::string, std::uint8_t> nodes_;
};

}  // namespace hearth::warm

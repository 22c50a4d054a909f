// WarmGateControl: how far this node is filled from its database, and whether it waits for that
// before it serves (warm-gate). Implemented by the engine; the policy is WarmReadiness.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "src/base/time.h"

namespace hearth {

enum class WarmState : std::uint8_t {
  kCold,     // nobody has begun to load
  kWarming,  // a loader has told of its progress
  kReady,    // of the node: it serves; of a mapping: all its rows are there
};

[[nodiscard]] constexpr std::string_view warm_state_name(WarmState state) {
  constexpr std::string_view kNames[] = {"cold", "warming", "ready"};
  return kNames[static_cast<std::size_t>(state)];
}

// The state of one mapping, as its loader has told it.
struct WarmMapping {
  std::string name;
  WarmState state = WarmState::kCold;
  std::uint64_t done = 0;              // rows
  std::optional<std::uint64_t> total;  // an estimate; nothing: not known
};

struct WarmGateStatus {
  WarmState state = WarmState::kReady;
  std::string_view gate;        // off, closed, open
  std::string_view opened_by;   // why the node is ready; empty: it is not
  double fraction = 1;          // of the rows, as far as loaders have told
  std::optional<seconds> left;  // until it opens by itself; nothing: it is open
  std::string_view loader;      // of the server's own loader: off, running, waiting, done, failed
  std::uint64_t loader_runs = 0;
  std::span<const WarmMapping> mappings;  // valid until the next report
};

class WarmGateControl {
 public:
  static constexpr std::size_t kMappingsMost = 256;
  static constexpr std::size_t kNameBytesMost = 128;

  virtual ~WarmGateControl() = default;
  // Clients hear LOADING.
  [[nodiscard]] virtual bool is_closed() const = 0;
  // A loader tells how far it is. False: too many mappings.
  [[nodiscard]] virtual bool report(std::string_view name, std::uint64_t done,
                                    std::optional<std::uint64_t> total) = 0;
  // All rows of the mapping are there; of all mappings. False: too many mappings.
  [[nodiscard]] virtual bool finish(std::string_view name) = 0;
  virtual void finish_all() = 0;
  // An operator says that the node serves with what it has. False: it does already.
  [[nodiscard]] virtual bool open_by_hand() = 0;
  // The log that is replayed, or the primary, says whether the data is complete.
  virtual void hear(bool is_ready) = 0;
  [[nodiscard]] virtual WarmGateStatus status() const = 0;
};

inline constexpr std::string_view kNodeNotWarm =
    "this node is not warm yet (warm-gate); WARM OPEN makes it serve";

}  // namespace hearth

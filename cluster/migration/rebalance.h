// Rebalancer: which slots a primary gives to whom, so that slots or load become even and a drained
// node empty. A pure state machine: the view and the time go in, at most one order to move slots
// comes out. No socket, no data, no clock.
//
// There is no leader. Every primary looks at the same facts (the view, and the news that primaries
// tell each other) and finds the same pair, the one that should give next and the one that should
// take; only the one that should give acts, and only about its own slots. Moves come one after the
// other for the cluster as a whole:
//
//   - who moves says so in its news, and nobody begins a move meanwhile
//   - the pair must have stayed the same for kSettlePeriods periods of the news, plus some
//     milliseconds drawn at random, with the cluster ok and no primary in doubt
//
// Views that differ for longer than that can make two nodes act at once. Then two moves run, each
// of which is as safe as one that an administrator orders.
//
// Why it ends: a move takes no more than half of the difference between the two, and only where
// the difference is above the band. So the sum of the squares falls with every move.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/model/view.h"
#include "src/base/random.h"
#include "src/base/time.h"

namespace hearth::cluster::migration {

inline constexpr int kSettlePeriods = 3;
// A new node without slots may be meant to be a replica: it takes slots after this time only.
inline constexpr milliseconds kNewcomerPatience{15'000};
// CPU time is a mean over some seconds: after a move it needs that long to show.
inline constexpr milliseconds kLoadSettle{30'000};
// Slots count as even when the greatest and the smallest number differ by no more than this part of
// the mean, or by two.
inline constexpr int kSlotBandPercent = 2;
// Load, by the same measure, and what is too small to care for.
inline constexpr int kLoadBandPercent = 20;
inline constexpr std::uint64_t kKeysBandMin = 1000;
inline constexpr std::uint64_t kCpuBandMin = 20'000;  // microseconds a second
// The size of a move.
inline constexpr int kSlotsPerMove = 256;
inline constexpr std::uint64_t kKeysPerMove = 1'000'000;
// For how long a target is left alone after a move to it failed: doubled each time, up to the most.
inline constexpr milliseconds kRefusedFor{30'000};
inline constexpr milliseconds kRefusedMost{600'000};
// For how long no slots are looked for after none was small enough.
inline constexpr milliseconds kNothingFitsFor{30'000};

// A slot of this node.
struct SlotLoad {
  Slot slot = 0;
  std::uint64_t keys = 0;
  std::uint64_t cpu_us = 0;  // per second
};

struct SlotOrder {
  SlotSet slots;
  NodeId target;
};

class Rebalancer {
 public:
  explicit Rebalancer(std::uint64_t seed) : rng_(seed) {}

  struct Situation {
    const View& view;
    BalanceMode mode = BalanceMode::kOff;
    bool moving = false;          // a move from or to this node is under way
    std::optional<bool> ended{};  // the last order: it was done, or failed
    bool counts_cpu = false;      // CPU time is known
    std::uint64_t keys = 0;       // of all slots of this node
    std::uint64_t cpu_us = 0;
    // All slots of this node, ascending. Asked for only when some of them are to be chosen.
    std::function<std::vector<SlotLoad>()> slots{};
  };
  // Once a period of the news. O(nodes), and O(slots log slots) when slots are chosen.
  [[nodiscard]] std::optional<SlotOrder> step(const Situation& in, MonoTime now);

  // The news for the other primaries, as of the last step.
  [[nodiscard]] const BalanceNews& news() const { return news_; }
  // For people: what it does, or waits for.
  [[nodiscard]] const std::string& state() const { return state_; }

 private:
  // A primary, as far as slots may go from or to it.
  struct Member {
    const NodeView* node = nullptr;
    const BalanceNews* news = nullptr;  // null: it told none
    bool is_me = false;
    bool healthy = false;
    std::uint64_t measure = 0;
  };
  struct Pair {
    const Member* source = nullptr;
    const Member* target = nullptr;  // null: none that the source may give to
    std::uint64_t most = 0;          // to move, in units of the measure
    enum class By : std::uint8_t { kSlots, kKeys, kCpu } by = By::kSlots;
  };
  struct Refusal {
    MonoTime until{};
    milliseconds length{0};
  };

  void learn_end(const Situation& in);
  void refresh_news(const Situation& in);
  [[nodiscard]] std::vector<Member> primaries(const Situation& in) const;
  [[nodiscard]] std::optional<Pair> drain_pair(std::vector<Member>& all) const;
  [[nodiscard]] std::optional<Pair> even_pair(const Situation& in, std::vector<Member>& all) const;
  [[nodiscard]] bool is_refused(const Member& member) const;
  // Why no move may begin now; empty: one may.
  [[nodiscard]] std::string unrest(const Situation& in, const std::vector<Member>& all) const;
  // Since when all of this has been as it is.
  void watch(const Situation& in, const std::vector<Member>& all, const std::optional<Pair>& pair);
  [[nodiscard]] SlotSet choose(const Situation& in, const Pair& pair) const;

  Rng rng_;
  MonoTime now_{};
  BalanceNews news_;
  std::string state_ = "off";
  std::uint64_t seen_ = 0;  // digest of the facts of the last step
  MonoTime seen_since_{};
  MonoTime nothing_fits_until_{};  // the choice of slots is not tried before
  milliseconds jitter_{0};
  std::optional<MonoTime> empty_since_;  // without slots in a cluster that is ok
  std::optional<NodeId> ordered_;        // the target of the order that is under way
  std::map<NodeId, Refusal> refused_;    // targets that are left alone
};

}  // namespace hearth::cluster::migration

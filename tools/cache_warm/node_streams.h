// Whether the nodes of the cache still have what they acknowledged. Pure.
//
// A primary acknowledges a write before its replicas have it: after a failover the write may be
// gone, and nobody tells the client. INFO shows it. Every primary numbers the bytes that it sends
// to replicas, in a stream with a name; a promoted replica gives the stream a new name and
// remembers the old one with the offset up to which it had followed it, and so does a server that
// starts from a snapshot. So:
//
//   anchor   (stream, offset) of a primary, taken when writes were acknowledged: the writes are in
//            the stream before that offset
//   judge    an owner of slots whose stream is the anchor's, or that had followed it up to the
//            anchor's offset, has those writes; any other may have lost them
//   gate     an anchor counts only when the primary's replicas have it too; what is confirmed after
//            that outlives the primary
//
// Slots that move between nodes are no loss: the node that gave them away is still there, with its
// stream. A node that took over other slots than the anchor was of is not taken for its heir.
#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/ids.h"
#include "src/base/result.h"
#include "src/base/time.h"
#include "tools/client/endpoint.h"

namespace hearth::warm {

// The stream of one node, as INFO tells it.
struct NodeStream {
  std::string run_id{};            // of the process
  std::string name{};              // empty: the node does not tell
  std::string former_name{};       // empty: there is none
  std::uint64_t former_until = 0;  // the first offset that the former name does not cover
  std::uint64_t offset = 0;        // bytes so far
  bool is_primary = false;
  // The offset that all online replicas have; nothing: there are none.
  std::optional<std::uint64_t> replicated{};
};

// A node that owns slots now.
struct SlotOwner {
  client::Endpoint endpoint{};
  NodeStream stream{};
  std::uint64_t slots = 0;  // slots_fingerprint of those that it owns
};

struct Anchor {
  client::Endpoint endpoint{};
  std::string run_id{};
  std::string name{};
  std::uint64_t offset = 0;
  std::uint64_t slots = 0;
  friend bool operator==(const Anchor&, const Anchor&) = default;
};

// The same for the same slots, also in another process.
[[nodiscard]] std::uint64_t slots_fingerprint(const std::bitset<kSlotCount>& slots);

[[nodiscard]] std::vector<Anchor> anchors_of(std::span<const SlotOwner> owners);

// One line for each, and back. Errors: kCorrupt; more than 16384 lines are.
[[nodiscard]] std::string anchors_text(std::span<const Anchor> anchors);
Result<std::vector<Anchor>> parse_anchors(std::string_view text);

enum class StreamFate : std::uint8_t {
  kSame,       // every owner goes on with its stream
  kInherited,  // another process owns the slots, and has all before the anchor; what came later
               // may be gone
  kLost,       // what was before an anchor may be gone
};

struct Verdict {
  StreamFate fate = StreamFate::kSame;    // the worst of all anchors
  std::string what{};                     // that happened, for people
  std::vector<std::size_t> changed{};     // anchors that are not kSame
  std::vector<client::Endpoint> heirs{};  // owners now of their slots, as far as they are known
  // kSame and kInherited: the anchors, in the names that the streams have now.
  std::vector<Anchor> anchors{};
};

// `others`: nodes that own nothing any more and answered. O(anchors * nodes).
[[nodiscard]] Verdict judge(std::span<const Anchor> anchors, std::span<const SlotOwner> owners,
                            std::span<const NodeStream> others);

// Holds back what was acknowledged until replicas have it. One wait at a time, because a further
// one would end hardly earlier: replicas report once a second.
class ReplicaGate {
 public:
  // A replica that does not answer is listed by its primary until it is given up (a minute, as
  // servers come); nobody waits longer than that for it.
  static constexpr microseconds kPatience{60'000'000};

  void wait_for(std::vector<Anchor> anchors, MonoTime now) {
    anchors_ = std::move(anchors);
    begun_ = now;
    is_waiting_ = true;
  }
  [[nodiscard]] bool is_waiting() const { return is_waiting_; }
  // The owners were looked at: whether all replicas have everything before the anchors. True ends
  // the wait. Only after judge() said kSame for the anchors.
  bool passes(std::span<const SlotOwner> owners, MonoTime now);
  // The anchors of the last wait.
  [[nodiscard]] const std::vector<Anchor>& anchors() const { return anchors_; }

 private:
  std::vector<Anchor> anchors_;
  MonoTime begun_{};
  bool is_waiting_ = false;
};

}  // namespace hearth::warm

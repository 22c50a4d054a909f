// Sends operations to the nodes that own their slots, and again where that did not work.
//
// The idea: an operation is in exactly one place, and no place loses it.
//
//   submit -> open batch of a lane -> waiting batches -> a link's unanswered batches -> done
//                    ^                                        |  MOVED, ASK: at once, elsewhere
//                    |                                        |  TRYAGAIN, OOM...: after a pause
//                    +------------- held operations <---------+  connection lost: all unanswered
//
// A lane is a link of a node with what waits for it; a slot always takes the same lane. Answers
// come in order on each link, so what was acknowledged is a prefix, and only the rest is sent
// again. Pauses grow (20 ms, doubled, at most 1 s); a node that can't be reached is behind a
// breaker, and one connection probes whether it is back. What does not work for `retry_for` fails
// the whole client with the last reason, because a row that is silently dropped is worse.
//
// Operations of one slot keep their order, also when they are tried again. All that is on its way
// of a slot goes to one node; what is submitted while that is not the owner any more is held. While
// an operation is held, the slot is fenced: later ones that are already on their way are held too
// when their answers come, good ones as well, and new ones at once; earlier ones are done as usual.
// When nothing of the slot is on its way any more, all are sent again in the order of submission.
// So the last value of a key is the one that was submitted last.
//
// A control link of its own asks for the slot map (CLUSTER SHARDS, else CLUSTER SLOTS): at the
// start, after a redirection, and while a node cannot be reached. A server without cluster
// support becomes the one node that owns every slot.
//
// Pure: time is an argument and sockets are a port. Not thread-safe. Memory: the window of each
// node, plus one held copy of what is being tried again.
#pragma once

#include <array>
#include <bitset>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "src/base/random.h"
#include "src/base/result.h"
#include "tools/client/breaker.h"
#include "tools/client/link.h"
#include "tools/client/operation.h"
#include "tools/client/topology.h"
#include "tools/client/transport.h"

namespace hearth::client {

struct DispatcherOptions {
  std::vector<Endpoint> seeds{};  // at least one, each tried in turn
  std::string username{};         // AUTH is sent when there is a password
  std::string password{};
  DbIndex db = 0;             // SELECT is sent when it is not 0
  std::string client_name{};  // CLIENT SETNAME is sent when it is not empty
  bool is_loader = false;     // WARM LOADER is sent: a server that waits for its rows takes them
  int links_per_node = 1;
  std::size_t batch_ops = 512;             // operations of one batch, at most
  std::size_t batch_bytes = 48 * 1024;     // a batch that reached this is sent
  std::size_t window_bytes = 1024 * 1024;  // of each node: accepted and not yet answered
  milliseconds retry_for{30'000};
  milliseconds connect_timeout{2'000};
  milliseconds reply_timeout{10'000};  // a link on which nothing moves while it should is lost
  bool single = false;                 // the first seed is all: no slot map is asked for
  std::uint64_t random_seed = 1;       // spreads the pauses
};

struct DispatcherCounters {
  std::uint64_t retried = 0;       // operations sent again, for any reason
  std::uint64_t moved = 0;         // MOVED answers
  std::uint64_t asked = 0;         // ASK answers
  std::uint64_t postponed = 0;     // TRYAGAIN, CLUSTERDOWN, LOADING, OOM and the like
  std::uint64_t repeated = 0;      // answered operations sent again to keep the order of a slot
  std::uint64_t links_lost = 0;    // established connections that broke
  std::uint64_t map_updates = 0;   // slot maps received
  std::uint64_t bytes_queued = 0;  // of submitted operations

  void add(const DispatcherCounters& other);
};

class Dispatcher final : private LinkEvents {
 public:
  Dispatcher(DispatcherOptions options, Transport& transport, CompletionSink& sink);

  // Asks for the slot map although nothing has shown that it is old.
  void renew_map(MonoTime now);
  // Begins to look for the slot map. Nothing is sent to data nodes before it is known.
  void start(MonoTime now);

  [[nodiscard]] bool knows_slots() const { return has_map_; }
  [[nodiscard]] bool is_cluster() const { return is_cluster_; }
  // False while the window of the node that owns the slot is full.
  [[nodiscard]] bool has_room(Slot slot) const;
  // Takes the operation; call has_room first, it is the caller's back-pressure. Returns true when
  // a batch became full and left for its node, which is a good moment to look at the sockets.
  bool submit(const Operation& operation, MonoTime now);
  // Sends batches that are not full yet.
  void flush(MonoTime now);

  // Reports of the transport.
  void on_connected(LinkId link, MonoTime now);
  void on_bytes(LinkId link, std::string_view bytes, MonoTime now);
  void on_writable(LinkId link, MonoTime now);
  void on_lost(LinkId link, std::string_view reason, MonoTime now);

  // Timeouts, pauses that ended, reconnects. Call it at least every few milliseconds.
  void tick(MonoTime now);

  // Operations submitted and neither done nor refused.
  [[nodiscard]] std::uint64_t outstanding() const { return outstanding_; }
  // The thing that is waited for, since when, and the last answer; nothing while
  // all goes well. For people.
  struct Waiting {
    std::string what;
    milliseconds since{};
  };
  [[nodiscard]] std::optional<Waiting> waiting_for(MonoTime now) const;
  // Why nothing works any more; operations that are outstanding then are not confirmed.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  [[nodiscard]] const DispatcherCounters& counters() const { return counters_; }
  [[nodiscard]] std::vector<Endpoint> owners() const;  // nodes that own a slot
  // The nodes that hold all keys: owners, and failed primaries that nobody has replaced yet.
  [[nodiscard]] std::vector<Endpoint> holders() const;
  // The slots that these nodes own.
  [[nodiscard]] std::bitset<kSlotCount> slots_of(std::span<const Endpoint> nodes) const;

 private:
  static constexpr LinkId kControl = 0;
  static constexpr std::uint16_t kNobody = Topology::kNobody;

  struct Lane {
    LinkId link = 0;
    std::unique_ptr<Batch> open;
    std::deque<std::unique_ptr<Batch>> waiting;
  };
  struct Node {
    Endpoint endpoint;
    std::vector<Lane> lanes;
    std::size_t window_used = 0;         // bytes in open, waiting and unanswered batches
    std::optional<MonoTime> down_since;  // no link could be made since then
    Breaker breaker;                     // of connections to it
    std::string last_reason;
  };
  struct LinkHome {
    Link link;
    std::uint16_t node;  // kNobody for the control link
    std::uint16_t lane;  // of the node
  };
  enum class MapQuestion : std::uint8_t { kNone, kShards, kSlots };

  // LinkEvents
  void on_success(Batch& batch, std::size_t first, std::size_t count, RespValue* last) override;
  void on_error(LinkId link, Batch& batch, std::size_t index, std::string_view error) override;
  void on_batch_end(std::unique_ptr<Batch> batch) override;

  // Nodes and batches
  std::uint16_t node_for(const Endpoint& endpoint);
  Lane& lane_of(std::uint16_t node, Slot slot);
  Lane& append(std::uint16_t node, std::string_view bytes, const BatchedOp& op);
  [[nodiscard]] bool is_full(const Batch& batch) const;
  static void seal(Lane& lane);
  void pump(std::uint16_t index, Lane& lane);
  void settle_probe(Node& node);
  void open_links(std::uint16_t index);
  [[nodiscard]] bool has_ready_link(const Node& node) const;
  [[nodiscard]] std::unique_ptr<Batch> fresh_batch(std::uint16_t node);
  void node_unreachable(std::uint16_t index, std::string_view reason, bool was_useful);

  // Trying again
  void route(const HeldOp& held, std::uint16_t node);
  void send_asking(const HeldOp& held, std::uint16_t node);
  void postpone(HeldOp held, std::string_view reason);
  void retry_rest(const Batch& batch, std::string_view reason, bool counts_as_attempt);
  void take_back(Lane& lane);
  void take_back_strays();
  void keep(HeldOp held);
  [[nodiscard]] bool must_repeat(const BatchedOp& op) const;
  void land(Slot slot);
  void tell(const BatchedOp& op, RespValue* last);
  void finish_or_repeat(Batch& batch, std::size_t index, RespValue* last);
  void repeat_behind_fence(const Batch& batch, std::size_t index);
  void release_held();

  // The slot map (dispatcher_map.cc)
  [[nodiscard]] Greeting greeting() const;
  void want_map(milliseconds delay);
  void drive_control();
  void ask_for_map(MapQuestion question);
  void on_map_reply(const RespValue& reply);
  void on_map_error(std::string_view error);
  void adopt(const Topology& map);
  void control_failed(std::string_view reason);

  void link_lost(LinkId id, std::string_view reason);
  void fail_client(ErrorCode code, std::string context);
  [[nodiscard]] milliseconds pause(std::uint32_t failures);
  [[nodiscard]] std::uint16_t node_count() const {
    return static_cast<std::uint16_t>(nodes_.size());
  }

  DispatcherOptions options_;
  Transport& transport_;
  CompletionSink& sink_;
  Rng rng_;
  MonoTime now_{};

  bool has_map_ = false;
  bool is_cluster_ = false;
  std::vector<Endpoint> failed_;                   // as Topology::failed
  std::array<std::uint16_t, kSlotCount> owner_{};  // index into nodes_
  std::deque<Node> nodes_;
  std::deque<LinkHome> links_;  // by LinkId; [0] is the control link
  std::deque<HeldOp> held_;     // each until its time, those of a slot in their order
  MonoTime held_due_{};         // the earliest of them
  bool fence_opened_ = false;   // a fenced slot has nothing on its way any more
  std::size_t held_bytes_ = 0;
  std::uint64_t next_sequence_ = 0;
  std::array<std::uint16_t, kSlotCount> way_{};       // where what is on its way of a slot goes
  std::array<std::uint64_t, kSlotCount> fence_{};     // the first held operation of a fenced slot
  std::array<std::uint32_t, kSlotCount> on_way_{};    // operations in batches, by slot
  std::array<std::uint32_t, kSlotCount> fenced_{};    // held operations, by slot
  std::uint32_t pass_ = 0;                            // of release_held
  std::array<std::uint32_t, kSlotCount> released_{};  // the pass in which the slot was let go
  std::array<std::uint32_t, kSlotCount> blocked_{};   // the pass in which it was not
  std::vector<std::unique_ptr<Batch>> spare_;

  bool map_wanted_ = false;
  MapQuestion map_question_ = MapQuestion::kNone;
  MonoTime map_ask_at_{};  // while wanted
  MonoTime map_not_before_{};
  MonoTime started_{};
  std::size_t control_candidate_ = 0;  // counts through seeds and nodes
  std::uint32_t control_failures_ = 0;
  Endpoint control_endpoint_;
  std::string control_reason_ = "not tried";
  std::optional<Topology> new_map_;  // received, to be adopted when the stack is clear

  std::string last_reason_;  // of the last operation that was put off
  std::uint64_t outstanding_ = 0;
  std::optional<Error> failure_;
  DispatcherCounters counters_;
};

}  // namespace hearth::client

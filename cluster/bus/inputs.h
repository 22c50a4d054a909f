// Inputs: the events that the state machine of the bus hears of.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cluster/bus/settings.h"
#include "cluster/model/admin.h"
#include "cluster/model/message.h"
#include "src/base/time.h"

namespace hearth::cluster {

// A connection of the bus. Outgoing links are numbered by the machine (even), incoming ones by the
// driver (odd). 0 is none; a number is never used twice.
using LinkId = std::uint64_t;

// Where the data of this node stands.
struct DataState {
  std::uint64_t offset = 0;  // in the stream of effects; 0: a replica's data is of no stream
  bool is_empty = false;     // no key
  // Writes are acknowledged when replicas have them, whether the disk has them or not.
  bool owes_replicas = false;
  bool writes_held = false;  // no client's write runs, and none is under way
  bool link_up = false;      // a replica: its primary's stream arrives
  bool is_warming = false;   // too little of it to serve: the warm gate is closed
  // A replica: since it last heard from its primary. Nothing: its data is no primary's.
  std::optional<std::chrono::milliseconds> silence{};
};

struct Now {
  MonoTime mono;    // decides
  UnixMillis unix;  // is shown
  DataState data{};
};

namespace input {
struct Tick {};  // every kTickPeriod
struct LinkAccepted {
  LinkId link = 0;
  std::string peer_ip;
  std::string local_ip;
};
struct LinkConnected {  // answers action::OpenLink
  LinkId link = 0;
  std::string local_ip;
};
struct LinkClosed {  // failed to connect, or broke; not sent for links the machine closes
  LinkId link = 0;
  bool over_buffer_limit = false;  // the driver gave it up: too much was unsent
};
struct MessageReceived {
  LinkId link = 0;
  std::shared_ptr<const Message> message;
};
// A message came and was dropped on purpose (DEBUG): it counts as received, and that is all.
struct MessageDropped {
  MessageType type = MessageType::kPing;
};
// PUBLISH (to every node) or SPUBLISH (to the nodes of my shard).
struct Publish {
  std::string channel;
  std::string message;
  bool sharded = false;
};
struct SeedResolved {  // answers action::ResolveSeed; no address: the name is not known now
  std::size_t seed = 0;
  std::vector<std::string> ips;  // all that the name stands for; the first kSeedAddressesMax count
};
struct SettingsChanged {
  BusSettings settings;
};
struct Admin {
  AdminRequest request;
};
struct Persisted {  // answers action::Persist
  bool ok = true;
};
// While the data set is loaded the node takes part in the cluster, but does not serve.
struct Loading {
  bool loading = false;
};
// Now::data may have changed; fed at the end of loop turns while Machine::watches_data().
struct DataMoved {};
}  // namespace input

using Input = std::variant<input::Tick, input::LinkAccepted, input::LinkConnected,
                           input::LinkClosed, input::MessageReceived, input::MessageDropped,
                           input::Publish, input::SeedResolved, input::SettingsChanged,
                           input::Admin, input::Persisted, input::Loading, input::DataMoved>;

inline constexpr std::chrono::milliseconds kTickPeriod{100};

}  // namespace hearth::cluster

// The messages of the cluster bus as values. cluster/wire turns them into bytes and back.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "cluster/model/slot_set.h"
#include "cluster/model/types.h"
#include "src/base/ids.h"

namespace hearth::cluster {

enum class MessageType : std::uint16_t {
  kPing = 0,
  kPong = 1,
  kMeet = 2,
  kFail = 3,
  kPublish = 4,
  kAuthRequest = 5,
  kAuthAck = 6,
  kUpdate = 7,
  kMfStart = 8,
  kModule = 9,
  kPublishShard = 10,
};

// Bits of the first message flag byte.
namespace message_flag {
inline constexpr std::uint8_t kPaused = 1;    // the primary's writes are paused: manual failover
inline constexpr std::uint8_t kForceAck = 2;  // vote even though the primary is up
inline constexpr std::uint8_t kExtensions = 4;
}  // namespace message_flag

// The sender, as every full message tells of it. A replica sends its primary's slots and config
// epoch.
struct MessageHeader {
  NodeId sender;
  Epoch current_epoch = 0;
  Epoch config_epoch = 0;
  std::uint64_t replication_offset = 0;
  SlotSet slots;
  NodeId replica_of;         // null: the sender is a primary
  std::string announced_ip;  // empty: take the address the bytes came from
  std::uint16_t port = 0;
  std::uint16_t second_port = 0;  // the TLS port where `port` is plain, and the other way round
  std::uint16_t cport = 0;
  NodeFlags flags = 0;
  ClusterState state = ClusterState::kFail;
  std::uint8_t message_flags = 0;  // kExtensions is derived by the codec

  friend bool operator==(const MessageHeader&, const MessageHeader&) = default;
};

// A third node, as the sender knows it. Times are Unix seconds.
struct GossipEntry {
  NodeId id;
  std::uint32_t ping_sent = 0;
  std::uint32_t pong_received = 0;
  std::string ip;
  std::uint16_t port = 0;
  std::uint16_t second_port = 0;
  std::uint16_t cport = 0;
  NodeFlags flags = 0;

  friend bool operator==(const GossipEntry&, const GossipEntry&) = default;
};

struct ForgottenNode {
  NodeId id;
  std::uint64_t ttl_seconds = 0;

  friend bool operator==(const ForgottenNode&, const ForgottenNode&) = default;
};

// Empty texts and a null shard id are not sent.
struct Extensions {
  std::string hostname;
  std::string human_name;
  std::string client_ipv4;
  std::string client_ipv6;
  NodeId shard_id;
  std::vector<ForgottenNode> forgotten;

  friend bool operator==(const Extensions&, const Extensions&) = default;
};

struct PingBody {  // PING, PONG, MEET
  std::vector<GossipEntry> gossip;
  Extensions extensions;
  friend bool operator==(const PingBody&, const PingBody&) = default;
};
struct FailBody {
  NodeId failed;
  friend bool operator==(const FailBody&, const FailBody&) = default;
};
struct PublishBody {  // PUBLISH, PUBLISHSHARD
  std::string channel;
  std::string message;
  friend bool operator==(const PublishBody&, const PublishBody&) = default;
};
struct UpdateBody {
  NodeId node;
  Epoch config_epoch = 0;
  SlotSet slots;
  friend bool operator==(const UpdateBody&, const UpdateBody&) = default;
};
struct ModuleBody {
  std::uint64_t module_id = 0;
  std::uint8_t type = 0;
  std::string payload;
  friend bool operator==(const ModuleBody&, const ModuleBody&) = default;
};

struct Message {
  MessageType type = MessageType::kPing;
  // A light message has no header: the link says who sends. PUBLISH, PUBLISHSHARD, MODULE only.
  bool light = false;
  MessageHeader header;
  std::variant<std::monostate, PingBody, FailBody, PublishBody, UpdateBody, ModuleBody> body;

  friend bool operator==(const Message&, const Message&) = default;
};

}  // namespace hearth::cluster

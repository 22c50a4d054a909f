// Vocabulary of the cluster: node flags, limits, settings that shape what clients are told.
#pragma once

#include <cstdint>
#include <string>

#include "src/base/ids.h"

namespace hearth::cluster {

// Flags of a node, as bits of the 16-bit field that travels on the bus.
namespace node_flag {
inline constexpr std::uint16_t kPrimary = 1;
inline constexpr std::uint16_t kReplica = 2;
inline constexpr std::uint16_t kPfail = 4;
inline constexpr std::uint16_t kFail = 8;
inline constexpr std::uint16_t kMyself = 16;
inline constexpr std::uint16_t kHandshake = 32;
inline constexpr std::uint16_t kNoAddr = 64;
inline constexpr std::uint16_t kMeet = 128;
inline constexpr std::uint16_t kMigrateTo = 256;
inline constexpr std::uint16_t kNoFailover = 512;
inline constexpr std::uint16_t kExtensions = 1024;
inline constexpr std::uint16_t kLightPublish = 2048;
inline constexpr std::uint16_t kLightModule = 4096;
}  // namespace node_flag

using NodeFlags = std::uint16_t;

// No epoch above this is taken from a peer or a file, so that there is always a next one.
inline constexpr Epoch kEpochMax = Epoch{1} << 62;

enum class ClusterState : std::uint8_t { kOk, kFail };

// cluster-preferred-endpoint-type.
enum class EndpointType : std::uint8_t { kIp, kHostname, kUnknown };

// Where clients, and where peers, reach a node. Port 0 is "none".
struct Address {
  std::string ip;              // text; empty while unknown
  std::uint16_t port = 0;      // plain text clients
  std::uint16_t tls_port = 0;  // TLS clients
  std::uint16_t cport = 0;     // cluster bus

  friend bool operator==(const Address&, const Address&) = default;
};

// Longest texts that the bus carries.
inline constexpr std::size_t kIpTextMax = 45;
inline constexpr std::size_t kHostnameMax = 256;
inline constexpr std::size_t kHumanNameMax = 256;
// The bus port when cluster-port is 0: the client port plus this.
inline constexpr int kBusPortOffset = 10000;

}  // namespace hearth::cluster

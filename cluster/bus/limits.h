// The bounds on what strangers and peers can make a node keep or do. Whoever reaches the bus port
// can become a member of the cluster, so these protect the memory and the time of the process, not
// the cluster from its members.
#pragma once

#include <cstddef>

namespace hearth::cluster::limits {

// Nodes in the table, handshakes included. Must stay below kNoNode.
inline constexpr std::size_t kNodesMax = 8192;

// Handshakes under way: nodes that have not answered yet. They end by an answer or by a time-out,
// are never saved and never gossiped.
inline constexpr std::size_t kHandshakesMax = 1536;  // all of them; CLUSTER MEET and seeds too
inline constexpr std::size_t kStrangersMax = 512;    // begun by a MEET of an unknown node
inline constexpr std::size_t kHearsayMax = 512;      // known from gossip only
inline constexpr std::size_t kHearsayPerTeller = 128;

// Incoming links on which no member has identified itself. A new one closes the oldest.
inline constexpr std::size_t kUnknownLinksMax = 1024;
// The longest frame that is read from such a link.
inline constexpr std::size_t kUnknownFrameMax = std::size_t{128} << 10;
// Bytes that may wait for such a peer to read them.
inline constexpr std::size_t kUnknownUnsentMax = std::size_t{1} << 20;
// Heartbeats are not queued on a link of a member that has this much unsent: later ones say the
// same, and newer.
inline constexpr std::size_t kHeartbeatUnsentMax = std::size_t{4} << 20;

// Nodes told of in one heartbeat. A sender tells of a tenth of its nodes and of all it suspects.
inline constexpr std::size_t kGossipMax = kNodesMax;
// Forgotten nodes that are kept from coming back at a time.
inline constexpr std::size_t kBannedMax = 512;
// Peers of a self-formation that are remembered at a time.
inline constexpr std::size_t kFormingPeersMax = 2048;

// Messages that wait for the disk.
inline constexpr std::size_t kHeldMax = 4 * kFormingPeersMax;

// Links that one tick opens, beside an eighth of the nodes: the connects are spread.
inline constexpr std::size_t kOpensPerTick = 64;
// Lines of the log a second. What is left out is counted.
inline constexpr int kLogLinesPerSecond = 200;

}  // namespace hearth::cluster::limits

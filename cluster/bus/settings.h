// Settings of the bus, by an administrator. All of them may change while running.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "cluster/model/types.h"
#include "cluster/model/view.h"

namespace hearth::cluster {

// One entry of cluster-seeds.
struct Seed {
  std::string host;  // name or address text
  std::uint16_t port = 0;
  std::uint16_t cport = 0;

  friend bool operator==(const Seed&, const Seed&) = default;
};

struct BusSettings {
  std::chrono::milliseconds node_timeout{15000};  // cluster-node-timeout
  std::chrono::milliseconds ping_interval{1000};  // cluster-ping-interval; whole ticks of 100 ms
  bool require_full_coverage = true;              // cluster-require-full-coverage
  std::chrono::milliseconds forget_ban{60000};    // cluster-blacklist-ttl
  bool no_failover = false;                       // cluster-replica-no-failover
  int replica_validity_factor = 10;               // cluster-replica-validity-factor; 0: any age
  std::chrono::milliseconds repl_ping_period{10000};        // repl-ping-replica-period
  std::chrono::milliseconds manual_failover_timeout{5000};  // cluster-manual-failover-timeout
  bool allow_replica_migration = true;                      // cluster-allow-replica-migration
  int migration_barrier = 1;                                // cluster-migration-barrier
  // Announced to others. An empty ip is learned from the links; ports are the effective ones.
  Address announced;
  std::string hostname;     // cluster-announce-hostname
  std::string human_name;   // cluster-announce-human-nodename
  std::string client_ipv4;  // cluster-announce-client-ipv4
  std::string client_ipv6;  // cluster-announce-client-ipv6
  RedirectSettings redirect;
  // Self-formation. Used by a node that started without nodes.conf, until it belongs to a cluster.
  std::vector<Seed> seeds;  // cluster-seeds; at most kSeedsMax
  int expected_size = 0;    // cluster-expected-size; 0: join what the seeds know, claim nothing
  // cluster-replicas-per-shard: expected_size counts the primaries, and this many replicas of each
  // are there besides. Later, an empty primary becomes a replica where one is missing.
  int replicas_per_shard = 0;
};

inline constexpr std::size_t kSeedsMax = 64;
// A name that stands for many addresses (a service) is met at this many of them.
inline constexpr std::size_t kSeedAddressesMax = 16;

}  // namespace hearth::cluster

#include <arpa/inet.h>

#include <string>

#include "src/base/parse_number.h"
#include "src/config/choices.h"
#include "src/config/tables.h"

namespace hearth::config {
namespace {

using S = Settings;

void put_primary(Settings& s, const Value& value) {
  s.replicaof = {};
  if (value.items.size() == 2) {
    s.replicaof = {value.items[0], static_cast<std::uint16_t>(value.number)};
  }
}

constexpr Choice kDisklessLoad[] = {
    {"disabled"}, {"on-empty-db"}, {"swapdb"}, {"flush-before-load"}};

constexpr Parameter kReplication[] = {
    {"replicaof",
     "slaveof",
     {.kind = Kind::kPrimary},
     "",
     kImm,
     put_primary,
     "Address and port of the primary whose data this server copies. Empty: it is a primary."},
    {"primaryuser", "masteruser", text(), "", Flag::kSensitive, put<&S::primaryuser>,
     "User name for the primary."},
    {"primaryauth", "masterauth", text(), "", Flag::kSensitive, put<&S::primaryauth>,
     "Password for the primary."},
    {"replica-serve-stale-data", "slave-serve-stale-data", boolean(), "yes", Flag::kNone,
     put<&S::replica_serve_stale_data>,
     "Answer reads while the link to the primary is down; no answers with MASTERDOWN."},
    {"replica-read-only", "slave-read-only", boolean(), "yes", Flag::kNone,
     put<&S::replica_read_only>, "Refuse writes of clients on a replica."},
    {"replica-ignore-maxmemory", "slave-ignore-maxmemory", boolean(), "yes", Flag::kNone,
     put<&S::replica_ignore_maxmemory>, "Leave eviction to the primary."},
    {"replica-lazy-flush", "slave-lazy-flush", boolean(), "yes", Flag::kNone,
     put<&S::replica_lazy_flush>, "Drop the old data in the background before a full sync."},
    {"replica-ignore-disk-write-errors", "", boolean(), "no", Flag::kNone,
     put<&S::replica_ignore_disk_write_errors>,
     "Go on replicating when the replica cannot write to its disk."},
    {"replica-priority", "slave-priority", integer(0, kIntMax), "100", Flag::kNone,
     put<&S::replica_priority>, "Order in which replicas are promoted, lowest first. 0 never."},
    {"replica-announced", "", boolean(), "yes", Flag::kNone, put<&S::replica_announced>,
     "Let supervisors list this replica."},
    {"replica-announce-ip", "slave-announce-ip", text(), "", Flag::kNone,
     put<&S::replica_announce_ip>, "Address that the primary reports for this replica."},
    {"replica-announce-port", "slave-announce-port", integer(0, 65535), "0", Flag::kNone,
     put<&S::replica_announce_port>, "Port that the primary reports for this replica. 0: its own."},
    {"repl-diskless-sync", "", boolean(), "yes", Flag::kNone, put<&S::repl_diskless_sync>,
     "Send the snapshot of a full sync over the network without a file."},
    {"repl-diskless-sync-delay", "", integer(0, kIntMax), "5", Flag::kNone,
     put<&S::repl_diskless_sync_delay>,
     "Seconds to wait for more replicas before such a snapshot starts."},
    {"repl-diskless-sync-max-replicas", "", integer(0, kIntMax), "0", Flag::kNone,
     put<&S::repl_diskless_sync_max_replicas>,
     "Do not wait longer once this many replicas are there. 0 always waits."},
    {"repl-diskless-load", "", choice(kDisklessLoad), "disabled",
     Flag::kNotWhileLoading | Flag::kNoEffect, nullptr,
     "A replica always takes a full sync to a file first, so that its old data stays until the new "
     "is whole."},
    {"repl-disable-tcp-nodelay", "", boolean(), "no", Flag::kNone,
     put<&S::repl_disable_tcp_nodelay>,
     "Use fewer and larger packets for replicas, at the price of delay."},
    {"repl-ping-replica-period", "repl-ping-slave-period", integer(1, kIntMax), "10", Flag::kNone,
     put<&S::repl_ping_replica_period>,
     "Seconds between the pings that a primary sends to replicas."},
    {"repl-timeout", "", integer(1, kIntMax), "60", Flag::kNone, put<&S::repl_timeout>,
     "Seconds of silence after which either side gives up a replication link."},
    {"repl-backlog-size", "", memory(1), "10485760", Flag::kNone, put<&S::repl_backlog_size>,
     "Bytes of the replication stream that are kept, so that a replica can continue after a "
     "break."},
    {"repl-backlog-ttl", "", integer(0, kLongMax), "3600", Flag::kNone, put<&S::repl_backlog_ttl>,
     "Seconds after which the backlog of a primary without replicas is freed. 0 never."},
    {"min-replicas-to-write", "min-slaves-to-write", integer(0, kIntMax), "0", Flag::kNone,
     put<&S::min_replicas_to_write>,
     "Refuse writes while fewer replicas than this are connected. 0 is off."},
    {"min-replicas-to-ack", "", integer(0, kIntMax), "0", Flag::kNone, put<&S::min_replicas_to_ack>,
     "The reply to a write waits until this many replicas have it. 0 is off."},
    {"min-replicas-to-ack-timeout", "", integer(1, kLongMax), "5000", Flag::kNone,
     put<&S::min_replicas_to_ack_timeout>,
     "Milliseconds after which such a write is answered with an error, which says that it was done "
     "here and may be lost."},
    {"min-replicas-max-lag", "min-slaves-max-lag", integer(0, kIntMax), "10", Flag::kNone,
     put<&S::min_replicas_max_lag>,
     "Seconds since its last sign of life up to which such a replica counts."},
    {"dual-channel-replication-enabled", "", boolean(), "no", kIdle, nullptr,
     "The snapshot of a full sync and the changes behind it share one connection."},
    {"propagation-error-behavior", "", choice<&S::propagation_error_behavior>(), "ignore",
     Flag::kNone, put<&S::propagation_error_behavior>,
     "What happens when a replicated or logged command fails: go on, or stop the process."},
    {"repl-mptcp", "", boolean(), "no", kIdle, nullptr, "Multipath TCP is not used."},
    {"replica-full-sync-buffer-limit", "", memory(), "0", kIdle, nullptr,
     "Stored for compatibility."},
};

const char* is_hostname(std::string_view text) {
  if (text.size() >= 256) return "Hostnames must be less than 256 characters";
  for (const char c : text) {
    const char lower = ascii_lower(c);
    const bool good =
        (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    if (!good) return "Hostnames may only contain alphanumeric characters, hyphens or dots";
  }
  return nullptr;
}

const char* is_nodename(std::string_view text) {
  if (text.size() >= 128) return "Announced human node name must be less than 128 characters";
  for (const char c : text) {
    if (c <= ' ' || c == ',' || c == ':' || c == '=' || c == '"' || c == '\'' || c == '\\' ||
        c == 127) {
      return "Announced human node name contained invalid character";
    }
  }
  return nullptr;
}

template <int Family>
bool is_address(std::string_view text) {
  unsigned char address[sizeof(in6_addr)];
  return text.empty() || inet_pton(Family, std::string(text).c_str(), address) == 1;
}
const char* is_ipv4(std::string_view text) {
  return is_address<AF_INET>(text) ? nullptr : "Invalid IPv4 address";
}
const char* is_ipv6(std::string_view text) {
  return is_address<AF_INET6>(text) ? nullptr : "Invalid IPv6 address";
}

// "host:port" words, commas and blanks between them.
std::vector<std::string> split_seeds(std::string_view text) {
  std::vector<std::string> seeds(1);
  for (const char c : text) {
    if (c != ',' && c != ' ') {
      seeds.back() += c;
    } else if (!seeds.back().empty()) {
      seeds.emplace_back();
    }
  }
  if (seeds.back().empty()) seeds.pop_back();
  return seeds;
}
const char* are_seeds(std::string_view text) {
  for (const std::string& seed : split_seeds(text)) {
    const std::size_t colon = seed.rfind(':');
    if (colon == std::string::npos || colon == 0) return "a seed must be host:port";
    const auto port = parse_int64(std::string_view(seed).substr(colon + 1));
    if (!port || *port < 1 || *port > 65535) return "the port of a seed must be 1 to 65535";
  }
  return nullptr;
}
void put_seeds(Settings& s, const Value& value) { s.cluster_seeds = split_seeds(value.text); }

const char* is_filled(std::string_view text) {
  return text.empty() ? "the name can't be empty" : nullptr;
}

constexpr Parameter kCluster[] = {
    {"cluster-enabled", "", boolean(), "no", kImm, put<&S::cluster_enabled>,
     "Run as a node of a cluster."},
    {"cluster-seeds",
     "",
     {.kind = Kind::kWords, .check = are_seeds},
     "",
     Flag::kNone,
     put_seeds,
     "Read at the start: host:port of other nodes, with commas or blanks between. A fresh node "
     "meets "
     "them on its own, and with cluster-expected-size the nodes divide the slots among "
     "themselves."},
    {"cluster-expected-size", "", integer(0, 1000), "0", Flag::kNone,
     put<&S::cluster_expected_size>,
     "Read at the start: number of fresh primaries that form the cluster. When that many have "
     "found "
     "each other they divide the slots evenly, once. 0 leaves slots to CLUSTER ADDSLOTS."},
    {"cluster-replicas-per-shard", "", integer(0, 100), "0", Flag::kNone,
     put<&S::cluster_replicas_per_shard>,
     "Replicas of each primary. Nodes that form a cluster by themselves wait until these are there "
     "too; later, a node without slots and keys becomes a replica where one is missing. 0: "
     "replicas are made by CLUSTER REPLICATE."},
    {"cluster-databases", "", integer(1, 256), "1", kImm, put<&S::cluster_databases>,
     "Number of databases of a node of a cluster. All nodes should have the same: slots move with "
     "the keys of all databases, and a node that has too few of them refuses such a move. Each "
     "takes about 2 MB."},
    {"cluster-rebalance", "", choice<&S::cluster_rebalance>(), "off", Flag::kNone,
     put<&S::cluster_rebalance>,
     "Primaries move slots among themselves, one move at a time, until all have as many (slots), "
     "or until CPU time, or keys where cluster-slot-stats-enabled is off, are even (load). Those "
     "take part that have the same setting."},
    {"cluster-config-file", "", text(is_filled), "nodes.conf", kImm, put<&S::cluster_config_file>,
     "File in dir where a node keeps its view of the cluster. It is written by the node alone."},
    {"cluster-port", "", integer(0, 65535), "0", kImm, put<&S::cluster_port>,
     "Port of the cluster bus. 0 is port + 10000."},
    {"cluster-node-timeout", "", integer(0, kLongMax), "15000", Flag::kNone,
     put<&S::cluster_node_timeout>,
     "Milliseconds without an answer after which a node is suspected to be down."},
    {"cluster-ping-interval", "", integer(1, kLongMax), "1000", Flag::kHidden,
     put<&S::cluster_ping_interval>, "Milliseconds between pings to nodes chosen at random."},
    {"cluster-replica-validity-factor", "cluster-slave-validity-factor", integer(0, kIntMax), "10",
     Flag::kNone, put<&S::cluster_replica_validity_factor>,
     "A replica that has not heard from its primary for more node time-outs than this does not "
     "take its place. 0: it always does."},
    {"cluster-replica-no-failover", "cluster-slave-no-failover", boolean(), "no", Flag::kNone,
     put<&S::cluster_replica_no_failover>, "Never promote this replica without a command."},
    {"cluster-migration-barrier", "", integer(0, kIntMax), "1", Flag::kNone,
     put<&S::cluster_migration_barrier>,
     "Replicas that a primary keeps before one of them goes to a primary that has none."},
    {"cluster-allow-replica-migration", "", boolean(), "yes", Flag::kNone,
     put<&S::cluster_allow_replica_migration>,
     "Replicas go to primaries that lost theirs, and follow the slots of their primary when all "
     "of them are moved to another one."},
    {"cluster-require-full-coverage", "", boolean(), "yes", Flag::kNone,
     put<&S::cluster_require_full_coverage>, "Refuse requests while any slot has no owner."},
    {"cluster-allow-reads-when-down", "", boolean(), "no", Flag::kNone,
     put<&S::cluster_allow_reads_when_down>, "Answer reads while the cluster is down."},
    {"cluster-allow-pubsubshard-when-down", "", boolean(), "yes", Flag::kNone,
     put<&S::cluster_allow_pubsubshard_when_down>,
     "Allow shard channels while the cluster is down."},
    {"cluster-manual-failover-timeout", "", integer(1, kIntMax), "5000", Flag::kNone,
     put<&S::cluster_manual_failover_timeout>,
     "Milliseconds that CLUSTER FAILOVER may take; writes are held for half as long again at "
     "most."},
    {"cluster-slot-migration-handoff-max-lag-bytes", "slot-migration-max-failover-repl-bytes",
     memory(), "1048576", Flag::kNone, put<&S::cluster_slot_migration_max_lag_bytes>,
     "A move of slots ends with a pause of writes to them. It begins when the target lacks no more "
     "bytes than this, or a few seconds after all keys were sent."},
    {"cluster-slot-migration-write-pause-timeout", "", integer(1, kIntMax), "10000", Flag::kNone,
     put<&S::cluster_slot_migration_write_pause_timeout>,
     "Milliseconds for which that pause may wait for the target to have all; then the move fails "
     "and the source goes on. Once the slots were handed over, it lasts until it is known who has "
     "them."},
    {"cluster-slot-migration-log-max-len", "", integer(0, kIntMax), "1000", Flag::kNone,
     put<&S::cluster_slot_migration_log_max_len>,
     "Moves of slots that are over and that CLUSTER GETSLOTMIGRATIONS still tells of."},
    {"cluster-link-sendbuf-limit", "", memory(), "0", Flag::kNone,
     put<&S::cluster_link_sendbuf_limit>,
     "Most bytes that may wait to be sent to another node; more closes the link. 0 is no limit."},
    {"cluster-blacklist-ttl", "", integer(0, kLongMax), "60", Flag::kNone,
     put<&S::cluster_blacklist_ttl>,
     "Seconds for which a forgotten node is not taken back on the word of others."},
    {"cluster-slot-stats-enabled", "", boolean(), "no", Flag::kNone,
     put<&S::cluster_slot_stats_enabled>,
     "Count CPU time and traffic of each slot, and estimate its memory, for CLUSTER SLOT-STATS."},
    {"cluster-announce-ip", "", text(), "", Flag::kNone, put<&S::cluster_announce_ip>,
     "Address that others should use for this node. Empty: the one they see."},
    {"cluster-announce-port", "", integer(0, 65535), "0", Flag::kNone,
     put<&S::cluster_announce_port>, "Client port that others should use. 0: port."},
    {"cluster-announce-tls-port", "", integer(0, 65535), "0", Flag::kNone,
     put<&S::cluster_announce_tls_port>, "TLS port that others should use. 0: tls-port."},
    {"cluster-announce-bus-port", "", integer(0, 65535), "0", Flag::kNone,
     put<&S::cluster_announce_bus_port>, "Bus port that others should use. 0: its own."},
    {"cluster-announce-hostname", "", text(is_hostname), "", Flag::kNone,
     put<&S::cluster_announce_hostname>, "Host name that is told to clients and nodes."},
    {"cluster-announce-human-nodename", "", text(is_nodename), "", Flag::kNone,
     put<&S::cluster_announce_human_nodename>, "Name of this node for people, used in logs."},
    {"cluster-announce-client-ipv4", "", text(is_ipv4), "", Flag::kNone,
     put<&S::cluster_announce_client_ipv4>, "IPv4 address that clients should use."},
    {"cluster-announce-client-ipv6", "", text(is_ipv6), "", Flag::kNone,
     put<&S::cluster_announce_client_ipv6>, "IPv6 address that clients should use."},
    {"cluster-preferred-endpoint-type", "", choice<&S::cluster_preferred_endpoint_type>(), "ip",
     Flag::kNone, put<&S::cluster_preferred_endpoint_type>,
     "What redirects name: the address, the host name, or nothing (clients keep the address they "
     "used)."},
};

}  // namespace

std::span<const Parameter> replication_parameters() { return kReplication; }
std::span<const Parameter> cluster_parameters() { return kCluster; }

}  // namespace hearth::config

// The parameters that have an effect, as plain typed fields.
//
// Filled by config::Registry alone; everyone else reads. A parameter that is accepted for
// compatibility but changes nothing has no field here (see Flag::kNoEffect in parameter.h).
// The meaning of each field is the doc of the parameter of the same name in params_*.cc.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "src/base/eviction_policy.h"
#include "src/base/time.h"

namespace hearth::config {

enum class LogLevel : unsigned char { kDebug, kVerbose, kNotice, kWarning, kNothing };
enum class LogFormat : unsigned char { kLegacy, kLogfmt };
enum class LogTimestamp : unsigned char { kLegacy, kIso8601, kMilliseconds };
enum class SyslogFacility : unsigned char {
  kUser,
  kLocal0,
  kLocal1,
  kLocal2,
  kLocal3,
  kLocal4,
  kLocal5,
  kLocal6,
  kLocal7,
};
enum class Supervised : unsigned char { kUpstart, kSystemd, kAuto, kNo };
enum class VersionCheck : unsigned char { kStrict, kRelaxed };
enum class Permission : unsigned char { kNo, kYes, kLocal };  // kLocal: clients on this host
enum class AppendFsync : unsigned char { kEverySecond, kAlways, kNo };
enum class EndpointType : unsigned char { kIp, kHostname, kUnknown };
enum class ClusterRebalance : unsigned char { kOff, kSlots, kLoad };
enum class AclPubsubDefault : unsigned char { kAllChannels, kResetChannels };
enum class PropagationError : unsigned char { kIgnore, kPanic, kPanicOnReplicas };
// kLoading: clients hear LOADING until the node is warm.
enum class WarmGateMode : unsigned char { kOff, kLoading };
enum class OomScoreAdj : unsigned char { kNo, kYes, kRelative, kAbsolute };
// The oldest servers that can read the output of this one: versions and object types of RDB files,
// DUMP payloads and full syncs.
enum class RdbCompat : unsigned char { kRedis72, kRedis70 };

// Words of shutdown-on-sigint and shutdown-on-sigterm; several may be set.
struct ShutdownWords {
  bool save = false;
  bool nosave = false;
  bool now = false;
  bool force = false;
  bool failover = false;
};

// One class of clients. 0 is no limit.
struct OutputBufferLimit {
  std::uint64_t hard_bytes = 0;
  std::uint64_t soft_bytes = 0;
  seconds soft_time{0};
};

// A replica that may lag by the backlog must be able to get all of it: a smaller limit is no limit.
[[nodiscard]] inline std::uint64_t replica_hard_limit(const OutputBufferLimit& limit,
                                                      std::uint64_t backlog_bytes) {
  return limit.hard_bytes == 0 ? 0 : std::max(limit.hard_bytes, backlog_bytes);
}

// Save when at least `changes` keys changed within `period`.
struct SavePoint {
  seconds period{0};
  std::int64_t changes = 0;
};

// maxmemory-clients: a number of bytes, or a share of maxmemory when `percent` is not 0.
struct ClientMemoryLimit {
  std::uint64_t bytes = 0;
  unsigned percent = 0;
};

struct PrimaryAddress {
  std::string host;  // empty: this node is a primary
  std::uint16_t port = 0;
};

struct Settings {
  // Network
  std::vector<std::string> bind;  // "-addr": may be unavailable; "*": any IPv4 address
  std::string bind_source_addr;
  std::uint16_t port = 0;
  int tcp_backlog = 0;
  std::string unixsocket;
  unsigned unixsocketperm = 0;  // mode bits; 0 leaves the umask's
  std::string unixsocketgroup;
  seconds timeout{0};
  seconds tcp_keepalive{0};
  bool protected_mode = false;
  std::uint32_t maxclients = 0;
  int max_new_connections_per_cycle = 0;
  std::array<OutputBufferLimit, 3> client_output_buffer_limit;  // normal, replica, pubsub
  std::uint64_t client_query_buffer_limit = 0;
  std::uint64_t proto_max_bulk_len = 0;
  ClientMemoryLimit maxmemory_clients;
  std::uint32_t socket_mark_id = 0;
  bool io_uring = false;
  unsigned io_uring_wait = 0;  // us
  int client_default_resp = 2;

  // Process
  bool daemonize = false;
  Supervised supervised = Supervised::kNo;
  std::string pidfile;
  LogLevel loglevel = LogLevel::kNotice;
  LogFormat log_format = LogFormat::kLegacy;
  LogTimestamp log_timestamp_format = LogTimestamp::kLegacy;
  std::string logfile;
  bool syslog_enabled = false;
  std::string syslog_ident;
  SyslogFacility syslog_facility = SyslogFacility::kLocal0;
  bool crash_log_enabled = true;
  bool use_exit_on_panic = false;
  std::string dir;
  bool set_proc_title = true;
  bool disable_thp = false;
  std::string server_cpulist, bio_cpulist, aof_rewrite_cpulist, bgsave_cpulist;
  std::string proc_title_template;
  OomScoreAdj oom_score_adj = OomScoreAdj::kNo;
  std::array<int, 3> oom_score_adj_values{};  // primary, replica, background child
  ShutdownWords shutdown_on_sigint;
  ShutdownWords shutdown_on_sigterm;
  seconds shutdown_timeout{0};
  Permission enable_protected_configs = Permission::kNo;
  Permission enable_debug_command = Permission::kNo;
  Permission enable_module_command = Permission::kNo;
  std::string availability_zone;

  // Data and memory
  int databases = 0;
  int hz = 0;
  bool dynamic_hz = false;
  int active_expire_effort = 0;
  std::uint64_t maxmemory = 0;
  bool import_mode = false;
  bool jemalloc_bg_thread = true;
  bool lua_enable_deprecated_api = false;
  bool lazyexpire_nested_arbitrary_keys = true;
  std::string locale_collate;
  EvictionPolicy maxmemory_policy = EvictionPolicy::kNoEviction;
  int maxmemory_samples = 0;
  int maxmemory_eviction_tenacity = 0;
  int lfu_log_factor = 0;
  int lfu_decay_time = 0;  // minutes
  bool lazyfree_lazy_eviction = false;
  bool lazyfree_lazy_expire = false;
  bool lazyfree_lazy_server_del = false;
  bool lazyfree_lazy_user_del = false;
  seconds version_tombstone_seconds{0};
  bool lazyfree_lazy_user_flush = false;
  std::string notify_keyspace_events;  // canonical letters, each once; "A" stands for its set
  std::uint64_t hash_max_listpack_entries = 0;
  std::uint64_t hash_max_listpack_value = 0;
  std::uint64_t set_max_intset_entries = 0;
  std::uint64_t set_max_listpack_entries = 0;
  std::uint64_t set_max_listpack_value = 0;
  std::uint64_t zset_max_listpack_entries = 0;
  std::uint64_t zset_max_listpack_value = 0;
  int list_max_listpack_size = 0;  // > 0 entries, -1..-5 a size class of 4 .. 64 KiB
  int list_compress_depth = 0;
  std::uint64_t hll_sparse_max_bytes = 0;
  std::uint64_t stream_node_max_bytes = 0;
  std::uint64_t stream_node_max_entries = 0;
  std::uint64_t tracking_table_max_keys = 0;
  milliseconds busy_reply_threshold{0};

  // Warming
  WarmGateMode warm_gate = WarmGateMode::kOff;
  double warm_gate_fraction = 1;
  seconds warm_gate_deadline{0};
  std::string warm;  // the mapping file of the loader that the server runs; empty: none
  std::uint64_t warm_hot_keys = 0;
  std::string warm_hot_keys_filename;

  // Access
  std::string requirepass;
  std::string aclfile;
  AclPubsubDefault acl_pubsub_default = AclPubsubDefault::kResetChannels;
  std::uint64_t acllog_max_len = 0;
  std::vector<std::vector<std::string>> user_lines;  // words behind each `user` directive
  std::vector<std::pair<std::string, std::string>> renamed_commands;  // an empty new name removes
  std::vector<std::vector<std::string>> modules;  // words behind each `loadmodule` directive

  // Observation
  std::int64_t slowlog_log_slower_than = 0;  // microseconds; -1 off
  std::uint64_t slowlog_max_len = 0;
  std::int64_t commandlog_request_larger_than = 0;  // bytes; -1 off
  std::uint64_t commandlog_large_request_max_len = 0;
  std::int64_t commandlog_reply_larger_than = 0;  // bytes; -1 off
  std::uint64_t commandlog_large_reply_max_len = 0;
  milliseconds latency_monitor_threshold{0};  // 0 off
  bool latency_tracking = true;
  std::vector<double> latency_tracking_info_percentiles;

  // Persistence
  std::vector<SavePoint> save;
  std::string dbfilename;
  unsigned data_file_mode = 0;  // mode bits
  bool rdbcompression = true;
  bool rdbchecksum = true;
  bool rdb_save_incremental_fsync = true;
  bool rdb_del_sync_files = false;
  int rdb_key_save_delay = 0;  // microseconds; < 0: that many keys per microsecond
  int key_load_delay = 0;
  std::uint64_t loading_process_events_interval_bytes = 0;
  VersionCheck rdb_version_check = VersionCheck::kStrict;
  RdbCompat rdb_compat = RdbCompat::kRedis72;
  bool stop_writes_on_bgsave_error = true;
  bool skip_checksum_validation = false;  // DEBUG SET-SKIP-CHECKSUM-VALIDATION
  bool appendonly = false;
  std::string appendfilename;
  std::string appenddirname;
  AppendFsync appendfsync = AppendFsync::kEverySecond;
  bool no_appendfsync_on_rewrite = false;
  int auto_aof_rewrite_percentage = 0;
  std::uint64_t auto_aof_rewrite_min_size = 0;
  bool aof_load_truncated = true;
  bool aof_use_rdb_preamble = true;
  bool aof_timestamp_enabled = false;
  bool aof_rewrite_incremental_fsync = true;
  bool aof_disable_auto_gc = false;

  // Replication
  PrimaryAddress replicaof;
  std::string primaryuser;
  std::string primaryauth;
  bool replica_serve_stale_data = true;
  bool replica_read_only = true;
  bool replica_ignore_maxmemory = true;
  bool replica_lazy_flush = true;
  bool replica_ignore_disk_write_errors = false;
  int replica_priority = 0;
  bool replica_announced = true;
  std::string replica_announce_ip;
  std::uint16_t replica_announce_port = 0;
  bool repl_diskless_sync = true;
  seconds repl_diskless_sync_delay{0};
  int repl_diskless_sync_max_replicas = 0;
  bool repl_disable_tcp_nodelay = false;
  seconds repl_ping_replica_period{0};
  seconds repl_timeout{0};
  std::uint64_t repl_backlog_size = 0;
  seconds repl_backlog_ttl{0};
  int min_replicas_to_write = 0;
  int min_replicas_to_ack = 0;
  milliseconds min_replicas_to_ack_timeout{0};
  seconds min_replicas_max_lag{0};
  PropagationError propagation_error_behavior = PropagationError::kIgnore;

  // Cluster
  bool cluster_enabled = false;
  std::string cluster_config_file;
  std::vector<std::string> cluster_seeds;  // host:port
  int cluster_expected_size = 0;
  int cluster_replicas_per_shard = 0;
  int cluster_databases = 1;
  ClusterRebalance cluster_rebalance = ClusterRebalance::kOff;
  std::uint16_t cluster_port = 0;  // 0: port + 10000
  milliseconds cluster_node_timeout{0};
  milliseconds cluster_ping_interval{0};
  bool cluster_replica_no_failover = false;
  int cluster_replica_validity_factor = 10;
  int cluster_migration_barrier = 1;
  bool cluster_allow_replica_migration = true;
  milliseconds cluster_manual_failover_timeout{0};
  bool cluster_require_full_coverage = true;
  bool cluster_allow_reads_when_down = false;
  bool cluster_allow_pubsubshard_when_down = true;
  bool cluster_slot_stats_enabled = false;
  std::uint64_t cluster_slot_migration_max_lag_bytes = 0;
  milliseconds cluster_slot_migration_write_pause_timeout{0};
  int cluster_slot_migration_log_max_len = 0;
  std::uint64_t cluster_link_sendbuf_limit = 0;
  seconds cluster_blacklist_ttl{0};
  std::string cluster_announce_ip;
  std::uint16_t cluster_announce_port = 0;
  std::uint16_t cluster_announce_tls_port = 0;
  std::uint16_t cluster_announce_bus_port = 0;
  std::string cluster_announce_hostname;
  std::string cluster_announce_human_nodename;
  std::string cluster_announce_client_ipv4;
  std::string cluster_announce_client_ipv6;
  EndpointType cluster_preferred_endpoint_type = EndpointType::kIp;
};

}  // namespace hearth::config

#include "src/config/choices.h"
#include "src/config/tables.h"

namespace hearth::config {
namespace {

using S = Settings;

const char* no_defrag(std::string_view text) {
  return text == "no" ? nullptr : "active defragmentation is not part of this build";
}

constexpr Parameter kMemory[] = {
    {"databases", "", integer(1, 65535), "16", kImm, put<&S::databases>,
     "Number of databases that SELECT can choose from. A cluster node has one."},
    {"maxmemory", "", memory(), "0", Flag::kNone, put<&S::maxmemory>,
     "Memory for the data set. When it is used up, keys are evicted or writes refused, as "
     "maxmemory-policy says. 0 is no limit."},
    {"maxmemory-policy", "", choice<&S::maxmemory_policy>(), "noeviction", Flag::kNone,
     put<&S::maxmemory_policy>,
     "Which keys go first: least recently used, least frequently used, random, or nearest to their "
     "deadline; among all keys or only those with a deadline (volatile)."},
    {"maxmemory-samples", "", integer(1, 64), "5", Flag::kNone, put<&S::maxmemory_samples>,
     "Keys that are compared for each eviction. More is closer to the exact order and costs more."},
    {"maxmemory-eviction-tenacity", "", integer(0, 100), "10", Flag::kNone,
     put<&S::maxmemory_eviction_tenacity>,
     "How long eviction may delay a command: 0 least, 10 normal, 100 until enough is free."},
    {"lfu-log-factor", "", integer(0, kIntMax), "10", Flag::kNone, put<&S::lfu_log_factor>,
     "How many accesses it takes to raise the frequency counter of a key; more accesses with a "
     "larger factor."},
    {"lfu-decay-time", "", integer(0, kIntMax), "1", Flag::kNone, put<&S::lfu_decay_time>,
     "Minutes after which the frequency counter of an unused key falls by one. 0 never."},
    {"active-expire-effort", "", integer(1, 10), "1", Flag::kNone, put<&S::active_expire_effort>,
     "How much time goes into looking for keys past their deadline, 1 to 10."},
    {"lazyfree-lazy-eviction", "", boolean(), "yes", Flag::kNone, put<&S::lazyfree_lazy_eviction>,
     "Free evicted values on a background thread."},
    {"lazyfree-lazy-expire", "", boolean(), "yes", Flag::kNone, put<&S::lazyfree_lazy_expire>,
     "Free expired values on a background thread."},
    {"lazyfree-lazy-server-del", "", boolean(), "yes", Flag::kNone,
     put<&S::lazyfree_lazy_server_del>,
     "Free values that a command replaces on a background thread."},
    {"version-tombstone-seconds", "", integer(1, kIntMax), "3600", Flag::kNone,
     put<&S::version_tombstone_seconds>,
     "For how long, at least, a key that was written with VER and is gone keeps its version."},
    {"lazyfree-lazy-user-del", "", boolean(), "yes", Flag::kNone, put<&S::lazyfree_lazy_user_del>,
     "Let DEL work like UNLINK."},
    {"lazyfree-lazy-user-flush", "", boolean(), "yes", Flag::kNone,
     put<&S::lazyfree_lazy_user_flush>,
     "Let FLUSHALL, FLUSHDB and SCRIPT FLUSH work in the background unless they say SYNC."},
    {"hz",
     "",
     {.kind = Kind::kInteger, .max = kIntMax, .least = 1, .most = 500},
     "10",
     Flag::kNone,
     put<&S::hz>,
     "How often per second background work gets its turn; kept between 1 and 500."},
    {"dynamic-hz", "", boolean(), "yes", Flag::kNone, put<&S::dynamic_hz>,
     "Raise hz while more than 200 clients would share a turn of background work."},
    {"activerehashing", "", boolean(), "yes", Flag::kNoEffect, nullptr,
     "Hash tables take their new size bucket by bucket; there is nothing left to move."},
    {"notify-keyspace-events",
     "",
     {.kind = Kind::kEventClasses},
     "",
     Flag::kNone,
     put<&S::notify_keyspace_events>,
     "Events that are published: K and E choose the channels, then g generic, $ string, l list, "
     "s set, h hash, z sorted set, t stream, d module, x expired, e evicted, m missed, n new key; "
     "A is all but m and n. Empty is off."},
    {"busy-reply-threshold", "lua-time-limit", integer(0, kLongMax), "5000", Flag::kNone,
     put<&S::busy_reply_threshold>,
     "Milliseconds after which a script that still runs lets other clients be answered with BUSY."},
    {"tracking-table-max-keys", "", integer(0, kLongMax), "1000000", Flag::kNone,
     put<&S::tracking_table_max_keys>,
     "Most keys that are remembered for client-side caching; older ones are invalidated."},
    {"activedefrag",
     "",
     {.kind = Kind::kBool, .check = no_defrag},
     "no",
     kIdle,
     nullptr,
     "Must be no: this build does not move live memory."},
    {"active-defrag-ignore-bytes", "", memory(1), "104857600", kIdle, nullptr, "See activedefrag."},
    {"active-defrag-threshold-lower", "", integer(0, 1000), "10", kIdle, nullptr,
     "See activedefrag."},
    {"active-defrag-threshold-upper", "", integer(0, 1000), "100", kIdle, nullptr,
     "See activedefrag."},
    {"active-defrag-cycle-min", "", integer(1, 99), "1", kIdle, nullptr, "See activedefrag."},
    {"active-defrag-cycle-max", "", integer(1, 99), "25", kIdle, nullptr, "See activedefrag."},
    {"active-defrag-cycle-us", "", integer(0, 100000), "500", kIdle, nullptr, "See activedefrag."},
    {"active-defrag-max-scan-fields", "", integer(1, kLongMax), "1000", kIdle, nullptr,
     "See activedefrag."},
    {"jemalloc-bg-thread", "", boolean(), "yes", Flag::kNone, put<&S::jemalloc_bg_thread>,
     "Whether a thread of the allocator gives free memory back to the system, instead of the "
     "thread that serves clients."},
    {"lua-enable-deprecated-api", "lua-enable-insecure-api", boolean(), "no", kImm | Flag::kHidden,
     put<&S::lua_enable_deprecated_api>, "Whether scripts see getfenv and setfenv."},
    {"lazyexpire-nested-arbitrary-keys", "", boolean(), "yes", Flag::kHidden,
     put<&S::lazyexpire_nested_arbitrary_keys>,
     "Whether commands that come across keys they were not told of (SCAN, RANDOMKEY) remove those "
     "that have expired also in transactions and scripts."},
    {"import-mode", "", boolean(), "no", Flag::kNone, put<&S::import_mode>,
     "While data comes from another server that it goes on changing there: nothing expires or is "
     "evicted by itself, and memory may pass maxmemory. Expired keys are hidden from clients, but "
     "not from those that said CLIENT IMPORT-SOURCE ON. No effect on a replica."},
};

constexpr Parameter kEncoding[] = {
    {"hash-max-listpack-entries", "hash-max-ziplist-entries", integer(0, kLongMax), "512",
     Flag::kNone, put<&S::hash_max_listpack_entries>,
     "Most fields of a hash in the compact encoding."},
    {"hash-max-listpack-value", "hash-max-ziplist-value", memory(), "64", Flag::kNone,
     put<&S::hash_max_listpack_value>,
     "Longest field or value, in bytes, of a hash in the compact encoding."},
    {"list-max-listpack-size", "list-max-ziplist-size", integer(-kIntMax - 1, kIntMax), "-2",
     Flag::kNone, put<&S::list_max_listpack_size>,
     "Size of a list node: a number of items, or -1 to -5 for 4, 8, 16, 32 or 64 KiB."},
    {"list-compress-depth", "", integer(0, kIntMax), "0", Flag::kNone, put<&S::list_compress_depth>,
     "Shown by DEBUG OBJECT alone: nodes of lists are never compressed."},
    {"set-max-intset-entries", "", integer(0, kLongMax), "512", Flag::kNone,
     put<&S::set_max_intset_entries>, "Most members of a set of integers in the compact encoding."},
    {"set-max-listpack-entries", "", integer(0, kLongMax), "128", Flag::kNone,
     put<&S::set_max_listpack_entries>, "Most members of a set in the compact encoding."},
    {"set-max-listpack-value", "", memory(), "64", Flag::kNone, put<&S::set_max_listpack_value>,
     "Longest member, in bytes, of a set in the compact encoding."},
    {"zset-max-listpack-entries", "zset-max-ziplist-entries", integer(0, kLongMax), "128",
     Flag::kNone, put<&S::zset_max_listpack_entries>,
     "Most members of a sorted set in the compact encoding."},
    {"zset-max-listpack-value", "zset-max-ziplist-value", memory(), "64", Flag::kNone,
     put<&S::zset_max_listpack_value>,
     "Longest member, in bytes, of a sorted set in the compact encoding."},
    {"hll-sparse-max-bytes", "", memory(), "3000", Flag::kNone, put<&S::hll_sparse_max_bytes>,
     "Size at which a HyperLogLog changes from its sparse to its dense form."},
    {"stream-node-max-bytes", "", memory(), "4096", Flag::kNone, put<&S::stream_node_max_bytes>,
     "Most bytes of a stream node. 0 is no limit."},
    {"stream-node-max-entries", "", integer(0, kLongMax), "100", Flag::kNone,
     put<&S::stream_node_max_entries>, "Most entries of a stream node. 0 is no limit."},
};

void put_percentiles(Settings& s, const Value& value) {
  s.latency_tracking_info_percentiles.clear();
  for (const std::string& item : value.items) {
    s.latency_tracking_info_percentiles.push_back(std::stod(item));
  }
}

constexpr Parameter kObservation[] = {
    {"slowlog-log-slower-than", "commandlog-execution-slower-than", integer(-1, kLongMax), "10000",
     Flag::kNone, put<&S::slowlog_log_slower_than>,
     "Microseconds from which a command is kept in the slow log. 0 keeps all, -1 none."},
    {"slowlog-max-len", "commandlog-slow-execution-max-len", integer(0, kLongMax), "128",
     Flag::kNone, put<&S::slowlog_max_len>, "Most entries of the slow log."},
    {"commandlog-request-larger-than", "", integer(-1, kLongMax), "1048576", Flag::kNone,
     put<&S::commandlog_request_larger_than>,
     "Requests of more bytes go to the log of large requests; -1 logs none."},
    {"commandlog-large-request-max-len", "", integer(0, kLongMax), "128", Flag::kNone,
     put<&S::commandlog_large_request_max_len>, "Most entries of the log of large requests."},
    {"commandlog-reply-larger-than", "", integer(-1, kLongMax), "1048576", Flag::kNone,
     put<&S::commandlog_reply_larger_than>,
     "Commands whose replies have more bytes go to the log of large replies; -1 logs none."},
    {"commandlog-large-reply-max-len", "", integer(0, kLongMax), "128", Flag::kNone,
     put<&S::commandlog_large_reply_max_len>, "Most entries of the log of large replies."},
    {"latency-monitor-threshold", "", integer(0, kLongMax), "0", Flag::kNone,
     put<&S::latency_monitor_threshold>,
     "Milliseconds from which a delay is recorded for LATENCY. 0 is off."},
    {"latency-tracking", "", boolean(), "yes", Flag::kNone, put<&S::latency_tracking>,
     "Keep a histogram of the time that each command takes."},
    {"latency-tracking-info-percentiles",
     "",
     {.kind = Kind::kPercentiles},
     "50 99 99.9",
     Flag::kNone,
     put_percentiles,
     "Percentiles that INFO latencystats reports."},
};

}  // namespace

std::span<const Parameter> memory_parameters() { return kMemory; }
std::span<const Parameter> encoding_parameters() { return kEncoding; }
std::span<const Parameter> observation_parameters() { return kObservation; }

}  // namespace hearth::config

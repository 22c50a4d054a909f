// Figures of INFO that no engine alone can move, by the test that sees them move.
#pragma once

#include <string_view>

namespace hearth::test {

// tests/system/figures_test.cc sees these move: clients over sockets.
inline constexpr std::string_view kFiguresOfSockets[] = {
    "total_net_input_bytes",    "total_net_output_bytes",
    "instantaneous_input_kbps", "instantaneous_output_kbps",
    "total_reads_processed",    "total_writes_processed",
    "rejected_connections",     "client_query_buffer_limit_disconnections"};

// The same file: a primary and its replica.
inline constexpr std::string_view kFiguresOfTwoServers[] = {"total_net_repl_input_bytes",
                                                            "total_net_repl_output_bytes",
                                                            "instantaneous_input_repl_kbps",
                                                            "instantaneous_output_repl_kbps",
                                                            "connected_slaves",
                                                            "min_slaves_good_slaves",
                                                            "slave",
                                                            "master_repl_offset",
                                                            "second_repl_offset",
                                                            "repl_backlog_active",
                                                            "repl_backlog_first_byte_offset",
                                                            "repl_backlog_histlen",
                                                            "sync_full",
                                                            "sync_partial_ok",
                                                            "sync_partial_err",
                                                            "master_last_io_seconds_ago",
                                                            "master_sync_in_progress",
                                                            "slave_read_repl_offset",
                                                            "slave_repl_offset",
                                                            "master_sync_total_bytes",
                                                            "master_sync_read_bytes",
                                                            "master_sync_left_bytes",
                                                            "master_sync_perc",
                                                            "master_sync_last_io_seconds_ago",
                                                            "master_link_down_since_seconds"};

// tests/engine/persistence_test.cc: snapshots and the log.
inline constexpr std::string_view kFiguresOfPersistence[] = {"current_cow_peak",
                                                             "current_cow_size",
                                                             "current_cow_size_age",
                                                             "current_fork_perc",
                                                             "current_save_keys_processed",
                                                             "current_save_keys_total",
                                                             "rdb_bgsave_in_progress",
                                                             "rdb_last_save_time",
                                                             "rdb_last_bgsave_time_sec",
                                                             "rdb_current_bgsave_time_sec",
                                                             "rdb_saves",
                                                             "rdb_last_cow_size",
                                                             "rdb_last_load_keys_expired",
                                                             "rdb_last_load_keys_loaded",
                                                             "aof_enabled",
                                                             "aof_rewrite_in_progress",
                                                             "aof_rewrite_scheduled",
                                                             "aof_last_rewrite_time_sec",
                                                             "aof_current_rewrite_time_sec",
                                                             "aof_rewrites",
                                                             "aof_rewrites_consecutive_failures",
                                                             "aof_last_cow_size",
                                                             "aof_current_size",
                                                             "aof_base_size",
                                                             "aof_pending_rewrite",
                                                             "aof_buffer_length",
                                                             "aof_pending_bio_fsync",
                                                             "aof_delayed_fsync",
                                                             "loading_start_time",
                                                             "loading_total_bytes",
                                                             "loading_rdb_used_mem",
                                                             "loading_loaded_bytes",
                                                             "loading_loaded_perc",
                                                             "loading_eta_seconds",
                                                             "latest_fork_usec",
                                                             "total_forks"};

// tests/system/figures_test.cc, where the server under test has jemalloc.
inline constexpr std::string_view kFiguresOfJemalloc[] = {
    "allocator_frag_ratio", "allocator_frag_bytes", "allocator_rss_ratio", "rss_overhead_ratio",
    "rss_overhead_bytes"};

}  // namespace hearth::test

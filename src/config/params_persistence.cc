#include "src/base/parse_number.h"
#include "src/config/choices.h"
#include "src/config/tables.h"

namespace hearth::config {
namespace {

using S = Settings;

template <typename Words>
const char* is_file_name(std::string_view text) {
  return text.find('/') == std::string_view::npos ? nullptr : Words::kReason;
}
struct SnapshotName {
  static constexpr const char* kReason = "dbfilename can't be a path, just a filename";
};
struct AppendName {
  static constexpr const char* kReason = "appendfilename can't be a path, just a filename";
};
struct AppendDir {
  static constexpr const char* kReason = "appenddirname can't be a path, just a dirname";
};
template <typename Words>
const char* is_filled_name(std::string_view text) {
  return text.empty() ? "the name can't be empty" : is_file_name<Words>(text);
}

void put_save(Settings& s, const Value& value) {
  s.save.clear();
  for (std::size_t i = 0; i + 1 < value.items.size(); i += 2) {
    s.save.push_back({seconds{parse_int64(value.items[i]).value_or(0)},
                      parse_int64(value.items[i + 1]).value_or(0)});
  }
}

constexpr Choice kSanitize[] = {{"no"}, {"yes"}, {"clients"}};

constexpr Parameter kSnapshot[] = {
    {"save",
     "",
     {.kind = Kind::kSave},
     "3600 1 300 100 60 10000",
     Flag::kNone,
     put_save,
     "Save points: pairs of seconds and changes. A snapshot is written when at least that many "
     "keys "
     "changed in that time. An empty value removes all save points."},
    {"dbfilename", "", text(is_file_name<SnapshotName>), "dump.rdb", Flag::kProtected,
     put<&S::dbfilename>, "Name of the snapshot file in dir."},
    {"data-file-mode",
     "",
     {.kind = Kind::kOctal, .min = 0600, .max = 0666},
     "644",
     Flag::kNone,
     put<&S::data_file_mode>,
     "Permission bits of new data files (snapshots, the append-only log), octal, before the "
     "process's umask. 600 keeps them from everybody but the server's user."},
    {"rdb-compat", "", choice<&S::rdb_compat>(), "7.2", Flag::kNone, put<&S::rdb_compat>,
     "Oldest version of other servers that must be able to read snapshots, DUMP payloads and full "
     "syncs. 7.0 leaves out what only later versions know."},
    {"rdbcompression", "", boolean(), "yes", Flag::kNone, put<&S::rdbcompression>,
     "Compress strings of more than 20 bytes in snapshots."},
    {"rdbchecksum", "", boolean(), "yes", kImm, put<&S::rdbchecksum>,
     "Write and verify the checksum at the end of snapshots."},
    {"rdb-version-check", "", choice<&S::rdb_version_check>(), "strict", Flag::kNone,
     put<&S::rdb_version_check>,
     "Whether snapshots and payloads of RESTORE in unknown versions are refused, or read as far as "
     "their records are known."},
    {"rdb-save-incremental-fsync", "", boolean(), "yes", Flag::kNone,
     put<&S::rdb_save_incremental_fsync>,
     "Hand a snapshot to the disk in small pieces while it is written."},
    {"rdb-del-sync-files", "", boolean(), "no", Flag::kNone, put<&S::rdb_del_sync_files>,
     "Remove the snapshot files of replication on nodes without persistence."},
    {"rdb-key-save-delay", "", integer(-kIntMax - 1, kIntMax), "0", Flag::kHidden,
     put<&S::rdb_key_save_delay>, "For tests: microseconds to wait after each saved key."},
    {"key-load-delay", "", integer(-kIntMax - 1, kIntMax), "0", Flag::kHidden,
     put<&S::key_load_delay>, "For tests: microseconds to wait after each loaded key."},
    {"loading-process-events-interval-bytes", "", memory(1024, kIntMax), "2097152", Flag::kHidden,
     put<&S::loading_process_events_interval_bytes>,
     "Clients get a turn each time this much was loaded."},
    {"skip-checksum-validation", "", boolean(), "no", Flag::kHidden,
     put<&S::skip_checksum_validation>,
     "For tests: take payloads and snapshots whose checksum is wrong."},
    {"stop-writes-on-bgsave-error", "", boolean(), "yes", Flag::kNone,
     put<&S::stop_writes_on_bgsave_error>,
     "Refuse writes after a snapshot failed, so that somebody notices."},
    {"sanitize-dump-payload", "", choice(kSanitize), "no", Flag::kNoEffect, nullptr,
     "Values from snapshots and RESTORE are always verified in full."},
};

constexpr Parameter kAppendOnly[] = {
    {"appendonly", "", boolean(), "no", Flag::kNotWhileLoading, put<&S::appendonly>,
     "Log every change to the append-only file."},
    {"appendfilename", "", text(is_filled_name<AppendName>), "appendonly.aof", kImm,
     put<&S::appendfilename>, "First part of the names of the append-only files."},
    {"appenddirname", "", text(is_filled_name<AppendDir>), "appendonlydir", kImm,
     put<&S::appenddirname>, "Directory of the append-only files, in dir."},
    {"appendfsync", "", choice<&S::appendfsync>(), "everysec", Flag::kNone, put<&S::appendfsync>,
     "When the log is forced to the disk: once a second, before each reply, or when the system "
     "likes."},
    {"no-appendfsync-on-rewrite", "", boolean(), "no", Flag::kNone,
     put<&S::no_appendfsync_on_rewrite>, "Do not force the log to the disk while a child writes."},
    {"auto-aof-rewrite-percentage", "", integer(0, kIntMax), "100", Flag::kNone,
     put<&S::auto_aof_rewrite_percentage>,
     "Rewrite the log when it grew by this percentage since the last rewrite. 0 is off."},
    {"auto-aof-rewrite-min-size", "", memory(), "67108864", Flag::kNone,
     put<&S::auto_aof_rewrite_min_size>, "Never rewrite a log smaller than this on its own."},
    {"aof-load-truncated", "", boolean(), "yes", Flag::kNone, put<&S::aof_load_truncated>,
     "Load a log whose end was cut off by a crash, without the cut command."},
    {"aof-use-rdb-preamble", "", boolean(), "yes", Flag::kNone, put<&S::aof_use_rdb_preamble>,
     "Write the base of a rewritten log as a snapshot."},
    {"aof-timestamp-enabled", "", boolean(), "no", Flag::kNone, put<&S::aof_timestamp_enabled>,
     "Write the time into the log, so that it can be cut at a point in time."},
    {"aof-rewrite-incremental-fsync", "", boolean(), "yes", Flag::kNone,
     put<&S::aof_rewrite_incremental_fsync>,
     "Hand a rewritten log to the disk in small pieces while it is written."},
    {"aof-disable-auto-gc", "", boolean(), "no", Flag::kHidden, put<&S::aof_disable_auto_gc>,
     "For tests: keep files that the manifest no longer names."},
};

}  // namespace

std::span<const Parameter> snapshot_parameters() { return kSnapshot; }
std::span<const Parameter> append_only_parameters() { return kAppendOnly; }

}  // namespace hearth::config

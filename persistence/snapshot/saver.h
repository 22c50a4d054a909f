// Saves a data set as a file that is there as a whole or not at all.
#pragma once

#include <string>

#include "persistence/io/file_system.h"
#include "persistence/rdb/file_writer.h"

namespace hearth::snapshot {

// Bytes of a file on their way to the disk.
class FileSink final : public rdb::ByteSink {
 public:
  // incremental: force the file to the disk every few MiB, so that the end does not wait for all of
  // it at once.
  FileSink(io::File& file, bool incremental) : file_(file), incremental_(incremental) {}
  [[nodiscard]] Result<void> append(std::string_view bytes) override;

 private:
  io::File& file_;
  bool incremental_;
  std::uint64_t unsynced_ = 0;
};

struct SaveRequest {
  std::string path;       // of the finished file
  std::string temp_path;  // in the same directory
  bool incremental_sync = true;
};

// Writes to temp_path, syncs, renames, syncs the directory. On failure the temporary file is
// removed and the file at `path` is what it was. Returns its size.
[[nodiscard]] Result<std::uint64_t> save(io::FileSystem& fs, const SaveRequest& request,
                                         const Keyspace& keyspace, const rdb::FileOptions& options);

// The same without the rename: the caller decides what becomes of temp_path.
[[nodiscard]] Result<std::uint64_t> write_and_sync(io::FileSystem& fs, const SaveRequest& request,
                                                   const Keyspace& keyspace,
                                                   const rdb::FileOptions& options);

}  // namespace hearth::snapshot

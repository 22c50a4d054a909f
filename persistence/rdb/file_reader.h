// Reads whole snapshots, from any version listed in format.h.
//
// Every length is checked before memory is taken for it. An error names file and offset.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "persistence/io/input_window.h"
#include "persistence/rdb/object.h"
#include "src/base/ids.h"
#include "src/base/result.h"

namespace hearth::rdb {

// A key of a snapshot with all that stands beside it.
struct FileKey {
  DbIndex db = 0;
  std::string name;
  Object object;
  std::int64_t deadline = kNoDeadline;
  std::optional<std::uint64_t> idle_seconds;
  std::optional<std::uint8_t> frequency;
  std::uint64_t version = kNoVersion;
};

class FileVisitor {
 public:
  virtual ~FileVisitor() = default;
  // Returns an error to stop reading.
  [[nodiscard]] virtual Result<void> on_key(FileKey&& key) = 0;
  [[nodiscard]] virtual Result<void> on_function(std::string code) = 0;
  virtual void on_aux(const std::string& name, const std::string& value) = 0;
  // Of a key that is gone (see Tombstones), and the floor of a database.
  virtual void on_tombstone(DbIndex, std::uint64_t /*fingerprint*/, std::uint64_t /*version*/) {}
  virtual void on_version_floor(DbIndex, std::uint64_t /*version*/) {}
  // The size of a database that follows, as the file tells it.
  virtual void on_sizes(DbIndex db, std::uint64_t keys, std::uint64_t with_deadline) = 0;
  // A value that may not be empty is; its key is left out.
  virtual void on_empty_key(const std::string& name) = 0;
  // The stored length of a stream was wrong; its key is given next, with the counted one.
  virtual void on_wrong_length(const std::string& name) = 0;
  // Called between records, with the offset reached; an error stops reading.
  [[nodiscard]] virtual Result<void> on_progress(std::uint64_t offset) = 0;
};

struct ReadOptions {
  DecodeLimits limits;
  DbIndex databases = 16;  // higher numbers are refused
  bool verify_checksum = true;
  VersionCheck version_check = VersionCheck::kStrict;
};

// Reads a snapshot that starts at the window's place and leaves the window behind it: an
// append-only file may go on with commands.
// Errors: kCorrupt, kUnsupported with file and offset; kIo; what the visitor returns.
[[nodiscard]] Result<void> read_file(io::InputWindow& in, const ReadOptions& options,
                                     FileVisitor& visitor);

// Does a file that begins like this hold a snapshot?
[[nodiscard]] bool is_snapshot(std::string_view beginning);

}  // namespace hearth::rdb

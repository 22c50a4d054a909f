// The disk as a port. PosixFileSystem is the real one; tests use MemFileSystem
// (tests/support/mem_file_system.h), which forgets unsynced bytes in a crash and fails on demand.
//
// Paths are plain strings, relative ones count from the working directory. Every call blocks; none
// belongs on the engine thread except where a format is small (nodes.conf, CONFIG REWRITE).
// Errors: kNotFound if a named file is absent, else kIo with path and the system's words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"

namespace hearth::io {

// An open file. Closed by its destructor, without a guarantee that bytes reached the disk.
class File {
 public:
  virtual ~File() = default;
  File() = default;
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  // All of the bytes at the end of the file, or an error; then a part may have been written.
  [[nodiscard]] virtual Result<void> append(std::string_view bytes) = 0;
  // Up to `size` bytes from the reading position, which moves on; 0 at the end.
  [[nodiscard]] virtual Result<std::size_t> read(char* out, std::size_t size) = 0;
  // Returns when the bytes written so far are on the disk. The file's name may not be: sync_dir.
  [[nodiscard]] virtual Result<void> sync() = 0;
  [[nodiscard]] virtual Result<std::uint64_t> size() = 0;
  [[nodiscard]] virtual Result<void> truncate(std::uint64_t size) = 0;
  // Keeps other processes from locking this file until it is closed. kBusy: one has locked it.
  [[nodiscard]] virtual Result<void> lock() { return {}; }
  // Whether the path names this file: it may have been replaced or removed since it was opened.
  [[nodiscard]] virtual bool is_at(const std::string& path) {
    static_cast<void>(path);
    return true;
  }
};

enum class OpenMode : unsigned char {
  kRead,    // must exist
  kCreate,  // empty, replacing what is there
  kAppend,  // made if it is not there
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;

  [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::string& path,
                                                           OpenMode mode) = 0;
  // Atomic: a reader, and a crash after sync_dir, sees the old file or the new one.
  [[nodiscard]] virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  [[nodiscard]] virtual Result<void> remove(const std::string& path) = 0;
  // Makes new, renamed and removed names in a directory durable.
  [[nodiscard]] virtual Result<void> sync_dir(const std::string& dir) = 0;
  // The parent must exist. Success if the directory is there already.
  [[nodiscard]] virtual Result<void> make_dir(const std::string& dir) = 0;
  // Names in a directory, sorted, without "." and "..".
  [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& dir) = 0;
  [[nodiscard]] virtual bool exists(const std::string& path) = 0;
};

// The directory part of a path; "." if it has none.
[[nodiscard]] std::string dir_of(std::string_view path);
[[nodiscard]] std::string joined(std::string_view dir, std::string_view name);

// The whole file. kLimit if it is larger than max_bytes, before anything is allocated for it.
[[nodiscard]] Result<std::string> read_file(FileSystem& fs, const std::string& path,
                                            std::uint64_t max_bytes);

// Replaces a file so that a crash at any moment leaves the old bytes or the new ones, and a success
// means that the new ones survive a crash: write `<path>.tmp`, sync it, rename, sync the directory.
[[nodiscard]] Result<void> write_file_atomically(FileSystem& fs, const std::string& path,
                                                 std::string_view bytes);

}  // namespace hearth::io

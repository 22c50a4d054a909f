// nodes.conf on the disk: locked against a second process, replaced as a whole.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "persistence/io/file_system.h"
#include "src/base/result.h"

namespace hearth::cluster {

// Holds a lock on the file for as long as it lives. A new file is locked before it takes the old
// one's name, so there is no moment at which another process could get the lock.
class NodesStore {
 public:
  // `disk` outlives the store.
  explicit NodesStore(io::FileSystem& disk) : disk_(disk) {}

  // Creates the file if there is none. kBusy: another process has it; kIo.
  [[nodiscard]] Result<void> open(std::string path);
  // The content; empty for a new file. kLimit, kIo.
  [[nodiscard]] Result<std::string> load();
  // Temporary file, fsync, rename, fsync of the directory: after a crash at any point the file has
  // either the old or the new content. On kIo the file has either of them, too.
  // May run on another thread, one call at a time.
  [[nodiscard]] Result<void> save(std::string_view text);

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  io::FileSystem& disk_;
  std::string path_;
  std::unique_ptr<io::File> locked_;  // the file that holds the lock
};

}  // namespace hearth::cluster

// nodes.conf on the disk: locked against a second process, replaced as a whole.
#pragma once

#include <string>
#include <string_view>

#include "src/base/result.h"

namespace hearth::cluster {

// Holds an flock on the file for as long as it lives. A new file is locked before it takes the old
// one's name, so there is no moment at which another process could get the lock.
class NodesStore {
 public:
  NodesStore() = default;
  ~NodesStore();
  NodesStore(const NodesStore&) = delete;
  NodesStore& operator=(const NodesStore&) = delete;

  // Creates the file if there is none. kBusy: another process has it; kIo.
  Result<void> open(std::string path);
  // The content; empty for a new file. kLimit, kIo.
  [[nodiscard]] Result<std::string> load() const;
  // Temporary file, fsync, rename, fsync of the directory: after a crash at any point the file has
  // either the old or the new content. kIo: the old content is in force.
  Result<void> save(std::string_view text);

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_ = -1;  // of the file that holds the lock
};

}  // namespace hearth::cluster

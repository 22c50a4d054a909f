// The disk of this machine.
#pragma once

#include <sys/types.h>

#include <atomic>

#include "persistence/io/file_system.h"

namespace hearth::io {

class PosixFileSystem : public FileSystem {
 public:
  // Permission bits of files that are made, before the process's umask. Folders can be searched by
  // those who can read the files.
  explicit PosixFileSystem(mode_t file_mode = 0644) : file_mode_(file_mode) {}
  // Of files that are made from now on. From any thread.
  void set_file_mode(mode_t mode) { file_mode_ = mode; }

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> sync_dir(const std::string& dir) override;
  Result<void> make_dir(const std::string& dir) override;
  Result<std::vector<std::string>> list(const std::string& dir) override;
  bool exists(const std::string& path) override;

 private:
  std::atomic<mode_t> file_mode_;
};

}  // namespace hearth::io

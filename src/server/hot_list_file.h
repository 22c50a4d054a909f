// HotListFile: keeps the list of the most used keys over a restart, in a file of its own, which is
// there as a whole or not at all. A snapshot is no place for it: caches that are warmed from a
// database often save none.
#pragma once

#include <string>

#include "persistence/aof/disk_thread.h"
#include "persistence/io/file_system.h"
#include "src/engine/engine.h"

namespace hearth {

class HotListFile {
 public:
  struct Parts {
    Engine* engine = nullptr;
    io::FileSystem* disk = nullptr;  // may be used on the disk's thread
    aof::DiskThread* disk_thread = nullptr;
  };
  explicit HotListFile(const Parts& parts) : parts_(parts) {}

  // Reads what an earlier life of the node left. What can't be read is told of and left alone.
  void load();
  // Saves now and then, on the disk's thread. With the other background work.
  void tick();
  // The node ends.
  void save();

 private:
  [[nodiscard]] const std::string& path() const;

  Parts parts_;
  MonoTime saved_{};
  bool is_saving_ = false;
};

}  // namespace hearth

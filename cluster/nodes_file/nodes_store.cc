#include "cluster/nodes_file/nodes_store.h"

#include <fmt/format.h>

#include <utility>

#include "cluster/nodes_file/nodes_file.h"

namespace hearth::cluster {
namespace {
constexpr int kOpenTries = 10;
}  // namespace

Result<void> NodesStore::open(std::string path) {
  path_ = std::move(path);
  for (int i = 0; i < kOpenTries; ++i) {
    HEARTH_TRY(std::unique_ptr<io::File> file, disk_.open(path_, io::OpenMode::kAppend));
    if (auto locked = file->lock(); !locked) {
      if (locked.error().code != ErrorCode::kBusy) return locked;
      return fail(ErrorCode::kBusy,
                  fmt::format("Sorry, the cluster configuration file {} is already used by a "
                              "different Cluster node. Please make sure that different nodes use "
                              "different cluster configuration files.",
                              path_));
    }
    // Another process may have replaced the file between our open and our lock.
    if (file->is_at(path_)) {
      locked_ = std::move(file);
      return {};
    }
  }
  return fail(ErrorCode::kBusy, fmt::format("{} is being replaced all the time", path_));
}

Result<std::string> NodesStore::load() { return read_file(disk_, path_, kNodesFileBytesMax); }

Result<void> NodesStore::save(std::string_view text) {
  const std::string temporary = path_ + ".tmp";
  const auto write = [&]() -> Result<std::unique_ptr<io::File>> {
    HEARTH_TRY(std::unique_ptr<io::File> file, disk_.open(temporary, io::OpenMode::kCreate));
    HEARTH_TRY_VOID(file->append(text));
    HEARTH_TRY_VOID(file->sync());
    HEARTH_TRY_VOID(file->lock());
    HEARTH_TRY_VOID(disk_.rename(temporary, path_));
    return file;
  };
  auto written = write();
  if (!written) {
    // The error that matters is the first one; a leftover file is overwritten next time.
    static_cast<void>(disk_.remove(temporary));
    return unexpected(std::move(written).error());
  }
  locked_ = std::move(*written);
  return disk_.sync_dir(io::dir_of(path_));
}

}  // namespace hearth::cluster

#include "persistence/snapshot/saver.h"

namespace hearth::snapshot {
namespace {
constexpr std::uint64_t kSyncEvery = 4 * 1024 * 1024;
}

Result<void> FileSink::append(std::string_view bytes) {
  HEARTH_TRY_VOID(file_.append(bytes));
  unsynced_ += bytes.size();
  if (!incremental_ || unsynced_ < kSyncEvery) return {};
  unsynced_ = 0;
  return file_.sync();
}

Result<std::uint64_t> write_and_sync(io::FileSystem& fs, const SaveRequest& request,
                                     const Keyspace& keyspace, const rdb::FileOptions& options) {
  const auto attempt = [&]() -> Result<std::uint64_t> {
    HEARTH_TRY(const std::unique_ptr<io::File> file,
               fs.open(request.temp_path, io::OpenMode::kCreate));
    FileSink sink(*file, request.incremental_sync);
    HEARTH_TRY(const std::uint64_t bytes, rdb::write_file(keyspace, options, sink));
    HEARTH_TRY_VOID(file->sync());
    return bytes;
  };
  auto written = attempt();
  if (!written) static_cast<void>(fs.remove(request.temp_path));
  return written;
}

Result<std::uint64_t> save(io::FileSystem& fs, const SaveRequest& request, const Keyspace& keyspace,
                           const rdb::FileOptions& options) {
  HEARTH_TRY(const std::uint64_t bytes, write_and_sync(fs, request, keyspace, options));
  if (auto renamed = fs.rename(request.temp_path, request.path); !renamed) {
    static_cast<void>(fs.remove(request.temp_path));
    return tl::unexpected<Error>(renamed.error());
  }
  HEARTH_TRY_VOID(fs.sync_dir(io::dir_of(request.path)));
  return bytes;
}

}  // namespace hearth::snapshot

#include "persistence/io/file_system.h"

#include <fmt/format.h>

namespace hearth::io {

std::string dir_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

std::string joined(std::string_view dir, std::string_view name) {
  if (dir.empty() || dir == ".") return std::string(name);
  std::string path(dir);
  if (path.back() != '/') path += '/';
  path += name;
  return path;
}

Result<std::string> read_file(FileSystem& fs, const std::string& path, std::uint64_t max_bytes) {
  HEARTH_TRY(const std::unique_ptr<File> file, fs.open(path, OpenMode::kRead));
  HEARTH_TRY(const std::uint64_t size, file->size());
  if (size > max_bytes) {
    return fail(ErrorCode::kLimit, fmt::format("{}: {} bytes, limit {}", path, size, max_bytes));
  }
  std::string bytes(size, '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    HEARTH_TRY(const std::size_t got, file->read(bytes.data() + filled, bytes.size() - filled));
    if (got == 0) break;  // it became shorter meanwhile
    filled += got;
  }
  bytes.resize(filled);
  return bytes;
}

Result<void> write_file_atomically(FileSystem& fs, const std::string& path,
                                   std::string_view bytes) {
  const std::string temporary = path + ".tmp";
  const auto write = [&]() -> Result<void> {
    HEARTH_TRY(const std::unique_ptr<File> file, fs.open(temporary, OpenMode::kCreate));
    HEARTH_TRY_VOID(file->append(bytes));
    HEARTH_TRY_VOID(file->sync());
    return {};
  };
  auto written = write();
  if (written) written = fs.rename(temporary, path);
  if (!written) {
    // The error that matters is the first one; a leftover file is overwritten next time.
    static_cast<void>(fs.remove(temporary));
    return written;
  }
  return fs.sync_dir(dir_of(path));
}

}  // namespace hearth::io

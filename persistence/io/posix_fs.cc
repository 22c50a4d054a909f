#include "persistence/io/posix_fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "src/base/system_text.h"

namespace hearth::io {
namespace {

tl::unexpected<Error> system_error(std::string_view what, const std::string& path) {
  const int code = errno;
  const ErrorCode kind = code == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo;
  return fail(kind, fmt::format("{} {}: {}", what, path, system_text(code)));
}

class PosixFile : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override { ::close(fd_); }

  Result<void> append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return system_error("write", path_);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }
  Result<std::size_t> read(char* out, std::size_t size) override {
    ssize_t got = 0;
    do {
      got = ::read(fd_, out, size);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return system_error("read", path_);
    return static_cast<std::size_t>(got);
  }
  Result<void> sync() override {
    if (::fsync(fd_) != 0) return system_error("fsync", path_);
    return {};
  }
  Result<std::uint64_t> size() override {
    struct stat status {};
    if (::fstat(fd_, &status) != 0) return system_error("stat", path_);
    return static_cast<std::uint64_t>(status.st_size);
  }
  Result<void> truncate(std::uint64_t size) override {
    if (::ftruncate(fd_, static_cast<off_t>(size)) != 0) return system_error("truncate", path_);
    return {};
  }
  Result<void> lock() override {
    if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return {};
    if (errno == EWOULDBLOCK) return fail(ErrorCode::kBusy, path_ + " is locked");
    return system_error("lock", path_);
  }
  bool is_at(const std::string& path) override {
    struct stat mine {};
    struct stat named {};
    return ::fstat(fd_, &mine) == 0 && ::stat(path.c_str(), &named) == 0 &&
           mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
  }

 private:
  int fd_;
  std::string path_;
};

}  // namespace

Result<std::unique_ptr<File>> PosixFileSystem::open(const std::string& path, OpenMode mode) {
  int flags = O_CLOEXEC;
  switch (mode) {
    case OpenMode::kRead: flags |= O_RDONLY; break;
    case OpenMode::kCreate: flags |= O_WRONLY | O_CREAT | O_TRUNC; break;
    case OpenMode::kAppend: flags |= O_RDWR | O_CREAT | O_APPEND; break;
  }
  const int fd = ::open(path.c_str(), flags, file_mode_.load());
  if (fd < 0) return system_error("open", path);
  return std::unique_ptr<File>(std::make_unique<PosixFile>(fd, path));
}

Result<void> PosixFileSystem::rename(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return system_error("rename to", to);
  return {};
}

Result<void> PosixFileSystem::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return system_error("remove", path);
  return {};
}

Result<void> PosixFileSystem::sync_dir(const std::string& dir) {
  const int fd = ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return system_error("open", dir);
  const int done = ::fsync(fd);
  const int code = errno;
  ::close(fd);
  errno = code;
  // Some file systems do not know how to sync a directory and say EINVAL.
  if (done != 0 && code != EINVAL) return system_error("fsync", dir);
  return {};
}

Result<void> PosixFileSystem::make_dir(const std::string& dir) {
  const mode_t of_files = file_mode_;
  const mode_t mode = of_files | 0700 | ((of_files & 0044) >> 2);
  if (::mkdir(dir.c_str(), mode) != 0 && errno != EEXIST) return system_error("mkdir", dir);
  return {};
}

Result<std::vector<std::string>> PosixFileSystem::list(const std::string& dir) {
  DIR* handle = ::opendir(dir.c_str());
  if (handle == nullptr) return system_error("open", dir);
  std::vector<std::string> names;
  // Safe as long as no other thread reads by this handle.
  while (const dirent* entry = ::readdir(handle)) {  // NOLINT(concurrency-mt-unsafe)
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(handle);
  std::sort(names.begin(), names.end());
  return names;
}

bool PosixFileSystem::exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

}  // namespace hearth::io

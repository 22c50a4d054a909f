#include "cluster/link/nodes_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "cluster/nodes_file/nodes_file.h"

namespace hearth::cluster {
namespace {

constexpr int kFileMode = 0644;
constexpr int kOpenTries = 10;

Error io_error(std::string_view what, const std::string& path) {
  return Error{ErrorCode::kIo, fmt::format("{} {}: {}", what, path, std::strerror(errno))};
}

std::string directory_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

Result<void> sync_directory(const std::string& path) {
  const std::string directory = directory_of(path);
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return unexpected(io_error("cannot open", directory));
  const bool synced = ::fsync(fd) == 0;
  Result<void> result;
  if (!synced) result = unexpected(io_error("cannot fsync", directory));
  ::close(fd);
  return result;
}

// Whether the path still names the file that is open: another process may have replaced it between
// our open and our lock.
bool is_same_file(int fd, const std::string& path) {
  struct stat open_file {};
  struct stat named {};
  return ::fstat(fd, &open_file) == 0 && ::stat(path.c_str(), &named) == 0 &&
         open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

}  // namespace

NodesStore::~NodesStore() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> NodesStore::open(std::string path) {
  path_ = std::move(path);
  for (int i = 0; i < kOpenTries; ++i) {
    const int fd = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode);
    if (fd < 0) return unexpected(io_error("cannot open", path_));
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const bool taken = errno == EWOULDBLOCK;
      const Error error = io_error("cannot lock", path_);
      ::close(fd);
      if (!taken) return unexpected(error);
      return fail(ErrorCode::kBusy,
                  fmt::format("Sorry, the cluster configuration file {} is already used by a "
                              "different Cluster node. Please make sure that different nodes use "
                              "different cluster configuration files.",
                              path_));
    }
    if (is_same_file(fd, path_)) {
      fd_ = fd;
      return {};
    }
    ::close(fd);
  }
  return fail(ErrorCode::kBusy, fmt::format("{} is being replaced all the time", path_));
}

Result<std::string> NodesStore::load() const {
  struct stat info {};
  if (::fstat(fd_, &info) != 0) return unexpected(io_error("cannot stat", path_));
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size > kNodesFileBytesMax) {
    return fail(ErrorCode::kLimit, fmt::format("{} has {} bytes", path_, size));
  }
  std::string text(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(fd_, text.data() + done, size - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return unexpected(io_error("cannot read", path_));
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  text.resize(done);
  return text;
}

Result<void> NodesStore::save(std::string_view text) {
  const std::string temporary = fmt::format("{}.tmp-{}", path_, ::getpid());
  const int fd = ::open(temporary.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, kFileMode);
  if (fd < 0) return unexpected(io_error("cannot create", temporary));
  const bool ready = write_all(fd, text) && ::fsync(fd) == 0 &&
                     ::flock(fd, LOCK_EX | LOCK_NB) == 0 &&
                     std::rename(temporary.c_str(), path_.c_str()) == 0;
  if (!ready) {
    const Error error = io_error("cannot write", temporary);
    ::close(fd);
    ::unlink(temporary.c_str());
    return unexpected(error);
  }
  ::close(std::exchange(fd_, fd));
  return sync_directory(path_);
}

}  // namespace hearth::cluster

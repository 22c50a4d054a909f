// A disk in memory that behaves as badly as a disk may: what was not synced is lost in a crash, and
// any operation can be made to fail.
//
//   MemFileSystem fs;
//   fs.fail_at(3);      // the third operation from now, and all after it, report kIo
//   ...
//   fs.fail_once_at(3); // the third alone
//   ...
//   fs.crash();         // power cut: only synced bytes and synced names remain; faults are cleared
//
// A file's bytes survive a crash up to the last sync of the file; its name survives if sync_dir ran
// on its directory after the name was made; so does a directory's name in its parent. A sync that
// fails drops what it should have kept: later syncs report success without it, and it reads as
// zeros after a crash. With keep_unsynced(n), a crash keeps the first n unsynced bytes of every
// file, as a torn write would.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "persistence/io/file_system.h"

namespace hearth::test {

class MemFileSystem : public io::FileSystem {
  struct Inode {
    std::string bytes;
    std::string synced;
    std::vector<std::pair<std::size_t, std::size_t>> dropped;  // [from, to) that no sync kept

    void keep() {
      synced = bytes;
      for (const auto& [from, to] : dropped) {
        for (std::size_t at = from; at < std::min(to, synced.size()); ++at) synced[at] = '\0';
      }
    }
    void drop() {
      if (bytes.size() > synced.size()) dropped.emplace_back(synced.size(), bytes.size());
    }
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  class MemFile : public io::File {
   public:
    MemFile(MemFileSystem& fs, std::shared_ptr<Inode> inode) : fs_(fs), inode_(std::move(inode)) {}
    Result<void> append(std::string_view bytes) override {
      if (fs_.faulty()) {
        // A failing write may have got half of its bytes down.
        inode_->bytes += bytes.substr(0, bytes.size() / 2);
        return fs_.fault("write");
      }
      inode_->bytes += bytes;
      return {};
    }
    Result<std::size_t> read(char* out, std::size_t size) override {
      if (fs_.faulty()) return fs_.fault("read");
      const std::size_t got = inode_->bytes.copy(out, size, std::min(at_, inode_->bytes.size()));
      at_ += got;
      return got;
    }
    Result<void> sync() override {
      if (fs_.faulty()) {
        inode_->drop();
        return fs_.fault("fsync");
      }
      inode_->keep();
      return {};
    }
    Result<std::uint64_t> size() override { return std::uint64_t{inode_->bytes.size()}; }
    Result<void> truncate(std::uint64_t size) override {
      if (fs_.faulty()) return fs_.fault("truncate");
      inode_->bytes.resize(size);
      return {};
    }

   private:
    MemFileSystem& fs_;
    std::shared_ptr<Inode> inode_;
    std::size_t at_ = 0;
  };

 public:
  MemFileSystem() { dirs_.insert("."); }

  Result<std::unique_ptr<io::File>> open(const std::string& path, io::OpenMode mode) override {
    if (faulty()) return fault("open");
    if (!dirs_.contains(io::dir_of(path)))
      return fail(names_.contains(io::dir_of(path)) ? ErrorCode::kIo : ErrorCode::kNotFound,
                  "no such directory: " + path);
    auto found = names_.find(path);
    if (mode == io::OpenMode::kRead && found == names_.end()) {
      return fail(ErrorCode::kNotFound, "no such file: " + path);
    }
    if (found == names_.end()) found = names_.emplace(path, std::make_shared<Inode>()).first;
    if (mode == io::OpenMode::kCreate) {
      found->second->bytes.clear();
      found->second->dropped.clear();
    }
    return std::unique_ptr<io::File>(std::make_unique<MemFile>(*this, found->second));
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    if (faulty()) return fault("rename");
    const auto found = names_.find(from);
    if (found == names_.end()) return fail(ErrorCode::kNotFound, "no such file: " + from);
    names_[to] = found->second;
    names_.erase(from);
    return {};
  }
  Result<void> remove(const std::string& path) override {
    if (faulty()) return fault("remove");
    if (names_.erase(path) == 0) return fail(ErrorCode::kNotFound, "no such file: " + path);
    return {};
  }
  Result<void> sync_dir(const std::string& dir) override {
    if (faulty()) return fault("fsync");
    std::erase_if(durable_names_,
                  [&](const auto& entry) { return io::dir_of(entry.first) == dir; });
    for (const auto& [path, inode] : names_) {
      if (io::dir_of(path) == dir) durable_names_[path] = inode;
    }
    for (const std::string& made : dirs_) {
      if (io::dir_of(made) == dir) durable_dirs_.insert(made);
    }
    return {};
  }
  Result<void> make_dir(const std::string& dir) override {
    if (faulty()) return fault("mkdir");
    if (names_.contains(dir)) return fail(ErrorCode::kIo, "not a directory: " + dir);
    dirs_.insert(dir);
    return {};
  }
  Result<std::vector<std::string>> list(const std::string& dir) override {
    if (faulty()) return fault("list");
    if (!dirs_.contains(dir)) return fail(ErrorCode::kNotFound, "no such directory: " + dir);
    std::vector<std::string> out;
    for (const auto& [path, inode] : names_) {
      if (io::dir_of(path) == dir) out.push_back(path.substr(path.rfind('/') + 1));
    }
    return out;
  }
  bool exists(const std::string& path) override {
    return names_.contains(path) || dirs_.contains(path);
  }

  // Paths of all files.
  [[nodiscard]] std::vector<std::string> paths() const {
    std::vector<std::string> all;
    for (const auto& [path, inode] : names_) all.push_back(path);
    return all;
  }

  // Counts down operations; the n-th from now (1 is the next) and all later ones fail. 0: none
  // does.
  void fail_at(int n) {
    countdown_ = n;
    once_ = false;
  }
  void fail_once_at(int n) {
    countdown_ = n;
    once_ = true;
  }
  void keep_unsynced(std::size_t bytes) { keep_unsynced_ = bytes; }
  [[nodiscard]] int operations() const { return operations_; }

  void crash() {
    dirs_ = durable_dirs_;
    std::erase_if(durable_names_,
                  [this](const auto& entry) { return !dirs_.contains(io::dir_of(entry.first)); });
    names_ = durable_names_;
    std::set<Inode*> seen;
    for (auto& [path, inode] : names_) {
      if (!seen.insert(inode.get()).second) continue;
      const bool grew = inode->bytes.size() > inode->synced.size() &&
                        inode->bytes.compare(0, inode->synced.size(), inode->synced) == 0;
      const std::size_t kept = inode->synced.size() + keep_unsynced_;
      inode->bytes = grew ? inode->bytes.substr(0, kept) : inode->synced;
      inode->synced = inode->bytes;
      inode->dropped.clear();
    }
    countdown_ = 0;
  }

  // Shortcuts for tests: contents as a reader sees them now, and a file that is there from the
  // start.
  [[nodiscard]] std::string contents(const std::string& path) const {
    const auto found = names_.find(path);
    return found == names_.end() ? std::string("(absent)") : found->second->bytes;
  }
  void put(const std::string& path, std::string bytes) {
    durable_dirs_.insert(io::dir_of(path));
    dirs_.insert(io::dir_of(path));
    auto inode = std::make_shared<Inode>();
    inode->synced = bytes;
    inode->bytes = std::move(bytes);
    names_[path] = inode;
    durable_names_[path] = inode;
  }

 private:
  bool faulty() {
    ++operations_;
    if (countdown_ > 1) {
      --countdown_;
      return false;
    }
    if (countdown_ != 1) return false;
    if (once_) countdown_ = 0;
    return true;
  }
  static tl::unexpected<Error> fault(const char* what) {
    return fail(ErrorCode::kIo, std::string(what) + ": injected fault");
  }

  Names names_;
  Names durable_names_;
  std::set<std::string> dirs_;
  std::set<std::string> durable_dirs_{"."};
  int countdown_ = 0;
  bool once_ = false;
  int operations_ = 0;
  std::size_t keep_unsynced_ = 0;
};

}  // namespace hearth::test

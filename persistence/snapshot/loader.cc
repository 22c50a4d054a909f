#include "persistence/snapshot/loader.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/base/log.h"
#include "src/store/eviction.h"

namespace hearth::snapshot {
namespace {

class Loader final : public rdb::FileVisitor {
 public:
  Loader(Keyspace& keyspace, const LoadOptions& options, LoadFigures& figures)
      : keyspace_(keyspace), options_(options), figures_(figures) {}

  Result<void> on_key(rdb::FileKey&& key) override {
    const bool expired = key.deadline != kNoDeadline && key.deadline <= options_.now.ms;
    if (expired && options_.skip_expired) {
      ++figures_.expired;
      return {};
    }
    Database& db = keyspace_.db(key.db);
    const KeyRef ref = options_.ref(key.name);
    const Found at = db.find(ref);
    if (at && !options_.merge) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("the key '{}' of database {} stands in it twice", key.name, key.db));
    }
    Entry* const entry =
        rdb::make_entry(key.name, std::move(key.object), key.deadline, access_of(key));
    if (at)
      db.replace(ref, at, entry);
    else
      db.insert(ref, entry);
    ++figures_.loaded;
    if (options_.after_key) options_.after_key();
    return {};
  }

  Result<void> on_function(std::string code) override {
    if (!options_.function) return {};
    return options_.function(std::move(code));
  }
  void on_aux(const std::string& name, const std::string& value) override {
    if (options_.aux) options_.aux(name, value);
  }
  void on_tombstone(DbIndex db, std::uint64_t fingerprint, std::uint64_t version) override {
    keyspace_.db(db).tombstones().add(fingerprint, version);
  }
  void on_version_floor(DbIndex db, std::uint64_t version) override {
    keyspace_.db(db).tombstones().raise_floor(version);
  }
  void on_sizes(DbIndex, std::uint64_t, std::uint64_t) override {}
  void on_empty_key(const std::string& name) override {
    // A few are named, so that a damaged file can't fill the log.
    if (++figures_.empty <= kNamedMost) log::notice("rdbLoadObject skipping empty key: {}", name);
  }
  void on_wrong_length(const std::string& name) override {
    if (++wrong_lengths_ <= kNamedMost)
      log::warning("The stream {} has another length than the file says: the counted one is taken",
                   name);
  }
  Result<void> on_progress(std::uint64_t offset) override {
    if (offset < next_progress_) return {};
    next_progress_ = offset + options_.interval;
    return options_.progress ? options_.progress(offset) : Result<void>();
  }

 private:
  static constexpr std::uint64_t kNamedMost = 10;

  [[nodiscard]] std::uint32_t access_of(const rdb::FileKey& key) const {
    if (options_.lfu) {
      return key.frequency ? access_clock::lfu_with_counter(*key.frequency, options_.now)
                           : access_clock::lfu_new(options_.now);
    }
    constexpr std::uint64_t kIdleMost = 1ULL << 24;
    return key.idle_seconds ? access_clock::lru_from_idle(
                                  static_cast<std::int64_t>(std::min(*key.idle_seconds, kIdleMost)),
                                  options_.now)
                            : access_clock::lru(options_.now);
  }

  Keyspace& keyspace_;
  const LoadOptions& options_;
  LoadFigures& figures_;
  std::uint64_t wrong_lengths_ = 0;
  // Not at once: a small load is over before anybody need be told to wait.
  std::uint64_t next_progress_ = options_.interval;
};

}  // namespace

Result<void> load(io::InputWindow& in, Keyspace& keyspace, const LoadOptions& options,
                  LoadFigures& figures) {
  Loader loader(keyspace, options, figures);
  HEARTH_TRY_VOID(rdb::read_file(in, options.read, loader));
  if (figures.empty > 0) log::notice("empty keys skipped: {}", figures.empty);
  return {};
}

}  // namespace hearth::snapshot

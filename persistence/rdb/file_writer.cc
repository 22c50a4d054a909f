#include "persistence/rdb/file_writer.h"

#include <fmt/format.h>

#include "src/base/hash.h"
#include "src/store/hash.h"

namespace hearth::rdb {
namespace {

constexpr std::size_t kPiece = 64 * 1024;

class FileWriter {
 public:
  FileWriter(const FileOptions& options, ByteSink& sink) : options_(options), sink_(sink) {}

  Result<std::uint64_t> write(const Keyspace& keyspace) {
    out_ += fmt::format("REDIS{:04}", version_for(keyspace));
    for (const auto& [name, value] : options_.aux) write_aux(name, value);
    for (const std::string& code : options_.functions) {
      opcode(Opcode::kFunction);
      write_string(out_, code, options_.encode.compression);
    }
    for (DbIndex i = 0; options_.with_keys && i < keyspace.db_count(); ++i) {
      const Database& db = keyspace.db(i);
      if (db.stored_size() > 0 || !db.tombstones().empty()) HEARTH_TRY_VOID(write_database(db, i));
    }
    opcode(Opcode::kEnd);
    HEARTH_TRY_VOID(flush());
    ByteWriter(out_).le(options_.checksum ? crc_ : std::uint64_t{0});
    HEARTH_TRY_VOID(flush());
    return bytes_;
  }

 private:
  // Deadlines of hash fields are the one thing that the portable version has no type for.
  std::uint16_t version_for(const Keyspace& keyspace) const {
    if (options_.encode.target == Target::kRedis70) return kVersionRedis70;
    bool found = false;
    for (DbIndex i = 0; options_.with_keys && i < keyspace.db_count() && !found; ++i) {
      const Database& db = keyspace.db(i);
      if (db.timed_count() == 0 && db.stored_size() == db.size()) continue;
      db.for_each_stored([&](const Entry& e) {
        found = found || (e.type() == Type::kHash && e.hash()->min_deadline() != Hash::kNone);
      });
    }
    return found ? kVersionFieldExpiry : kVersionPortable;
  }

  Result<void> write_database(const Database& db, DbIndex index) {
    opcode(Opcode::kSelectDb);
    write_length(out_, index);
    opcode(Opcode::kResizeDb);
    write_length(out_, db.stored_size());
    write_length(out_, db.volatile_count());
    HEARTH_TRY_VOID(write_tombstones(db.tombstones()));
    Result<void> outcome;
    db.for_each_stored([&](const Entry& e) {
      if (outcome) outcome = write_key(e);
    });
    return outcome;
  }

  Result<void> write_tombstones(const Tombstones& tombstones) {
    constexpr std::size_t kInOneField = 4096;
    if (tombstones.floor() != 0) write_aux(kVersionFloorField, std::to_string(tombstones.floor()));
    std::string field;
    Result<void> outcome;
    const auto end_field = [&] {
      if (field.empty() || !outcome) return;
      write_aux(kTombstonesField, field);
      field.clear();
      outcome = flush();
    };
    tombstones.for_each([&](std::uint64_t fingerprint, std::uint64_t version) {
      ByteWriter writer(field);
      writer.le(fingerprint);
      writer.le(version);
      if (field.size() >= kInOneField * 16) end_field();
    });
    end_field();
    return outcome;
  }

  Result<void> write_key(const Entry& e) {
    if (e.version() != kNoVersion) write_aux(kVersionField, std::to_string(e.version()));
    if (e.has_deadline()) {
      opcode(Opcode::kDeadlineMillis);
      ByteWriter(out_).le(e.deadline());
    }
    if (options_.access == AccessNotes::kIdleSeconds) {
      opcode(Opcode::kIdle);
      const std::int64_t idle_ms = access_clock::lru_idle_ms(e.access(), options_.encode.now);
      write_length(out_, static_cast<std::uint64_t>(idle_ms / 1000));
    } else if (options_.access == AccessNotes::kFrequency) {
      opcode(Opcode::kFrequency);
      out_ += static_cast<char>(
          access_clock::lfu_counter(e.access(), options_.encode.now, options_.lfu));
    }
    // The type is known when the value is written, and stands in front of the key.
    const std::size_t type_at = out_.size();
    out_ += '\0';
    write_string(out_, e.key(), options_.encode.compression);
    out_[type_at] = static_cast<char>(encode_object(e, options_.encode, out_).type);
    ++keys_;
    if (out_.size() >= kPiece) HEARTH_TRY_VOID(flush());
    if (options_.after_key) options_.after_key(keys_);
    return {};
  }

  void write_aux(std::string_view name, std::string_view value) {
    opcode(Opcode::kAux);
    write_string(out_, name, Compression::kOff);
    write_string(out_, value, Compression::kOff);
  }

  void opcode(Opcode code) { out_ += static_cast<char>(code); }

  Result<void> flush() {
    if (options_.checksum) crc_ = crc64(out_, crc_);
    HEARTH_TRY_VOID(sink_.append(out_));
    bytes_ += out_.size();
    out_.clear();
    if (out_.capacity() > 16 * kPiece) out_.shrink_to_fit();
    return {};
  }

  const FileOptions& options_;
  ByteSink& sink_;
  std::string out_;
  std::uint64_t crc_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t keys_ = 0;
};

}  // namespace

Result<std::uint64_t> write_file(const Keyspace& keyspace, const FileOptions& options,
                                 ByteSink& sink) {
  return FileWriter(options, sink).write(keyspace);
}

}  // namespace hearth::rdb

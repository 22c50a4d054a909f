#include "persistence/rdb/file_reader.h"

#include <fmt/format.h>

#include <utility>

#include "src/base/hash.h"
#include "src/base/parse_number.h"

namespace hearth::rdb {
namespace {

constexpr std::size_t kMagicBytes = 9;  // "REDIS0011" or "VALKEY080"
// Bytes read ahead for a record: nearly all fit.
constexpr std::size_t kRecordAhead = 64 * 1024;
// Checksums came with this version.
constexpr std::uint16_t kVersionChecksum = 5;

class FileReader {
 public:
  FileReader(io::InputWindow& in, const ReadOptions& options, FileVisitor& visitor)
      : in_(in), options_(options), visitor_(visitor) {
    options_.limits.strictness = Strictness::kFile;
  }

  Result<void> read() {
    HEARTH_TRY_VOID(read_magic());
    for (bool more = true; more;) {
      HEARTH_TRY(more, read_record());
      HEARTH_TRY_VOID(visitor_.on_progress(in_.offset()));
    }
    return read_checksum();
  }

 private:
  Result<void> read_magic() {
    HEARTH_TRY_VOID(in_.fill(kMagicBytes));
    if (in_.view().size() < kMagicBytes || !is_snapshot(in_.view()))
      return in_.corrupt("Wrong signature trying to load DB from file");
    const std::size_t digits_at = in_.view().starts_with("REDIS") ? 5 : 6;
    const auto version = parse_int64_digits(in_.view().substr(digits_at, kMagicBytes - digits_at));
    if (!version || *version < 1 ||
        !is_accepted(static_cast<std::uint16_t>(*version), options_.version_check)) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("{}: Can't handle RDB format version {}", in_.path(),
                              in_.view().substr(digits_at, kMagicBytes - digits_at)));
    }
    version_ = static_cast<std::uint16_t>(*version);
    take(kMagicBytes);
    return {};
  }

  // The version's digits, with zeros in front.
  static std::optional<std::int64_t> parse_int64_digits(std::string_view digits) {
    while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
    return parse_int64(digits);
  }

  // A record is decoded from what stands in the window. If bytes are missing at its end and the
  // file has more, it is tried again with twice as much. Bytes that are wrong end the load at once.
  template <typename F>
  auto with_bytes(F&& decode) -> decltype(decode(std::declval<ByteReader&>())) {
    std::size_t wanted = kRecordAhead;
    for (;;) {
      HEARTH_TRY_VOID(in_.fill(wanted));
      ByteReader reader(in_.view());
      auto decoded = decode(reader);
      if (decoded) {
        take(reader.offset());
        return decoded;
      }
      if (!reader.failed() || in_.saw_end() || decoded.error().code != ErrorCode::kCorrupt) {
        return fail(decoded.error().code, fmt::format("{}: record at {}: {}", in_.path(),
                                                      in_.offset(), decoded.error().context));
      }
      wanted = in_.view().size() * 2;
    }
  }

  void take(std::size_t bytes) {
    if (options_.verify_checksum) crc_ = crc64(in_.view().substr(0, bytes), crc_);
    in_.consume(bytes);
  }

  Result<std::uint64_t> length() {
    return with_bytes([](ByteReader& r) { return read_length(r); });
  }
  Result<std::string> text() {
    return with_bytes(
        [this](ByteReader& r) { return read_string(r, options_.limits.string_bytes); });
  }
  template <typename T>
  Result<T> little_endian() {
    return with_bytes([](ByteReader& r) -> Result<T> {
      T value{};
      if (!r.le(value)) return corrupt(r, "a number");
      return value;
    });
  }

  Result<bool> read_record() {
    HEARTH_TRY(const std::uint8_t code, little_endian<std::uint8_t>());
    switch (static_cast<Opcode>(code)) {
      case Opcode::kEnd: return false;
      case Opcode::kDeadlineSeconds: {
        HEARTH_TRY(const std::int32_t seconds, little_endian<std::int32_t>());
        pending_.deadline = std::int64_t{seconds} * 1000;
        return true;
      }
      case Opcode::kDeadlineMillis: {
        HEARTH_TRY(pending_.deadline, little_endian<std::int64_t>());
        return true;
      }
      case Opcode::kFrequency: {
        HEARTH_TRY(pending_.frequency, little_endian<std::uint8_t>());
        return true;
      }
      case Opcode::kIdle: {
        HEARTH_TRY(pending_.idle_seconds, length());
        return true;
      }
      case Opcode::kSelectDb: return select_db();
      case Opcode::kResizeDb: {
        HEARTH_TRY(const std::uint64_t keys, length());
        HEARTH_TRY(const std::uint64_t with_deadline, length());
        visitor_.on_sizes(pending_.db, keys, with_deadline);
        return true;
      }
      case Opcode::kSlotInfo: {
        for (int field = 0; field < 3; ++field) HEARTH_TRY_VOID(length());
        return true;
      }
      case Opcode::kAux: {
        HEARTH_TRY(const std::string name, text());
        HEARTH_TRY(const std::string value, text());
        return take_aux(name, value);
      }
      case Opcode::kModuleAux: return skip_module_aux();
      case Opcode::kFunction: {
        HEARTH_TRY(std::string code_text, text());
        HEARTH_TRY_VOID(visitor_.on_function(std::move(code_text)));
        return true;
      }
      default: return read_key(code);
    }
  }

  Result<bool> take_aux(const std::string& name, const std::string& value) {
    if (name == kVersionField) {
      HEARTH_TRY(pending_.version, version_of(name, value));
    } else if (name == kVersionFloorField) {
      HEARTH_TRY(const std::uint64_t floor, version_of(name, value));
      visitor_.on_version_floor(pending_.db, floor);
    } else if (name == kTombstonesField) {
      HEARTH_TRY_VOID(take_tombstones(value));
    } else {
      visitor_.on_aux(name, value);
    }
    return true;
  }

  Result<std::uint64_t> version_of(const std::string& name, const std::string& value) {
    const auto version = parse_int64(value);
    if (!version || *version <= 0) return in_.corrupt("the field " + name + " is no version");
    return static_cast<std::uint64_t>(*version);
  }

  Result<void> take_tombstones(const std::string& field) {
    ByteReader reader(field);
    while (reader.remaining() > 0) {
      std::uint64_t fingerprint = 0;
      std::uint64_t version = 0;
      if (!reader.le(fingerprint) || !reader.le(version) || version == 0)
        return in_.corrupt("expected fingerprints and versions of removed keys");
      visitor_.on_tombstone(pending_.db, fingerprint, version);
    }
    return {};
  }

  Result<bool> select_db() {
    HEARTH_TRY(const std::uint64_t db, length());
    if (db >= options_.databases) {
      return in_.corrupt(fmt::format(
          "Data file was created with a server configured to handle more than {} databases",
          options_.databases));
    }
    pending_.db = static_cast<DbIndex>(db);
    return true;
  }

  // A module's data outside of keys: id, when-opcode and its value, then values until the end mark.
  Result<bool> skip_module_aux() {
    HEARTH_TRY_VOID(length());
    for (;;) {
      HEARTH_TRY(const std::uint64_t kind, length());
      switch (kind) {
        case 0: return true;
        case 1:
        case 2: HEARTH_TRY_VOID(length()); break;
        case 3: HEARTH_TRY_VOID(little_endian<std::uint32_t>()); break;
        case 4: HEARTH_TRY_VOID(little_endian<std::uint64_t>()); break;
        case 5: HEARTH_TRY_VOID(text()); break;
        default: return in_.corrupt("expected a kind of module data");
      }
    }
  }

  Result<bool> read_key(std::uint8_t type) {
    HEARTH_TRY(pending_.name, text());
    auto object = with_bytes(
        [&](ByteReader& r) { return decode_object(type, version_, r, options_.limits); });
    if (!object) return tl::unexpected<Error>(object.error());
    pending_.object = std::move(*object);
    pending_.object.version = pending_.version;
    const DbIndex db = pending_.db;
    if (pending_.object.length_differs) visitor_.on_wrong_length(pending_.name);
    if (pending_.object.is_empty())
      visitor_.on_empty_key(pending_.name);
    else
      HEARTH_TRY_VOID(visitor_.on_key(std::move(pending_)));
    pending_ = FileKey{};
    pending_.db = db;
    return true;
  }

  Result<void> read_checksum() {
    if (version_ < kVersionChecksum) return {};
    const std::uint64_t computed = crc_;
    HEARTH_TRY(const std::uint64_t stored, little_endian<std::uint64_t>());
    if (!options_.verify_checksum || stored == 0 || stored == computed) return {};
    return in_.corrupt(
        fmt::format("Wrong RDB checksum expected: ({:x}) but got ({:x}). Aborting now. (CRC error)",
                    stored, computed));
  }

  io::InputWindow& in_;
  ReadOptions options_;
  FileVisitor& visitor_;
  FileKey pending_;
  std::uint16_t version_ = 0;
  std::uint64_t crc_ = 0;
};

}  // namespace

bool is_snapshot(std::string_view beginning) {
  return beginning.starts_with("REDIS") || beginning.starts_with("VALKEY");
}

Result<void> read_file(io::InputWindow& in, const ReadOptions& options, FileVisitor& visitor) {
  return FileReader(in, options, visitor).read();
}

}  // namespace hearth::rdb

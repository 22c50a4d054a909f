// Values as they stand in RDB files, DUMP payloads and full syncs.
//
// Reading takes bytes from anybody: every length is checked before it is used, structures are
// verified to the last byte, and a value that breaks a rule of its type (no fields, a field twice)
// is refused.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "persistence/rdb/fields.h"
#include "persistence/rdb/format.h"
#include "src/base/bytes.h"
#include "src/base/result.h"
#include "src/base/time.h"
#include "src/store/entry.h"
#include "src/store/hash.h"
#include "src/store/list_value.h"
#include "src/store/set.h"
#include "src/store/stream.h"
#include "src/store/zset.h"

namespace hearth::rdb {

// Oldest server that must be able to read what is written.
enum class Target : std::uint8_t {
  kRedis72,
  kRedis70,  // field deadlines are left out: that version has none
};

struct EncodeOptions {
  Target target = Target::kRedis72;
  Compression compression = Compression::kOn;
  UnixMillis now{};  // fields that have expired by then are left out where their deadline cannot be
                     // written
};

// Old servers wrote files with values that hold nothing, nodes that hold nothing, and streams whose
// stored length is not that of their nodes. A file that has them is read: see Object::is_empty and
// Object::length_differs. As a payload for RESTORE they are refused.
enum class Strictness : std::uint8_t { kPayload, kFile };

struct DecodeLimits {
  HashLimits hash;
  SetLimits set;
  ZsetLimits zset;
  std::uint64_t string_bytes = 512ULL * 1024 * 1024;  // longest string
  ListLimits list{};
  Strictness strictness = Strictness::kPayload;

  [[nodiscard]] bool takes_empty() const { return strictness == Strictness::kFile; }
};

// A decoded value that belongs to no key yet; the alternatives stand in the order of Type.
struct Object {
  std::variant<std::string, List, Set, Zset, Hash, std::unique_ptr<Stream>> value;
  // A stream whose stored length is not how many entries it has; it has the counted one.
  bool length_differs = false;
  // The version that stood beside the value; kNoVersion: none did.
  std::uint64_t version = kNoVersion;

  [[nodiscard]] Type type() const { return static_cast<Type>(value.index()); }
  [[nodiscard]] bool is_string() const { return type() == Type::kString; }
  // A value of a type that may not be empty, and is.
  [[nodiscard]] bool is_empty() const;
  [[nodiscard]] const std::string& text() const { return std::get<std::string>(value); }
};

// The entry for a value, which moves into it.
[[nodiscard]] Entry* make_entry(std::string_view key, Object object, std::int64_t deadline,
                                std::uint32_t access);

struct EncodedType {
  ObjectType type = ObjectType::kString;
  std::uint16_t version = kVersionPortable;  // the least version whose readers know the type
};

// Appends the body of the entry's value (without its type byte) to `out`.
EncodedType encode_object(const Entry& entry, const EncodeOptions& options, std::string& out);

// Reads a body. On success `in` stands behind it.
//   version  of the file or payload: says what the type numbers from 22 on mean
// Errors: kCorrupt with the offset, kUnsupported for a type this build does not know.
[[nodiscard]] Result<Object> decode_object(std::uint8_t type, std::uint16_t version, ByteReader& in,
                                           const DecodeLimits& limits);

}  // namespace hearth::rdb

// Values as they stand in RDB files, DUMP payloads and full syncs.
//
// Reading takes bytes from anybody: every length is checked before it is used, structures are
// verified to the last byte, and a value that breaks a rule of its type (no fields, a field twice)
// is refused.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "persistence/rdb/fields.h"
#include "persistence/rdb/format.h"
#include "src/base/bytes.h"
#include "src/base/result.h"
#include "src/base/time.h"
#include "src/store/entry.h"
#include "src/store/hash.h"
#include "src/store/list.h"
#include "src/store/set.h"
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

struct DecodeLimits {
  HashLimits hash;
  SetLimits set;
  ZsetLimits zset;
  std::uint64_t string_bytes = 512ULL * 1024 * 1024;  // longest string
  ListLimits list{};
};

// A value of any type but string, owned.
using ObjectBody = std::unique_ptr<void, void (*)(void*)>;
template <typename T>
[[nodiscard]] ObjectBody object_body(std::unique_ptr<T> value) {
  return {value.release(), [](void* p) { delete static_cast<T*>(p); }};
}

// A decoded value that belongs to no key yet.
struct Object {
  Type type = Type::kString;
  std::string text;                        // kString
  ObjectBody body{nullptr, [](void*) {}};  // all others: what Entry::make_object takes
};

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

#include "persistence/rdb/object.h"

#include <fmt/format.h>

#include "persistence/rdb/object_hash.h"
#include "persistence/rdb/object_list.h"
#include "persistence/rdb/object_set.h"
#include "persistence/rdb/object_stream.h"
#include "persistence/rdb/object_zset.h"
#include "src/base/format_number.h"

namespace hearth::rdb {

EncodedType encode_object(const Entry& entry, const EncodeOptions& options, std::string& out) {
  if (entry.type() == Type::kHash) return encode_hash(*entry.hash(), options, out);
  if (entry.type() == Type::kSet) return encode_set(*entry.set(), options, out);
  if (entry.type() == Type::kStream) return encode_stream(*entry.stream(), options, out);
  if (entry.type() == Type::kList) return encode_list(*entry.list(), options, out);
  if (entry.type() == Type::kZset) return encode_zset(*entry.zset(), options, out);
  if (entry.is_int()) {
    write_number(out, entry.int_value());
  } else {
    char scratch[kInt64TextMax];
    write_string(out, entry.string_value(scratch), options.compression);
  }
  return {ObjectType::kString,
          options.target == Target::kRedis70 ? kVersionRedis70 : kVersionPortable};
}

Result<Object> decode_object(std::uint8_t type, std::uint16_t version, ByteReader& in,
                             const DecodeLimits& limits) {
  Object object;
  if (static_cast<ObjectType>(type) == ObjectType::kString) {
    HEARTH_TRY(object.text, read_string(in, limits.string_bytes));
    return object;
  }
  if (is_set_type(type)) {
    object.type = Type::kSet;
    HEARTH_TRY(std::unique_ptr<Set> set, decode_set(type, in, limits));
    object.body = object_body(std::move(set));
    return object;
  }
  if (is_stream_type(type)) {
    object.type = Type::kStream;
    HEARTH_TRY(std::unique_ptr<Stream> stream, decode_stream(type, in, limits));
    object.body = object_body(std::move(stream));
    return object;
  }
  switch (static_cast<ObjectType>(type)) {
    case ObjectType::kList:
    case ObjectType::kListZiplist:
    case ObjectType::kListQuicklist:
    case ObjectType::kListQuicklist2: {
      object.type = Type::kList;
      HEARTH_TRY(std::unique_ptr<List> list, decode_list(type, in, limits));
      object.body = object_body(std::move(list));
      return object;
    }
    default: break;
  }
  if (is_zset_type(type)) {
    object.type = Type::kZset;
    HEARTH_TRY(std::unique_ptr<Zset> zset, decode_zset(type, in, limits));
    object.body = object_body(std::move(zset));
    return object;
  }
  object.type = Type::kHash;
  HEARTH_TRY(std::unique_ptr<Hash> hash, decode_hash(type, version, in, limits));
  object.body = object_body(std::move(hash));
  return object;
}

}  // namespace hearth::rdb

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
  if (entry.type() == Type::kList) return encode_list(ListView(entry), options, out);
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

namespace {

// A list is packed where it is small; all others take the constructor of their class.
struct EntryMaker {
  std::string_view key;
  std::int64_t deadline;
  std::uint32_t access;

  Entry* operator()(std::string&& text) const {
    std::int64_t number = 0;
    return as_stored_int(text, number) ? Entry::make_int(key, number, deadline, access)
                                       : Entry::make_string(key, text, deadline, access);
  }
  Entry* operator()(List&& list) const { return make_list(key, std::move(list), deadline, access); }
  template <typename V>
  Entry* operator()(V&& value) const {
    return Entry::make(key, std::forward<V>(value), deadline, access);
  }
};

}  // namespace

Entry* make_entry(std::string_view key, Object object, std::int64_t deadline,
                  std::uint32_t access) {
  return std::visit(EntryMaker{key, deadline, access}, std::move(object.value));
}

Result<Object> decode_object(std::uint8_t type, std::uint16_t version, ByteReader& in,
                             const DecodeLimits& limits) {
  Object object;
  if (is_set_type(type)) {
    HEARTH_TRY(object.value, decode_set(type, in, limits));
    return object;
  }
  if (is_stream_type(type)) {
    HEARTH_TRY(object.value, decode_stream(type, in, limits));
    return object;
  }
  if (is_zset_type(type)) {
    HEARTH_TRY(object.value, decode_zset(type, in, limits));
    return object;
  }
  switch (static_cast<ObjectType>(type)) {
    case ObjectType::kString: {
      HEARTH_TRY(object.value, read_string(in, limits.string_bytes));
      return object;
    }
    case ObjectType::kList:
    case ObjectType::kListZiplist:
    case ObjectType::kListQuicklist:
    case ObjectType::kListQuicklist2: {
      HEARTH_TRY(object.value, decode_list(type, in, limits));
      return object;
    }
    default: {
      HEARTH_TRY(object.value, decode_hash(type, version, in, limits));
      return object;
    }
  }
}

}  // namespace hearth::rdb

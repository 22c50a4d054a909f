#include "persistence/rdb/object.h"

#include <iterator>
#include <utility>

#include "persistence/rdb/object_hash.h"
#include "persistence/rdb/object_list.h"
#include "persistence/rdb/object_set.h"
#include "persistence/rdb/object_stream.h"
#include "persistence/rdb/object_zset.h"
#include "src/base/format_number.h"

namespace hearth::rdb {

namespace {

EncodedType encode_text(const Entry& entry, const EncodeOptions& options, std::string& out) {
  if (entry.is_int()) {
    write_number(out, entry.int_value());
  } else {
    char scratch[kInt64TextMax];
    write_string(out, entry.string_value(scratch), options.compression);
  }
  return {ObjectType::kString,
          options.target == Target::kRedis70 ? kVersionRedis70 : kVersionPortable};
}

bool is_text_type(std::uint8_t type) {
  return type == static_cast<std::uint8_t>(ObjectType::kString);
}
bool is_list_type(std::uint8_t type) {
  switch (static_cast<ObjectType>(type)) {
    case ObjectType::kList:
    case ObjectType::kListZiplist:
    case ObjectType::kListQuicklist:
    case ObjectType::kListQuicklist2: return true;
    default: return false;
  }
}

// How values of one type are written and read. One row for each row of kValueTypes.
struct Codec {
  Type type;
  EncodedType (*encode)(const Entry& entry, const EncodeOptions& options, std::string& out);
  // Whether a body with this type byte is a value of this type. nullptr: any that no other row has.
  bool (*reads)(std::uint8_t type);
  Result<Object> (*decode)(std::uint8_t type, std::uint16_t version, ByteReader& in,
                           const DecodeLimits& limits);
};

template <typename V>
Result<Object> as_object(Result<V> value) {
  if (!value) return tl::unexpected(std::move(value.error()));
  return Object{std::move(*value)};
}

constexpr Codec kCodecs[] = {
    {Type::kString, encode_text, is_text_type,
     [](std::uint8_t, std::uint16_t, ByteReader& in, const DecodeLimits& limits) {
       return as_object(read_string(in, limits.string_bytes));
     }},
    {Type::kList,
     [](const Entry& entry, const EncodeOptions& options, std::string& out) {
       return encode_list(ListView(entry), options, out);
     },
     is_list_type,
     [](std::uint8_t type, std::uint16_t, ByteReader& in, const DecodeLimits& limits) {
       return as_object(decode_list(type, in, limits));
     }},
    {Type::kSet,
     [](const Entry& entry, const EncodeOptions& options, std::string& out) {
       return encode_set(*entry.set(), options, out);
     },
     is_set_type,
     [](std::uint8_t type, std::uint16_t, ByteReader& in, const DecodeLimits& limits) {
       return as_object(decode_set(type, in, limits));
     }},
    {Type::kZset,
     [](const Entry& entry, const EncodeOptions& options, std::string& out) {
       return encode_zset(*entry.zset(), options, out);
     },
     is_zset_type,
     [](std::uint8_t type, std::uint16_t, ByteReader& in, const DecodeLimits& limits) {
       return as_object(decode_zset(type, in, limits));
     }},
    {Type::kHash,
     [](const Entry& entry, const EncodeOptions& options, std::string& out) {
       return encode_hash(*entry.hash(), options, out);
     },
     nullptr,
     [](std::uint8_t type, std::uint16_t version, ByteReader& in, const DecodeLimits& limits) {
       return as_object(decode_hash(type, version, in, limits));
     }},
    {Type::kStream,
     [](const Entry& entry, const EncodeOptions& options, std::string& out) {
       return encode_stream(*entry.stream(), options, out);
     },
     is_stream_type,
     [](std::uint8_t type, std::uint16_t, ByteReader& in, const DecodeLimits& limits) {
       bool differs = false;
       auto object = as_object(decode_stream(type, in, limits, &differs));
       if (object) object->length_differs = differs;
       return object;
     }},
};
static_assert(std::size(kCodecs) == kTypeCount && [] {
  for (unsigned i = 0; i < kTypeCount; ++i) {
    if (kCodecs[i].type != static_cast<Type>(i)) return false;
  }
  return true;
}());

const Codec& codec_of(std::uint8_t type) {
  const Codec* other = nullptr;
  for (const Codec& codec : kCodecs) {
    if (codec.reads == nullptr)
      other = &codec;
    else if (codec.reads(type))
      return codec;
  }
  return *other;
}

}  // namespace

EncodedType encode_object(const Entry& entry, const EncodeOptions& options, std::string& out) {
  return kCodecs[static_cast<unsigned>(entry.type())].encode(entry, options, out);
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

bool Object::is_empty() const {
  switch (type()) {
    case Type::kString:
    case Type::kStream: return false;
    case Type::kList: return std::get<List>(value).size() == 0;
    case Type::kSet: return std::get<Set>(value).size() == 0;
    case Type::kZset: return std::get<Zset>(value).size() == 0;
    case Type::kHash: return std::get<Hash>(value).size() == 0;
  }
  return false;
}

Entry* make_entry(std::string_view key, Object object, std::int64_t deadline,
                  std::uint32_t access) {
  Entry* const entry = std::visit(EntryMaker{key, deadline, access}, std::move(object.value));
  return object.version == kNoVersion ? entry : Entry::with_version(entry, object.version);
}

Result<Object> decode_object(std::uint8_t type, std::uint16_t version, ByteReader& in,
                             const DecodeLimits& limits) {
  return codec_of(type).decode(type, version, in, limits);
}

}  // namespace hearth::rdb

#include "persistence/rdb/object_hash.h"

#include <fmt/format.h>

#include <functional>
#include <set>

#include "persistence/rdb/ziplist.h"
#include "src/base/format_number.h"

namespace hearth::rdb {
namespace {

using ds::Listpack;

// Deadlines were checked or are ours; nothing is expired for a decoder, which knows no time.
constexpr UnixMillis kBeforeAll{0};

void write_pairs(const Hash& hash, UnixMillis now, std::uint64_t count,
                 const EncodeOptions& options, std::string& out) {
  write_length(out, count);
  hash.for_each(now, [&](const Hash::Item& item) {
    write_string(out, item.field, options.compression);
    write_string(out, item.value, options.compression);
  });
}

// Earliest deadline of all, exactly; kNone if no field has one.
std::int64_t earliest_deadline(const Hash& hash) {
  std::int64_t earliest = Hash::kNone;
  if (hash.min_deadline() == Hash::kNone) return earliest;
  hash.for_each(kBeforeAll, [&](const Hash::Item& item) {
    if (item.deadline == Hash::kNone) return;
    if (earliest == Hash::kNone || item.deadline < earliest) earliest = item.deadline;
  });
  return earliest;
}

void write_with_deadlines(const Hash& hash, std::int64_t earliest, const EncodeOptions& options,
                          std::string& out) {
  ByteWriter(out).le(earliest);
  write_length(out, hash.size());
  hash.for_each(kBeforeAll, [&](const Hash::Item& item) {
    // 0 is "none", so that the earliest itself is 1.
    const std::int64_t delta = item.deadline == Hash::kNone ? 0 : item.deadline - earliest + 1;
    write_length(out, static_cast<std::uint64_t>(delta));
    write_string(out, item.field, options.compression);
    write_string(out, item.value, options.compression);
  });
}

// Collects decoded fields into a hash and refuses a second field of the same name.
class HashBuilder {
 public:
  explicit HashBuilder(const DecodeLimits& limits) : limits_(limits) {}

  [[nodiscard]] bool add(std::string_view field, std::string_view value,
                         std::int64_t deadline = Hash::kNone) {
    return hash_.set(field, value, deadline, kBeforeAll, limits_.hash) == Hash::Set::kCreated;
  }
  Result<Hash> finish(const ByteReader& in) {
    if (hash_.size() == 0 && !limits_.takes_empty())
      return corrupt(in, "a hash with at least one field");
    return std::move(hash_);
  }

 private:
  const DecodeLimits& limits_;
  Hash hash_;
};

constexpr std::string_view kDistinctHash = "a field that was not there before";

struct FieldLayout {
  bool delta_first = false;    // length-coded delta to `earliest` + 1, 0 none
  bool deadline_last = false;  // i64, <= 0 none
  std::int64_t earliest = 0;
};

bool is_deadline(std::int64_t ms) { return ms > 0; }

Result<Hash> decode_fields(ByteReader& in, const DecodeLimits& limits, const FieldLayout& layout) {
  HEARTH_TRY(const std::uint64_t count, read_length(in));
  // A field and a value take a byte each at the least.
  if (count > in.remaining() / 2) return cut_short(in, "as many fields as there are bytes for");
  HashBuilder builder(limits);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::int64_t deadline = Hash::kNone;
    if (layout.delta_first) {
      HEARTH_TRY(const std::uint64_t delta, read_length(in));
      if (delta > 0 && (delta > INT64_MAX ||
                        __builtin_add_overflow(layout.earliest,
                                               static_cast<std::int64_t>(delta) - 1, &deadline))) {
        return corrupt(in, "a deadline in range");
      }
      if (delta > 0 && !is_deadline(deadline)) return corrupt(in, "a deadline in range");
    }
    HEARTH_TRY(const std::string field, read_string(in, limits.string_bytes));
    HEARTH_TRY(const std::string value, read_string(in, limits.string_bytes));
    if (layout.deadline_last) {
      if (!in.le(deadline)) return corrupt(in, "a deadline");
      if (!is_deadline(deadline)) deadline = Hash::kNone;
    }
    if (!builder.add(field, value, deadline)) return corrupt(in, kDistinctHash);
  }
  return builder.finish(in);
}

Result<Listpack> read_listpack(ByteReader& in, const DecodeLimits& limits) {
  HEARTH_TRY(const std::string bytes,
             read_string(in, std::max<std::uint64_t>(limits.string_bytes, Listpack::kBytesMax)));
  auto pack = Listpack::from_bytes(bytes);
  if (!pack)
    return fail(ErrorCode::kCorrupt,
                fmt::format("offset {}: {}", in.offset(), pack.error().context));
  return pack;
}

Result<Hash> decode_hash_listpack(ByteReader& in, const DecodeLimits& limits) {
  HEARTH_TRY(const Listpack pack, read_listpack(in, limits));
  const std::size_t count = pack.size();
  if (count == 0 && limits.takes_empty()) return Hash();
  if (count == 0 || count % 2 != 0) return corrupt(in, "pairs of field and value");
  std::set<std::string, std::less<>> fields;
  char scratch[kInt64TextMax];
  for (auto at = pack.first(); at != Listpack::kEnd; at = pack.next(pack.next(at))) {
    if (!fields.emplace(pack.get(at).text(scratch)).second) return corrupt(in, kDistinctHash);
  }
  return Hash::from_listpack(pack, limits.hash);
}

Result<Hash> decode_listpack_with_deadlines(ByteReader& in, const DecodeLimits& limits) {
  std::int64_t earliest = 0;
  if (!in.le(earliest)) return corrupt(in, "the earliest deadline");
  HEARTH_TRY(const Listpack pack, read_listpack(in, limits));
  if (pack.size() % 3 != 0) return corrupt(in, "triples of field, value and deadline");
  HashBuilder builder(limits);
  char field_scratch[kInt64TextMax];
  char value_scratch[kInt64TextMax];
  for (auto at = pack.first(); at != Listpack::kEnd;) {
    const auto field = pack.get(at).text(field_scratch);
    at = pack.next(at);
    const auto value = pack.get(at).text(value_scratch);
    at = pack.next(at);
    const Listpack::Element deadline = pack.get(at);
    at = pack.next(at);
    if (!deadline.is_number() || deadline.number < 0) return corrupt(in, "a deadline in range");
    if (!builder.add(field, value, deadline.number == 0 ? Hash::kNone : deadline.number)) {
      return corrupt(in, kDistinctHash);
    }
  }
  return builder.finish(in);
}

using PairReader = Result<void> (*)(std::string_view, const PairVisitor&);

Result<Hash> decode_old_packed(ByteReader& in, const DecodeLimits& limits, PairReader read_pairs) {
  HEARTH_TRY(const std::string bytes, read_string(in, limits.string_bytes));
  HashBuilder builder(limits);
  const auto read = read_pairs(bytes, [&](std::string_view field, std::string_view value) {
    return builder.add(field, value);
  });
  if (!read)
    return fail(ErrorCode::kCorrupt,
                fmt::format("offset {}: {}", in.offset(), read.error().context));
  return builder.finish(in);
}

}  // namespace

EncodedType encode_hash(const Hash& hash, const EncodeOptions& options, std::string& out) {
  const bool old = options.target == Target::kRedis70;
  const std::uint16_t version = old ? kVersionRedis70 : kVersionPortable;
  if (hash.encoding() == HashEncoding::kListpack) {
    write_string(out, hash.to_listpack().bytes(), options.compression);
    return {ObjectType::kHashListpack, version};
  }
  const std::int64_t earliest = earliest_deadline(hash);
  if (earliest == Hash::kNone || old) {
    const std::uint64_t visible = old ? hash.visible_size(options.now) : hash.size();
    // A hash of nothing but expired fields keeps them: no reader accepts an empty one.
    if (visible == 0)
      write_pairs(hash, kBeforeAll, hash.size(), options, out);
    else
      write_pairs(hash, old ? options.now : kBeforeAll, visible, options, out);
    return {ObjectType::kHash, version};
  }
  write_with_deadlines(hash, earliest, options, out);
  return {ObjectType::kHashExpiry, kVersionFieldExpiry};
}

Result<Hash> decode_hash(std::uint8_t type, std::uint16_t version, ByteReader& in,
                         const DecodeLimits& limits) {
  const bool valkey = version >= kVersionValkeyFirst;
  switch (static_cast<ObjectType>(type)) {
    case ObjectType::kHash: return decode_fields(in, limits, {});
    case ObjectType::kHashZipmap: return decode_old_packed(in, limits, read_zipmap);
    case ObjectType::kHashZiplist: return decode_old_packed(in, limits, read_ziplist);
    case ObjectType::kHashListpack: return decode_hash_listpack(in, limits);
    case ObjectType::kHashExpiryAfterValue:
      if (valkey)
        return decode_fields(in, limits,
                             {.delta_first = false, .deadline_last = true, .earliest = 0});
      break;
    case ObjectType::kHashExpiry: {
      if (valkey) break;
      std::int64_t earliest = 0;
      if (!in.le(earliest)) return corrupt(in, "the earliest deadline");
      return decode_fields(in, limits,
                           {.delta_first = true, .deadline_last = false, .earliest = earliest});
    }
    case ObjectType::kHashListpackExpiry:
      if (!valkey) return decode_listpack_with_deadlines(in, limits);
      break;
    default: break;
  }
  return fail(ErrorCode::kUnsupported, fmt::format("object type {} of version {}", type, version));
}

}  // namespace hearth::rdb

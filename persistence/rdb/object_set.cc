#include "persistence/rdb/object_set.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/base/format_number.h"

namespace hearth::rdb {
namespace {

using ds::Intset;
using ds::Listpack;

constexpr std::string_view kDistinctSet = "a member that was not there before";
constexpr std::string_view kAnyMember = "a set with at least one member";

tl::unexpected<Error> corrupt_part(const ByteReader& in, const Error& error) {
  return fail(ErrorCode::kCorrupt, fmt::format("offset {}: {}", in.offset(), error.context));
}

Result<Set> decode_members(ByteReader& in, const DecodeLimits& limits) {
  HEARTH_TRY(const std::uint64_t count, read_length(in));
  if (count > in.remaining()) return cut_short(in, "as many members as there are bytes for");
  if (count == 0 && !limits.takes_empty()) return corrupt(in, kAnyMember);
  Set set;
  for (std::uint64_t i = 0; i < count; ++i) {
    HEARTH_TRY(const std::string member, read_string(in, limits.string_bytes));
    if (i == 0) set = Set::for_members(member, count, limits.set);
    if (!set.add(member, limits.set)) return corrupt(in, kDistinctSet);
  }
  return set;
}

Result<Set> decode_intset(ByteReader& in, const DecodeLimits& limits) {
  HEARTH_TRY(const std::string bytes, read_string(in, limits.string_bytes));
  auto ints = Intset::from_bytes(bytes);
  if (!ints) return corrupt_part(in, ints.error());
  if (ints->size() == 0 && !limits.takes_empty()) return corrupt(in, kAnyMember);
  return Set::from_intset(std::move(*ints), limits.set);
}

Result<Set> decode_set_listpack(ByteReader& in, const DecodeLimits& limits) {
  HEARTH_TRY(const std::string bytes,
             read_string(in, std::max<std::uint64_t>(limits.string_bytes, Listpack::kBytesMax)));
  const auto all = Listpack::from_bytes(bytes);
  if (!all) return corrupt_part(in, all.error());
  if (all->empty() && limits.takes_empty()) return Set();
  if (all->empty()) return corrupt(in, kAnyMember);
  // Looking for a member that is there twice is quick in a table only. Limits that allow more keep
  // the form the sender had.
  SetLimits checking = limits.set;
  checking.listpack_entries = 0;
  checking.intset_entries = 0;
  Set seen = Set::for_members({}, all->size(), checking);
  Set set;
  char scratch[kInt64TextMax];
  for (auto at = all->first(); at != Listpack::kEnd; at = all->next(at)) {
    const std::string_view member = all->get(at).text(scratch);
    if (!seen.add(member, checking)) return corrupt(in, kDistinctSet);
  }
  SetLimits keeping = limits.set;
  keeping.intset_entries = 0;
  set = Set::for_members(all->get(all->first()).text(scratch), all->size(), keeping);
  if (set.encoding() == SetEncoding::kHashtable) {
    set = std::move(seen);
    return set;
  }
  for (auto at = all->first(); at != Listpack::kEnd; at = all->next(at)) {
    set.add(all->get(at).text(scratch), keeping);
  }
  return set;
}

}  // namespace

EncodedType encode_set(const Set& set, const EncodeOptions& options, std::string& out) {
  const bool old = options.target == Target::kRedis70;
  const std::uint16_t version = old ? kVersionRedis70 : kVersionPortable;
  if (set.encoding() == SetEncoding::kIntset) {
    write_string(out, set.intset_bytes(), options.compression);
    return {ObjectType::kSetIntset, version};
  }
  if (set.encoding() == SetEncoding::kListpack && !old) {
    write_string(out, set.to_listpack().bytes(), options.compression);
    return {ObjectType::kSetListpack, version};
  }
  write_length(out, set.size());
  set.for_each([&](std::string_view member) { write_string(out, member, options.compression); });
  return {ObjectType::kSet, version};
}

bool is_set_type(std::uint8_t type) {
  const auto t = static_cast<ObjectType>(type);
  return t == ObjectType::kSet || t == ObjectType::kSetIntset || t == ObjectType::kSetListpack;
}

Result<Set> decode_set(std::uint8_t type, ByteReader& in, const DecodeLimits& limits) {
  switch (static_cast<ObjectType>(type)) {
    case ObjectType::kSetIntset: return decode_intset(in, limits);
    case ObjectType::kSetListpack: return decode_set_listpack(in, limits);
    default: return decode_members(in, limits);
  }
}

}  // namespace hearth::rdb

#include "persistence/rdb/object_zset.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "persistence/rdb/ziplist.h"
#include "src/base/format_number.h"
#include "src/base/parse_number.h"

namespace hearth::rdb {
namespace {

using ds::Listpack;

// First byte of a score in the oldest form: the length of its text, or one of these.
constexpr std::uint8_t kTextNan = 253;
constexpr std::uint8_t kTextInfinity = 254;
constexpr std::uint8_t kTextMinusInfinity = 255;

constexpr std::string_view kDistinctZset = "a member that was not there before";
constexpr std::string_view kScore = "a score that is a number";

// Collects decoded members and refuses one that comes again.
class Collector {
 public:
  explicit Collector(const DecodeLimits& limits) : limits_(limits), builder_(limits.zset.seed) {}

  [[nodiscard]] bool add(std::string_view member, double score) {
    return builder_.add(member, score);
  }
  Result<Zset> finish(const ByteReader& in) {
    if (builder_.size() == 0 && limits_.takes_empty()) return Zset();
    if (builder_.size() == 0) return corrupt(in, "a sorted set with at least one member");
    return builder_.build(limits_.zset);
  }

 private:
  const DecodeLimits& limits_;
  ZsetBuilder builder_;
};

Result<double> read_text_score(ByteReader& in) {
  std::uint8_t length = 0;
  if (!in.le(length)) return corrupt(in, "the length of a score");
  if (length == kTextInfinity) return std::numeric_limits<double>::infinity();
  if (length == kTextMinusInfinity) return -std::numeric_limits<double>::infinity();
  std::string_view text;
  if (length == kTextNan || !in.take(length, text)) return corrupt(in, kScore);
  const auto score = parse_double(text);
  if (!score) return corrupt(in, kScore);
  return *score;
}

Result<double> read_score(ByteReader& in, ObjectType type) {
  if (type == ObjectType::kZset) return read_text_score(in);
  double score = 0;
  if (!in.le(score) || std::isnan(score)) return corrupt(in, kScore);
  return score;
}

Result<Zset> decode_pairs(ObjectType type, ByteReader& in, const DecodeLimits& limits) {
  HEARTH_TRY(const std::uint64_t count, read_length(in));
  // A member and a score take a byte each at the least.
  if (count > in.remaining() / 2) return cut_short(in, "as many members as there are bytes for");
  Collector collector(limits);
  for (std::uint64_t i = 0; i < count; ++i) {
    HEARTH_TRY(const std::string member, read_string(in, limits.string_bytes));
    HEARTH_TRY(const double score, read_score(in, type));
    if (!collector.add(member, score)) return corrupt(in, kDistinctZset);
  }
  return collector.finish(in);
}

tl::unexpected<Error> corrupt_inside(const ByteReader& in, const Error& error) {
  return fail(ErrorCode::kCorrupt, fmt::format("offset {}: {}", in.offset(), error.context));
}

Result<Zset> decode_zset_listpack(ByteReader& in, const DecodeLimits& limits) {
  HEARTH_TRY(const std::string bytes,
             read_string(in, std::max<std::uint64_t>(limits.string_bytes, Listpack::kBytesMax)));
  const auto pack = Listpack::from_bytes(bytes);
  if (!pack) return corrupt_inside(in, pack.error());
  if (pack->size() % 2 != 0) return corrupt(in, "pairs of member and score");
  Collector collector(limits);
  char member_scratch[kInt64TextMax];
  char score_scratch[kInt64TextMax];
  for (auto at = pack->first(); at != Listpack::kEnd; at = pack->next(at)) {
    const std::string_view member = pack->get(at).text(member_scratch);
    at = pack->next(at);
    const auto score = parse_double(pack->get(at).text(score_scratch));
    if (!score) return corrupt(in, kScore);
    if (!collector.add(member, *score)) return corrupt(in, kDistinctZset);
  }
  return collector.finish(in);
}

Result<Zset> decode_ziplist(ByteReader& in, const DecodeLimits& limits) {
  HEARTH_TRY(const std::string bytes, read_string(in, limits.string_bytes));
  Collector collector(limits);
  const auto read = read_ziplist(bytes, [&](std::string_view member, std::string_view text) {
    const auto score = parse_double(text);
    return score && collector.add(member, *score);
  });
  if (!read) return corrupt_inside(in, read.error());
  return collector.finish(in);
}

}  // namespace

EncodedType encode_zset(const Zset& zset, const EncodeOptions& options, std::string& out) {
  const std::uint16_t version =
      options.target == Target::kRedis70 ? kVersionRedis70 : kVersionPortable;
  if (zset.encoding() == ZsetEncoding::kListpack) {
    write_string(out, zset.to_listpack().bytes(), options.compression);
    return {ObjectType::kZsetListpack, version};
  }
  write_length(out, zset.size());
  ByteWriter writer(out);
  // Readers that insert at the front of a list are fastest from the greatest down.
  Zset::Walk walk = zset.walk(zset.size() - 1, zset.size(), Zset::Direction::kDown);
  for (Zset::Item item; walk.next(item);) {
    write_string(out, item.member, options.compression);
    writer.le(item.score);
  }
  return {ObjectType::kZset2, version};
}

Result<Zset> decode_zset(std::uint8_t type, ByteReader& in, const DecodeLimits& limits) {
  const auto form = static_cast<ObjectType>(type);
  switch (form) {
    case ObjectType::kZsetZiplist: return decode_ziplist(in, limits);
    case ObjectType::kZsetListpack: return decode_zset_listpack(in, limits);
    default: return decode_pairs(form, in, limits);
  }
}

}  // namespace hearth::rdb

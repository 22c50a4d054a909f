#include "persistence/rdb/object_list.h"

#include <fmt/format.h>

#include "persistence/rdb/ziplist.h"
#include "src/ds/listpack.h"

namespace hearth::rdb {
namespace {

using ds::Listpack;

// How a node of a quicklist is kept.
constexpr std::uint64_t kPlainNode = 1;
constexpr std::uint64_t kPackedNode = 2;
// Header and end mark of a listpack.
constexpr std::size_t kListpackHead = 6;
constexpr std::size_t kListpackFrame = kListpackHead + 1;

std::string as_listpack(std::string_view elements, std::size_t count) {
  std::string bytes;
  bytes.reserve(elements.size() + kListpackFrame);
  ByteWriter out(bytes);
  out.le(static_cast<std::uint32_t>(elements.size() + kListpackFrame));
  out.le(static_cast<std::uint16_t>(std::min<std::size_t>(count, UINT16_MAX)));
  bytes.append(elements);
  bytes.push_back(static_cast<char>(0xff));
  return bytes;
}

// Adds what was read to a list.
class ListBuilder {
 public:
  explicit ListBuilder(const DecodeLimits& limits) : limits_(limits) {}

  void add(std::string_view item) { list_.push(ListEnd::kTail, item, limits_.list); }

  // A packed node; refuses one that is damaged.
  Result<void> add_listpack(const ByteReader& in, std::string_view bytes) {
    if (auto valid = Listpack::validate(bytes); !valid) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("offset {}: {}", in.offset(), valid.error().context));
    }
    const std::string_view elements = bytes.substr(kListpackHead, bytes.size() - kListpackFrame);
    std::size_t count = 0;
    for (std::size_t at = 0; at < elements.size(); ++count)
      at += ds::stored_size_at(elements.data() + at);
    if (count == 0 && limits_.takes_empty()) return {};
    if (count == 0) return corrupt(in, "a node with at least one item");
    list_.append_packed(elements, count, limits_.list);
    return {};
  }

  Result<void> add_ziplist(const ByteReader& in, std::string_view bytes) {
    const std::uint64_t before = list_.size();
    const auto read = read_ziplist_items(bytes, [this](std::string_view item) { add(item); });
    if (!read) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("offset {}: {}", in.offset(), read.error().context));
    }
    if (list_.size() == before && !limits_.takes_empty())
      return corrupt(in, "a node with at least one item");
    return {};
  }

  Result<List> finish(const ByteReader& in) {
    if (list_.size() == 0 && limits_.takes_empty()) return std::move(list_);
    if (list_.size() == 0) return corrupt(in, "a list with at least one item");
    list_.settle(limits_.list);
    return std::move(list_);
  }

 private:
  const DecodeLimits& limits_;
  List list_;
};

Result<std::string> read_node(ByteReader& in, const DecodeLimits& limits) {
  return read_string(in, std::max<std::uint64_t>(limits.string_bytes, Listpack::kBytesMax));
}

// How many of them follow: items, or nodes. Each takes a byte at the least.
Result<std::uint64_t> read_node_count(ByteReader& in) {
  HEARTH_TRY(const std::uint64_t count, read_length(in));
  if (count > in.remaining()) return cut_short(in, "as many items as there are bytes for");
  return count;
}

Result<void> read_quicklist_node(ByteReader& in, const DecodeLimits& limits, ListBuilder& builder) {
  HEARTH_TRY(const std::uint64_t kind, read_length(in));
  if (kind == kPlainNode) {
    HEARTH_TRY(const std::string item, read_string(in, limits.string_bytes));
    builder.add(item);
    return {};
  }
  if (kind != kPackedNode) return corrupt(in, "a plain or a packed node");
  HEARTH_TRY(const std::string bytes, read_node(in, limits));
  return builder.add_listpack(in, bytes);
}

}  // namespace

// Always as a quicklist: redis-server 7.0 knows no other current form.
EncodedType encode_list(const ListView& list, const EncodeOptions& options, std::string& out) {
  write_length(out, list.segment_count());
  list.for_each_segment({[&](std::string_view elements, std::size_t count) {
                           write_length(out, kPackedNode);
                           write_string(out, as_listpack(elements, count), options.compression);
                         },
                         [&](std::string_view item) {
                           write_length(out, kPlainNode);
                           write_string(out, item, options.compression);
                         }});
  return {ObjectType::kListQuicklist2,
          options.target == Target::kRedis70 ? kVersionRedis70 : kVersionPortable};
}

Result<List> decode_list(std::uint8_t type, ByteReader& in, const DecodeLimits& limits) {
  ListBuilder builder(limits);
  if (static_cast<ObjectType>(type) == ObjectType::kListZiplist) {
    HEARTH_TRY(const std::string bytes, read_node(in, limits));
    HEARTH_TRY_VOID(builder.add_ziplist(in, bytes));
    return builder.finish(in);
  }
  HEARTH_TRY(const std::uint64_t count, read_node_count(in));
  for (std::uint64_t i = 0; i < count; ++i) {
    switch (static_cast<ObjectType>(type)) {
      case ObjectType::kList: {
        HEARTH_TRY(const std::string item, read_string(in, limits.string_bytes));
        builder.add(item);
        break;
      }
      case ObjectType::kListQuicklist: {
        HEARTH_TRY(const std::string bytes, read_node(in, limits));
        HEARTH_TRY_VOID(builder.add_ziplist(in, bytes));
        break;
      }
      case ObjectType::kListQuicklist2:
        HEARTH_TRY_VOID(read_quicklist_node(in, limits, builder));
        break;
      default: return fail(ErrorCode::kUnsupported, fmt::format("object type {}", type));
    }
  }
  return builder.finish(in);
}

}  // namespace hearth::rdb

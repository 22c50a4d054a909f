#include "persistence/rdb/ziplist.h"

#include <fmt/format.h>

#include <optional>
#include <string>

#include "src/base/bytes.h"
#include "src/base/format_number.h"

namespace hearth::rdb {
namespace {

constexpr std::uint8_t kEndMark = 0xff;
constexpr std::uint8_t kWideLength = 0xfe;

tl::unexpected<Error> bad(std::string_view what, std::size_t offset, std::string_view why) {
  return fail(ErrorCode::kCorrupt, fmt::format("{}, offset {}: {}", what, offset, why));
}

template <typename T>
bool take_integer(ByteReader& in, std::string& out) {
  T v{};
  if (!in.le(v)) return false;
  out = int64_text(v);
  return true;
}

bool take_text(ByteReader& in, std::size_t length, std::string& out) {
  std::string_view view;
  if (!in.take(length, view)) return false;
  out = view;
  return true;
}

// Encoding and data of one ziplist entry, as text.
bool take_entry_value(ByteReader& in, std::string& out) {
  std::uint8_t first = 0;
  if (!in.le(first)) return false;
  switch (first >> 6) {
    case 0: return take_text(in, first, out);
    case 1: {
      std::uint8_t low = 0;
      return in.le(low) && take_text(in, (first & 0x3fU) << 8 | low, out);
    }
    case 2: {
      std::uint32_t length = 0;
      return first == 0x80 && in.be(length) && take_text(in, length, out);
    }
    default: break;
  }
  switch (first) {
    case 0xc0: return take_integer<std::int16_t>(in, out);
    case 0xd0: return take_integer<std::int32_t>(in, out);
    case 0xe0: return take_integer<std::int64_t>(in, out);
    case 0xf0: {
      std::uint16_t low = 0;
      std::int8_t high = 0;
      if (!in.le(low) || !in.le(high)) return false;
      out = int64_text(std::int64_t{high} * 65536 + low);
      return true;
    }
    case 0xfe: return take_integer<std::int8_t>(in, out);
    default: break;
  }
  // 1111xxxx holds 0 to 12 in itself, as 1 to 13.
  if (first < 0xf1 || first > 0xfd) return false;
  out = int64_text((first & 0x0f) - 1);
  return true;
}

// Calls visit(item); false refuses it, as a field that was there before. Returns where the last
// item stands.
template <typename F>
Result<std::size_t> walk_ziplist(std::string_view bytes, F&& visit) {
  constexpr std::string_view kWhat = "ziplist";
  constexpr std::size_t kHeader = 10;
  ByteReader in(bytes);
  std::uint32_t total = 0, tail = 0;
  std::uint16_t stated = 0;
  if (!in.le(total) || !in.le(tail) || !in.le(stated)) return bad(kWhat, in.offset(), "cut header");
  if (total != bytes.size() || bytes.size() < kHeader + 1)
    return bad(kWhat, 0, "total does not match");
  if (static_cast<std::uint8_t>(bytes.back()) != kEndMark)
    return bad(kWhat, bytes.size() - 1, "no end mark");

  std::size_t count = 0;
  std::size_t previous_size = 0;
  std::size_t last_offset = kHeader;
  while (in.remaining() > 1) {
    const std::size_t start = in.offset();
    std::uint8_t short_length = 0;
    std::uint32_t previous = 0;
    if (!in.le(short_length)) return bad(kWhat, start, "cut entry");
    previous = short_length;
    if (short_length == kEndMark) return bad(kWhat, start, "end mark before the end");
    if (short_length == kWideLength && !in.le(previous)) return bad(kWhat, start, "cut entry");
    if (previous != previous_size)
      return bad(kWhat, start, "length of the previous entry does not match");
    std::string text;
    if (!take_entry_value(in, text) || in.remaining() < 1)
      return bad(kWhat, start, "entry passes the end");
    last_offset = start;
    previous_size = in.offset() - start;
    ++count;
    if (!visit(std::move(text))) return bad(kWhat, start, "field twice");
  }
  if (stated != 65535 && stated != count) return bad(kWhat, 8, "count does not match");
  if (tail != last_offset) return bad(kWhat, 4, "offset of the last entry does not match");
  return last_offset;
}

}  // namespace

Result<void> read_ziplist_items(std::string_view bytes, const ItemVisitor& visit) {
  HEARTH_TRY([[maybe_unused]] const std::size_t last,
             walk_ziplist(bytes, [&](const std::string& item) {
               visit(item);
               return true;
             }));
  return {};
}

Result<void> read_ziplist(std::string_view bytes, const PairVisitor& visit) {
  std::optional<std::string> field;
  HEARTH_TRY(const std::size_t last, walk_ziplist(bytes, [&](std::string text) {
               if (!field) {
                 field = std::move(text);
                 return true;
               }
               const bool taken = visit(*field, text);
               field.reset();
               return taken;
             }));
  if (field) return bad("ziplist", last, "field without a value");
  return {};
}

Result<void> read_zipmap(std::string_view bytes, const PairVisitor& visit) {
  constexpr std::string_view kWhat = "zipmap";
  ByteReader in(bytes);
  std::uint8_t stated = 0;
  if (!in.le(stated) || static_cast<std::uint8_t>(bytes.back()) != kEndMark) {
    return bad(kWhat, 0, "no end mark");
  }
  const auto take_length = [&](std::uint32_t& length) {
    std::uint8_t first = 0;
    if (!in.le(first) || first == kEndMark) return false;
    length = first;
    return first != kWideLength || in.le(length);
  };
  std::size_t count = 0;
  while (in.remaining() > 1) {
    const std::size_t start = in.offset();
    std::uint32_t length = 0;
    std::uint8_t unused = 0;
    std::string_view field, value;
    const bool whole = take_length(length) && in.take(length, field) && take_length(length) &&
                       in.le(unused) && in.take(length, value) && in.skip(unused) &&
                       in.remaining() >= 1;
    if (!whole) return bad(kWhat, start, "pair passes the end");
    if (!visit(field, value)) return bad(kWhat, start, "field twice");
    ++count;
  }
  if (in.remaining() != 1) return bad(kWhat, in.offset(), "no end mark");
  if (stated < kWideLength && stated != count) return bad(kWhat, 0, "count does not match");
  return {};
}

}  // namespace hearth::rdb

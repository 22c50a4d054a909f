#include "tools/warm_mapping/redis_value.h"

#include <bit>

#include "src/base/bytes.h"
#include "src/base/check.h"
#include "src/base/hash.h"

namespace hearth::warm {
namespace {

constexpr std::uint16_t kPayloadVersion = 8;

// Lengths below 2^6 and 2^14 stand in one and two bytes, others behind a mark.
void append_payload_length(Buffer& out, std::uint64_t length) {
  char* p = out.room(9);
  if (length < 64) {
    p[0] = static_cast<char>(length);
    return out.advance(1);
  }
  if (length < 16'384) {
    store_be(p, static_cast<std::uint16_t>(0x4000 | length));
    return out.advance(2);
  }
  if (length <= 0xffff'ffff) {
    p[0] = static_cast<char>(0x80);
    store_be(p + 1, static_cast<std::uint32_t>(length));
    return out.advance(5);
  }
  p[0] = static_cast<char>(0x81);
  store_be(p + 1, length);
  out.advance(9);
}

}  // namespace

void append_payload_text(Buffer& out, std::string_view text) {
  append_payload_length(out, text.size());
  out.append(text);
}

void append_payload_score(Buffer& out, double score) {
  store_le(out.room(8), std::bit_cast<std::uint64_t>(score));
  out.advance(8);
}

void append_payload(Buffer& out, PayloadType type, std::uint64_t count, std::string_view items) {
  const std::size_t begin = out.size();
  out.push(static_cast<char>(type));
  append_payload_length(out, count);
  out.append(items);
  store_le(out.room(2), kPayloadVersion);
  out.advance(2);
  const std::uint64_t sum = crc64(out.view().substr(begin));
  store_le(out.room(8), sum);
  out.advance(8);
}

std::string_view take_payload_text(std::string_view& items) {
  HEARTH_CHECK(!items.empty());
  const auto first = static_cast<unsigned char>(items[0]);
  std::uint64_t length = first;
  std::size_t header = 1;
  if (first == 0x81) {
    header = 9;
    length = load_be<std::uint64_t>(items.data() + 1);
  } else if (first == 0x80) {
    header = 5;
    length = load_be<std::uint32_t>(items.data() + 1);
  } else if (first >= 0x40) {
    header = 2;
    length = load_be<std::uint16_t>(items.data()) & 0x3fff;
  }
  const std::string_view text = items.substr(header, length);
  items.remove_prefix(header + text.size());
  return text;
}

double take_payload_score(std::string_view& items) {
  HEARTH_CHECK(items.size() >= 8);
  const auto bits = load_le<std::uint64_t>(items.data());
  items.remove_prefix(8);
  return std::bit_cast<double>(bits);
}

}  // namespace hearth::warm

#include "persistence/rdb/dump.h"

#include <fmt/format.h>

#include "src/base/hash.h"

namespace hearth::rdb {

namespace {
constexpr std::size_t kFooter = sizeof(std::uint16_t) + sizeof(std::uint64_t);
constexpr std::string_view kVersionMark = "hver";
}  // namespace

std::string dump_payload(const Entry& entry, const EncodeOptions& options) {
  std::string payload(1, '\0');
  const EncodedType encoded = encode_object(entry, options, payload);
  payload[0] = static_cast<char>(encoded.type);
  if (entry.version() != kNoVersion) {
    payload += kVersionMark;
    ByteWriter(payload).le(entry.version());
  }
  append_dump_footer(encoded.version, payload);
  return payload;
}

void append_dump_footer(std::uint16_t version, std::string& payload) {
  ByteWriter w(payload);
  w.le(version);
  w.le(crc64(payload));
}

Result<Object> parse_dump_payload(std::string_view payload, const DecodeLimits& limits,
                                  Checksum checksum, VersionCheck version_check) {
  if (payload.size() < kFooter + 1)
    return fail(ErrorCode::kUnsupported, "payload without a footer");
  const std::size_t body_end = payload.size() - kFooter;
  const auto version = load_le<std::uint16_t>(payload.data() + body_end);
  if (!is_accepted(version, version_check))
    return fail(ErrorCode::kUnsupported, fmt::format("version {}", version));
  const std::size_t crc_at = payload.size() - sizeof(std::uint64_t);
  if (checksum == Checksum::kVerify &&
      load_le<std::uint64_t>(payload.data() + crc_at) != crc64(payload.substr(0, crc_at))) {
    return fail(ErrorCode::kUnsupported, "wrong checksum");
  }
  ByteReader in(payload.substr(1, body_end - 1));
  auto object = decode_object(static_cast<std::uint8_t>(payload[0]), version, in, limits);
  if (!object) return fail(ErrorCode::kCorrupt, object.error().context);
  if (in.remaining() == kVersionMark.size() + sizeof(std::uint64_t)) {
    std::string_view mark;
    if (!in.take(kVersionMark.size(), mark) || mark != kVersionMark || !in.le(object->version) ||
        object->version == kNoVersion || object->version > INT64_MAX)
      return corrupt(in, "the version of the key");
  }
  if (in.remaining() != 0) return corrupt(in, "the end of the value");
  return object;
}

}  // namespace hearth::rdb

#include "src/commands/scripting/payload.h"

#include "persistence/rdb/format.h"
#include "src/base/bytes.h"
#include "src/base/hash.h"

namespace hearth::commands {
namespace {

constexpr std::uint8_t kLibraryOpcode = 245;
constexpr std::uint8_t kOldLibraryOpcode = 246;  // of a preliminary version that nobody reads
constexpr std::size_t kChecksum = sizeof(std::uint64_t);
constexpr std::size_t kFooter = sizeof(std::uint16_t) + kChecksum;

}  // namespace

std::string write_libraries(const std::vector<std::string>& codes, const LibraryPayload& options) {
  std::string payload;
  for (const std::string& code : codes) {
    payload += static_cast<char>(kLibraryOpcode);
    rdb::write_string(payload, code, options.compression);
  }
  ByteWriter w(payload);
  w.le(options.version);
  w.le(crc64(payload));
  return payload;
}

Result<std::vector<std::string>> read_libraries(std::string_view payload,
                                                std::uint64_t string_bytes_most) {
  if (payload.size() < kFooter) return fail(ErrorCode::kUnsupported, "too short");
  const std::size_t body_end = payload.size() - kFooter;
  const std::string_view checked = payload.substr(0, payload.size() - kChecksum);
  if (!rdb::is_known_version(load_le<std::uint16_t>(payload.data() + body_end)))
    return fail(ErrorCode::kUnsupported, "version");
  if (load_le<std::uint64_t>(payload.data() + checked.size()) != crc64(checked))
    return fail(ErrorCode::kUnsupported, "checksum");
  std::vector<std::string> codes;
  ByteReader in(payload.substr(0, body_end));
  while (in.remaining() > 0) {
    std::uint8_t opcode = 0;
    in.le(opcode);
    if (opcode == kOldLibraryOpcode)
      return fail(ErrorCode::kCorrupt, "Pre-GA function format not supported");
    if (opcode != kLibraryOpcode) return fail(ErrorCode::kCorrupt, "given type is not a function");
    auto code = rdb::read_string(in, string_bytes_most);
    if (!code) return fail(ErrorCode::kCorrupt, "Failed loading library code");
    codes.push_back(std::move(*code));
  }
  return codes;
}

}  // namespace hearth::commands

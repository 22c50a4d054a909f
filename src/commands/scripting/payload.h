// Libraries as the bytes that FUNCTION DUMP gives and FUNCTION RESTORE takes: for each library the
// opcode 245 and its code as a string of the RDB format; then the version (u16 LE) and the CRC-64.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "persistence/rdb/fields.h"
#include "src/base/result.h"

namespace hearth::commands {

struct LibraryPayload {
  std::uint16_t version = 0;
  rdb::Compression compression = rdb::Compression::kOn;
};

[[nodiscard]] std::string write_libraries(const std::vector<std::string>& codes,
                                          const LibraryPayload& options);

// The codes. Errors: kUnsupported if version or checksum are wrong, kCorrupt with a text for the
// client if the rest is.
[[nodiscard]] Result<std::vector<std::string>> read_libraries(std::string_view payload,
                                                              std::uint64_t string_bytes_most);

}  // namespace hearth::commands

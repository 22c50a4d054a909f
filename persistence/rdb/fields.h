// The two primitives of the RDB format: lengths and strings.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "src/base/bytes.h"
#include "src/base/result.h"

namespace hearth::rdb {

enum class Compression : bool { kOff, kOn };

void write_length(std::string& out, std::uint64_t length);
// A string in its shortest form: an integer of 1, 2 or 4 bytes if it is the canonical text of one,
// LZF if that is allowed and saves space, else as it is.
void write_string(std::string& out, std::string_view text, Compression compression);
// The same without looking for integers and compression: for bytes that are a structure.
void write_number(std::string& out, std::int64_t number);

// Errors are kCorrupt with the offset in the context.
[[nodiscard]] Result<std::uint64_t> read_length(ByteReader& in);
// Refuses strings longer than max_bytes before it allocates for them.
[[nodiscard]] Result<std::string> read_string(ByteReader& in, std::uint64_t max_bytes);

// The same where bytes behind the end of `in` could make it right: in.failed() says so afterwards.
[[nodiscard]] tl::unexpected<Error> cut_short(ByteReader& in, std::string_view expected);
[[nodiscard]] tl::unexpected<Error> corrupt(const ByteReader& in, std::string_view expected);

}  // namespace hearth::rdb

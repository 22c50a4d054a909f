// Any bytes are rows of a binary COPY or are refused; cells stay inside of what was sent.
#include <cstdint>
#include <iterator>
#include <string_view>
#include <vector>

#include "tools/warm_source/postgres_binary.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::warm;
  // The first byte chooses the types of three columns.
  static constexpr std::uint32_t kTypes[] = {16,   17,   20,   21,   23,   25,   26,   114,
                                             700,  701,  1082, 1083, 1114, 1184, 1700, 2950,
                                             3802, 1007, 1009, 1231, 1185, 2951, 3807, 1016};
  if (size < 3) return 0;
  std::vector<PgType> types;
  for (int i = 0; i < 3; ++i) types.push_back(*pg_binary_type(kTypes[data[i] % std::size(kTypes)]));
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 3, size - 3);
  static_cast<void>(PgDecoder::copy_header_bytes(bytes));
  PgDecoder decoder(types);
  for (int again = 0; again < 2; ++again) {
    const auto row = decoder.decode_copy_row(bytes);
    if (!row || !*row) continue;
    Buffer out;
    for (const Cell& cell : **row) {
      static_cast<void>(append_plain(out, cell));
      static_cast<void>(append_json_cell(out, cell, false));
    }
  }
  return 0;
}

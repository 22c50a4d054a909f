// Messages of PostgreSQL's change stream from a hostile server, and the values in them.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tools/warm_source/pgoutput.h"
#include "tools/warm_source/postgres_binary.h"

using namespace hearth::warm;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(parse_pg_lsn(bytes));
  const auto outer = parse_pg_stream(bytes);
  PgMessage message;
  if (!parse_pgoutput(outer && !outer->is_keepalive ? outer->payload : bytes, message)) return 0;
  std::vector<PgType> types;
  constexpr std::uint32_t kOids[] = {16, 20, 23, 25, 700, 1082, 1114, 1700, 2950, 3802, 1007, 1231};
  for (std::size_t i = 0; i < message.new_tuple.size(); ++i)
    types.push_back(*pg_binary_type(kOids[i % std::size(kOids)]));
  PgDecoder decoder(types);
  decoder.begin_row();
  for (std::size_t i = 0; i < message.new_tuple.size(); ++i) {
    Cell cell;
    if (decoder.decode_value(i, message.new_tuple[i].bytes, cell)) {
      Buffer out;
      static_cast<void>(append_plain(out, cell));
    }
  }
  return 0;
}

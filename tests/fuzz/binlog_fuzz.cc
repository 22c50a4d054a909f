// Events of MariaDB's log from a hostile server, and the rows in them.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tools/warm_source/binlog.h"
#include "tools/warm_source/mysql_text.h"

using namespace hearth::warm;

namespace {

// The table map is followed by an event with rows; the first two bytes say where it begins.
void read_rows_of(const BinlogTableMap& map, std::string_view bytes) {
  constexpr CellType kCells[] = {CellType::kInteger, CellType::kText, CellType::kDecimal,
                                 CellType::kTimestamp, CellType::kBytes};
  std::vector<BinlogValueForm> forms;
  for (std::size_t i = 0; i < map.columns.size(); ++i) {
    forms.push_back({kCells[i % std::size(kCells)], {}});
    if (map.columns[i].type == 247 || map.columns[i].type == 248) forms.back().names = {"a", "b"};
  }
  BinlogEvent rows;
  if (!parse_binlog_event(bytes, false, rows)) return;
  BinlogRowDecoder decoder(map.columns, forms);
  std::string_view rest = rows.rows.images;
  for (int i = 0; i < 100 && !rest.empty(); ++i) {
    const auto row = decoder.take_image(rest);
    if (!row) return;
    for (const Cell& cell : *row) {
      Buffer out;
      static_cast<void>(append_plain(out, cell));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(names_of_my_type(bytes));
  static_cast<void>(truncated_my_table(bytes, "s"));
  if (size < 2) return 0;
  const std::size_t first = data[0] | data[1] << 8;
  const std::string_view rest = bytes.substr(2);
  BinlogEvent event;
  if (!parse_binlog_event(rest.substr(0, first), (data[1] & 0x80) != 0, event)) return 0;
  if (event.kind == BinlogKind::kTableMap && first <= rest.size())
    read_rows_of(event.map, rest.substr(first));
  return 0;
}

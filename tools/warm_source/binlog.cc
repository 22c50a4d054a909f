#include "tools/warm_source/binlog.h"

#include <fmt/core.h>

#include "tools/warm_source/log_bytes.h"

namespace hearth::warm {
namespace {

constexpr std::size_t kEventHeaderBytes = 19;
constexpr std::size_t kEventChecksumBytes = 4;

// Kinds of events. Source: MariaDB documentation, "2-Binlog Event Header".
enum EventNumber : std::uint8_t {
  kQueryEvent = 2,
  kRotateEvent = 4,
  kFormatEvent = 15,
  kXidEvent = 16,
  kTableMapEvent = 19,
  kWriteRowsV1 = 23,
  kUpdateRowsV1 = 24,
  kDeleteRowsV1 = 25,
  kWriteRowsV2 = 30,
  kUpdateRowsV2 = 31,
  kDeleteRowsV2 = 32,
  kPartialRows = 39,
  kCompressedTransaction = 40,
  kGtidEvent = 162,
  kStartEncryption = 164,
  kQueryCompressed = 165,
  kWriteRowsCompressed = 166,
  kDeleteRowsCompressedLast = 171,
};

// Bytes of metadata of each type, and how they are put.
bool read_column_metadata(LogBytes& in, BinlogColumn& column) {
  switch (column.type) {
    case kFloatColumn:
    case kDoubleColumn:
    case kTimestamp2Column:
    case kDatetime2Column:
    case kTime2Column:
    case kTinyBlobColumn:
    case kTinyBlobColumn + 1:
    case kTinyBlobColumn + 2:
    case kBlobColumn:
    case kBlobCompressedColumn:
    case kGeometryColumn:
    case kJsonColumn: column.metadata = static_cast<std::uint16_t>(in.number(1)); break;
    case kVarcharColumn:
    case kVarStringColumn:
    case kVarcharCompressedColumn:
    case kBitColumn: column.metadata = static_cast<std::uint16_t>(in.number(2)); break;
    // Two bytes in the order of their meaning: precision and scale, or type and length.
    case kDecimalColumn:
    case kEnumColumn:
    case kSetColumn:
    case kStringColumn: {
      const auto high = static_cast<std::uint16_t>(in.number(1));
      const auto low = static_cast<std::uint16_t>(in.number(1));
      column.metadata = static_cast<std::uint16_t>(high << 8 | low);
      if (column.type != kStringColumn) break;
      // Lengths above 255 borrow two bits of the type, which has them always set otherwise.
      const bool is_long = (high & 0x30) != 0x30;
      column.type = static_cast<std::uint8_t>(is_long ? (high | 0x30) : high);
      column.length = static_cast<std::uint16_t>(is_long ? low | ((high & 0x30) ^ 0x30) << 4 : low);
      break;
    }
    default: break;
  }
  if (column.type == kEnumColumn || column.type == kSetColumn)
    column.length = column.metadata & 0xff;
  return in.is_good();
}

bool read_table_map(LogBytes& in, BinlogTableMap& map) {
  map.table_id = in.number(6);
  in.number(2);  // flags
  map.schema = in.bytes(in.number(1));
  in.number(1);
  map.table = in.bytes(in.number(1));
  in.number(1);
  const std::uint64_t count = in.packed();
  if (!in.is_good() || count > kBinlogColumnsMax) return false;
  const std::string_view types = in.bytes(count);
  if (!in.is_good()) return false;
  LogBytes metadata(in.bytes(in.packed()));
  if (!in.is_good()) return false;
  map.columns.assign(static_cast<std::size_t>(count), BinlogColumn{});
  for (std::size_t i = 0; i < map.columns.size(); ++i) {
    map.columns[i].type = static_cast<std::uint8_t>(types[i]);
    if (!read_column_metadata(metadata, map.columns[i])) return false;
  }
  return true;  // the bitmap of nullable columns and names follow, which the catalogue tells better
}

bool read_rows(LogBytes& in, bool is_update, bool has_extra, BinlogRows& rows) {
  rows.table_id = in.number(6);
  in.number(2);  // flags
  if (has_extra) {
    const std::uint64_t extra = in.number(2);
    if (extra < 2) return false;
    in.bytes(extra - 2);
  }
  const std::uint64_t count = in.packed();
  if (!in.is_good() || count == 0 || count > kBinlogColumnsMax) return false;
  rows.columns = static_cast<std::size_t>(count);
  rows.is_full = true;
  for (int i = 0; i < (is_update ? 2 : 1); ++i) {
    const std::string_view present = in.bytes((count + 7) / 8);
    for (std::size_t bit = 0; bit < rows.columns && in.is_good(); ++bit)
      rows.is_full = rows.is_full && (present[bit / 8] >> (bit % 8) & 1) != 0;
  }
  rows.images = in.rest();
  return in.is_good();
}

bool read_query(LogBytes& in, BinlogEvent& event) {
  in.number(4);  // thread
  in.number(4);  // seconds it took
  const std::uint64_t name_bytes = in.number(1);
  in.number(2);  // error
  in.bytes(in.number(2));
  event.name = in.bytes(name_bytes);
  in.number(1);
  event.text = in.rest();
  return in.is_good();
}

}  // namespace

Result<void> parse_binlog_event(std::string_view bytes, bool has_checksum, BinlogEvent& event) {
  if (bytes.size() < kEventHeaderBytes)
    return fail(ErrorCode::kCorrupt, "the server sent an event of its log that is cut off");
  LogBytes header(bytes.substr(0, kEventHeaderBytes));
  event.time = static_cast<std::uint32_t>(header.number(4));
  const auto number = static_cast<std::uint8_t>(header.number(1));
  header.number(4);  // server
  const std::uint64_t length = header.number(4);
  event.next_position = header.number(4);
  event.kind = BinlogKind::kIgnored;
  const std::size_t tail = has_checksum ? kEventChecksumBytes : 0;
  const auto corrupt = [&] {
    return fail(ErrorCode::kCorrupt,
                fmt::format("the server sent a malformed event of its log, kind {}, {} bytes",
                            number, bytes.size()));
  };
  if (length != bytes.size() || length < kEventHeaderBytes + tail) return corrupt();
  LogBytes in(bytes.substr(kEventHeaderBytes, bytes.size() - kEventHeaderBytes - tail));
  bool good = true;
  const auto rows_of = [&](BinlogKind kind, bool has_extra) {
    event.kind = kind;
    good = read_rows(in, kind == BinlogKind::kUpdate, has_extra, event.rows);
  };
  switch (number) {
    case kQueryEvent:
      event.kind = BinlogKind::kQuery;
      good = read_query(in, event);
      break;
    case kRotateEvent:
      event.kind = BinlogKind::kRotate;
      event.position = in.number(8);
      event.name = in.rest();
      good = in.is_good() && !event.name.empty();
      break;
    case kFormatEvent: event.kind = BinlogKind::kFormat; break;
    case kXidEvent: event.kind = BinlogKind::kCommit; break;
    case kTableMapEvent:
      event.kind = BinlogKind::kTableMap;
      good = read_table_map(in, event.map);
      break;
    case kWriteRowsV1: rows_of(BinlogKind::kInsert, false); break;
    case kUpdateRowsV1: rows_of(BinlogKind::kUpdate, false); break;
    case kDeleteRowsV1: rows_of(BinlogKind::kDelete, false); break;
    case kWriteRowsV2: rows_of(BinlogKind::kInsert, true); break;
    case kUpdateRowsV2: rows_of(BinlogKind::kUpdate, true); break;
    case kDeleteRowsV2: rows_of(BinlogKind::kDelete, true); break;
    case kGtidEvent:
      event.kind = BinlogKind::kBegin;
      in.number(8);  // the sequence number
      in.number(4);  // the domain
      event.is_standalone = (in.number(1) & 1) != 0;
      good = in.is_good();
      break;
    case kPartialRows:
      return fail(ErrorCode::kUnsupported,
                  "the log has partial rows: set binlog_row_value_options = ''");
    case kCompressedTransaction:
      return fail(ErrorCode::kUnsupported,
                  "the log is compressed: set binlog_transaction_compression = OFF");
    case kStartEncryption: break;  // of the file; what is sent is not
    default:
      if (number >= kQueryCompressed && number <= kDeleteRowsCompressedLast)
        return fail(ErrorCode::kUnsupported, "the log is compressed: set log_bin_compress = OFF");
      break;
  }
  if (!good) return corrupt();
  return {};
}

}  // namespace hearth::warm

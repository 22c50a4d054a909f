// PostgreSQL's binary formats of values, as COPY (FORMAT binary) and binary result columns send
// them: big endian, NULL as length -1.
//
// Source: PostgreSQL documentation, "COPY", "File Formats"; the formats of types are those of its
// send functions, checked against a server in tests/system/warm_postgres_test.cc. The bytes come
// from a server and are hostile: every length is checked before it is used.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "tools/warm_mapping/row.h"
#include "tools/warm_source/text_arena.h"

namespace hearth::warm {

enum class PgForm : std::uint8_t {
  kBool,
  kInt2,
  kInt4,
  kInt8,
  kOid,
  kFloat4,
  kFloat8,
  kText,
  kJson,
  kJsonb,
  kBytes,
  kUuid,
  kNumeric,
  kDate,
  kTime,
  kTimestamp,
  kTimestampTz,
  kArray,
};

struct PgType {
  PgForm form = PgForm::kText;
  PgForm element = PgForm::kText;  // of a kArray
};

// How a type of the catalogue travels; nothing for one that is to be asked for as text.
[[nodiscard]] std::optional<PgType> pg_binary_type(std::uint32_t oid);

// Decodes values into cells. Keeps what a row needs beyond its bytes; so cells are valid until the
// next row is begun.
class PgDecoder {
 public:
  explicit PgDecoder(std::vector<PgType> types);

  // One row of COPY without the header of the stream: field count, then length and bytes of each
  // field. Nothing at the trailer. Errors: kCorrupt.
  Result<std::optional<Row>> decode_copy_row(std::string_view bytes);

  // Begins a row whose values come one by one: cells of the row before are not valid any more.
  void begin_row() { arena_.clear(); }
  // One value that is not NULL. Errors: kCorrupt, naming the column by its number.
  Result<void> decode_value(std::size_t column, std::string_view bytes, Cell& cell);

  // The header of the stream, which stands in front of the first row: how many bytes. Errors:
  // kCorrupt, kUnsupported.
  static Result<std::size_t> copy_header_bytes(std::string_view bytes);

 private:
  struct Levels {
    std::vector<std::vector<Cell>> cells;  // of an array, by depth
  };
  bool decode(PgForm form, std::string_view bytes, Cell& cell);
  bool decode_array(PgForm element, std::string_view bytes, Levels& levels, Cell& cell);
  bool decode_numeric(std::string_view bytes, Cell& cell);
  bool decode_uuid(std::string_view bytes, Cell& cell);

  std::vector<PgType> types_;
  std::vector<Cell> cells_;
  std::vector<Levels> arrays_;  // by column
  TextArena arena_;
};

}  // namespace hearth::warm

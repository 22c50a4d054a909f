// Events of the binary log of MariaDB and MySQL, and the images of rows in them.
//
// An event: a header of 19 bytes (time, kind, server, length, where the next begins, flags), what
// its kind has, and four bytes of checksum where the log has them. Rows come in two steps: a
// TABLE_MAP gives a number to a table and tells the types of its columns with their metadata; row
// events name that number and hold images, each a bitmap of NULLs and the values of the others.
//
// Source: MariaDB documentation, "Replication Protocol" and the pages of its events; forms of
// values checked against both servers in tests/system/warm_follow_mysql_test.cc. The bytes come
// from a server and are hostile: every length is checked before it is used.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "tools/warm_mapping/row.h"
#include "tools/warm_source/log_bytes.h"
#include "tools/warm_source/text_arena.h"

namespace hearth::warm {

enum class BinlogKind : std::uint8_t {
  kRotate,    // `name`: the file that goes on at `position`
  kFormat,    // whether checksums follow is set in the reader
  kTableMap,  // `map`
  kInsert,    // `rows`
  kUpdate,
  kDelete,
  kQuery,   // `name`: the database, `text`: the statement
  kCommit,  // the end of a transaction
  kBegin,   // MariaDB's GTID; those of MySQL are ignored, BEGIN follows them
  kIgnored,
};

// A column, as the log stores it.
struct BinlogColumn {
  std::uint8_t type = 0;       // as MYSQL_TYPE_*; of CHAR, ENUM and SET the one behind it
  std::uint16_t metadata = 0;  // its meaning depends on the type
  std::uint16_t length = 0;    // CHAR, BINARY: bytes at most; ENUM, SET: bytes of the number
  friend bool operator==(const BinlogColumn&, const BinlogColumn&) = default;
};

struct BinlogTableMap {
  std::uint64_t table_id = 0;
  std::string schema{};
  std::string table{};
  std::vector<BinlogColumn> columns{};
};

// Images of rows, one after the other; of an update the old one, then the new one.
struct BinlogRows {
  std::uint64_t table_id = 0;
  std::size_t columns = 0;
  bool is_full = true;  // every column is there
  std::string_view images{};
};

struct BinlogEvent {
  BinlogKind kind = BinlogKind::kIgnored;
  std::uint32_t time = 0;           // seconds since 1970
  std::uint64_t next_position = 0;  // in its file; 0: it does not stand there
  std::uint64_t position = 0;
  bool is_standalone = false;  // kBegin: a statement that is its own transaction follows
  std::string name{};
  std::string_view text{};
  BinlogTableMap map{};
  BinlogRows rows{};
};

inline constexpr std::size_t kBinlogColumnsMax = 4'096;

// Reads one event; borrows from `bytes`. Errors: kCorrupt, naming the event's kind; kUnsupported,
// naming the server's setting that makes such events.
Result<void> parse_binlog_event(std::string_view bytes, bool has_checksum, BinlogEvent& event);

// The form of a column by the catalogue, so that its values are read like those of a query.
struct BinlogValueForm {
  CellType cell = CellType::kText;
  std::vector<std::string> names{};  // of ENUM and SET
};

// Whether values of the column can be read from the log; others must be read from the table.
[[nodiscard]] bool is_readable(const BinlogColumn& column, const BinlogValueForm& form);

// Decodes images. Keeps what a row needs beyond its bytes; cells are valid until the next call for
// the same decoder.
class BinlogRowDecoder {
 public:
  BinlogRowDecoder(std::vector<BinlogColumn> columns, std::vector<BinlogValueForm> forms);

  // Takes one image off the front of `images`; one cell for each column. Columns that are not
  // readable are skipped and stand as NULL. Errors: kCorrupt, naming the column by its number.
  Result<Row> take_image(std::string_view& images);

 private:
  bool read_value(std::size_t index, std::string_view& bytes, Cell& cell);
  void read_text(const BinlogColumn& column, LogBytes& in, Cell& cell);
  bool read_decimal(const BinlogColumn& column, LogBytes& in, Cell& cell);
  bool read_member(const BinlogValueForm& form, std::uint64_t number, Cell& cell) const;
  bool read_members(const BinlogValueForm& form, std::uint64_t bits, Cell& cell);
  std::vector<BinlogColumn> columns_;
  std::vector<BinlogValueForm> forms_;
  std::vector<bool> readable_;
  std::vector<Cell> cells_;
  TextArena arena_;
};

}  // namespace hearth::warm

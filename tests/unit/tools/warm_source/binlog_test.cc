// Events of the binary log: bytes written by hand after the documentation of their forms.
#include "tools/warm_source/binlog.h"

#include <doctest/doctest.h>

#include "tools/warm_source/mysql_text.h"

using namespace hearth;
using namespace hearth::warm;

namespace {

std::string little(std::uint64_t value, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

std::string log_event(std::uint8_t kind, const std::string& body, std::uint64_t next = 1000) {
  return little(1'700'000'000, 4) + little(kind, 1) + little(1, 4) + little(19 + body.size(), 4) +
         little(next, 4) + little(0, 2) + body;
}

std::string a_table_map() {
  // INT, VARCHAR(300), CHAR(100) of three bytes each, DECIMAL(5,2), ENUM of one byte.
  const std::string types{"\x03\x0f\xfe\xf6\xfe", 5};
  const std::string metadata{"\x2c\x01\xee\x2c\x05\x02\xf7\x01", 8};
  return log_event(19, little(77, 6) + little(1, 2) + little(4, 1) + "shop" + little(0, 1) +
                           little(5, 1) + "users" + little(0, 1) + little(5, 1) + types +
                           little(metadata.size(), 1) + metadata + little(0, 1));
}

// The value of one column of that type.
std::string read_one(const BinlogColumn& column, const BinlogValueForm& form,
                     const std::string& bytes) {
  BinlogRowDecoder decoder({column}, {form});
  const std::string image = std::string(1, '\0') + bytes;
  std::string_view rest = image;
  const auto row = decoder.take_image(rest);
  if (!row) return "error";
  if (!rest.empty()) return "rest";
  Buffer out;
  if ((*row)[0].is_null()) return "NULL";
  REQUIRE(append_plain(out, (*row)[0]));
  return std::string(out.view());
}

}  // namespace

TEST_CASE("a table map and its rows are read, and an event that is cut off is an error") {
  BinlogEvent event;
  const std::string map = a_table_map();
  REQUIRE(parse_binlog_event(map, false, event));
  CHECK(event.kind == BinlogKind::kTableMap);
  CHECK(event.time == 1'700'000'000);
  CHECK(event.next_position == 1000);
  CHECK(event.map.schema == "shop");
  CHECK(event.map.table == "users");
  REQUIRE(event.map.columns.size() == 5);
  CHECK(event.map.columns[1].metadata == 300);
  CHECK(event.map.columns[2].type == 254);
  CHECK(event.map.columns[2].length == 300);
  CHECK(event.map.columns[4].type == 247);
  CHECK(event.map.columns[4].length == 1);

  // 1, 'ab', 'c', 123.45 and the second member; then 2 and NULLs.
  const std::string images = std::string(
      "\xe0\x01\x00\x00\x00\x02\x00"
      "ab\x01\x00"
      "c\x80\x7b\x2d\x02\xfe\x02\x00\x00\x00",
      21);
  const std::string rows =
      log_event(23, little(77, 6) + little(1, 2) + little(5, 1) + little(0x1f, 1) + images);
  BinlogEvent inserted;
  REQUIRE(parse_binlog_event(rows, false, inserted));
  CHECK(inserted.kind == BinlogKind::kInsert);
  CHECK(inserted.rows.is_full);
  BinlogRowDecoder decoder(event.map.columns, {{CellType::kUnsigned, {}},
                                               {CellType::kText, {}},
                                               {CellType::kText, {}},
                                               {CellType::kDecimal, {}},
                                               {CellType::kText, {"sad", "happy"}}});
  std::string_view rest = inserted.rows.images;
  const auto first = decoder.take_image(rest);
  REQUIRE(first);
  CHECK((*first)[0].integer == 1);
  CHECK((*first)[1].bytes == "ab");
  CHECK((*first)[2].bytes == "c");
  CHECK((*first)[3].bytes == "123.45");
  CHECK((*first)[4].bytes == "happy");
  const auto second = decoder.take_image(rest);
  REQUIRE(second);
  CHECK((*second)[0].integer == 2);
  CHECK((*second)[4].is_null());
  CHECK(rest.empty());

  for (const std::string& whole : {map, rows}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      CHECK(!parse_binlog_event(std::string_view(whole).substr(0, size), false, event));
    }
  }
  for (std::size_t size = 0; size < 12; ++size) {
    std::string_view cut = std::string_view(images).substr(0, size);
    CHECK(!decoder.take_image(cut));
  }
}

TEST_CASE("events that are not rows, and those that cannot be followed") {
  BinlogEvent event;
  REQUIRE(parse_binlog_event(log_event(4, little(4, 8) + "log.000002"), false, event));
  CHECK(event.kind == BinlogKind::kRotate);
  CHECK(event.name == "log.000002");
  CHECK(event.position == 4);
  const std::string query =
      log_event(2, little(1, 4) + little(0, 4) + little(4, 1) + little(0, 2) + little(2, 2) + "xx" +
                       "shop" + little(0, 1) + "TRUNCATE TABLE t" + "crc!");
  REQUIRE(parse_binlog_event(query, true, event));
  CHECK(event.kind == BinlogKind::kQuery);
  CHECK(event.name == "shop");
  CHECK(event.text == "TRUNCATE TABLE t");
  REQUIRE(
      parse_binlog_event(log_event(162, little(9, 8) + little(0, 4) + little(1, 1)), false, event));
  CHECK(event.kind == BinlogKind::kBegin);
  CHECK(event.is_standalone);
  CHECK(parse_binlog_event(log_event(40, ""), false, event).error().code ==
        ErrorCode::kUnsupported);
  CHECK(parse_binlog_event(log_event(166, ""), false, event)
            .error()
            .context.find("log_bin_compress") != std::string::npos);
  CHECK(!parse_binlog_event("", false, event));
  CHECK(!parse_binlog_event(log_event(27, "abc"), true, event));
}

TEST_CASE("values have the texts that a query would give") {
  const BinlogValueForm number{CellType::kInteger, {}};
  const BinlogValueForm unsigned_number{CellType::kUnsigned, {}};
  CHECK(read_one({1, 0, 0}, number, "\xfb") == "-5");
  CHECK(read_one({1, 0, 0}, unsigned_number, "\xfb") == "251");
  CHECK(read_one({9, 0, 0}, number, "\xff\xff\xff") == "-1");
  CHECK(read_one({8, 0, 0}, unsigned_number, std::string(8, '\xff')) == "18446744073709551615");
  CHECK(read_one({13, 0, 0}, number, "\x7c") == "2024");
  const BinlogValueForm decimal{CellType::kDecimal, {}};
  CHECK(read_one({246, 5 << 8 | 2, 0}, decimal, "\x7f\x84\xd2") == "-123.45");
  CHECK(read_one({246, 2 << 8 | 2, 0}, decimal, "\x85") == "0.05");
  CHECK(read_one({246, 20 << 8, 0}, decimal,
                 std::string("\x80\x00\x00\x00\x00\x00\x00\x00\x07", 9)) == "7");
  CHECK(read_one({246, 5 << 8 | 9, 0}, decimal, "\x85") == "error");
  const BinlogValueForm date{CellType::kDate, {}};
  CHECK(read_one({10, 0, 0}, date, little(2024 << 9 | 2 << 5 | 29, 3)) == "2024-02-29");
  CHECK(read_one({10, 0, 0}, date, std::string(3, '\0')) == "NULL");
  const BinlogValueForm time{CellType::kTime, {}};
  CHECK(read_one({19, 0, 0}, time, "\x80\x10\x83") == "01:02:03");
  CHECK(read_one({19, 0, 0}, time, "\x7f\xff\xff") == "-00:00:01");
  const BinlogValueForm stamp{CellType::kTimestampTz, {}};
  CHECK(read_one({17, 0, 0}, stamp, std::string("\x00\x00\x00\x01", 4)) == "1970-01-01T00:00:01Z");
  CHECK(read_one({17, 0, 0}, stamp, std::string(4, '\0')) == "NULL");
  CHECK(read_one({254, 0, 4}, {CellType::kBytes, {}}, std::string("\x01\x41", 2)) ==
        std::string("A\0\0\0", 4));
  CHECK(read_one({248, 0, 1}, {CellType::kText, {"a", "b", "c"}}, "\x05") == "a,c");
  CHECK(read_one({248, 0, 1}, {CellType::kText, {"a", "b", "c"}}, "\x08") == "error");
  CHECK(read_one({247, 0, 1}, {CellType::kText, {"a"}}, "\x02") == "error");
  // A type of its own is passed over.
  CHECK(read_one({252, 2, 0}, {CellType::kNull, {}}, std::string("\x02\x00xx", 4)) == "NULL");
}

TEST_CASE("statements and types of the catalogue are understood") {
  CHECK(names_of_my_type("enum('sad','ha''ppy')") == std::vector<std::string>{"sad", "ha'ppy"});
  CHECK(names_of_my_type("set('')") == std::vector<std::string>{""});
  CHECK(names_of_my_type("varchar(9)").empty());
  CHECK(names_of_my_type("enum('open").size() == 1);
  CHECK(first_sql_word(" /* a */ # b\n -- c\n truncate t") == "TRUNCATE");
  const auto plain = truncated_my_table("TRUNCATE t", "shop");
  REQUIRE(plain);
  CHECK(plain->schema == "shop");
  CHECK(plain->name == "t");
  const auto quoted = truncated_my_table("truncate table `other`.`a``b`;", "shop");
  REQUIRE(quoted);
  CHECK(quoted->schema == "other");
  CHECK(quoted->name == "a`b");
  CHECK(!truncated_my_table("DROP TABLE t", "shop"));
}

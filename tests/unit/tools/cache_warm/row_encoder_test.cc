#include "tools/cache_warm/row_encoder.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cluster/model/slot.h"
#include "tools/client/command_text.h"

using namespace hearth;
using namespace hearth::warm;

namespace {

Cell integer(std::int64_t v) { return {CellType::kInteger, v, 0, {}}; }
Cell real(double v) { return {CellType::kReal, 0, v, {}}; }
Cell text(std::string_view v) { return {CellType::kText, 0, 0, v}; }
Cell blob(std::string_view v) { return {CellType::kBlob, 0, 0, v}; }
Cell null() { return {}; }

Mapping mapping_of(std::string_view lines) {
  auto plan =
      parse_mapping("[[mapping]]\nname = \"m\"\ntable = \"t\"\n" + std::string(lines), "test");
  REQUIRE_MESSAGE(plan.has_value(), plan.error().context);
  return plan->mappings[0];
}

const std::vector<Column> kColumns{{"id", false}, {"name", false}, {"doc", true}, {"ttl", false}};

struct Encoded {
  RowOutcome outcome;
  std::string bytes;
  std::string problem;
  std::string key;
};

Encoded encode(std::string_view lines, std::vector<Cell> row,
               const std::vector<Column>& columns = kColumns) {
  const Mapping mapping = mapping_of(lines);
  auto encoder = RowEncoder::bind(mapping, columns);
  REQUIRE_MESSAGE(encoder.has_value(), encoder.error().context);
  const RowOutcome outcome = encoder->encode(row);
  Encoded result{outcome, "", encoder->problem(), std::string(encoder->key())};
  if (outcome == RowOutcome::kEncoded) {
    const auto operation = encoder->operation();
    CHECK(operation.key == encoder->key());
    CHECK(operation.slot == cluster::slot_of(operation.key));
    result.bytes = operation.bytes;
  }
  return result;
}

std::string commands(std::initializer_list<std::initializer_list<std::string_view>> all) {
  std::string bytes;
  for (const auto& one : all) client::append_command(bytes, one);
  return bytes;
}

}  // namespace

TEST_CASE("a string row stores its column as it is") {
  const char* lines = "key = \"k:{id}\"\nvalue = \"string\"\ncolumn = \"name\"\n";
  CHECK(encode(lines, {integer(1), text("a\r\nb"), null(), null()}).bytes ==
        commands({{"SET", "k:1", "a\r\nb"}}));
  CHECK(encode(lines, {integer(1), integer(-5), null(), null()}).bytes ==
        commands({{"SET", "k:1", "-5"}}));
  CHECK(encode(lines, {integer(1), text(""), null(), null()}).bytes ==
        commands({{"SET", "k:1", ""}}));
  CHECK(encode(lines, {integer(1), blob("\xff"), null(), null()}).bytes ==
        commands({{"SET", "k:1", "\xff"}}));
  const auto bad = encode(lines, {integer(1), null(), null(), null()});
  CHECK(bad.outcome == RowOutcome::kBad);
  CHECK(bad.problem == "column 'name' is NULL");
  CHECK(bad.key == "k:1");
}

TEST_CASE("a JSON row has every column in its type, JSON columns as they are") {
  const char* lines = "key = \"k:{id}\"\nexclude = [\"ttl\"]\n";
  CHECK(encode(lines, {integer(1), text("a\"b"), text("{\"x\":[1]}"), null()}).bytes ==
        commands({{"SET", "k:1", R"({"id":1,"name":"a\"b","doc":{"x":[1]}})"}}));
  CHECK(encode(lines, {integer(1), null(), null(), null()}).bytes ==
        commands({{"SET", "k:1", R"({"id":1,"name":null,"doc":null})"}}));
  CHECK(encode(lines, {integer(1), blob("foo"), integer(7), null()}).bytes ==
        commands({{"SET", "k:1", R"({"id":1,"name":"Zm9v","doc":7})"}}));
  CHECK(encode(lines, {real(0.5), Cell{CellType::kBool, 1, 0, {}}, null(), null()}).bytes ==
        commands({{"SET", "k:0.5", R"({"id":0.5,"name":true,"doc":null})"}}));
}

TEST_CASE("nulls may be left out, the first column's too") {
  const char* lines = "key = \"{id}\"\nfields = [\"name\", \"doc\", \"ttl\"]\nnulls = \"omit\"\n";
  CHECK(encode(lines, {integer(1), null(), text("[]"), integer(3)}).bytes ==
        commands({{"SET", "1", R"({"doc":[],"ttl":3})"}}));
  CHECK(encode(lines, {integer(1), null(), null(), null()}).bytes ==
        commands({{"SET", "1", "{}"}}));
}

TEST_CASE("rows that JSON cannot say are bad, with the column's name") {
  const char* lines = "key = \"{id}\"\n";
  CHECK(encode(lines, {integer(1), text("\xff"), null(), null()}).problem ==
        "column 'name' is not valid UTF-8");
  CHECK(encode(lines, {integer(1), text("x"), text("{"), null()}).problem ==
        "column 'doc' is not valid JSON");
  CHECK(encode(lines, {integer(1), real(HUGE_VAL), null(), null()}).problem ==
        "column 'name' is infinite, which JSON cannot say");
}

TEST_CASE("a hash row replaces the old hash, without its NULLs") {
  const char* lines = "key = \"h:{id}\"\nvalue = \"hash\"\nttl = \"10s\"\n";
  CHECK(encode(lines, {integer(1), text("n"), null(), real(1.5)}).bytes ==
        commands({{"DEL", "h:1"},
                  {"HSET", "h:1", "id", "1", "name", "n", "ttl", "1.5"},
                  {"PEXPIRE", "h:1", "10000"}}));
  CHECK(encode("key = \"h:{id}\"\nvalue = \"hash\"\nreplace = false\nfields = [\"name\"]\n",
               {integer(1), text("n"), null(), null()})
            .bytes == commands({{"HSET", "h:1", "name", "n"}}));
  const auto bad = encode("key = \"h:{id}\"\nvalue = \"hash\"\nfields = [\"name\"]\n",
                          {integer(1), null(), null(), null()});
  CHECK(bad.problem == "the hash would have no field: every column is NULL");
}

TEST_CASE("the time to live comes from the file or from the row") {
  const char* lines = "key = \"k\\u007b{id}\"\n";  // a raw brace would be no template
  CHECK_FALSE(parse_mapping("[[mapping]]\ntable = \"t\"\n" + std::string(lines), "t").has_value());

  const char* fixed = "key = \"{id}\"\nvalue = \"string\"\ncolumn = \"name\"\nttl = \"90s\"\n";
  CHECK(encode(fixed, {integer(1), text("v"), null(), null()}).bytes ==
        commands({{"SET", "1", "v", "PX", "90000"}}));

  const char* by_row =
      "key = \"{id}\"\nvalue = \"string\"\ncolumn = \"name\"\nttl = \"90s\"\nttl_column = "
      "\"ttl\"\n";
  CHECK(encode(by_row, {integer(1), text("v"), null(), integer(5)}).bytes ==
        commands({{"SET", "1", "v", "PX", "5000"}}));
  CHECK(encode(by_row, {integer(1), text("v"), null(), real(0.25)}).bytes ==
        commands({{"SET", "1", "v", "PX", "250"}}));
  CHECK(encode(by_row, {integer(1), text("v"), null(), text("7")}).bytes ==
        commands({{"SET", "1", "v", "PX", "7000"}}));
  CHECK(encode(by_row, {integer(1), text("v"), null(), null()}).bytes ==
        commands({{"SET", "1", "v", "PX", "90000"}}));
  CHECK(encode(by_row, {integer(1), text("v"), null(), integer(0)}).outcome ==
        RowOutcome::kExpired);
  CHECK(encode(by_row, {integer(1), text("v"), null(), integer(-1)}).outcome ==
        RowOutcome::kExpired);
  CHECK(encode(by_row, {integer(1), text("v"), null(), text("soon")}).problem ==
        "column 'ttl' is no time to live in seconds");
  CHECK(encode(by_row, {integer(1), text("v"), null(), real(1e300)}).problem ==
        "column 'ttl' is no time to live in seconds");
}

TEST_CASE("keys that are NULL, empty or too long are bad rows") {
  const char* lines = "key = \"{name}\"\nvalue = \"string\"\ncolumn = \"id\"\n";
  CHECK(encode(lines, {integer(1), null(), null(), null()}).problem == "key column 'name' is NULL");
  CHECK(encode(lines, {integer(1), text(""), null(), null()}).problem == "the key is empty");
  CHECK(encode(lines, {integer(1), text(std::string(64 * 1024, 'k')), null(), null()}).outcome ==
        RowOutcome::kEncoded);
  CHECK(
      encode(lines, {integer(1), text(std::string(64 * 1024 + 1, 'k')), null(), null()}).problem ==
      "the key has 65537 bytes, limit 65536");
}

TEST_CASE("values above the limit are bad rows") {
  const char* lines = "key = \"{id}\"\nvalue = \"string\"\ncolumn = \"name\"\nmax_value = 10\n";
  CHECK(encode(lines, {integer(1), text("0123456789"), null(), null()}).outcome ==
        RowOutcome::kEncoded);
  CHECK(encode(lines, {integer(1), text("0123456789a"), null(), null()}).problem ==
        "the value has 11 bytes, limit 10");
}

TEST_CASE("columns that the rows do not have are found before the first row") {
  for (const char* lines :
       {"key = \"{nope}\"\n", "key = \"{id}\"\nfields = [\"nope\"]\n",
        "key = \"{id}\"\nexclude = [\"nope\"]\n", "key = \"{id}\"\njson_columns = [\"nope\"]\n",
        "key = \"{id}\"\nttl_column = \"nope\"\n",
        "key = \"{id}\"\nvalue = \"string\"\ncolumn = \"nope\"\n"}) {
    CAPTURE(lines);
    const Mapping mapping = mapping_of(lines);
    const auto encoder = RowEncoder::bind(mapping, kColumns);
    REQUIRE_FALSE(encoder.has_value());
    CHECK(encoder.error().context.find("'nope'") != std::string::npos);
  }
}

TEST_CASE("an encoder leaves nothing of one row in the next") {
  const Mapping mapping = mapping_of("key = \"{id}\"\nexclude = [\"ttl\", \"doc\"]\n");
  auto encoder = RowEncoder::bind(mapping, kColumns);
  REQUIRE(encoder.has_value());
  const std::vector<Cell> bad{integer(1), text("\xff"), null(), null()};
  const std::vector<Cell> good{integer(2), text("x"), null(), null()};
  CHECK(encoder->encode(bad) == RowOutcome::kBad);
  CHECK(encoder->encode(good) == RowOutcome::kEncoded);
  CHECK(encoder->operation().bytes == commands({{"SET", "2", R"({"id":2,"name":"x"})"}}));
}

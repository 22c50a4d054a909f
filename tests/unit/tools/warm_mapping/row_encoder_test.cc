#include "tools/warm_mapping/row_encoder.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cluster/model/slot.h"
#include "tools/cache_warm/plan.h"
#include "tools/client/command_text.h"
#include "tools/warm_mapping/redis_value.h"

using namespace hearth;
using namespace hearth::warm;

namespace {

Cell integer(std::int64_t v) { return {CellType::kInteger, v, 0, {}}; }
Cell real(double v) { return {CellType::kReal, 0, v, {}}; }
Cell text(std::string_view v) { return {CellType::kText, 0, 0, v}; }
Cell blob(std::string_view v) { return {CellType::kBytes, 0, 0, v}; }
Cell null() { return {}; }

Mapping mapping_of(std::string_view lines) {
  auto plan = parse_plan("[[mapping]]\nname = \"m\"\ntable = \"t\"\n" + std::string(lines), "test");
  REQUIRE_MESSAGE(plan.has_value(), plan.error().context);
  return plan->mappings[0];
}

const std::vector<Column> kColumns{{"id", false}, {"name", false}, {"doc", true}, {"ttl", false}};

constexpr UnixMillis kNow{1'700'000'000'000};

struct Encoded {
  RowOutcome outcome;
  std::string bytes;
  std::string problem;
  std::string key;
};

Encoded taken(const Unit* unit) {
  REQUIRE(unit != nullptr);
  Encoded result{unit->outcome, "", std::string(unit->problem), std::string(unit->key)};
  for (const Write& write : unit->writes) {
    CHECK(write.slot == cluster::slot_of(write.key));
    result.bytes += write.bytes;
  }
  return result;
}

Encoded encode(std::string_view lines, std::vector<Cell> row,
               const std::vector<Column>& columns = kColumns) {
  const Mapping mapping = mapping_of(lines);
  auto encoder = RowEncoder::bind(mapping, columns);
  REQUIRE_MESSAGE(encoder.has_value(), encoder.error().context);
  return taken(encoder->encode(row, 1, kNow));
}

// The payload for RESTORE of a value of these texts.
std::string payload(PayloadType type, std::uint64_t count,
                    std::initializer_list<std::string_view> texts) {
  Buffer items;
  for (const auto text : texts) append_payload_text(items, text);
  Buffer out;
  append_payload(out, type, count, items.view());
  return std::string(out.view());
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

TEST_CASE("a hash row replaces the old hash in one command, without its NULLs") {
  const char* lines = "key = \"h:{id}\"\nvalue = \"hash\"\nttl = \"10s\"\n";
  CHECK(encode(lines, {integer(1), text("n"), null(), real(1.5)}).bytes ==
        commands(
            {{"RESTORE", "h:1", "10000",
              payload(PayloadType::kHash, 3, {"id", "1", "name", "n", "ttl", "1.5"}), "REPLACE"}}));
  CHECK(encode("key = \"h:{id}\"\nvalue = \"hash\"\nreplace = false\nfields = [\"name\"]\n",
               {integer(1), text("n"), null(), null()})
            .bytes == commands({{"HSET", "h:1", "name", "n"}}));
  const auto added = encode(
      "key = \"h:{id}\"\nvalue = \"hash\"\nreplace = false\nfields = [\"name\"]\nttl = \"1s\"\n",
      {integer(1), text("n"), null(), null()});
  CHECK(added.bytes.starts_with("*8\r\n$4\r\nEVAL\r\n"));
  CHECK(added.bytes.ends_with(
      "$3\r\nh:1\r\n$7\r\nPEXPIRE\r\n$4\r\n1000\r\n$4\r\nname\r\n$1\r\nn\r\n"));
  const auto bad = encode("key = \"h:{id}\"\nvalue = \"hash\"\nfields = [\"name\"]\n",
                          {integer(1), null(), null(), null()});
  CHECK(bad.problem == "the value would be empty: every column is NULL");
}

TEST_CASE("payloads have lengths of every size and the checksum of what is before it") {
  // A set of one member: type, count, length, member, version 8, CRC-64.
  const std::string small = payload(PayloadType::kSet, 1, {"ab"});
  CHECK(small.substr(0, 7) == std::string("\x02\x01\x02"
                                          "ab\x08\x00",
                                          7));
  CHECK(small.size() == 7 + 8);
  for (const std::size_t size : {std::size_t{0}, std::size_t{63}, std::size_t{64},
                                 std::size_t{16'383}, std::size_t{16'384}, std::size_t{70'000}}) {
    Buffer items;
    append_payload_text(items, std::string(size, 'x'));
    append_payload_score(items, -1.5);
    std::string_view rest = items.view();
    CHECK(take_payload_text(rest) == std::string(size, 'x'));
    CHECK(take_payload_score(rest) == -1.5);
    CHECK(rest.empty());
  }
}

TEST_CASE("rows with one key that follow each other make one collection") {
  const Mapping mapping = mapping_of("key = \"l:{id}\"\nvalue = \"list\"\ncolumn = \"name\"\n");
  auto encoder = RowEncoder::bind(mapping, kColumns);
  REQUIRE(encoder.has_value());
  const auto row = [&](std::int64_t id, std::string_view name) {
    return std::vector<Cell>{integer(id), text(name), null(), null()};
  };
  const auto first = row(1, "b");
  const auto second = row(1, "a");
  const auto third = row(2, "c");
  CHECK(encoder->encode(first, 1, kNow) == nullptr);
  CHECK(encoder->encode(second, 2, kNow) == nullptr);
  const Unit* unit = encoder->encode(third, 3, kNow);
  REQUIRE(unit != nullptr);
  CHECK(unit->rows == 2);
  CHECK(unit->first_row == 1);
  CHECK(taken(unit).bytes ==
        commands({{"RESTORE", "l:1", "0", payload(PayloadType::kList, 2, {"b", "a"}), "REPLACE"}}));
  CHECK(taken(encoder->finish()).bytes ==
        commands({{"RESTORE", "l:2", "0", payload(PayloadType::kList, 1, {"c"}), "REPLACE"}}));
  CHECK(encoder->finish() == nullptr);
}

TEST_CASE("a group that comes twice is a query that is not sorted") {
  const Mapping mapping = mapping_of("key = \"l:{id}\"\nvalue = \"list\"\ncolumn = \"name\"\n");
  auto encoder = RowEncoder::bind(mapping, kColumns);
  REQUIRE(encoder.has_value());
  const std::vector<Cell> one{integer(1), text("a"), null(), null()};
  const std::vector<Cell> two{integer(2), text("a"), null(), null()};
  encoder->encode(one, 1, kNow);
  encoder->encode(two, 2, kNow);
  encoder->encode(one, 3, kNow);
  const Unit* unit = encoder->finish();
  REQUIRE(unit != nullptr);
  CHECK(unit->outcome == RowOutcome::kBad);
  CHECK(unit->problem.find("ORDER BY") != std::string::npos);
}

TEST_CASE("sets and sorted sets have each member once, sorted sets with its last score") {
  const char* set = "key = \"s:{id}\"\nvalue = \"set\"\ncolumn = \"doc\"\ngroup = false\n";
  const std::vector<Cell> items{text("b"), text("a"), null(), text("b")};
  CHECK(encode(set, {integer(1), null(), Cell{CellType::kArray, 0, 0, {}, items}, null()}).bytes ==
        commands({{"RESTORE", "s:1", "0", payload(PayloadType::kSet, 2, {"a", "b"}), "REPLACE"}}));
  CHECK(encode(set, {integer(1), null(), null(), null()}).problem == "column 'doc' is NULL");
  CHECK(encode(std::string(set) + "null_value = \"delete\"\n", {integer(1), null(), null(), null()})
            .bytes == commands({{"DEL", "s:1"}}));
  CHECK(encode(std::string(set) + "null_value = \"skip\"\n", {integer(1), null(), null(), null()})
            .outcome == RowOutcome::kSkipped);

  const Mapping zset =
      mapping_of("key = \"z:{id}\"\nvalue = \"zset\"\ncolumn = \"name\"\nscore = \"ttl\"\n");
  auto encoder = RowEncoder::bind(zset, kColumns);
  REQUIRE(encoder.has_value());
  const std::vector<Cell> low{integer(1), text("m"), null(), integer(1)};
  const std::vector<Cell> high{integer(1), text("m"), null(), real(2.5)};
  encoder->encode(low, 1, kNow);
  encoder->encode(high, 2, kNow);
  Buffer items_text;
  append_payload_text(items_text, "m");
  append_payload_score(items_text, 2.5);
  Buffer whole;
  append_payload(whole, PayloadType::kZset, 1, items_text.view());
  CHECK(taken(encoder->finish()).bytes ==
        commands({{"RESTORE", "z:1", "0", whole.view(), "REPLACE"}}));
}

TEST_CASE("a document embeds the rows that follow with its key") {
  const Mapping mapping = mapping_of(
      "key = \"u:{id}\"\nfields = [\"id\"]\nembed = { orders = [\"name as no\", \"ttl\"] }\n");
  auto encoder = RowEncoder::bind(mapping, kColumns);
  REQUIRE(encoder.has_value());
  const std::vector<Cell> first{integer(1), text("a"), null(), integer(5)};
  const std::vector<Cell> second{integer(1), text("b"), null(), null()};
  const std::vector<Cell> lonely{integer(2), null(), null(), null()};
  encoder->encode(first, 1, kNow);
  encoder->encode(second, 2, kNow);
  CHECK(taken(encoder->encode(lonely, 3, kNow)).bytes ==
        commands(
            {{"SET", "u:1", R"({"id":1,"orders":[{"no":"a","ttl":5},{"no":"b","ttl":null}]})"}}));
  CHECK(taken(encoder->finish()).bytes == commands({{"SET", "u:2", R"({"id":2,"orders":[]})"}}));
}

TEST_CASE("one row may become several keys, or delete them") {
  const char* lines =
      "key = \"u:{id}\"\nfields = [\"id\"]\ndelete_if = \"ttl\"\n[[mapping.output]]\nkey = "
      "\"n:{name:lower}\"\nvalue = \"string\"\ncolumn = \"id\"\nnull_key = "
      "\"skip\"\nonly_if_absent "
      "= true\n";
  CHECK(encode(lines, {integer(1), text("Ann"), null(), integer(0)}).bytes ==
        commands({{"SET", "u:1", R"({"id":1})"}, {"SET", "n:ann", "1", "NX"}}));
  CHECK(encode(lines, {integer(1), null(), null(), null()}).bytes ==
        commands({{"SET", "u:1", R"({"id":1})"}}));
  CHECK(encode(lines, {integer(1), text("Ann"), null(), integer(1)}).bytes ==
        commands({{"DEL", "u:1"}, {"DEL", "n:ann"}}));
}

TEST_CASE("columns that have one name are refused with it") {
  const std::vector<Column> twice{{"id", false}, {"name", false}, {"name", false}, {"ttl", false}};
  const Mapping mapping = mapping_of("key = \"{id}\"\n");
  const auto encoder = RowEncoder::bind(mapping, twice);
  REQUIRE_FALSE(encoder.has_value());
  CHECK(encoder.error().context.find("two columns are named 'name'") != std::string::npos);
  const Mapping by_name = mapping_of("key = \"{name}\"\nfields = [\"id\"]\n");
  CHECK_FALSE(RowEncoder::bind(by_name, twice).has_value());
}

TEST_CASE("a point in time may come from the row") {
  const char* lines =
      "key = \"{id}\"\nvalue = \"string\"\ncolumn = \"name\"\nexpires_at = \"ttl\"\nttl = \"9s\"\n";
  const auto at = [&](Cell cell) { return encode(lines, {integer(1), text("v"), null(), cell}); };
  const std::string expected = commands({{"SET", "1", "v", "PXAT", "1800000000000"}});
  CHECK(at(integer(1'800'000'000)).bytes == expected);
  CHECK(at(real(1.8e9)).bytes == expected);
  CHECK(at(Cell{CellType::kTimestampTz, 1'800'000'000'000'000, 0, {}}).bytes == expected);
  CHECK(at(text("2027-01-15T08:00:00Z")).bytes == expected);
  CHECK(at(Cell{CellType::kTimestamp, kForever, 0, {}}).bytes == commands({{"SET", "1", "v"}}));
  CHECK(at(null()).bytes == commands({{"SET", "1", "v", "PX", "9000"}}));
  CHECK(at(integer(1'600'000'000)).outcome == RowOutcome::kExpired);
  CHECK(at(text("soon")).problem == "column 'ttl' is no point in time");
}

TEST_CASE("the time to live comes from the file or from the row") {
  const char* lines = "key = \"k\\u007b{id}\"\n";  // a raw brace would be no template
  CHECK_FALSE(parse_plan("[[mapping]]\ntable = \"t\"\n" + std::string(lines), "t").has_value());

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
        "key = \"{id}\"\nttl_column = \"nope\"\n", "key = \"{id}\"\nexpires_at = \"nope\"\n",
        "key = \"{id}\"\ndelete_if = \"nope\"\n",
        "key = \"{id}\"\nvalue = \"zset\"\ncolumn = \"id\"\nscore = \"nope\"\n",
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
  CHECK(taken(encoder->encode(bad, 1, kNow)).outcome == RowOutcome::kBad);
  CHECK(taken(encoder->encode(good, 2, kNow)).bytes ==
        commands({{"SET", "2", R"({"id":2,"name":"x"})"}}));
}

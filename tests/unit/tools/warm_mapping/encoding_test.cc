#include <doctest/doctest.h>
#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "src/base/format_number.h"
#include "src/base/random.h"
#include "tools/warm_mapping/civil_time.h"
#include "tools/warm_mapping/json.h"
#include "tools/warm_mapping/key_template.h"
#include "tools/warm_mapping/ttl.h"

using namespace hearth;
using namespace hearth::warm;

namespace {

std::string json_string(std::string_view text) {
  Buffer out;
  return append_json_string(out, text) ? std::string(out.view()) : "invalid";
}
std::string json_number(double number) {
  Buffer out;
  return append_json_number(out, number) ? std::string(out.view()) : "invalid";
}
std::string base64(std::string_view bytes) {
  Buffer out;
  append_json_base64(out, bytes);
  return std::string(out.view());
}

Cell integer_cell(std::int64_t v) { return {CellType::kInteger, v, 0, {}}; }
Cell text_cell(std::string_view v) { return {CellType::kText, 0, 0, v}; }

std::string rendered(std::string_view pattern, const std::vector<Column>& columns,
                     const std::vector<Cell>& row) {
  auto key = KeyTemplate::parse(pattern);
  REQUIRE(key.has_value());
  REQUIRE(key->bind(columns).has_value());
  Buffer out;
  const int null = key->render(row, out);
  return null >= 0 ? fmt::format("null {}", null) : std::string(out.view());
}

}  // namespace

TEST_CASE("JSON strings escape what must be escaped and nothing else") {
  CHECK(json_string("") == "\"\"");
  CHECK(json_string("plain text, longer than eight bytes") ==
        "\"plain text, longer than eight bytes\"");
  CHECK(json_string("a\"b\\c/d") == "\"a\\\"b\\\\c/d\"");
  CHECK(json_string("\n\r\t\b\f") == "\"\\n\\r\\t\\b\\f\"");
  CHECK(json_string(std::string_view("\0\x1f\x7f", 3)) == "\"\\u0000\\u001f\x7f\"");
  CHECK(json_string("café € 😀") == "\"café € 😀\"");
}

TEST_CASE("JSON strings refuse what is not UTF-8, wherever it stands") {
  const std::string bad[] = {"\x80",
                             "\xc0\xaf",
                             "\xc1\xbf",
                             "\xe0\x80\xaf",
                             "\xed\xa0\x80",
                             "\xf0\x80\x80\x80",
                             "\xf4\x90\x80\x80",
                             "\xf5\x80\x80\x80",
                             "\xff",
                             "\xc3",
                             "\xe2\x82",
                             "\xf0\x9f\x98"};
  for (const auto& bytes : bad) {
    for (std::size_t before = 0; before < 20; ++before) {
      CAPTURE(before);
      CHECK(json_string(std::string(before, 'x') + bytes) == "invalid");
      CHECK(json_string(std::string(before, 'x') + bytes + "tail of text") == "invalid");
    }
  }
  for (const char* good : {"\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    CHECK(json_string(good) == fmt::format("\"{}\"", good));
  }
}

TEST_CASE("JSON strings agree with a byte-by-byte writer, seeded") {
  Rng rng(5);
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::uint64_t n = rng.below(40); n > 0; --n)
      text += static_cast<char>(rng.chance(0.9) ? 32 + rng.below(95) : rng.below(128));
    std::string expected = "\"";
    for (const char c : text) {
      switch (c) {
        case '"': expected += "\\\""; break;
        case '\\': expected += "\\\\"; break;
        case '\n': expected += "\\n"; break;
        case '\r': expected += "\\r"; break;
        case '\t': expected += "\\t"; break;
        case '\b': expected += "\\b"; break;
        case '\f': expected += "\\f"; break;
        default:
          if (static_cast<unsigned char>(c) < 0x20) {
            expected += fmt::format("\\u{:04x}", static_cast<int>(c));
          } else {
            expected += c;
          }
      }
    }
    REQUIRE(json_string(text) == expected + "\"");
    REQUIRE(is_json(expected + "\""));
  }
}

TEST_CASE("JSON numbers are the shortest text, and infinity is refused") {
  CHECK(json_number(0) == "0");
  CHECK(json_number(2.5) == "2.5");
  CHECK(json_number(-0.125) == "-0.125");
  CHECK(json_number(1e300) == "1e+300");
  CHECK(json_number(HUGE_VAL) == "invalid");
  CHECK(json_number(std::numeric_limits<double>::quiet_NaN()) == "invalid");
  Rng rng(6);
  for (int i = 0; i < 50'000; ++i) {
    const double number =
        i % 2 == 0
            ? (rng.unit() - 0.5) * std::pow(10.0, static_cast<double>(rng.below(30)) - 10)
            : static_cast<double>(static_cast<std::int64_t>(rng.below(4'000'000)) - 2'000'000) /
                  std::pow(10.0, static_cast<double>(rng.below(5)));
    REQUIRE(json_number(number) == double_text(number));
  }
}

TEST_CASE("blobs become base64 with padding") {
  CHECK(base64("") == "\"\"");
  CHECK(base64("f") == "\"Zg==\"");
  CHECK(base64("fo") == "\"Zm8=\"");
  CHECK(base64("foo") == "\"Zm9v\"");
  CHECK(base64("foobar") == "\"Zm9vYmFy\"");
  CHECK(base64(std::string_view("\xff\x00\xfe", 3)) == "\"/wD+\"");
}

TEST_CASE("the JSON check accepts one value and no more") {
  for (const char* good : {"0", "-0", "1.5e-3", "true", "null", "\"a\\u00e9\\n\"", " [ ] ",
                           "[[],{}]", "{}", "{\"a\":[1,2,{\"b\":null}],\"c\":\"d\"}", "[1 , 2]",
                           "{ \"a\" : 1 , \"b\" : 2 }", "\"café\""}) {
    CAPTURE(good);
    CHECK(is_json(good));
  }
  for (const char* bad :
       {"",         " ",          "01",        "1.",    ".5",      "+1",          "1e",
        "-",        "tru",        "nul",       "'a'",   "[1,]",    "[,1]",        "{\"a\"}",
        "{\"a\":}", "{\"a\":1,}", "{a:1}",     "[1 2]", "[",       "]",           "{",
        "[}",       "{]",         "1 2",       "\"",    "\"\\x\"", "\"\\u12g4\"", "\"a\nb\"",
        "\"\xff\"", "[1]]",       "{\"a\":1}x"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_json(bad));
  }
  CHECK(is_json(std::string(kJsonDepthMax, '[') + std::string(kJsonDepthMax, ']')));
  CHECK(check_json(std::string(kJsonDepthMax + 1, '[')) == JsonCheck::kTooDeep);
  CHECK(check_json(std::string(100'000, '[')) == JsonCheck::kTooDeep);
  CHECK(check_json("[") == JsonCheck::kMalformed);
}

TEST_CASE("a JSON text cut anywhere is no JSON text") {
  const std::string whole = "{\"a\":[1,-2.5e+7,{\"b\":null}],\"c\":\"d\\\"\\u0041\",\"e\":true}";
  REQUIRE(is_json(whole));
  for (std::size_t cut = 0; cut < whole.size(); ++cut) CHECK_FALSE(is_json(whole.substr(0, cut)));
}

TEST_CASE("key templates put columns between literals") {
  const std::vector<Column> columns{{"id", false}, {"tenant", false}};
  const std::vector<Cell> row{integer_cell(-7), text_cell("ac:me")};
  CHECK(rendered("product:{id}", columns, row) == "product:-7");
  CHECK(rendered("{id}", columns, row) == "-7");
  CHECK(rendered("{tenant}/{id}/x", columns, row) == "ac:me/-7/x");
  CHECK(rendered("{{{tenant}}}:{id}", columns, row) == "{ac:me}:-7");
  CHECK(rendered("{{user{id}}}:cart", columns, row) == "{user-7}:cart");
  CHECK(rendered("a{{b}}{id}", columns, row) == "a{b}-7");
  CHECK(rendered("x{id}", columns, {Cell{}, text_cell("t")}) == "null 0");
  CHECK(rendered("{tenant}{id}", columns, {Cell{}, text_cell("t")}) == "null 0");
}

TEST_CASE("key templates render every type of cell") {
  const std::vector<Column> columns{{"c", false}};
  CHECK(rendered("k{c}", columns, {Cell{CellType::kReal, 0, 1.5, {}}}) == "k1.5");
  CHECK(rendered("k{c}", columns, {Cell{CellType::kBool, 1, 0, {}}}) == "ktrue");
  CHECK(rendered("k{c}", columns, {Cell{CellType::kBytes, 0, 0, "\x01\xff"}}) == "k\x01\xff");
  CHECK(rendered("k{c}", columns, {text_cell("")}) == "k");
}

TEST_CASE("key templates change what they put in") {
  const std::vector<Column> columns{{"id", false}, {"Name", false}, {"odd:na}me", false}};
  const std::vector<Cell> row{integer_cell(42), text_cell("Ann B/\xc3\xa9"), text_cell("x")};
  CHECK(rendered("u:{Name:lower}", columns, row) == "u:ann b/\xc3\xa9");
  CHECK(rendered("u:{Name:upper}", columns, row) == "u:ANN B/\xc3\xa9");
  CHECK(rendered("u:{id:pad6}", columns, row) == "u:000042");
  CHECK(rendered("u:{id:pad1}", columns, row) == "u:42");
  CHECK(rendered("u:{Name:url}", columns, row) == "u:Ann%20B%2F%C3%A9");
  CHECK(rendered("u:{Name:lower:url}", columns, row) == "u:ann%20b%2F%C3%A9");
  CHECK(rendered("u:{\"odd:na}me\"}/{\"Name\":lower}", columns, row) == "u:x/ann b/\xc3\xa9");
}

TEST_CASE("dates and times are written and read in ISO 8601") {
  const auto plain = [](CellType type, std::int64_t number) {
    Buffer out;
    CHECK(append_plain(out, Cell{type, number, 0, {}}));
    return std::string(out.view());
  };
  constexpr std::int64_t kDay = 86'400'000'000;
  CHECK(plain(CellType::kDate, 0) == "1970-01-01");
  CHECK(plain(CellType::kDate, -1) == "1969-12-31");
  CHECK(plain(CellType::kDate, 19'782) == "2024-02-29");
  CHECK(plain(CellType::kDate, days_of_date(12'345, 6, 7)) == "12345-06-07");
  CHECK(plain(CellType::kDate, days_of_date(-43, 3, 15)) == "-0043-03-15");
  CHECK(plain(CellType::kDate, days_of_date(200'000, 1, 1)) == "200000-01-01");
  CHECK(plain(CellType::kDate, kForever) == "infinity");
  CHECK(plain(CellType::kTimestamp, -kForever) == "-infinity");
  CHECK(plain(CellType::kTimestamp, 19'782 * kDay + 86'399'500'000) == "2024-02-29T23:59:59.5");
  CHECK(plain(CellType::kTimestampTz, -1) == "1969-12-31T23:59:59.999999Z");
  CHECK(plain(CellType::kTime, 3'723'000'100) == "01:02:03.0001");
  CHECK(plain(CellType::kTime, -3'020'399'000'000) == "-838:59:59");
  CHECK(plain(CellType::kUnsigned, -1) == "18446744073709551615");
  for (const auto& [text, micros] :
       {std::pair<const char*, std::int64_t>{"2024-02-29", 19'782 * kDay},
        {"2024-02-29 01:02", 19'782 * kDay + 3'720'000'000},
        {"2024-02-29T01:02:03.5Z", 19'782 * kDay + 3'723'500'000},
        {"2024-02-29 01:02:03+02:00", 19'782 * kDay - 3'477'000'000}}) {
    CAPTURE(text);
    CHECK(parse_timestamp(text) == micros);
  }
  for (const char* bad : {"", "2024", "2024-13-01", "2024-01-01x", "2024-01-01 25:00", "now",
                          "2024-01-01 10", "2024-01-01 10:00 +"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_timestamp(bad).has_value());
  }
}

TEST_CASE("arrays are JSON, wherever they go") {
  const std::vector<Cell> inner{integer_cell(1), Cell{}, text_cell("a\"b")};
  Cell array{CellType::kArray, 0, 0, {}, inner};
  const std::vector<Cell> outer{array, array};
  const Cell nested{CellType::kArray, 0, 0, {}, outer};
  Buffer out;
  CHECK(append_plain(out, nested));
  CHECK(out.view() == "[[1,null,\"a\\\"b\"],[1,null,\"a\\\"b\"]]");
  const std::vector<Cell> wrong{text_cell("\xff")};
  CHECK_FALSE(append_plain(out, Cell{CellType::kArray, 0, 0, {}, wrong}));
}

TEST_CASE("wrong key templates say where they are wrong") {
  const std::pair<const char*, const char*> cases[] = {
      {"product", "names no column"},
      {"", "names no column"},
      {"{{id}}", "names no column"},
      {"a{id", "character 2: '{' without '}'"},
      {"a}b{id}", "character 2: '}' without '{'"},
      {"{}", "character 1: no column"},
      {"{a{b}", "character 1: '{' inside"},
      {"{a:b}", "'b' is no format"},
      {"{a:pad0}", "'pad0' is no format"},
      {"{a:pad65}", "'pad65' is no format"},
      {"{\"a}", "'{' without '}'"},
  };
  for (const auto& [pattern, message] : cases) {
    CAPTURE(pattern);
    const auto key = KeyTemplate::parse(pattern);
    REQUIRE_FALSE(key.has_value());
    CHECK(key.error().context.find(message) != std::string::npos);
  }
  auto key = KeyTemplate::parse("{nope}");
  REQUIRE(key.has_value());
  CHECK(key->bind({{"id", false}}).error().context.find("'nope'") != std::string::npos);
}

TEST_CASE("durations and percentages read strictly") {
  CHECK(parse_duration("500ms") == milliseconds{500});
  CHECK(parse_duration("90s") == milliseconds{90'000});
  CHECK(parse_duration("1h30m") == milliseconds{5'400'000});
  CHECK(parse_duration("7d") == milliseconds{604'800'000});
  CHECK(parse_duration("0h1s") == milliseconds{1'000});
  for (const char* bad :
       {"", "0s", "5", "s", "1x", "-1s", "1.5h", "1m1h", "1s1s", "99999999999d", "1 s", "01s"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_duration(bad).has_value());
  }
  CHECK(parse_percent("10%") == 0.1);
  CHECK(parse_percent("0%") == 0.0);
  CHECK(parse_percent("100%") == 1.0);
  for (const char* bad : {"", "%", "10", "-1%", "101%", "a%"})
    CHECK_FALSE(parse_percent(bad).has_value());
}

TEST_CASE("the jitter of a key is always the same, within its bounds, and spread evenly") {
  constexpr milliseconds kTtl{100'000};
  int quarters[4] = {};
  for (int i = 0; i < 40'000; ++i) {
    const std::string key = fmt::format("product:{}", i);
    const auto ttl = jittered_ttl(kTtl, 0.1, key).count();
    REQUIRE(ttl >= 90'000);
    REQUIRE(ttl <= 110'000);
    REQUIRE(ttl == jittered_ttl(kTtl, 0.1, key).count());
    ++quarters[std::min<std::int64_t>(3, (ttl - 90'000) / 5'000)];
  }
  for (const int quarter : quarters) {
    CHECK(quarter > 9'500);
    CHECK(quarter < 10'500);
  }
  CHECK(jittered_ttl(kTtl, 0, "k") == kTtl);
  CHECK(jittered_ttl(milliseconds{1}, 1.0, "k").count() >= 1);
}

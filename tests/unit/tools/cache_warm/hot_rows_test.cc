#include "tools/cache_warm/hot_rows.h"

#include <doctest/doctest.h>

#include "tools/cache_warm/plan.h"

using namespace hearth;
using namespace hearth::warm;

namespace {

struct Mappings {
  explicit Mappings(const std::string& lines,
                    std::vector<std::pair<std::string, std::string>> columns)
      : plan(*parse_plan(lines, "m")) {
    for (const Mapping& mapping : plan.mappings) {
      PreparedMapping& one = prepared.emplace_back();
      one.mapping = &mapping;
      for (const auto& [name, type] : columns) {
        Column column;
        column.name = name;
        column.source_type = type;
        one.shape.columns.push_back(column);
      }
    }
  }
  WarmPlan plan;
  std::vector<PreparedMapping> prepared;
};

std::string one_mapping(const std::string& key, const std::string& more = "table = \"t\"") {
  return "[[mapping]]\nname = \"m\"\nkey = \"" + key + "\"\n" + more + "\n";
}

// The values that are asked for, each key's joined by '|'.
std::vector<std::string> asked(const HotRows& hot) {
  std::vector<std::string> all;
  for (const ChunkTask& task : hot.tasks) {
    CHECK(task.is_hot);
    CHECK(task.chunk.kind == Chunk::Kind::kKeys);
    for (const auto& values : task.chunk.keys) {
      std::string text;
      for (const auto& value : values) text += (text.empty() ? "" : "|") + value;
      all.push_back(text);
    }
  }
  return all;
}

}  // namespace

TEST_CASE("keys are turned back into the values of their columns") {
  const Mappings m(one_mapping("user:{org}:{id}:profile"), {{"org", "text"}, {"id", "bigint"}});
  const std::vector<std::string> keys{"user:acme:7:profile", "user:b:8:profile",  "order:1",
                                      "user:acme:x:profile", "user:acme:9:other", "user:acme:9",
                                      "user:a:1:2:profile"};
  const HotRows hot = find_hot_rows(m.prepared, keys, Typing::kStrict);
  CHECK(hot.notes.empty());
  CHECK(asked(hot) == std::vector<std::string>{"acme|7", "b|8"});
  REQUIRE(hot.tasks.size() == 1);
  CHECK(hot.tasks[0].chunk.columns == std::vector<std::string>{"org", "id"});
  CHECK(find_hot_rows(m.prepared, {}, Typing::kStrict).tasks.empty());
}

TEST_CASE("values that their column can't hold are not asked for") {
  const auto values = [](const std::string& type, std::vector<std::string> given,
                         Typing typing = Typing::kStrict) {
    const Mappings m(one_mapping("k:{id}"), {{"id", type}});
    for (std::string& key : given) key = "k:" + key;
    return asked(find_hot_rows(m.prepared, given, typing));
  };
  using Texts = std::vector<std::string>;
  CHECK(values("integer", {"1", "-5", "2147483647", "2147483648", "1.5", "x", "", "1 OR 1=1"}) ==
        Texts{"1", "-5", "2147483647"});
  CHECK(values("smallint", {"32767", "32768"}) == Texts{"32767"});
  CHECK(values("bigint", {"9223372036854775807", "9223372036854775808"}) ==
        Texts{"9223372036854775807"});
  CHECK(values("bigint unsigned", {"18446744073709551615", "-1"}) == Texts{"18446744073709551615"});
  CHECK(values("numeric(10,2)", {"1.50", "-2", "1.", "1.2.3", "NaN", "1e5"}) ==
        Texts{"1.50", "-2"});
  CHECK(values("character varying(20)", {"caf\xc3\xa9", "\xff", std::string("a\0b", 3), "it's"}) ==
        Texts{"caf\xc3\xa9", "it's"});
  CHECK(values("uuid", {"123e4567-e89b-12d3-a456-426614174000", "123e4567"}) ==
        Texts{"123e4567-e89b-12d3-a456-426614174000"});
  CHECK(values("", {"1", "x", "\xff"}, Typing::kLoose) == Texts{"1", "x"});
}

TEST_CASE("a mapping whose keys can't be turned into rows is told of once") {
  const std::vector<std::string> keys{"k:1", "k:2"};
  for (const char* key : {"k:{id:pad5}", "{id:lower}", "k:{id}{v}"}) {
    CAPTURE(key);
    const Mappings m(one_mapping(key), {{"id", "integer"}, {"v", "text"}});
    const HotRows hot = find_hot_rows(m.prepared, keys, Typing::kStrict);
    CHECK(hot.tasks.empty());
    REQUIRE(hot.notes.size() == 1);
    CHECK(hot.notes[0].find("mapping 'm'") != std::string::npos);
  }
  const Mappings dates(one_mapping("k:{id}"), {{"id", "date"}});
  const HotRows hot = find_hot_rows(dates.prepared, keys, Typing::kStrict);
  CHECK(hot.tasks.empty());
  REQUIRE(hot.notes.size() == 1);
  CHECK(hot.notes[0].find("column 'id' is of a type that is not searched for (date)") !=
        std::string::npos);
}

TEST_CASE("hot rows come in bounded batches, those of a query with groups one key at a time") {
  std::vector<std::string> keys;
  for (int i = 0; i < 1000; ++i) keys.push_back("k:" + std::to_string(i));
  const Mappings table(one_mapping("k:{id}"), {{"id", "integer"}});
  const HotRows of_table = find_hot_rows(table.prepared, keys, Typing::kStrict);
  CHECK(of_table.tasks.size() == 10);
  CHECK(asked(of_table).size() == 1000);
  const Mappings query(
      one_mapping("k:{id}",
                  "query = \"SELECT id, v FROM t ORDER BY id\"\nvalue = \"list\"\ncolumn = \"v\""),
      {{"id", "integer"}, {"v", "text"}});
  REQUIRE(query.plan.mappings[0].group);
  const HotRows of_query = find_hot_rows(query.prepared, keys, Typing::kStrict);
  CHECK(of_query.tasks.size() == 200);
  CHECK(of_query.tasks[0].chunk.keys.size() == 1);
}

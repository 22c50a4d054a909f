#include "tools/cache_warm/plan.h"

#include <doctest/doctest.h>

using namespace hearth;
using namespace hearth::warm;

namespace {

std::string error_of(std::string_view text) {
  const auto plan = parse_plan(text, "m.toml");
  return plan ? "no error" : plan.error().context;
}

}  // namespace

TEST_CASE("a full mapping file reads into its plan") {
  const auto plan = parse_plan(R"(
[source]
url = "sqlite:///data/shop.db"
[target]
seeds = ["127.0.0.1:7001", "[::1]:7002"]
username = "u"
password = "p"
db = 0
connections = 2
batch = 100
batch_bytes = "32kb"
window = "2mb"
retry_for = "1m"
[errors]
on_error = "fail"
max_errors = 5
reject_file = "rejects.jsonl"
[[mapping]]
name = "rows"
table = "products"
columns = ["id", "doc"]
where = "stock > 0"
key = "product:{id}"
value = "string"
column = "doc"
ttl = "1h30m"
ttl_jitter = "10%"
max_value = "1mb"
rate = 1000
[[mapping]]
query = "SELECT * FROM users"
key = "{{user{id}}}"
value = "hash"
exclude = ["secret"]
replace = false
ttl_column = "ttl"
[[mapping]]
table = "orders"
key = "order:{id}"
fields = ["id", "lines"]
json_columns = ["lines"]
nulls = "omit"
)",
                               "m.toml");
  REQUIRE_MESSAGE(plan.has_value(), plan.error().context);
  CHECK(plan->source.url == "sqlite:///data/shop.db");
  REQUIRE(plan->target.seeds.size() == 2);
  CHECK(plan->target.seeds[1] == client::Endpoint{"::1", 7002, ""});
  CHECK(plan->target.username == "u");
  CHECK(plan->target.connections_per_node == 2);
  CHECK(plan->target.batch_rows == 100);
  CHECK(plan->target.batch_bytes == 32 * 1024);
  CHECK(plan->target.window_bytes == 2 * 1024 * 1024);
  CHECK(plan->target.retry_for == milliseconds{60'000});
  CHECK(plan->errors.on_error == OnError::kFail);
  CHECK(plan->errors.max_errors == 5);
  CHECK(plan->errors.reject_file == "rejects.jsonl");
  REQUIRE(plan->mappings.size() == 3);
  const auto& rows = plan->mappings[0];
  CHECK(rows.name == "rows");
  CHECK(rows.selection.columns == std::vector<std::string>{"id", "doc"});
  CHECK(rows.selection.where == "stock > 0");
  CHECK(rows.rows_per_second == 1000);
  CHECK_FALSE(rows.group);
  const auto& value = rows.outputs.at(0);
  CHECK(value.value == ValueKind::kString);
  CHECK(value.column == "doc");
  CHECK(value.ttl == milliseconds{5'400'000});
  CHECK(value.ttl_jitter == 0.1);
  CHECK(value.max_value_bytes == 1024 * 1024);
  CHECK(plan->mappings[1].name == "mapping 2");
  CHECK(plan->mappings[1].outputs[0].value == ValueKind::kHash);
  CHECK_FALSE(plan->mappings[1].outputs[0].replace);
  CHECK(plan->mappings[1].outputs[0].ttl_column == "ttl");
  CHECK(plan->mappings[2].name == "orders");
  CHECK(plan->mappings[2].outputs[0].value == ValueKind::kJson);
  CHECK_FALSE(plan->mappings[2].outputs[0].keep_nulls);
}

TEST_CASE("rows may become several keys, or one key with others") {
  const auto plan = parse_plan(R"(
[[mapping]]
table = "users"
key = "user:{id}"
fields = ["id", "full name as name"]
delete_if = "deleted_at"
[[mapping.output]]
key = "mail:{mail:lower}"
value = "string"
column = "id"
null_key = "skip"
only_if_absent = true
[[mapping]]
name = "documents"
table = "orders"
key = "orders:{user_id}"
fields = ["user_id"]
embed = { orders = ["order_id as id", "total"] }
order_by = ["order_id"]
[[mapping]]
query = "SELECT * FROM scores ORDER BY game"
key = "top:{game}"
value = "zset"
column = "player"
score = "points"
[[mapping]]
table = "tags"
key = "tags:{id}"
value = "set"
column = "tags"
group = false
null_value = "delete"
[[mapping]]
name = "sorted"
query = "SELECT * FROM scores"
order_by = ["points"]
key = "list:{game}"
value = "list"
column = "player"
)",
                               "m.toml");
  REQUIRE_MESSAGE(plan.has_value(), plan.error().context);
  const auto& users = plan->mappings[0];
  REQUIRE(users.outputs.size() == 2);
  CHECK(users.outputs[0].fields[1] == FieldSpec{"full name", "name"});
  CHECK(users.delete_if == "deleted_at");
  CHECK(users.outputs[1].null_key == NullPolicy::kSkip);
  CHECK(users.outputs[1].only_if_absent);
  CHECK_FALSE(users.group);
  const auto& documents = plan->mappings[1];
  CHECK(documents.group);
  CHECK(documents.outputs[0].embed_name == "orders");
  CHECK(documents.outputs[0].embed[0] == FieldSpec{"order_id", "id"});
  CHECK(documents.selection.order == std::vector<std::string>{"user_id", "order_id"});
  CHECK(plan->mappings[2].group);
  CHECK_FALSE(plan->mappings[3].group);
  CHECK(plan->mappings[3].outputs[0].null_value == NullPolicy::kDelete);
  CHECK(plan->mappings[2].selection.order.empty());
  CHECK(plan->mappings[4].selection.order == std::vector<std::string>{"game", "points"});
}

TEST_CASE("a target may be one URL") {
  const auto plan = parse_plan(
      "[target]\nurl = \"redis://:pw@127.0.0.1:7001/2\"\n[[mapping]]\ntable = \"t\"\nkey = "
      "\"{id}\"\n",
      "t");
  REQUIRE(plan.has_value());
  CHECK(plan->target.seeds == std::vector<client::Endpoint>{{"127.0.0.1", 7001, ""}});
  CHECK(plan->target.password == "pw");
  CHECK(plan->target.db == 2);
  CHECK(error_of("[target]\nurl = \"redis://a\"\naddress = \"b\"\n") ==
        "m.toml:2: target.url: give one of url, address and seeds");
}

TEST_CASE("mistakes in a mapping file name file, line and key") {
  const std::pair<const char*, const char*> cases[] = {
      {"", "m.toml: mapping: there is no [[mapping]]"},
      {"[source]\nurl = 5\n", "m.toml:2: source.url: must be a string"},
      {"[source]\n\nuri = \"x\"\n", "m.toml:3: source.uri: is not known here"},
      {"[sources]\n", "m.toml:1: sources: is not known here"},
      {"[[mapping]]\ntable = \"t\"\nkye = \"{id}\"\n",
       "m.toml:3: mapping[1].kye: is not known here"},
      {"source = 1\n", "m.toml:1: source: must be a table"},
      {"[target]\naddress = \"a:b\"\n",
       "m.toml:2: target.address: 'a:b': 'b' is no port (1 .. 65535)"},
      {"[target]\naddress = \"a\"\nseeds = [\"b\"]\n",
       "m.toml:3: target.seeds: give either address or seeds"},
      {"[target]\nbatch = 0\n", "m.toml:2: target.batch: must be a whole number, 1 to 1000000"},
      {"[target]\nwindow = \"big\"\n",
       "m.toml:2: target.window: must be a size such as 64kb or 16mb, 1 to 1073741824 bytes"},
      {"[target]\nretry_for = \"soon\"\n",
       "m.toml:2: target.retry_for: 'soon' is no duration such as 30s, 15m, 1h30m or 7d"},
      {"[errors]\non_error = \"stop\"\n",
       "m.toml:2: errors.on_error: 'stop' is none of: skip, fail"},
      {"[mapping]\n", "m.toml:1: mapping: write [[mapping]]"},
      {"[[mapping]]\nkey = \"{id}\"\n", "m.toml:1: mapping[1].table: give either table or query"},
      {"[[mapping]]\ntable = \"t\"\nquery = \"q\"\nkey = \"{id}\"\n",
       "m.toml:3: mapping[1].query: give either table or query"},
      {"[[mapping]]\nquery = \"q\"\nwhere = \"x\"\nkey = \"{id}\"\n",
       "m.toml:3: mapping[1].where: belongs to table; write it into the query"},
      {"[[mapping]]\ntable = \"t\"\n", "m.toml:1: mapping[1].key: is missing"},
      {"[[mapping]]\ntable = \"t\"\nkey = \"x\"\n",
       "m.toml:3: mapping[1].key: key template 'x' names no column, so all rows would have one "
       "key"},
      {"[[mapping]]\ntable = \"t\"\nkey = \"{id}\"\nvalue = \"set\"\n",
       "m.toml:1: mapping[1].column: this value needs the name of a column"},
      {"[[mapping]]\ntable = \"t\"\nkey = \"{id}\"\nvalue = \"blob\"\n",
       "m.toml:4: mapping[1].value: 'blob' is none of: string, json, hash, list, set, zset"},
      {"[[mapping]]\ntable = \"t\"\nkey = \"{id}\"\nvalue = \"zset\"\ncolumn = \"c\"\n",
       "m.toml:1: mapping[1].score: value = \"zset\" needs the column of the score"},
      {"[[mapping]]\ntable = \"t\"\nkey = \"{id}\"\nembed = { a = [\"b\"] }\n",
       "m.toml:4: mapping[1].embed: needs fields, which say what is of the key and what of each "
       "row"},
      {"[[mapping]]\ntable = \"t\"\nkey = \"{id}\"\n[[mapping.output]]\nvalue = \"json\"\n",
       "m.toml:4: output[1].key: is missing"},
      {"[[mapping]]\ntable = \"t\"\nkey = \"{id}\"\nttl_column = \"a\"\nexpires_at = \"b\"\n",
       "m.toml:5: mapping[1].expires_at: give either ttl_column or expires_at"},
      {"[[mapping]]\ntable = \"t\"\nkey = \"{id}\"\nvalue = \"string\"\n",
       "m.toml:1: mapping[1].column: this value needs the name of a column"},
      {"[[mapping]]\ntable = \"t\"\nkey = \"{id}\"\ncolumn = \"c\"\n",
       "m.toml:4: mapping[1].column: is for value = \"string\", \"list\", \"set\" or \"zset\" "
       "only"},
      {"[[mapping]]\ntable = \"t\"\nkey = \"{id}\"\nreplace = true\n",
       "m.toml:4: mapping[1].replace: is for value = \"hash\" only"},
      {"[[mapping]]\ntable = \"t\"\nkey = \"{id}\"\nfields = []\n",
       "m.toml:4: mapping[1].fields: must be a list of strings, with at least one"},
      {"[[mapping]]\ntable = \"t\"\nkey = \"{id}\"\nfields = [\"a\"]\nexclude = [\"b\"]\n",
       "m.toml:5: mapping[1].exclude: give either fields or exclude"},
      {"[[mapping]]\ntable = \"t\"\nkey = \"{id}\"\nttl_jitter = \"5%\"\n",
       "m.toml:4: mapping[1].ttl_jitter: needs ttl or ttl_column"},
      {"[[mapping]]\ntable = \"t\"\nkey = \"{id}\"\nttl = \"5\"\n",
       "m.toml:4: mapping[1].ttl: '5' is no duration such as 30s, 15m, 1h30m or 7d"},
      {"[[mapping]]\ntable = \"t\"\nkey = \"{id}\"\n[[mapping]]\ntable = \"t\"\nkey = \"{id}\"\n",
       "m.toml:4: mapping: two mappings are named 't'"},
      {"[[mapping]]\ntable = \"t\"\nkey = \"{id}\"\n[extra]\n",
       "m.toml:4: extra: is not known here"},
  };
  for (const auto& [text, message] : cases) {
    CAPTURE(text);
    CHECK(error_of(text) == message);
  }
  CHECK(error_of("[source\n").starts_with("m.toml:1: "));
}

TEST_CASE("characters beyond ASCII stand in strings and comments only") {
  const std::string table = "[[mapping]]\nkey = \"{id}\"\n";
  for (const char* good :
       {"table = \"t\xc3\xa4\"\n", "table = 't\xc3\xa4'\n", "table = 't' # \xd1\x8a\n",
        "table = \"a\\\"\xd1\x8a\"\n", "table = \"\"\"\nt\"\"\xd1\x8a\"\"\"\"\"\n",
        "table = \'\'\'t\n\'\xd1\x8a\'\'\'\n", "table = \"t\" # \"\n# \xd1\x8a"}) {
    CAPTURE(good);
    CHECK(parse_plan(table + good, "m.toml").has_value());
  }
  CHECK(parse_plan("\xef\xbb\xbf" + table + "table = 't'", "m.toml").has_value());
  const std::string why =
      ": only strings and comments may have characters beyond ASCII; put quotes around it";
  for (const char* bad :
       {"tabb\xd1\x8a\n[[maping]]\n", "\xc2\xa1 = 1\n", "table = \xe2\x80\x9ct\xe2\x80\x9d\n",
        "table = \"t\"\xd2\x9a\n", "table = 't' \xc2\xa0\n"}) {
    CAPTURE(bad);
    CHECK(error_of(table + bad) == "m.toml:3" + why);
  }
  CHECK(error_of(table + "table = \"\"\"\na\nb\"\"\"\n\xd1\x8a") == "m.toml:6" + why);
}

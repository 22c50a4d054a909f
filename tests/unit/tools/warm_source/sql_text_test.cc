#include <doctest/doctest.h>

#include "tools/warm_source/sql_text.h"

using namespace hearth;
using namespace hearth::warm;

TEST_CASE("a condition is one condition, whatever stands in its quotes and comments") {
  const auto why = [](std::string_view sql) {
    const auto checked = check_condition(sql);
    return checked ? std::string() : checked.error().context;
  };
  for (const char* good :
       {"id = 1", "(a = 1) OR (b = 2)", "v = ')'", "v = 'it''s (; fine'", "\"odd)name\" = 1",
        "`a;b` = 2", "a = 1 -- ) ;", "a = 1 /* ; ) */ AND b = 2", "v = $tag$ ); $tag$",
        "id IN (SELECT id FROM t WHERE (x))"})
    CHECK_MESSAGE(why(good).empty(), good);
  CHECK(why("id = 1)") == "')' without '('");
  CHECK(why("1 = 1) OR (2 = 2") == "')' without '('");
  CHECK(why("(id = 1") == "'(' without ')'");
  CHECK(why("v = 'x") == "a quote does not end");
  CHECK(why("v = '") == "a quote does not end");
  CHECK(why("a = 1 /* b") == "a comment does not end");
  CHECK(why("a = 1; DROP TABLE t") == "';' ends a statement");
  CHECK(why("") == "it is empty");
  CHECK(why("  -- nothing") == "it is empty");
}

TEST_CASE("a query stands as it is, or in a query that chooses, sorts and limits its rows") {
  Selection selection;
  selection.sql = "SELECT * FROM t -- all ;\n;";
  CHECK(query_text(selection, "*", "", '"') == "SELECT * FROM t");
  CHECK(query_text(selection, "a, b", "", '"') == "SELECT a, b FROM (SELECT * FROM t\n) AS q");
  CHECK(query_text(selection, "*", "id = 1", '"') ==
        "SELECT * FROM (SELECT * FROM t\n) AS q WHERE (id = 1)");
  selection.order = {"id", "n`x"};
  selection.limit = 7;
  CHECK(query_text(selection, "*", "", '`') ==
        "SELECT * FROM (SELECT * FROM t\n) AS q ORDER BY `id`, `n``x` LIMIT 7");
}

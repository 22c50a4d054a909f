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

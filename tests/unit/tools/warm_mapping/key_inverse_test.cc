#include <doctest/doctest.h>

#include "tools/warm_mapping/key_template.h"

using namespace hearth;
using namespace hearth::warm;

namespace {

std::string inverse(const std::string& pattern, const std::string& key) {
  const auto parsed = KeyTemplate::parse(pattern);
  REQUIRE(parsed);
  REQUIRE(parsed->is_invertible());
  const auto values = parsed->values_of(key);
  if (!values) return "none";
  std::string text;
  for (const auto& value : *values) text += "<" + value + ">";
  return text;
}

}  // namespace

TEST_CASE("a key is taken apart where text stands between its columns") {
  CHECK(inverse("product:{id}", "product:7") == "<7>");
  CHECK(inverse("product:{id}", "product:") == "<>");
  CHECK(inverse("product:{id}", "produce:7") == "none");
  CHECK(inverse("product:{id}", "") == "none");
  CHECK(inverse("{id}", "any:thing") == "<any:thing>");
  CHECK(inverse("{a}:{b}", "1:2") == "<1><2>");
  CHECK(inverse("{a}:{b}", "1:2:3") == "<1><2:3>");
  CHECK(inverse("{a}:{b}", "12") == "none");
  CHECK(inverse("{{{tenant}}}:cart:{id}", "{acme}:cart:5") == "<acme><5>");
  // The text at the end counts from the end.
  CHECK(inverse("{name}.json", "a.json.json") == "<a.json>");
  CHECK(inverse("{name}.json", "a.jso") == "none");
  CHECK(inverse("{a}:{b}:x", "1:2:x") == "<1><2>");
  CHECK(inverse("{a}:{b}:x", "1:2:xy") == "none");
}

TEST_CASE("templates with formats, or columns side by side, can't be taken apart") {
  for (const char* pattern : {"{id:pad3}", "{a}{b}", "k:{mail:lower}", "{a:url}:{b}"})
    CHECK_FALSE(KeyTemplate::parse(pattern)->is_invertible());
  for (const char* pattern : {"{a}", "x{a}y{b}", "{a}:{b}"})
    CHECK(KeyTemplate::parse(pattern)->is_invertible());
}

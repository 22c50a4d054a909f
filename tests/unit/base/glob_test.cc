#include "src/base/glob.h"

#include <doctest/doctest.h>

#include <string>

using namespace hearth;

TEST_CASE("glob matches stars, single bytes, classes and escapes") {
  CHECK(glob_match("*", ""));
  CHECK(glob_match("h?llo", "hello"));
  CHECK_FALSE(glob_match("h?llo", "hllo"));
  CHECK(glob_match("h*o", "ho"));
  CHECK(glob_match("h[ae]llo", "hallo"));
  CHECK_FALSE(glob_match("h[^e]llo", "hello"));
  CHECK(glob_match("h[a-c]llo", "hbllo"));
  CHECK(glob_match("h[c-a]llo", "hbllo"));
  CHECK(glob_match("\\*x", "*x"));
  CHECK_FALSE(glob_match("\\*x", "ax"));
  CHECK(glob_match("a[", "a[") == false);
  CHECK(glob_match("user:*:name", "user:1:2:name"));
  CHECK_FALSE(glob_match("abc", "ab"));
  CHECK(glob_match("ABC*", "abcd", GlobCase::kIgnore));
  CHECK(glob_match("[A-C]x", "bX", GlobCase::kIgnore));
}

TEST_CASE("many stars stay cheap: the matcher never backtracks more than one star") {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "a*";
  CHECK_FALSE(glob_match(pattern + "b", std::string(5000, 'a')));
}

TEST_CASE("a pattern of more than 1000 separate stars matches nothing") {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "**?";
  CHECK(glob_match(pattern, std::string(1000, 'a')));
  CHECK(glob_match(pattern + "*", std::string(1000, 'a')));
  CHECK_FALSE(glob_match(pattern + "*?", std::string(1001, 'a')));
}

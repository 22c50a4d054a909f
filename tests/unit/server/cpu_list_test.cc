#include "src/server/cpu_list.h"

#include <doctest/doctest.h>

#include <vector>

using namespace hearth;

namespace {

std::vector<int> cores(std::string_view text) {
  std::vector<int> found;
  const auto set = parse_cpu_list(text);
  REQUIRE(set.has_value());
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(static_cast<std::size_t>(i), &*set)) found.push_back(i);
  }
  return found;
}

}  // namespace

TEST_CASE("a list of cores has single ones, ranges and steps") {
  CHECK(cores("0") == std::vector<int>{0});
  CHECK(cores("3,1") == std::vector<int>{1, 3});
  CHECK(cores("0,2-5,8-15:3") == std::vector<int>{0, 2, 3, 4, 5, 8, 11, 14});
  CHECK(cores("7-7") == std::vector<int>{7});
  CHECK(cores("1023") == std::vector<int>{1023});
}

TEST_CASE("what is no list of cores is refused") {
  for (const char* text : {"", "a", "-1", "1-", "5-2", "1024", "0-9:0", "0-9:x", "1,,2", "1,", ",1",
                           "1-:2", "1:", "1 2"}) {
    CAPTURE(text);
    CHECK(!parse_cpu_list(text));
  }
}

#include "src/tracking/tracking.h"

#include <doctest/doctest.h>

#include <map>
#include <set>

namespace {

using namespace hearth;
using tracking::Table;

TEST_CASE("a key is remembered once for each client and forgotten with its first change") {
  Table table(1);
  table.remember("k", 3);
  table.remember("k", 1);
  table.remember("k", 3);
  table.remember("other", 1);
  CHECK(table.key_count() == 2);
  CHECK(table.item_count() == 3);
  CHECK(table.take("k") == std::vector<ConnId>{1, 3});
  CHECK(table.take("k").empty());
  CHECK(table.item_count() == 1);
}

TEST_CASE("prefixes are told apart and vanish with their last client") {
  Table table(1);
  table.add_prefix("", 1);
  table.add_prefix("user:", 2);
  table.add_prefix("user:", 3);
  table.add_prefix("user:", 3);
  std::map<std::string, std::size_t> found;
  table.for_each_prefix_of("user:7", [&](const std::string& prefix, const auto& clients) {
    found[prefix] = clients.size();
  });
  CHECK(found == std::map<std::string, std::size_t>{{"", 1}, {"user:", 2}});
  table.remove_prefix("user:", 2);
  table.remove_prefix("user:", 3);
  CHECK(table.prefix_count() == 1);
}

TEST_CASE("the table agrees with a model under random use") {
  Rng rng(7);
  Table table(1);
  std::map<std::string, std::set<ConnId>> model;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = std::to_string(rng.below(300));
    if (rng.below(4) != 0) {
      const ConnId client = rng.below(5);
      table.remember(key, client);
      model[key].insert(client);
    } else if (rng.below(2) == 0) {
      const auto clients = table.take(key);
      CHECK(std::set<ConnId>(clients.begin(), clients.end()) == model[key]);
      model.erase(key);
    } else if (const auto any = table.take_any(rng)) {
      CHECK(std::set<ConnId>(any->second.begin(), any->second.end()) == model.at(any->first));
      model.erase(any->first);
    }
    std::erase_if(model, [](const auto& pair) { return pair.second.empty(); });
    CHECK(table.key_count() == model.size());
  }
}

TEST_CASE("prefixes overlap when one begins the other") {
  CHECK(tracking::overlap("foo", "foobar"));
  CHECK(tracking::overlap("foobar", "foo"));
  CHECK(tracking::overlap("", "x"));
  CHECK_FALSE(tracking::overlap("foo", "bar"));
}

}  // namespace

// CLUSTERSCAN: cursors that find their node, and every key of the slots that are served here.
#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "cluster/model/slot.h"
#include "src/commands/key/slot_tag.h"
#include "tests/engine/cluster_fixture.h"

using namespace hearth;
using namespace hearth::test;

namespace {

struct Page {
  std::string cursor;
  std::vector<std::string> keys;
};

Page page_of(const std::string& reply) {
  Page page;
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < reply.size();) {
    const std::size_t end = reply.find("\r\n", at);
    lines.push_back(reply.substr(at, end - at));
    at = end + 2;
  }
  REQUIRE(lines.size() >= 4);
  REQUIRE(lines[0] == "*2");
  page.cursor = lines[2];
  for (std::size_t i = 5; i < lines.size(); i += 2) page.keys.push_back(lines[i]);
  return page;
}

}  // namespace

TEST_CASE("every slot has a hash tag that stands in it") {
  CHECK(commands::tag_of_slot(0) == "06S");
  CHECK(commands::tag_of_slot(1) == "Qi");
  for (int slot = 0; slot < kSlotCount; ++slot) {
    const auto tag = commands::tag_of_slot(static_cast<Slot>(slot));
    if (tag.empty() || cluster::slot_of(tag) != slot) FAIL("slot " << slot);
  }
}

TEST_CASE("a scan of the cluster goes through the slots of this node and on to the next one") {
  ClusterFixture f;
  std::set<std::string> mine;
  for (int i = 0; i < 3000; ++i) {
    const std::string key = "key:" + std::to_string(i);
    if (f.run("SET", key, "v") == "+OK\r\n") mine.insert(key);
  }
  for (int i = 0; i < 200; ++i) {  // a slot that takes several calls
    mine.insert("{06S}" + std::to_string(i));
    f.run("SET", "{06S}" + std::to_string(i), "v");
  }
  CHECK(mine.size() > 1200);
  CHECK(f.run("CLUSTERSCAN", "0") == "*2\r\n$9\r\n0-{06S}-0\r\n*0\r\n");
  std::set<std::string> found;
  std::string cursor = "0", reply;
  int calls = 0;
  for (; calls < 20'000; ++calls) {
    reply = f.run("CLUSTERSCAN", cursor);
    if (reply.starts_with("-")) break;
    Page page = page_of(reply);
    found.insert(page.keys.begin(), page.keys.end());
    cursor = page.cursor;
  }
  CHECK(calls > 8192);
  CHECK(reply == "-MOVED 8192 127.0.0.2:6380\r\n");
  CHECK(found == mine);
}

TEST_CASE("SLOT keeps a scan in one slot, which ends with the cursor 0") {
  ClusterFixture f;
  for (int i = 0; i < 100; ++i) f.run("SET", "{Qi}" + std::to_string(i), "v");
  f.run("SADD", "{Qi}set", "m");
  CHECK(f.run("CLUSTERSCAN", "0", "SLOT", "1") == "*2\r\n$8\r\n0-{Qi}-0\r\n*0\r\n");
  std::size_t keys = 0, calls = 0;
  std::string cursor = "0-{Qi}-0";
  while (cursor != "0" && ++calls < 1000) {
    const Page page = page_of(f.run("CLUSTERSCAN", cursor, "SLOT", "1", "COUNT", "10"));
    keys += page.keys.size();
    cursor = page.cursor;
  }
  CHECK(keys >= 101);
  CHECK(calls > 3);
  const Page all = page_of(f.run("CLUSTERSCAN", "0-{Qi}-0", "SLOT", "1", "COUNT", "1000"));
  CHECK(all.cursor == "0");
  CHECK(all.keys.size() == 101);
  CHECK(page_of(f.run("CLUSTERSCAN", "0-{Qi}-0", "COUNT", "1000", "TYPE", "set")).keys ==
        std::vector<std::string>{"{Qi}set"});
  CHECK(page_of(f.run("CLUSTERSCAN", "0-{Qi}-0", "COUNT", "1000", "MATCH", "*}7")).keys ==
        std::vector<std::string>{"{Qi}7"});
  CHECK(page_of(f.run("CLUSTERSCAN", "0-{Qi}-0", "COUNT", "1000")).cursor ==
        "0-{" + std::string(commands::tag_of_slot(2)) + "}-0");
  CHECK(f.run("CLUSTERSCAN", "0-{Qi}-0", "SLOT", "0") ==
        "-ERR the cursor is of another slot than SLOT names\r\n");
  CHECK(f.run("CLUSTERSCAN", "0", "SLOT", "16384") == "-ERR Invalid or out of range slot\r\n");
  CHECK(f.run("CLUSTERSCAN", "0", "SLOT", "1", "SLOT", "1") == "-ERR syntax error\r\n");
}

TEST_CASE("a cursor of other tables begins its slot anew, and what is no cursor is refused") {
  ClusterFixture f;
  for (int i = 0; i < 100; ++i) f.run("SET", "{Qi}" + std::to_string(i), "v");
  const Page first = page_of(f.run("CLUSTERSCAN", "0-{Qi}-0"));
  CHECK(first.cursor.find("-{Qi}-") == 8);
  const std::string place = first.cursor.substr(first.cursor.rfind('-'));
  CHECK(f.run("CLUSTERSCAN", "ffffffff-{Qi}" + place) == f.run("CLUSTERSCAN", "0-{Qi}-0"));
  CHECK(f.run("CLUSTERSCAN", first.cursor) != f.run("CLUSTERSCAN", "0-{Qi}-0"));
  for (const char* wrong :
       {"1", "", "0-{}-0", "0-{Qi}", "0-Qi-0", "-{Qi}-0", "0-{Qi}-x", "0-{Qi}--1", "0-{Q{i}-0",
        "x{06S}-{Qi}-0", "0-{Qi}-99999999999999999999"}) {
    CAPTURE(wrong);
    CHECK(f.run("CLUSTERSCAN", wrong) == "-ERR invalid cursor\r\n");
  }
  CHECK(f.run("CLUSTERSCAN", std::string(1000, '1') + "-{Qi}-0") == "-ERR invalid cursor\r\n");
  CHECK(f.run("CLUSTERSCAN", "0-{Qi}-0", "COUNT") == "-ERR syntax error\r\n");
  CHECK(f.run("CLUSTERSCAN", "0-{Qi}-0", "TYPE", "x") == "-ERR unknown type name 'x'\r\n");
  EngineFixture alone;
  CHECK(alone.run("CLUSTERSCAN", "0") == "-ERR This instance has cluster support disabled\r\n");
}

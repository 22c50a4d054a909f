// cluster-databases: several databases in a node of a cluster.
#include <doctest/doctest.h>

#include "tests/engine/cluster_fixture.h"

using namespace hearth;
using namespace hearth::test;

namespace {
const char* const kFine = "+OK\r\n";
const char* const kTryAgain = "-TRYAGAIN Multiple keys request during rehashing of slot\r\n";
}  // namespace

TEST_CASE("with one database SELECT and MOVE are refused as ever") {
  ClusterFixture f;
  CHECK(f.run("SELECT", "1") == "-ERR SELECT is not allowed in cluster mode\r\n");
  CHECK(f.run("MOVE", "06S", "1") == "-ERR MOVE is not allowed in cluster mode\r\n");
  CHECK(f.run("SELECT", "0") == kFine);
}

TEST_CASE("databases of a cluster node have keys and slots of their own") {
  ClusterFixture f(two_nodes(), 2, 4);
  CHECK(f.run("SELECT", "4") == "-ERR DB index is out of range\r\n");
  CHECK(f.run("SET", "06S", "zero") == kFine);
  CHECK(f.run("SELECT", "3") == kFine);
  CHECK(f.run("GET", "06S") == "$-1\r\n");
  CHECK(f.run("GET", "foo") == "-MOVED 12182 127.0.0.2:6380\r\n");
  CHECK(f.run("CLUSTER", "COUNTKEYSINSLOT", "0") == ":0\r\n");
  CHECK(f.run("SET", "{06S}a", "1") == kFine);
  CHECK(f.run("SET", "{06S}b", "2") == kFine);
  CHECK(f.run("CLUSTER", "COUNTKEYSINSLOT", "0") == ":2\r\n");
  CHECK(f.run("CLUSTER", "GETKEYSINSLOT", "0", "1").starts_with("*1\r\n$6\r\n{06S}"));
  CHECK(f.run("CLUSTER", "SLOT-STATS", "SLOTSRANGE", "0", "0").find("key-count\r\n:3") !=
        std::string::npos);
  CHECK(f.run("CLUSTERSCAN", "0-{06S}-0", "SLOT", "0").find("06S}a") != std::string::npos);
  CHECK(f.run("SWAPDB", "0", "3") == "-ERR SWAPDB is not allowed in cluster mode\r\n");
  CHECK(f.run("SELECT", "0") == kFine);
  CHECK(f.run("CLUSTER", "COUNTKEYSINSLOT", "0") == ":1\r\n");
  CHECK(f.run("DEL", "06S") == ":1\r\n");
  // The keys of the other database keep the node from giving up its slots.
  CHECK(f.run("CLUSTER", "FLUSHSLOTS").starts_with("-ERR DB must be empty"));
  CHECK(f.run("CLUSTER", "SETSLOT", "0", "NODE", kOther).starts_with("-ERR Can't assign hashslot"));
  CHECK(f.run("CLUSTER", "RESET").starts_with("-ERR CLUSTER RESET can't be called"));
}

TEST_CASE("MOVE and COPY reach the other databases") {
  ClusterFixture f(two_nodes(), 2, 2);
  CHECK(f.run("SET", "06S", "v") == kFine);
  CHECK(f.run("COPY", "06S", "{06S}copy", "DB", "1") == ":1\r\n");
  CHECK(f.run("MOVE", "06S", "1") == ":1\r\n");
  CHECK(f.run("EXISTS", "06S") == ":0\r\n");
  CHECK(f.run("MOVE", "06S", "2") == "-ERR DB index is out of range\r\n");
  CHECK(f.run("SELECT", "1") == kFine);
  CHECK(f.run("MGET", "06S", "{06S}copy") == "*2\r\n$1\r\nv\r\n$1\r\nv\r\n");
}

TEST_CASE("while a slot moves key by key, presence is that of the selected database") {
  ClusterFixture f(two_nodes(), 2, 2);
  CHECK(f.run("SELECT", "1") == kFine);
  CHECK(f.run("SET", "{06S}a", "1") == kFine);
  CHECK(f.run("CLUSTER", "SETSLOT", "0", "MIGRATING", kOther) == kFine);
  CHECK(f.run("GET", "{06S}a") == "$1\r\n1\r\n");
  CHECK(f.run("EVAL", "return redis.call('GET', KEYS[1])", "1", "{06S}a") == "$1\r\n1\r\n");
  CHECK(f.run("SELECT", "0") == kFine);
  CHECK(f.run("GET", "{06S}a") == "-ASK 0 127.0.0.2:6380\r\n");
  // The other database's key of that name may be at the other node already.
  CHECK(f.run("SELECT", "1") == kFine);
  CHECK(f.run("MOVE", "{06S}a", "0") == kTryAgain);
  CHECK(f.run("COPY", "{06S}a", "{06S}a", "DB", "0") == kTryAgain);
  // A transaction that selects on its way.
  CHECK(f.run("SELECT", "0") == kFine);
  CHECK(f.run("MULTI") == kFine);
  CHECK(f.run("SELECT", "1") == "+QUEUED\r\n");
  CHECK(f.run("GET", "{06S}a").starts_with("-ASK"));
  CHECK(f.run("DISCARD") == kFine);
}

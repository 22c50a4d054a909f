#include <doctest/doctest.h>

#include "tools/client/command_text.h"
#include "tools/client/endpoint.h"
#include "tools/client/reply_class.h"
#include "tools/client/topology.h"

using namespace hearth;
using namespace hearth::client;

namespace {

RespValue parsed(std::string_view bytes) {
  ReplyParser parser;
  parser.feed(bytes);
  auto reply = parser.next();
  REQUIRE(reply.has_value());
  REQUIRE(reply->has_value());
  return **reply;
}

}  // namespace

TEST_CASE("addresses of each form read and print") {
  const std::tuple<const char*, Endpoint, const char*> good[] = {
      {"localhost:7001", {"localhost", 7001, ""}, "localhost:7001"},
      {"localhost", {"localhost", 6379, ""}, "localhost:6379"},
      {"[::1]:7001", {"::1", 7001, ""}, "[::1]:7001"},
      {"[::1]", {"::1", 6379, ""}, "[::1]:6379"},
      {"unix:/tmp/h.sock", {"", 0, "/tmp/h.sock"}, "unix:/tmp/h.sock"},
      {"/tmp/h.sock", {"", 0, "/tmp/h.sock"}, "unix:/tmp/h.sock"},
  };
  for (const auto& [text, endpoint, printed] : good) {
    CAPTURE(text);
    const auto result = parse_endpoint(text);
    REQUIRE(result.has_value());
    CHECK(*result == endpoint);
    CHECK(result->str() == printed);
  }
  for (const char* bad : {"", ":7001", "host:0", "host:65536", "host:x", "host:", "::1", "::1:7001",
                          "[::1", "[::1]7001", "unix:rel"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_endpoint(bad).has_value());
  }
}

TEST_CASE("server URLs carry login and database") {
  const auto full = parse_server_url("redis://us%65r:p%40ss:w@db.example:7000/3");
  REQUIRE(full.has_value());
  CHECK(full->endpoint == Endpoint{"db.example", 7000, ""});
  CHECK(full->username == "user");
  CHECK(full->password == "p@ss:w");
  CHECK(full->db == 3);
  CHECK(parse_server_url("redis://[::1]:7001/")->endpoint == Endpoint{"::1", 7001, ""});
  CHECK(parse_server_url("redis://:secret@h")->password == "secret");
  CHECK(parse_server_url("redis://h")->endpoint == Endpoint{"h", 6379, ""});
  for (const char* bad : {"h:1", "rediss://h", "redis://", "redis://h/x", "redis://h/65536",
                          "redis://user@h", "redis://:%4@h", "redis://:%zz@h"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_server_url(bad).has_value());
  }
}

TEST_CASE("redirections read, with hosts left out standing for the node that answered") {
  const Endpoint from{"10.0.0.7", 7000, ""};
  CHECK(parse_redirection("MOVED 3999 127.0.0.1:6381", from)->to ==
        Endpoint{"127.0.0.1", 6381, ""});
  CHECK(parse_redirection("MOVED 3999 127.0.0.1:6381", from)->slot == 3999);
  CHECK(parse_redirection("ASK 0 :7005", from)->to == Endpoint{"10.0.0.7", 7005, ""});
  CHECK(parse_redirection("ASK 0 ?:7005", from)->to == Endpoint{"10.0.0.7", 7005, ""});
  CHECK(parse_redirection("ASK 1 fe80::1:7005", from)->to == Endpoint{"fe80::1", 7005, ""});
  for (const char* bad :
       {"MOVED", "MOVED 1", "MOVED 16384 a:1", "MOVED x a:1", "MOVED 1 a", "MOVED 1 a:0"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_redirection(bad, from).has_value());
  }
}

TEST_CASE("error classes go by the first word alone") {
  CHECK(classify_error("MOVED 1 a:1") == ReplyClass::kMoved);
  CHECK(classify_error("ASK 1 a:1") == ReplyClass::kAsk);
  CHECK(classify_error("LOADING") == ReplyClass::kTryLater);
  CHECK(classify_error("CLUSTERDOWN Hash slot not served") == ReplyClass::kTryLater);
  CHECK(classify_error("READONLY x") == ReplyClass::kWrongRole);
  CHECK(classify_error("ERR MOVED") == ReplyClass::kRefused);
  CHECK(classify_error("OOM command not allowed") == ReplyClass::kTryLater);
  CHECK(classify_error("ASKED") == ReplyClass::kRefused);
  CHECK(classify_error("") == ReplyClass::kRefused);
}

TEST_CASE("CLUSTER SHARDS gives the live primaries their slots") {
  const auto reply = parsed(
      "*3\r\n"
      "*4\r\n+slots\r\n*4\r\n:0\r\n:99\r\n:200\r\n:200\r\n+nodes\r\n*2\r\n"
      "*8\r\n+ip\r\n$7\r\n1.1.1.1\r\n+port\r\n:1\r\n+role\r\n$7\r\nreplica\r\n+health\r\n$"
      "6\r\nonline\r\n"
      "*8\r\n+ip\r\n$7\r\n1.1.1.2\r\n+port\r\n:2\r\n+role\r\n$6\r\nmaster\r\n+health\r\n$"
      "6\r\nonline\r\n"
      "*4\r\n+slots\r\n*2\r\n:100\r\n:199\r\n+nodes\r\n*1\r\n"
      "*8\r\n+endpoint\r\n$0\r\n\r\n+port\r\n:3\r\n+role\r\n$6\r\nmaster\r\n+health\r\n$"
      "6\r\nonline\r\n"
      "*4\r\n+slots\r\n*2\r\n:201\r\n:300\r\n+nodes\r\n*1\r\n"
      "*8\r\n+ip\r\n$7\r\n1.1.1.4\r\n+port\r\n:4\r\n+role\r\n$6\r\nmaster\r\n+health\r\n$"
      "4\r\nfail\r\n");
  const auto map = parse_cluster_shards(reply, {"9.9.9.9", 7, ""});
  REQUIRE(map.has_value());
  CHECK(map->slots_covered() == 201);
  REQUIRE(map->nodes.size() == 2);
  CHECK(map->nodes[map->owner[0]] == Endpoint{"1.1.1.2", 2, ""});
  CHECK(map->nodes[map->owner[200]] == Endpoint{"1.1.1.2", 2, ""});
  CHECK(map->nodes[map->owner[150]] == Endpoint{"9.9.9.9", 3, ""});
  CHECK(map->owner[250] == Topology::kNobody);
  // Its keys are not gone: who asks for all nodes must not miss it.
  REQUIRE(map->failed.size() == 1);
  CHECK(map->failed[0] == Endpoint{"1.1.1.4", 4, ""});
}

TEST_CASE("slot maps that make no sense are refused") {
  const Endpoint from{"h", 1, ""};
  for (const char* bad : {"+OK\r\n", "*1\r\n:1\r\n", "*1\r\n*2\r\n:0\r\n:1\r\n",
                          "*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n",
                          "*1\r\n*3\r\n:5\r\n:4\r\n*2\r\n$1\r\na\r\n:1\r\n",
                          "*1\r\n*3\r\n:0\r\n:1\r\n*2\r\n$1\r\na\r\n:0\r\n"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_cluster_slots(parsed(bad), from).has_value());
  }
  CHECK_FALSE(parse_cluster_shards(parsed("+OK\r\n"), from).has_value());
  CHECK_FALSE(parse_cluster_shards(parsed("*1\r\n*0\r\n"), from).has_value());
}

TEST_CASE("ASKING goes before every command and comes off again") {
  std::string commands;
  append_command(commands, {"DEL", "k"});
  append_command(commands, {"SET", "k", std::string_view("\r\n*1\r\n\0", 7)});
  const std::string asking = with_asking(commands);
  CHECK(asking.find("ASKING") != std::string::npos);
  CHECK(asking.size() == commands.size() + 2 * std::string("*1\r\n$6\r\nASKING\r\n").size());
  CHECK(without_asking(asking) == commands);
}

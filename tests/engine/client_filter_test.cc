#include <doctest/doctest.h>

#include "tests/support/engine_fixture.h"

namespace {

using namespace hearth;
using test::EngineFixture;

// Ids of the clients that CLIENT LIST tells of.
template <typename... A>
std::vector<ConnId> listed(EngineFixture& server, const A&... filters) {
  const std::string text = server.run("CLIENT", "LIST", filters...);
  CAPTURE(text);
  CHECK(text.starts_with("$"));
  std::vector<ConnId> ids;
  for (std::size_t at = text.find("id="); at != std::string::npos; at = text.find("\nid=", at)) {
    at = text.find("id=", at);
    ids.push_back(std::stoull(text.substr(at + 3)));
  }
  return ids;
}

TEST_CASE("filters of CLIENT LIST must all fit, and NOT- ones must not") {
  EngineFixture server;
  Session& a = server.engine().open({"10.0.0.1:5", "127.0.0.1:6379", 2, false, false, false});
  Session& b = server.engine().open({"10.0.0.2:5", "127.0.0.1:6379", 2, false, false, false});
  server.run_as(a, "CLIENT", "SETNAME", "ann");
  server.run_as(a, "CLIENT", "SETINFO", "LIB-NAME", "lib");
  server.run_as(a, "CLIENT", "CAPA", "redirect", "something-else");
  server.run_as(b, "SUBSCRIBE", "c");
  server.run_as(a, "SELECT", "3");
  const ConnId me = server.session().id;
  using Ids = std::vector<ConnId>;
  CHECK(listed(server, "NAME", "ann") == Ids{a.id});
  CHECK(listed(server, "NOT-NAME", "ann") == Ids{me, b.id});
  CHECK(listed(server, "IP", "10.0.0.2") == Ids{b.id});
  CHECK(listed(server, "NOT-IP", "10.0.0.2", "SKIPME", "yes") == Ids{a.id});
  CHECK(listed(server, "FLAGS", "P") == Ids{b.id});
  CHECK(listed(server, "NOT-FLAGS", "P") == Ids{me, a.id});
  CHECK(listed(server, "TYPE", "pubsub") == Ids{b.id});
  CHECK(listed(server, "NOT-TYPE", "pubsub", "DB", "0") == Ids{me});
  CHECK(listed(server, "DB", "3") == Ids{a.id});
  CHECK(listed(server, "CAPA", "r") == Ids{a.id});
  CHECK(listed(server, "LIB-NAME", "lib") == Ids{a.id});
  CHECK(listed(server, "LIB-VER", "") == Ids{me, a.id, b.id});
  CHECK(listed(server, "ID", std::to_string(a.id), std::to_string(b.id)) == Ids{a.id, b.id});
  CHECK(listed(server, "NOT-ID", std::to_string(a.id)) == Ids{me, b.id});
  CHECK(listed(server, "ADDR", "10.0.0.1:5", "NAME", "bob").empty());
  CHECK(listed(server, "USER", "default") == Ids{me, a.id, b.id});
  server.advance(seconds(5));
  server.run("PING");
  CHECK(listed(server, "IDLE", "5") == Ids{a.id, b.id});
  CHECK(listed(server, "MAXAGE", "6").empty());
}

TEST_CASE("bad filters are refused") {
  EngineFixture server;
  CHECK(server.run("CLIENT", "LIST", "FLAGS", "?") ==
        "-ERR Unknown flags found in the provided filter: ?\r\n");
  CHECK(server.run("CLIENT", "LIST", "CAPA", "x") ==
        "-ERR Unknown capa found in the provided filter: x\r\n");
  CHECK(server.run("CLIENT", "LIST", "DB", "16").starts_with("-ERR DB number should be"));
  CHECK(server.run("CLIENT", "LIST", "NOT-SKIPME", "yes") == "-ERR syntax error\r\n");
  CHECK(server.run("CLIENT", "LIST", "NAME") == "-ERR syntax error\r\n");
  CHECK(server.run("CLIENT", "IMPORT-SOURCE", "ON") == "-ERR Server is not in import mode\r\n");
  server.run("CONFIG", "SET", "import-mode", "yes");
  CHECK(server.run("CLIENT", "IMPORT-SOURCE", "MAYBE") == "-ERR syntax error\r\n");
  CHECK(server.run("CLIENT", "IMPORT-SOURCE", "ON") == "+OK\r\n");
}

TEST_CASE("COMMANDLOG keeps large requests and large replies") {
  EngineFixture server;
  server.run("CONFIG", "SET", "commandlog-reply-larger-than", "100");
  server.run("SET", "k", std::string(200, 'x'));
  server.run("GET", "k");
  CHECK(server.run("COMMANDLOG", "LEN", "large-reply") == ":1\r\n");
  CHECK(server.run("COMMANDLOG", "GET", "-1", "large-reply").find("$3\r\nGET\r\n$1\r\nk\r\n") !=
        std::string::npos);
  CHECK(server.run("COMMANDLOG", "LEN", "slow") == ":0\r\n");
  CHECK(server.run("COMMANDLOG", "RESET", "large-reply") == "+OK\r\n");
  CHECK(server.run("COMMANDLOG", "LEN", "large-reply") == ":0\r\n");
  CHECK(server.run("COMMANDLOG", "LEN", "other") ==
        "-ERR type should be one of the following: slow, large-request, large-reply\r\n");
}

}  // namespace

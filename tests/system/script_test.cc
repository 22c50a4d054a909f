// Scripts that run for long, over real sockets: the server goes on, and can end them or itself.
#include <doctest/doctest.h>

#include "tests/system/peers.h"

using namespace hearth::test;

namespace {

// The server answers BUSY: the script has passed the threshold.
bool becomes_busy(const ServerProcess& server) {
  return eventually([&] { return server.run({"PING"}).find("BUSY") != std::string::npos; });
}
bool becomes_free(const ServerProcess& server) {
  return eventually([&] { return server.run({"PING"}).find("PONG") != std::string::npos; });
}

const std::string kForEver = "while true do pcall(function() while true do end end) end";

}  // namespace

TEST_CASE("a script that loops for ever is killed, and what its client sent behind it runs") {
  for (const Peer& peer : all_peers()) {
    CAPTURE(peer.name);
    const auto server = start_peer(peer);
    REQUIRE(server->run({"CONFIG", "SET", "busy-reply-threshold", "10"}) == "OK");
    const auto client = server->client();
    client->send_raw("PING\r\n*3\r\n$4\r\nEVAL\r\n$" + std::to_string(kForEver.size()) + "\r\n" +
                     kForEver + "\r\n$1\r\n0\r\nECHO after\r\n");
    REQUIRE(becomes_busy(*server));
    // Clients come and go meanwhile.
    for (int i = 0; i < 50; ++i) CHECK(server->run({"GET", "k"}).find("BUSY") != std::string::npos);
    CHECK(server->run({"SCRIPT", "KILL"}) == "OK");
    CHECK(becomes_free(*server));
    CHECK(RespClient::as_text(*client->read()) == "PONG");
    CHECK(RespClient::as_text(*client->read()).find("killed by user with SCRIPT KILL") !=
          std::string::npos);
    CHECK(RespClient::as_text(*client->read()) == "after");
  }
}

TEST_CASE("a client that leaves does not take its script with it, nor the server") {
  const auto server = start_peer(hearth_server());
  REQUIRE(server->run({"CONFIG", "SET", "busy-reply-threshold", "10"}) == "OK");
  {
    const auto client = server->client();
    client->send_raw("*3\r\n$4\r\nEVAL\r\n$17\r\nwhile true do end\r\n$1\r\n0\r\n");
    REQUIRE(becomes_busy(*server));
  }
  CHECK(server->run({"GET", "k"}).find("BUSY") != std::string::npos);
  CHECK(server->run({"SCRIPT", "KILL"}) == "OK");
  CHECK(becomes_free(*server));
  CHECK(server->run({"EVAL", "return 7", "0"}).find('7') != std::string::npos);
}

TEST_CASE("SHUTDOWN NOSAVE ends the server under a script that has written") {
  const auto server = start_peer(hearth_server());
  REQUIRE(server->run({"CONFIG", "SET", "busy-reply-threshold", "10"}) == "OK");
  const auto client = server->client();
  const std::string body = "redis.call('set', KEYS[1], '1') " + kForEver;
  client->send_raw("*4\r\n$4\r\nEVAL\r\n$" + std::to_string(body.size()) + "\r\n" + body +
                   "\r\n$1\r\n1\r\n$1\r\nk\r\n");
  REQUIRE(becomes_busy(*server));
  CHECK(server->run({"SCRIPT", "KILL"}).find("UNKILLABLE") != std::string::npos);
  server->client()->send_raw("SHUTDOWN NOSAVE\r\n");
  CHECK(eventually([&] { return !server->process().is_running(); }));
}

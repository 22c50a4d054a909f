// MIGRATE between processes, from and to redis-server as well.
#include <doctest/doctest.h>

#include <csignal>

#include "tests/system/peers.h"

using namespace hearth::test;

namespace {

std::vector<std::string> migrate(const ServerProcess& to, const std::string& key,
                                 std::vector<std::string> more = {},
                                 const std::string& timeout_ms = "10000") {
  std::vector<std::string> words{"MIGRATE", "127.0.0.1", std::to_string(to.port()),
                                 key,       "0",         timeout_ms};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

std::string info_field(const ServerProcess& server, const std::string& field) {
  const std::string info = server.run({"INFO", "everything"});
  const std::size_t at = info.find(field + ":");
  if (at == std::string::npos) return "";
  return info.substr(at + field.size() + 1, info.find("\r\n", at) - at - field.size() - 1);
}

}  // namespace

TEST_CASE(
    "keys travel between hearth and redis-server in both directions, with values and times to "
    "live") {
  for (const Peer& from_peer : all_peers()) {
    for (const Peer& to_peer : all_peers()) {
      CAPTURE(from_peer.name);
      CAPTURE(to_peer.name);
      // The redis-server of Debian reads files and payloads of version 10.
      const std::vector<std::string> compatible = from_peer.name == "hearth-server"
                                                      ? std::vector<std::string>{"rdb-compat 7.0"}
                                                      : std::vector<std::string>{};
      const auto from = start_peer(from_peer, compatible);
      const auto to = start_peer(to_peer);
      const auto client = from->client();
      CHECK(client->text({"SET", "s", "text", "PX", "100000"}) == "OK");
      CHECK(client->text({"SET", "n", "12345"}) == "OK");
      CHECK(client->text({"SET", "big", std::string(2'000'000, 'b')}) == "OK");
      CHECK(client->text({"HSET", "h", "f", "v", "g", "w"}) == "2");
      CHECK(client->text(migrate(*to, "s")) == "OK");
      CHECK(client->text(migrate(*to, "", {"KEYS", "n", "none", "h", "big"})) == "OK");
      CHECK(client->text({"DBSIZE"}) == "0");
      CHECK(to->run({"GET", "s"}) == "text");
      const int ttl = std::stoi(to->run({"PTTL", "s"}));
      CHECK(ttl > 50'000);
      CHECK(ttl <= 100'000);
      CHECK(to->run({"TTL", "n"}) == "-1");
      CHECK(to->run({"GET", "n"}) == "12345");
      CHECK(to->run({"STRLEN", "big"}) == "2000000");
      CHECK(to->run({"HGET", "h", "g"}) == "w");
      CHECK(client->text(migrate(*to, "none")) == "NOKEY");
    }
  }
}

TEST_CASE("what the other side refuses stays here") {
  const auto from = start_peer(hearth_server());
  const auto to = start_peer(hearth_server());
  from->run({"MSET", "a", "1", "b", "2"});
  to->run({"SET", "a", "taken"});
  CHECK(from->run(migrate(*to, "", {"KEYS", "a", "b"})) ==
        "-ERR Target instance replied with error: BUSYKEY Target key name already exists.");
  CHECK(from->run({"EXISTS", "a", "b"}) == "1");
  CHECK(from->run(migrate(*to, "a", {"COPY", "REPLACE"})) == "OK");
  CHECK(from->run({"GET", "a"}) == "1");
  CHECK(to->run({"GET", "a"}) == "1");
}

TEST_CASE("passwords are given to the other side, and a wrong one moves nothing") {
  const auto from = start_peer(hearth_server());
  const auto to = start_peer(hearth_server(), {"requirepass secret"});
  from->run({"SET", "k", "v"});
  CHECK(
      from->run(migrate(*to, "k")).starts_with("-ERR Target instance replied with error: NOAUTH"));
  CHECK(from->run(migrate(*to, "k", {"AUTH", "wrong"}))
            .starts_with("-ERR Target instance replied with error: WRONGPASS"));
  CHECK(from->run({"EXISTS", "k"}) == "1");
  CHECK(from->run(migrate(*to, "k", {"AUTH2", "default", "secret"})) == "OK");
  CHECK(from->run({"EXISTS", "k"}) == "0");
}

TEST_CASE("a password that was changed since counts for a connection that is kept, too") {
  const auto from = start_peer(hearth_server());
  const auto to = start_peer(hearth_server(), {"requirepass secret"});
  from->run({"SET", "k", "v"});
  CHECK(from->run(migrate(*to, "k", {"AUTH", "secret"})) == "OK");
  from->run({"SET", "k", "v"});
  const auto admin = to->client();
  CHECK(admin->text({"AUTH", "secret"}) == "OK");
  CHECK(admin->text({"CONFIG", "SET", "requirepass", "other"}) == "OK");
  CHECK(from->run(migrate(*to, "k", {"AUTH", "secret", "REPLACE"}))
            .starts_with("-ERR Target instance replied with error: WRONGPASS"));
  CHECK(from->run({"EXISTS", "k"}) == "1");
}

TEST_CASE("nobody there, or a peer that is silent, is an IOERR and the key stays") {
  const auto from = start_peer(hearth_server());
  const auto to = start_peer(hearth_server());
  from->run({"SET", "k", "v"});
  CHECK(from->run({"MIGRATE", "127.0.0.1", "1", "k", "0", "1000"}) ==
        "-IOERR error or timeout connecting to the client");
  to->process().send(SIGSTOP);
  const auto waiting = from->client();
  waiting->send(migrate(*to, "k", {}, "300"));
  // The server goes on meanwhile.
  CHECK(from->run({"PING"}) == "PONG");
  const auto reply = waiting->read();
  to->process().send(SIGCONT);
  REQUIRE(reply);
  CHECK(RespClient::as_text(*reply) == "-IOERR error or timeout reading to target instance");
  CHECK(from->run({"EXISTS", "k"}) == "1");
}

TEST_CASE("connections are kept for the next job, and one that the peer closed is replaced") {
  const auto from = start_peer(hearth_server());
  const auto to = start_peer(hearth_server());
  for (int i = 0; i < 3; ++i) {
    from->run({"SET", "k" + std::to_string(i), "v"});
    CHECK(from->run(migrate(*to, "k" + std::to_string(i))) == "OK");
    CHECK(info_field(*from, "migrate_cached_sockets") == "1");
  }
  CHECK(to->run({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}) == "1");
  from->run({"SET", "k", "v"});
  CHECK(from->run(migrate(*to, "k")) == "OK");
  CHECK(to->run({"DBSIZE"}) == "4");
}

TEST_CASE("requests behind a MIGRATE of the same client are answered after it, in order") {
  const auto from = start_peer(hearth_server());
  const auto to = start_peer(hearth_server());
  from->run({"SET", "k", std::string(5'000'000, 'x')});
  const auto client = from->client();
  client->send({"SET", "other", "1"});
  client->send(migrate(*to, "k"));
  client->send({"GET", "k"});
  client->send({"GET", "other"});
  CHECK(RespClient::as_text(*client->read()) == "OK");
  CHECK(RespClient::as_text(*client->read()) == "OK");
  CHECK(RespClient::as_text(*client->read()) == "(nil)");
  CHECK(RespClient::as_text(*client->read()) == "1");
}

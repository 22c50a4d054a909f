// How bytes reach the server and leave it, through io_uring and through epoll: both must look the
// same from outside.
#include <doctest/doctest.h>

#include <algorithm>

#include "src/base/random.h"
#include "tests/system/peers.h"

using namespace hearth::test;

namespace {

const std::vector<std::string> kTransports{"io-uring yes", "io-uring no"};

std::string request(const std::vector<std::string>& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const auto& w : words) bytes += "$" + std::to_string(w.size()) + "\r\n" + w + "\r\n";
  return bytes;
}

std::string next_reply(RespClient& client) {
  const auto reply = client.read();
  return reply ? RespClient::as_text(*reply) : "(closed)";
}

std::string info_field(RespClient& client, const std::string& section, const std::string& field) {
  const std::string info = client.text({"INFO", section});
  const auto at = info.find(field + ":");
  if (at == std::string::npos) return "";
  const auto begin = at + field.size() + 1;
  return info.substr(begin, info.find('\r', at) - begin);
}

std::string pattern(std::size_t bytes, std::uint64_t seed) {
  hearth::Rng rng(seed);
  std::string text(bytes, ' ');
  for (char& c : text) c = static_cast<char>('a' + rng.below(26));
  return text;
}

}  // namespace

TEST_CASE(
    "io-uring no serves clients through epoll, yes through io_uring where the kernel allows") {
  const auto epoll = start_peer(hearth_server(), {"io-uring no"});
  CHECK(info_field(*epoll->client(), "server", "multiplexing_api") == "epoll");
  const auto ring = start_peer(hearth_server(), {"io-uring yes", "loglevel verbose"});
  const std::string api = info_field(*ring->client(), "server", "multiplexing_api");
  if (api == "epoll") {
    MESSAGE("this machine allows no io_uring: both transports below are epoll");
    CHECK(ring->log().find("No io_uring") != std::string::npos);
  } else {
    CHECK(api == "io_uring");
  }
}

TEST_CASE("large values pass whole, in whatever pieces they come") {
  for (const auto& transport : kTransports) {
    CAPTURE(transport);
    const auto server = start_peer(hearth_server(), {transport});
    const auto client = server->client();
    hearth::Rng rng(7);
    for (const std::size_t bytes : {1UL, 16'383UL, 16'384UL, 16'385UL, 100'000UL, 9'000'000UL}) {
      CAPTURE(bytes);
      const std::string value = pattern(bytes, bytes);
      // The last piece brings the end of the value and two requests more.
      const std::string sent =
          request({"SET", "k", value}) + request({"STRLEN", "k"}) + request({"PING"});
      for (std::size_t at = 0; at < sent.size();) {
        const std::size_t n = std::min<std::size_t>(sent.size() - at, 1 + rng.below(200'000));
        REQUIRE(client->send_raw(std::string_view(sent).substr(at, n)));
        at += n;
      }
      CHECK(next_reply(*client) == "OK");
      CHECK(next_reply(*client) == std::to_string(bytes));
      CHECK(next_reply(*client) == "PONG");
      CHECK(client->text({"GET", "k"}) == value);
    }
  }
}

TEST_CASE("what is announced takes no memory before it comes") {
  for (const auto& transport : kTransports) {
    CAPTURE(transport);
    const auto server = start_peer(hearth_server(), {transport});
    const auto watcher = server->client();
    const auto used = [&] { return std::stoll(info_field(*watcher, "memory", "used_memory")); };
    const long long before = used();
    std::vector<std::unique_ptr<RespClient>> clients;
    for (int i = 0; i < 20; ++i) {
      clients.push_back(server->client());
      REQUIRE(clients.back()->send_raw("*2\r\n$4\r\nECHO\r\n$536870912\r\n"));
    }
    for (int i = 0; i < 10; ++i) {
      for (const auto& client : clients) REQUIRE(client->send_raw("0123456789"));
      CHECK(watcher->text({"PING"}) == "PONG");
    }
    CHECK(eventually([&] {
      const std::string list = watcher->text({"CLIENT", "LIST"});
      std::size_t whole = 0;
      for (auto at = list.find(" qbuf="); at != std::string::npos; at = list.find(" qbuf=", at + 1))
        whole += std::stoul(list.substr(at + 6)) >= 100 ? 1 : 0;
      return whole == clients.size();
    }));
    CHECK(used() - before < 1'000'000);
  }
}

TEST_CASE("a client in the middle of a request, or of a reply, is not idle") {
  for (const auto& transport : kTransports) {
    CAPTURE(transport);
    const auto server = start_peer(hearth_server(), {transport, "hz 100"});
    const std::string value = pattern(3'000'000, 2);
    const std::string sent = request({"SET", "k", value});
    const auto idle = server->client();
    REQUIRE(idle->text({"SET", "large", std::string(120'000'000, 'v')}) == "OK");
    REQUIRE(idle->text({"CONFIG", "SET", "timeout", "3"}) == "OK");
    const auto sender = server->client();
    const auto reader = server->client();
    REQUIRE(reader->send_raw(request({"GET", "large"})));
    // A piece now and then, until two clients that did nothing have been closed, one by one.
    std::size_t at = 0;
    std::size_t rounds = 0;
    for (int i = 0; i < 2; ++i) {
      const auto later = server->client();
      RespClient& waits = i == 0 ? *idle : *later;
      while (!waits.is_closed_by_server(200)) {
        REQUIRE(sender->send_raw(std::string_view(sent).substr(at, 10'000)));
        at += 10'000;
        // More than the kernel's buffers hold, within the time-out: the server sees it being taken.
        REQUIRE(reader->drop_bytes(1'400'000));
        REQUIRE(++rounds < 80);
      }
    }
    REQUIRE(sender->send_raw(std::string_view(sent).substr(at)));
    CHECK(next_reply(*sender) == "OK");
    CHECK(sender->text({"STRLEN", "k"}) == std::to_string(value.size()));
    CHECK(reader->drop_bytes(1'000'000));
  }
}

TEST_CASE("replies that the socket does not take wait, while other clients are served") {
  for (const auto& transport : kTransports) {
    CAPTURE(transport);
    const auto server = start_peer(hearth_server(), {transport});
    const auto slow = server->client();
    const auto other = server->client();
    const std::string value = pattern(1'000'000, 3);
    REQUIRE(other->text({"SET", "k", value}) == "OK");
    constexpr int kRequests = 40;
    for (int i = 0; i < kRequests; ++i)
      REQUIRE(slow->send_raw(request({"GET", "k"}) + request({"ECHO", std::to_string(i)})));
    CHECK(other->text({"PING"}) == "PONG");
    for (int i = 0; i < kRequests; ++i) {
      CHECK((next_reply(*slow) == value));
      CHECK(next_reply(*slow) == std::to_string(i));
    }
    CHECK(slow->text({"PING"}) == "PONG");
  }
}

TEST_CASE("a client that leaves with replies on their way costs nothing that stays") {
  for (const auto& transport : kTransports) {
    CAPTURE(transport);
    const auto server = start_peer(hearth_server(), {transport});
    const auto watcher = server->client();
    REQUIRE(watcher->text({"SET", "k", pattern(1'000'000, 4)}) == "OK");
    for (int i = 0; i < 60; ++i) {
      const auto client = server->client();
      for (int n = 0; n < i % 20; ++n) REQUIRE(client->send_raw(request({"GET", "k"})));
      if (i % 3 == 0) client->send_raw("*2\r\n$3\r\nGET\r\n$1");  // and in the middle of a request
    }
    CHECK(eventually([&] { return info_field(*watcher, "clients", "connected_clients") == "1"; }));
    CHECK(watcher->text({"CLIENT", "LIST"}).find("cmd=get") == std::string::npos);
  }
}

TEST_CASE("what a client sent before it ended its side is run and answered") {
  for (const auto& transport : kTransports) {
    for (const int requests : {1, 50, 5'000}) {
      CAPTURE(transport);
      CAPTURE(requests);
      const auto server = start_peer(hearth_server(), {transport});
      const auto client = server->client();
      std::string sent;
      for (int i = 0; i < requests; ++i) sent += request({"INCR", "n"});
      REQUIRE(client->send_raw(sent));
      client->stop_sending();
      for (int i = 1; i <= requests; ++i) REQUIRE(next_reply(*client) == std::to_string(i));
      CHECK(client->is_closed_by_server());
      CHECK(server->run({"GET", "n"}) == std::to_string(requests));
    }
  }
}

TEST_CASE("a killed client hears no more and is gone; one that kills itself hears OK") {
  for (const auto& transport : kTransports) {
    CAPTURE(transport);
    const auto server = start_peer(hearth_server(), {transport});
    const auto killer = server->client();
    const auto victim = server->client();
    const std::string id = victim->text({"CLIENT", "ID"});
    CHECK(killer->text({"CLIENT", "KILL", "ID", id}) == "1");
    CHECK(victim->is_closed_by_server());
    const std::string own = killer->text({"CLIENT", "ID"});
    REQUIRE(killer->send_raw(request({"CLIENT", "KILL", "ID", own, "SKIPME", "no"}) +
                             request({"SET", "after", "1"})));
    CHECK(next_reply(*killer) == "1");
    CHECK(killer->is_closed_by_server());
    CHECK(server->run({"EXISTS", "after"}) == "0");
  }
}

TEST_CASE("clients that take too much memory are gone with the turn that finds out") {
  for (const auto& transport : kTransports) {
    CAPTURE(transport);
    const auto server = start_peer(hearth_server(), {transport});
    const auto control = server->client();
    REQUIRE(control->text({"CLIENT", "NO-EVICT", "ON"}) == "OK");
    std::vector<std::unique_ptr<RespClient>> greedy;
    for (int i = 0; i < 4; ++i) {
      greedy.push_back(server->client());
      REQUIRE(greedy.back()->send_raw("*2\r\n$1000000\r\n" + pattern(900'000, 6)));
    }
    REQUIRE(eventually([&] {
      return std::stoll(info_field(*control, "memory", "mem_clients_normal")) > 4'000'000;
    }));
    CHECK(control->text({"CONFIG", "SET", "maxmemory-clients", "2500000"}) == "OK");
    CHECK(info_field(*control, "clients", "connected_clients") == "3");
  }
}

TEST_CASE("what a client is counted for is what the server's memory grew by") {
  for (const auto& transport : kTransports) {
    CAPTURE(transport);
    const auto server = start_peer(hearth_server(), {transport});
    const auto control = server->client();
    std::vector<std::unique_ptr<RespClient>> clients;
    for (int i = 0; i < 20; ++i) {
      clients.push_back(server->client());
      REQUIRE(clients.back()->text({"PING"}) == "PONG");
    }
    const auto figure = [&](const char* section, const char* field) {
      return std::stoll(info_field(*control, section, field));
    };
    const auto counted = figure("memory", "mem_clients_normal");
    const auto used = figure("memory", "used_memory");
    const auto received = figure("stats", "total_net_input_bytes");
    const std::string argument = "$1000\r\n" + pattern(1'000, 8) + "\r\n";
    for (const auto& client : clients) {
      REQUIRE(client->send_raw("*201\r\n"));
      for (int i = 0; i < 200; ++i) REQUIRE(client->send_raw(argument));
    }
    REQUIRE(eventually(
        [&] { return figure("stats", "total_net_input_bytes") > received + 20 * 200 * 1'009; }));
    const auto more = static_cast<double>(figure("memory", "mem_clients_normal") - counted);
    CHECK(more > 20 * 200'000);
    CHECK(static_cast<double>(figure("memory", "used_memory") - used) < 1.1 * more);
  }
}

TEST_CASE("clients are served under a busy script, its own client after it, in order") {
  for (const auto& transport : kTransports) {
    CAPTURE(transport);
    const auto server = start_peer(hearth_server(), {transport});
    REQUIRE(server->run({"CONFIG", "SET", "busy-reply-threshold", "10"}) == "OK");
    const auto caller = server->client();
    REQUIRE(caller->send_raw(request({"ECHO", "before"}) +
                             request({"EVAL", "while true do end", "0"}) +
                             request({"ECHO", "behind"})));
    const auto other = server->client();
    REQUIRE(eventually([&] { return other->text({"GET", "k"}).starts_with("-BUSY"); }));
    // Requests that the caller sends now wait behind its script.
    for (int i = 0; i < 300; ++i) REQUIRE(caller->send_raw(request({"ECHO", std::to_string(i)})));
    CHECK(other->text({"GET", "k"}).starts_with("-BUSY"));
    CHECK(other->text({"SCRIPT", "KILL"}) == "OK");
    CHECK(next_reply(*caller) == "before");
    CHECK(next_reply(*caller).find("SCRIPT KILL") != std::string::npos);
    CHECK(next_reply(*caller) == "behind");
    for (int i = 0; i < 300; ++i) REQUIRE(next_reply(*caller) == std::to_string(i));
  }
}

TEST_CASE("a script can be debugged: its client and the server talk in the middle of the command") {
  for (const auto& transport : kTransports) {
    CAPTURE(transport);
    const auto server = start_peer(hearth_server(), {transport});
    const auto client = server->client();
    REQUIRE(client->text({"SCRIPT", "DEBUG", "SYNC"}) == "OK");
    REQUIRE(client->send_raw(request({"EVAL", "local a = 1\nlocal b = 2\nreturn b", "0"})));
    CHECK(next_reply(*client).find("Stopped at 1") != std::string::npos);
    REQUIRE(client->send_raw(request({"step"})));
    CHECK(next_reply(*client).find("Stopped at 2") != std::string::npos);
    REQUIRE(client->send_raw(request({"continue"})));
    CHECK(next_reply(*client) == "<endsession>");
    CHECK(next_reply(*client) == "2");
    CHECK(client->is_closed_by_server());
    CHECK(server->run({"PING"}) == "PONG");
  }
}

TEST_CASE("a crowd that connects at once is let in, few in a turn") {
  for (const auto& transport : kTransports) {
    CAPTURE(transport);
    const auto server = start_peer(hearth_server(), {transport, "max-new-connections-per-cycle 1"});
    std::vector<std::unique_ptr<RespClient>> crowd;
    for (int i = 0; i < 100; ++i) {
      crowd.push_back(server->client());
      REQUIRE(crowd.back()->send({"PING"}));
    }
    for (const auto& client : crowd) CHECK(next_reply(*client) == "PONG");
  }
}

TEST_CASE("clients on a Unix socket are served") {
  for (const auto& transport : kTransports) {
    CAPTURE(transport);
    const TempDir dir;
    const std::string path = dir.file("hearth.sock");
    const auto server = start_peer(hearth_server(), {transport, "unixsocket " + path});
    RespClient client(path);
    REQUIRE(client.is_connected());
    const std::string value = pattern(3'000'000, 5);
    CHECK(client.text({"SET", "k", value}) == "OK");
    CHECK((client.text({"GET", "k"}) == value));
  }
}

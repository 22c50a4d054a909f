// Requests that several clients sent before the server looked: it reads all, then runs them
// together. In which order it takes the clients is not said; what one sends stays in order.
#include <doctest/doctest.h>

#include <sys/wait.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "src/base/random.h"
#include "tests/system/peers.h"

using namespace hearth::test;

namespace {

std::string request(const std::vector<std::string>& words) {
  std::string bytes = "*" + std::to_string(words.size()) + "\r\n";
  for (const auto& w : words) bytes += "$" + std::to_string(w.size()) + "\r\n" + w + "\r\n";
  return bytes;
}

// While it lives the server is stopped: what is sent meanwhile is there when it goes on.
class Stopped {
 public:
  explicit Stopped(ServerProcess& server) : server_(server) {
    server_.process().send(SIGSTOP);
    siginfo_t info{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(server_.process().pid()), &info, WSTOPPED) == 0);
  }
  ~Stopped() { server_.process().send(SIGCONT); }
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;

 private:
  ServerProcess& server_;
};

std::vector<Peer> peers_and_transports() {
  std::vector<Peer> peers = all_peers();
  peers.push_back(hearth_on_epoll());
  return peers;
}

std::string reply_of(RespClient& client) {
  const auto reply = client.read();
  return reply ? RespClient::as_text(*reply) : "(closed)";
}

// A client that works on keys of its own, and so knows every answer.
struct Worker {
  std::unique_ptr<RespClient> client;
  std::string to_send;
  std::vector<std::string> expected;
  std::string value = "(nil)";
  int count = 0;

  void plan(hearth::Rng& rng, const std::string& key, std::size_t longest) {
    switch (rng.below(5)) {
      case 0:
        to_send += request({"INCR", "n" + key});
        return expected.push_back(std::to_string(++count));
      case 1:
        value = std::string(rng.below(longest) + 1, static_cast<char>('a' + rng.below(26)));
        to_send += request({"SET", key, value});
        return expected.push_back("OK");
      case 2: to_send += request({"GET", key}); return expected.push_back(value);
      case 3: to_send += "ECHO inline\r\n"; return expected.push_back("inline");
      default:
        to_send += request({"MULTI"}) + request({"GET", key}) + request({"EXEC"});
        expected.insert(expected.end(), {"OK", "QUEUED", value});
    }
  }
};

}  // namespace

TEST_CASE("every client gets its answers in order, however requests are cut and come together") {
  for (const std::uint64_t seed : {1, 2, 3, 4}) {
    CAPTURE(seed);
    hearth::Rng rng(seed);
    const auto server = start_peer(seed % 2 == 0 ? hearth_on_epoll() : hearth_server());
    std::vector<Worker> workers(200);  // more than are gathered in a turn
    for (Worker& w : workers) w.client = server->client();
    for (int round = 0; round < 8; ++round) {
      for (std::size_t i = 0; i < workers.size(); ++i) {
        const std::size_t requests = rng.chance(0.1) ? 100 : rng.below(4);
        // Together more than the buffer that they are read into, now and then.
        const std::size_t longest = requests > 4 ? 200 : rng.chance(0.1) ? 30'000 : 100;
        for (std::size_t k = 0; k < requests; ++k)
          workers[i].plan(rng, "key:" + std::to_string(i), longest);
      }
      for (int part = 0; part < 3; ++part) {
        const Stopped stopped(*server);
        for (Worker& w : workers) {
          const std::size_t bytes = part == 2 ? w.to_send.size() : rng.below(w.to_send.size() + 1);
          // No more than a socket takes while nobody reads.
          const std::size_t now = std::min<std::size_t>(bytes, 40'000);
          REQUIRE(w.client->send_raw(std::string_view(w.to_send).substr(0, now)));
          w.to_send.erase(0, now);
        }
      }
      for (Worker& w : workers) {
        REQUIRE(w.client->send_raw(std::exchange(w.to_send, {})));
        for (const std::string& text : std::exchange(w.expected, {}))
          REQUIRE(reply_of(*w.client) == text);
      }
    }
  }
}

TEST_CASE("a client that sends without end has a share of each turn, and loses nothing by it") {
  for (const Peer& peer : {hearth_server(), hearth_on_epoll()}) {
    CAPTURE(peer.name);
    const auto server = start_peer(peer);
    const auto flood = server->client();
    const auto other = server->client();
    constexpr int kRequests = 60'000;
    std::string sent;
    for (int i = 0; i < kRequests; ++i) {
      const std::string number = std::to_string(i);
      sent += "*2\r\n$4\r\nECHO\r\n$" + std::to_string(number.size()) + "\r\n" + number + "\r\n";
    }
    std::thread sender([&] {
      flood->send_raw(sent);
      flood->stop_sending();
    });
    for (int i = 0; i < 20; ++i) CHECK(other->text({"PING"}) == "PONG");
    int wrong = 0;
    for (int i = 0; i < kRequests; ++i) wrong += reply_of(*flood) == std::to_string(i) ? 0 : 1;
    sender.join();
    CHECK(wrong == 0);
    CHECK(flood->is_closed_by_server());
    const std::string info = other->text({"INFO", "debug"});
    const auto at = info.find("eventloop_cmd_per_cycle_max:");
    REQUIRE(at != std::string::npos);
    CHECK(std::stoi(info.substr(at + 28)) < 2000);
  }
}

TEST_CASE("a client that is killed by one read together with it does nothing more") {
  for (const Peer& peer : peers_and_transports()) {
    CAPTURE(peer.name);
    const auto server = start_peer(peer);
    const auto first = server->client(), second = server->client(), third = server->client();
    const std::string id = second->text({"CLIENT", "ID"});
    {
      const Stopped stopped(*server);
      first->send_raw(request({"CLIENT", "KILL", "ID", id}) + request({"EXISTS", "victim"}));
      second->send({"SET", "victim", "1"});
      third->send({"PING"});
    }
    CHECK(reply_of(*first) == "1");
    const std::string then = reply_of(*first);
    CHECK(second->is_closed_by_server());
    CHECK(reply_of(*third) == "PONG");
    CHECK(server->run({"EXISTS", "victim"}) == then);
  }
}

TEST_CASE("a pause holds for those who were read together with it") {
  for (const Peer& peer : peers_and_transports()) {
    CAPTURE(peer.name);
    const auto server = start_peer(peer);
    const auto first = server->client(), second = server->client();
    {
      const Stopped stopped(*server);
      first->send_raw(request({"CLIENT", "PAUSE", "100000", "WRITE"}) + request({"GET", "n"}));
      second->send_raw(request({"PING"}) + request({"INCR", "n"}) + request({"INCR", "n"}));
    }
    CHECK(reply_of(*first) == "OK");
    const std::string then = reply_of(*first);
    CHECK(reply_of(*second) == "PONG");
    CHECK(server->run({"GET", "n"}) == then);
    CHECK(server->run({"CLIENT", "UNPAUSE"}) == "OK");
    CHECK(reply_of(*second) == "1");
    CHECK(reply_of(*second) == "2");
  }
}

TEST_CASE("a broken request ends its client alone, after what came before it") {
  for (const Peer& peer : peers_and_transports()) {
    CAPTURE(peer.name);
    const auto server = start_peer(peer);
    const auto first = server->client(), second = server->client(), third = server->client();
    {
      const Stopped stopped(*server);
      first->send({"INCR", "a"});
      second->send_raw(request({"INCR", "b"}) + "*1\r\n!4\r\nPING\r\n" + request({"INCR", "b"}));
      third->send({"INCR", "c"});
    }
    CHECK(reply_of(*first) == "1");
    CHECK(reply_of(*second) == "1");
    CHECK(reply_of(*second) == "-ERR Protocol error: expected '$', got '!'");
    CHECK(second->is_closed_by_server());
    CHECK(reply_of(*third) == "1");
    CHECK(server->run({"GET", "b"}) == "1");
  }
}

TEST_CASE("those read together with a script that does not end wait no longer than it is let run") {
  for (const Peer& peer : peers_and_transports()) {
    CAPTURE(peer.name);
    const auto server = start_peer(peer, {"busy-reply-threshold 10"});
    const auto script = server->client();
    std::vector<std::unique_ptr<RespClient>> readers;
    for (int i = 0; i < 10; ++i) readers.push_back(server->client());
    auto leaver = server->client();
    {
      const Stopped stopped(*server);
      for (std::size_t i = 0; i < readers.size(); ++i) {
        if (i == readers.size() / 2) {
          script->send({"EVAL", "while true do end", "0"});
          leaver->send({"GET", "k"});
        }
        readers[i]->send_raw(request({"GET", "k"}) + request({"GET", "k"}));
      }
    }
    for (const auto& reader : readers) {
      const std::string one = reply_of(*reader), two = reply_of(*reader);
      CAPTURE(one);
      CHECK((one == "(nil)" || one.starts_with("-BUSY")));
      CHECK(one == two);
    }
    leaver.reset();
    CHECK(eventually([&] { return server->run({"SCRIPT", "KILL"}) == "OK"; }));
    CHECK(reply_of(*script).find("killed by user") != std::string::npos);
    for (const auto& reader : readers) CHECK(reader->text({"GET", "k"}) == "(nil)");
  }
}

TEST_CASE("what is acknowledged next to a SHUTDOWN is in the data set that it saves") {
  for (const Peer& peer : peers_and_transports()) {
    CAPTURE(peer.name);
    const auto dir = std::make_shared<TempDir>();
    std::vector<std::string> acknowledged;
    {
      const auto server =
          ServerProcess::start({.binary = peer.binary, .config = peer.config, .dir = dir});
      REQUIRE(server != nullptr);
      if (server->run({"SET", "early", "1"}) == "OK") acknowledged.emplace_back("early");
      std::vector<std::unique_ptr<RespClient>> clients;
      for (int i = 0; i < 20; ++i) clients.push_back(server->client());
      {
        const Stopped stopped(*server);
        for (std::size_t i = 0; i < clients.size(); ++i) {
          const std::string key = "key:" + std::to_string(i);
          std::string bytes = request({"SET", key, "1"});
          if (i == 10) bytes += request({"SHUTDOWN", "SAVE"}) + request({"SET", "behind", "1"});
          clients[i]->send_raw(bytes);
        }
      }
      for (std::size_t i = 0; i < clients.size(); ++i) {
        if (reply_of(*clients[i]) == "OK") acknowledged.push_back("key:" + std::to_string(i));
        if (i == 10 && reply_of(*clients[i]) == "OK") acknowledged.push_back("behind");
      }
      CHECK(server->process().wait(milliseconds{15'000}) == 0);
    }
    CHECK(!acknowledged.empty());
    const auto server =
        ServerProcess::start({.binary = peer.binary, .config = peer.config, .dir = dir});
    REQUIRE(server != nullptr);
    for (const std::string& key : acknowledged) {
      CAPTURE(key);
      CHECK(server->run({"EXISTS", key}) == "1");
    }
  }
}

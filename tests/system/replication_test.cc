// Replication between processes, with redis-server on either side.
#include <doctest/doctest.h>

#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "tests/support/child_process.h"
#include "tests/support/temp_dir.h"
#include "tests/system/peers.h"

using namespace hearth::test;

namespace {

std::string replication_field(const ServerProcess& server, const std::string& field) {
  const std::string info = server.run({"INFO", "replication"});
  const std::size_t at = info.find(field + ":");
  if (at == std::string::npos) return "";
  return info.substr(at + field.size() + 1, info.find("\r\n", at) - at - field.size() - 1);
}

std::unique_ptr<ServerProcess> start(const Peer& peer, std::vector<std::string> config = {}) {
  config.emplace_back("repl-diskless-sync-delay 0");
  // The redis-server of Debian reads files of version 10.
  if (peer.name == "hearth-server") config.emplace_back("rdb-compat 7.0");
  return start_peer(peer, std::move(config));
}

void follow(const ServerProcess& replica, const ServerProcess& primary) {
  CHECK(replica.run({"REPLICAOF", "127.0.0.1", std::to_string(primary.port())}) == "OK");
  REQUIRE(eventually([&] { return replication_field(replica, "master_link_status") == "up"; },
                     milliseconds{60'000}));
}

long long stats_field(const ServerProcess& server, const std::string& name) {
  const std::string info = server.run({"INFO", "stats"});
  const auto at = info.find("\n" + name + ":");
  REQUIRE(at != std::string::npos);
  return std::stoll(info.substr(at + name.size() + 2));
}

bool is_even(const ServerProcess& primary, const ServerProcess& replica) {
  return replication_field(primary, "master_repl_offset") ==
         replication_field(replica, "slave_repl_offset");
}

void fill(const ServerProcess& server) {
  const auto client = server.client();
  client->text({"SET", "s", "text"});
  client->text({"SET", "timed", "text", "PX", "1000000"});
  client->text({"HSET", "h", "f", "v", "g", "w"});
  client->text({"RPUSH", "l", "a", "b", "c"});
  client->text({"SADD", "set", "1", "2", "x"});
  client->text({"ZADD", "z", "1", "a", "2.5", "b"});
  client->text({"XADD", "x", "1-1", "f", "v"});
  client->text({"SELECT", "5"});
  client->text({"SET", "big", std::string(3'000'000, 'b')});
}

void check_filled(const ServerProcess& server) {
  const auto client = server.client();
  CHECK(client->text({"GET", "s"}) == "text");
  CHECK(std::stoi(client->text({"PTTL", "timed"})) > 900'000);
  CHECK(client->text({"HGET", "h", "g"}) == "w");
  CHECK(client->text({"LLEN", "l"}) == "3");
  CHECK(client->text({"SCARD", "set"}) == "3");
  CHECK(client->text({"ZSCORE", "z", "b"}) == "2.5");
  CHECK(client->text({"XLEN", "x"}) == "1");
  client->text({"SELECT", "5"});
  CHECK(client->text({"STRLEN", "big"}) == "3000000");
}

// A primary that says what the test wants. It takes one replica at a time.
class FakePrimary {
 public:
  FakePrimary() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(listener_, 4) == 0);
    REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  ~FakePrimary() {
    hang_up();
    ::close(listener_);
  }
  FakePrimary(const FakePrimary&) = delete;
  FakePrimary& operator=(const FakePrimary&) = delete;

  [[nodiscard]] int port() const { return port_; }
  // Waits for a replica and for its PSYNC.
  void accept_replica() {
    hang_up();
    replica_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    REQUIRE(replica_ >= 0);
    std::string heard;
    char piece[4096];
    while (heard.find("PSYNC") == std::string::npos) {
      const ssize_t got = ::recv(replica_, piece, sizeof piece, 0);
      REQUIRE(got > 0);
      heard.append(piece, static_cast<std::size_t>(got));
      if (heard.find("PSYNC") == std::string::npos) REQUIRE(say("+OK\r\n"));
    }
  }
  // False: the replica has hung up.
  bool say(std::string_view bytes) const {
    return ::send(replica_, bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0;
  }
  void hang_up() {
    if (replica_ >= 0) ::close(replica_);
    replica_ = -1;
  }

 private:
  int listener_, replica_ = -1, port_ = 0;
};

}  // namespace

TEST_CASE("a primary that sends a line without an end is given up") {
  FakePrimary primary;
  const auto replica = start(hearth_server());
  replica->run({"REPLICAOF", "127.0.0.1", std::to_string(primary.port())});
  const std::string id(40, 'a');
  for (const std::string& answer : {std::string(), "+FULLRESYNC " + id + " 1\r\n"}) {
    CAPTURE(answer);
    primary.accept_replica();
    if (!answer.empty()) REQUIRE(primary.say(answer));
    const std::string piece(16 * 1024, 'x');
    int pieces = 0;
    while (pieces < 4096 && primary.say(piece)) ++pieces;
    CHECK(pieces < 4096);  // what the sockets hold between us
  }
  CHECK(replica->run({"PING"}) == "PONG");
}

TEST_CASE("a replica that stops reading its snapshot is dropped, and the next one gets its own") {
  for (const std::string diskless : {"yes", "no"}) {
    CAPTURE(diskless);
    const auto primary =
        start(hearth_server(), {"repl-timeout 2", "repl-diskless-sync " + diskless,
                                "repl-ping-replica-period 1", "rdbcompression no"});
    const auto client = primary->client();
    for (int i = 0; i < 40; ++i)
      REQUIRE(client->text({"SET", "k" + std::to_string(i), std::string(1 << 20, 'v')}) == "OK");
    const auto deaf = primary->client();
    REQUIRE(deaf->text({"REPLCONF", "capa", "eof", "capa", "psync2"}) == "OK");
    REQUIRE(deaf->send({"PSYNC", "?", "-1"}));
    REQUIRE(eventually([&] {
      return primary->log().find("Disconnecting timedout replica (full sync)") != std::string::npos;
    }));
    REQUIRE(eventually([&] {
      return primary->run({"INFO", "persistence"}).find("rdb_bgsave_in_progress:0") !=
             std::string::npos;
    }));
    const auto replica = start(hearth_server());
    follow(*replica, *primary);
    CHECK(replica->run({"DBSIZE"}) == "40");
  }
}

TEST_CASE("a replica gets the data and then every change, from hearth and redis-server alike") {
  for (const Peer& primary_peer : all_peers()) {
    for (const Peer& replica_peer : all_peers()) {
      for (const std::string diskless : {"yes", "no"}) {
        CAPTURE(primary_peer.name);
        CAPTURE(replica_peer.name);
        CAPTURE(diskless);
        const auto primary = start(primary_peer, {"repl-diskless-sync " + diskless});
        const auto replica = start(replica_peer);
        fill(*primary);
        replica->run({"SET", "old", "goes"});
        follow(*replica, *primary);
        check_filled(*replica);
        CHECK(replica->run({"EXISTS", "old"}) == "0");
        CHECK(stats_field(*primary, "total_net_repl_output_bytes") > 30'000);
        CHECK(stats_field(*replica, "total_net_repl_input_bytes") > 30'000);
        CHECK(stats_field(*replica, "total_net_repl_output_bytes") == 0);
        // The one who asks; replicas are counted elsewhere.
        CHECK(primary->run({"INFO", "clients"}).find("connected_clients:1\r\n") !=
              std::string::npos);

        const auto client = primary->client();
        client->text({"SELECT", "3"});
        client->text({"MULTI"});
        client->text({"INCR", "n"});
        client->text({"RPUSH", "list", "a"});
        client->text({"EXEC"});
        client->text({"SPOP", "none"});
        client->text({"SET", "gone", "v", "PX", "1"});
        CHECK(client->text({"WAIT", "1", "10000"}) == "1");
        REQUIRE(eventually([&] { return is_even(*primary, *replica); }, milliseconds{10'000}));
        const auto reader = replica->client();
        reader->text({"SELECT", "3"});
        CHECK(reader->text({"GET", "n"}) == "1");
        CHECK(reader->text({"LLEN", "list"}) == "1");
        CHECK(reader->text({"SET", "n", "2"}).starts_with("-READONLY"));
        CHECK(eventually(
            [&] {
              return reader->text({"EXISTS", "gone"}) == "0";
            },
            milliseconds{5'000}));
      }
    }
  }
}

TEST_CASE("a replica that is promoted is followed on without a second full synchronization") {
  for (const Peer& second_peer : all_peers()) {
    CAPTURE(second_peer.name);
    const auto primary = start(hearth_server());
    const auto first = start(hearth_server());
    const auto second = start(second_peer);
    fill(*primary);
    follow(*first, *primary);
    follow(*second, *primary);
    primary->run({"SET", "k", "1"});
    REQUIRE(eventually([&] { return is_even(*primary, *first) && is_even(*primary, *second); },
                       milliseconds{10'000}));
    CHECK(first->run({"REPLICAOF", "NO", "ONE"}) == "OK");
    CHECK(replication_field(*first, "role") == "master");
    CHECK(replication_field(*first, "master_replid2") ==
          replication_field(*primary, "master_replid"));
    follow(*second, *first);
    follow(*primary, *first);
    first->run({"SET", "k", "2"});
    REQUIRE(eventually([&] { return second->run({"GET", "k"}) == "2"; }, milliseconds{10'000}));
    REQUIRE(eventually([&] { return primary->run({"GET", "k"}) == "2"; }, milliseconds{10'000}));
    const std::string stats = first->run({"INFO", "stats"});
    CHECK(stats.find("sync_full:0\r\n") != std::string::npos);
    CHECK(stats.find("sync_partial_ok:2\r\n") != std::string::npos);
    check_filled(*second);
  }
}

TEST_CASE("a replica's replica gets the stream through it, from the first byte on") {
  const auto primary = start(hearth_server());
  const auto middle = start(hearth_server());
  const auto leaf = start(hearth_server());
  const auto client = primary->client();
  client->text({"SELECT", "7"});
  client->text({"SET", "k", "1"});
  follow(*middle, *primary);
  // The stream stands in database 7 when the leaf joins it.
  client->text({"SET", "k", "2"});
  REQUIRE(eventually([&] { return is_even(*primary, *middle); }, milliseconds{10'000}));
  follow(*leaf, *middle);
  client->text({"SET", "k", "3"});
  const auto reader = leaf->client();
  reader->text({"SELECT", "7"});
  CHECK(eventually([&] { return reader->text({"GET", "k"}) == "3"; }, milliseconds{10'000}));
  REQUIRE(eventually([&] { return is_even(*primary, *leaf); }, milliseconds{10'000}));
  CHECK(replication_field(*leaf, "master_replid") == replication_field(*primary, "master_replid"));
}

TEST_CASE("a broken link is taken up again where it broke") {
  const auto primary = start(hearth_server());
  const auto replica = start(hearth_server());
  follow(*replica, *primary);
  primary->run({"SET", "k", "1"});
  CHECK(primary->run({"CLIENT", "KILL", "TYPE", "replica"}) == "1");
  primary->run({"SET", "k", "2"});
  CHECK(eventually([&] { return replica->run({"GET", "k"}) == "2"; }, milliseconds{10'000}));
  CHECK(replica->run({"CLIENT", "KILL", "TYPE", "master"}) == "1");
  primary->run({"SET", "k", "3"});
  CHECK(eventually([&] { return replica->run({"GET", "k"}) == "3"; }, milliseconds{10'000}));
  CHECK(primary->run({"INFO", "stats"}).find("sync_full:1\r\n") != std::string::npos);
}

TEST_CASE("who waits for disks is served while others go on writing") {
  const auto primary = start(hearth_server());
  const auto replica = start(hearth_server());
  for (const auto* server : {primary.get(), replica.get()})
    REQUIRE(server->run({"CONFIG", "SET", "appendfsync", "everysec", "appendonly", "yes"}) == "OK");
  follow(*replica, *primary);
  std::atomic<bool> done{false};
  std::thread writer([&] {
    const auto client = primary->client();
    for (int i = 0; !done; ++i) client->text({"SET", "other", std::to_string(i)});
  });
  const auto client = primary->client();
  for (const auto& [local, replicas] : {std::pair{"1", "0"}, {"0", "1"}, {"1", "1"}}) {
    CAPTURE(local);
    CAPTURE(replicas);
    client->text({"SET", "mine", "v"});
    client->send({"WAITAOF", local, replicas, "12000"});
    const auto reply = client->read();
    CHECK((reply && reply->items().size() == 2));
    if (!reply || reply->items().size() != 2) break;
    CHECK(reply->items()[0].integer() >= std::stoi(local));
    CHECK(reply->items()[1].integer() >= std::stoi(replicas));
  }
  done = true;
  writer.join();
}

TEST_CASE("who waits for replicas' disks asks them once") {
  const auto primary = start(hearth_server());
  const auto replica = start(hearth_server());
  REQUIRE(replica->run({"CONFIG", "SET", "appendfsync", "no", "appendonly", "yes"}) == "OK");
  follow(*replica, *primary);
  // The base of the log, which is on the disk whatever appendfsync says, is to lack the write
  // below.
  REQUIRE(eventually([&] {
    const std::string info = replica->run({"INFO", "persistence"});
    return info.find("aof_rewrite_in_progress:0") != std::string::npos &&
           info.find("aof_rewrite_scheduled:0") != std::string::npos;
  }));
  const auto offset = [&] { return std::stoll(replication_field(*primary, "master_repl_offset")); };
  const auto before = offset();
  const auto client = primary->client();
  REQUIRE(client->text({"SET", "k", "v"}) == "OK");
  client->send({"WAITAOF", "0", "1", "300"});
  const auto given_up = client->read();
  REQUIRE(given_up.has_value());
  CHECK(given_up->items()[1].integer(-1) == 0);
  CHECK(offset() - before < 1'000);
  // Data that reaches the disk later is told at once.
  REQUIRE(replica->run({"CONFIG", "SET", "appendfsync", "everysec"}) == "OK");
  client->send({"WAITAOF", "0", "1", "10000"});
  const auto served = client->read();
  REQUIRE(served.has_value());
  CHECK(served->items()[1].integer(-1) == 1);
}

TEST_CASE("a replica may lag by the backlog, whatever less its output limit says") {
  const auto primary = start(hearth_server(), {"client-output-buffer-limit replica 1000 1000 60",
                                               "repl-backlog-size 20mb"});
  const auto replica = start(hearth_server());
  follow(*replica, *primary);
  replica->process().send(SIGSTOP);
  REQUIRE(primary->run({"SET", "big", std::string(15'000'000, 'b')}) == "OK");
  replica->process().send(SIGCONT);
  CHECK(eventually([&] { return replica->run({"STRLEN", "big"}) == "15000000"; }));
  CHECK(stats_field(*primary, "sync_full") == 1);
  CHECK(stats_field(*primary, "client_output_buffer_limit_disconnections") == 0);
}

TEST_CASE("a shutdown waits for replicas, holds writes meanwhile, and can be taken back") {
  const auto primary = start(hearth_server(), {"shutdown-timeout 60"});
  const auto replica = start(hearth_server());
  follow(*replica, *primary);
  REQUIRE(eventually([&] { return is_even(*primary, *replica); }));
  const auto left = [&] {
    const std::string info = primary->run({"INFO", "server"});
    return info.find("shutdown_in_milliseconds:") != std::string::npos;
  };
  replica->process().send(SIGSTOP);
  REQUIRE(primary->run({"SET", "last", "1"}) == "OK");
  const auto asker = primary->client();
  asker->send({"SHUTDOWN", "NOSAVE"});
  REQUIRE(eventually(left));
  const auto writer = primary->client();
  writer->send({"SET", "held", "1"});
  CHECK(primary->run({"GET", "last"}) == "1");
  CHECK(primary->run({"EXISTS", "held"}) == "0");
  CHECK(primary->run({"SHUTDOWN", "ABORT"}) == "OK");
  CHECK(RespClient::as_text(*asker->read()) == "-ERR Errors trying to SHUTDOWN. Check logs.");
  CHECK(RespClient::as_text(*writer->read()) == "OK");
  CHECK_FALSE(left());
  // Once the replica goes on, so does the shutdown, with all that was acknowledged.
  asker->send({"SHUTDOWN", "NOSAVE"});
  REQUIRE(eventually(left));
  replica->process().send(SIGCONT);
  CHECK(primary->process().wait(milliseconds{20'000}) == 0);
  CHECK(replica->run({"GET", "held"}) == "1");
}

TEST_CASE("a shutdown that may not wait longer goes on without its replicas") {
  const auto primary = start(hearth_server(), {"shutdown-timeout 1"});
  const auto replica = start(hearth_server());
  follow(*replica, *primary);
  replica->process().send(SIGSTOP);
  REQUIRE(primary->run({"SET", "last", "1"}) == "OK");
  primary->client()->send({"SHUTDOWN", "NOSAVE"});
  CHECK(primary->process().wait(milliseconds{20'000}) == 0);
  CHECK(primary->log().find("0 of 1 replicas are in sync when shutting down") != std::string::npos);
  replica->process().send(SIGCONT);
}

TEST_CASE("a primary that wants a password refuses a replica without it, which goes on trying") {
  const auto primary = start(hearth_server(), {"requirepass secret"});
  const auto replica = start(hearth_server(), {"masterauth wrong"});
  replica->run({"REPLICAOF", "127.0.0.1", std::to_string(primary->port())});
  CHECK(eventually([&] { return replica->log().find("Unable to AUTH") != std::string::npos; },
                   milliseconds{10'000}));
  replica->run({"CONFIG", "SET", "masterauth", "secret"});
  CHECK(eventually([&] { return replication_field(*replica, "master_link_status") == "up"; },
                   milliseconds{20'000}));
}

TEST_CASE("redis-cli takes a snapshot of the data, or of the functions alone") {
  const auto cli = find_program("redis-cli");
  if (!cli) {
    MESSAGE("skipped: redis-cli is not installed");
    return;
  }
  const TempDir dir;
  for (const std::string diskless : {"yes", "no"}) {
    CAPTURE(diskless);
    const auto server = start(hearth_server(), {"repl-diskless-sync " + diskless});
    server->run({"FUNCTION", "LOAD",
                 "#!lua name=lib\nredis.register_function('fn_of_lib', function() return 1 end)"});
    server->run({"SET", "key_of_data", "v"});
    for (const std::string option : {"--rdb", "--functions-rdb"}) {
      const std::string name = diskless + option;
      const CommandResult result =
          run_command({*cli, "-p", std::to_string(server->port()), option, dir.file(name)});
      INFO(result.out);
      REQUIRE(result.exit_code == 0);
      const std::string snapshot = dir.read(name);
      CHECK(snapshot.starts_with("REDIS"));
      CHECK(snapshot.find("fn_of_lib") != std::string::npos);
      CHECK((snapshot.find("key_of_data") != std::string::npos) == (option == "--rdb"));
    }
  }
}

namespace {

// A server that can be ended and started again on its files and its port.
class Restartable {
 public:
  Restartable(const Peer& peer, std::vector<std::string> config)
      : peer_(peer), config_(std::move(config)) {
    config_.emplace_back("repl-diskless-sync-delay 0");
    if (peer.name == "hearth-server") config_.emplace_back("rdb-compat 7.0");
    start();
  }
  void start(const std::string& more = "") {
    std::vector<std::string> config = config_;
    if (!more.empty()) config.push_back(more);
    server_ = ServerProcess::start(
        {.binary = peer_.binary, .config = config, .dir = dir_, .port = port_});
    REQUIRE(server_ != nullptr);
    port_ = server_->port();
  }
  void stop() { CHECK(server_->process().stop(SIGTERM) == 0); }
  ServerProcess& operator*() { return *server_; }
  ServerProcess* operator->() { return server_.get(); }

 private:
  Peer peer_;
  std::vector<std::string> config_;
  std::shared_ptr<TempDir> dir_ = std::make_shared<TempDir>();
  int port_ = 0;
  std::unique_ptr<ServerProcess> server_;
};

bool caught_up(const ServerProcess& primary, const ServerProcess& replica) {
  return eventually([&] {
    return replication_field(replica, "master_link_status") == "up" && is_even(primary, replica);
  });
}

}  // namespace

TEST_CASE("a replica that was ended and started again goes on where it was") {
  for (const Peer& primary_peer : all_peers()) {
    for (const Peer& replica_peer : all_peers()) {
      for (const std::string log : {"appendonly no", "appendonly yes"}) {
        // redis-server itself can't: a log does not tell it where its stream stood.
        if (replica_peer.name == "redis-server" && log == "appendonly yes") continue;
        CAPTURE(primary_peer.name);
        CAPTURE(replica_peer.name);
        CAPTURE(log);
        Restartable primary(primary_peer, {"save \"\""});
        Restartable replica(replica_peer, {"save 3600 1", log});
        follow(*replica, *primary);
        fill(*primary);
        REQUIRE(caught_up(*primary, *replica));
        replica.stop();
        const auto client = primary->client();
        client->text({"SELECT", "5"});
        client->text({"SET", "missed", "1"});
        replica.start("replicaof 127.0.0.1 " + std::to_string(primary->port()));
        REQUIRE(caught_up(*primary, *replica));
        CHECK(stats_field(*primary, "sync_full") == 1);
        CHECK(stats_field(*primary, "sync_partial_ok") == 1);
        check_filled(*replica);
        const auto reader = replica->client();
        reader->text({"SELECT", "5"});
        CHECK(reader->text({"GET", "missed"}) == "1");
      }
    }
  }
}

TEST_CASE("replicas go on with a primary that was ended and started again") {
  for (const Peer& primary_peer : all_peers()) {
    for (const Peer& replica_peer : all_peers()) {
      for (const std::string log : {"appendonly no", "appendonly yes"}) {
        if (primary_peer.name == "redis-server" && log == "appendonly yes") continue;
        CAPTURE(primary_peer.name);
        CAPTURE(replica_peer.name);
        CAPTURE(log);
        Restartable primary(primary_peer, {"save 3600 1", log});
        Restartable replica(replica_peer, {"save \"\""});
        follow(*replica, *primary);
        fill(*primary);
        primary->run({"SET", "short", "1", "PX", "1"});
        REQUIRE(caught_up(*primary, *replica));
        primary.stop();
        primary.start();
        REQUIRE(primary->run({"SET", "after", "1"}) == "OK");
        REQUIRE(caught_up(*primary, *replica));
        CHECK(stats_field(*primary, "sync_full") == 0);
        CHECK(stats_field(*primary, "sync_partial_ok") == 1);
        check_filled(*replica);
        CHECK(replica->run({"GET", "after"}) == "1");
        CHECK(eventually([&] { return replica->run({"DBSIZE"}) == primary->run({"DBSIZE"}); }));
      }
    }
  }
}

TEST_CASE("a primary that was killed begins a stream that nobody can take for the old one") {
  Restartable primary(hearth_server(), {"save \"\"", "appendonly yes", "appendfsync always"});
  Restartable replica(hearth_server(), {"save \"\""});
  follow(*replica, *primary);
  for (int i = 0; i < 20; ++i) primary->run({"INCR", "n"});
  REQUIRE(caught_up(*primary, *replica));
  primary->process().stop(SIGKILL);
  primary.start();
  primary->run({"INCR", "n"});
  REQUIRE(caught_up(*primary, *replica));
  CHECK(replica->run({"GET", "n"}) == "21");
}

TEST_CASE("a stream that replicas do not take stands in memory once") {
  const auto primary =
      start(hearth_server(), {"repl-backlog-size 1mb", "client-output-buffer-limit replica 0 0 0"});
  std::vector<std::unique_ptr<ServerProcess>> replicas;
  for (int i = 0; i < 3; ++i) {
    replicas.push_back(start(hearth_server()));
    follow(*replicas.back(), *primary);
  }
  for (const auto& replica : replicas) replica->process().send(SIGSTOP);
  const auto used = [&] {
    const std::string info = primary->run({"INFO", "memory"});
    return std::stoll(info.substr(info.find("used_memory:") + 12));
  };
  const long long before = used();
  const auto client = primary->client();
  for (int i = 0; i < 60; ++i)
    REQUIRE(client->text({"SET", "same", std::string(1 << 20, static_cast<char>('a' + i % 26))}) ==
            "OK");
  const long long held = used() - before;
  CHECK(held > 40'000'000);
  CHECK(held < 90'000'000);
  for (const auto& replica : replicas) replica->process().send(SIGCONT);
  for (const auto& replica : replicas) REQUIRE(caught_up(*primary, *replica));
  CHECK(eventually([&] { return used() - before < 10'000'000; }));
}

TEST_CASE("a snapshot that can't be loaded leaves the replica's data as it was") {
  FakePrimary primary;
  const auto replica = start(hearth_server());
  replica->run({"SET", "old", "1"});
  replica->run({"REPLICAOF", "127.0.0.1", std::to_string(primary.port())});
  primary.accept_replica();
  REQUIRE(
      primary.say("+FULLRESYNC " + std::string(40, 'a') + " 1\r\n$20\r\nREDIS0011 and no more"));
  CHECK(eventually([&] {
    return replica->log().find("can't be loaded, the data stays as it was") != std::string::npos;
  }));
  CHECK(replica->run({"GET", "old"}) == "1");
}

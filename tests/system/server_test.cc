// One server without cluster mode, as its users and operators meet it. Where redis-server is
// installed the same expectations hold for it, which shows that they are the right ones.
#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/hiredis_client.h"
#include "tests/system/peers.h"

using namespace hearth::test;

namespace {

std::string lines_of(std::initializer_list<const char*> lines) {
  std::string all;
  for (const char* line : lines) all += std::string(line) + "\n";
  return all;
}

// Sends bytes on a fresh connection; the reply as text, and whether the connection ended after it.
struct RawOutcome {
  std::string reply;
  bool closed;
};
RawOutcome send_bytes(const ServerProcess& server, const std::string& bytes) {
  const auto client = server.client();
  client->send_raw(bytes);
  const auto reply = client->read();
  RawOutcome outcome{reply ? RespClient::as_text(*reply) : "(closed)", false};
  outcome.closed = client->is_closed_by_server(2'000);
  return outcome;
}

CommandResult start_with(const std::string& config_text, std::vector<std::string> arguments = {}) {
  const TempDir dir;
  arguments.insert(arguments.begin(), {hearth_server().binary, dir.write("bad.conf", config_text)});
  return run_command(arguments, milliseconds{15'000});
}

}  // namespace

TEST_CASE("redis-cli talks to the server") {
  const auto cli = find_program("redis-cli");
  if (!cli) {
    MESSAGE("skipped: redis-cli is not installed");
    return;
  }
  for (const Peer& peer : all_peers()) {
    CAPTURE(peer.name);
    const auto server = start_peer(peer);
    const auto run = [&](std::vector<std::string> words) {
      words.insert(words.begin(), {*cli, "-p", std::to_string(server->port())});
      return run_command(words).out;
    };
    CHECK(run({"SET", "greeting", "hello", "EX", "60"}) == "OK\n");
    CHECK(run({"GET", "greeting"}) == "hello\n");
    CHECK(run({"--no-raw", "GET", "nothing"}) == "(nil)\n");
    CHECK(run({"--no-raw", "HSET", "h", "a", "1", "b", "2"}) == "(integer) 2\n");
    CHECK(run({"HGETALL", "h"}) == lines_of({"a", "1", "b", "2"}));
    CHECK(run({"-3", "--no-raw", "HGETALL", "h"}) ==
          lines_of({"1# \"a\" => \"1\"", "2# \"b\" => \"2\""}));
    CHECK(run({"--scan", "--pattern", "gree*"}) == "greeting\n");
    CHECK(run({"INFO", "server"}).find("redis_version:") != std::string::npos);
    CHECK(run({"NOSUCH"}).starts_with("ERR unknown command"));
  }
}

TEST_CASE("redis-cli --pipe loads raw commands and counts every reply") {
  const auto cli = find_program("redis-cli");
  if (!cli) {
    MESSAGE("skipped: redis-cli is not installed");
    return;
  }
  const TempDir dir;
  std::string commands;
  for (int i = 0; i < 50'000; ++i) {
    const std::string key = "key:" + std::to_string(i);
    commands +=
        "*3\r\n$3\r\nSET\r\n$" + std::to_string(key.size()) + "\r\n" + key + "\r\n$5\r\nvalue\r\n";
  }
  const std::string file = dir.write("commands", commands);
  const auto server = start_peer(hearth_server());
  const auto result = run_command(
      {"sh", "-c", *cli + " -p " + std::to_string(server->port()) + " --pipe < " + file});
  CHECK(result.out.find("errors: 0, replies: 50000") != std::string::npos);
  CHECK(server->run({"DBSIZE"}) == "50000");
}

TEST_CASE("hiredis pipelines thousands of commands and gets every reply in order") {
  const auto server = start_peer(hearth_server());
  HiredisClient client(server->port());
  REQUIRE(client.is_connected());
  for (int i = 0; i < 10'000; ++i) {
    client.append({"SET", "k" + std::to_string(i), std::to_string(i)});
    client.append({"INCR", "counter"});
    client.append({"GET", "k" + std::to_string(i)});
  }
  for (int i = 0; i < 10'000; ++i) {
    REQUIRE(client.next() == "OK");
    REQUIRE(client.next() == std::to_string(i + 1));
    REQUIRE(client.next() == std::to_string(i));
  }
}

TEST_CASE("values of any bytes and sizes come back as they went") {
  const auto server = start_peer(hearth_server());
  const auto client = server->client();
  for (const std::size_t size :
       {0U, 1U, 44U, 45U, 64U, 255U, 256U, 4'096U, 65'535U, 65'536U, 1'000'000U, 20'000'000U}) {
    CAPTURE(size);
    std::string value(size, '\0');
    for (std::size_t i = 0; i < size; ++i) value[i] = static_cast<char>(i * 31 + size);
    REQUIRE(client->text({"SET", "k", value}) == "OK");
    const auto reply = client->run({"GET", "k"});
    REQUIRE(reply.has_value());
    CHECK(reply->text() == value);
  }
}

TEST_CASE("a client that reads late gets all of its replies") {
  const auto server = start_peer(hearth_server());
  const auto client = server->client();
  const std::string value(10'000, 'v');
  REQUIRE(client->text({"SET", "k", value}) == "OK");
  std::string requests;
  for (int i = 0; i < 3'000; ++i) requests += "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n";
  REQUIRE(client->send_raw(requests));
  // Another client is served meanwhile.
  CHECK(server->run({"PING"}) == "PONG");
  for (int i = 0; i < 3'000; ++i) {
    const auto reply = client->read();
    REQUIRE(reply.has_value());
    REQUIRE(reply->text() == value);
  }
}

TEST_CASE("requests may arrive byte by byte, and several in one packet") {
  const auto server = start_peer(hearth_server());
  const auto client = server->client();
  for (const char byte : std::string("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\na\r\n\r\n"))
    REQUIRE(client->send_raw({&byte, 1}));
  CHECK(RespClient::as_text(*client->read()) == "OK");
  client->send_raw("PING\r\nGET k\r\n*1\r\n$4\r\nPING\r\n  SET k 'two words'\r\nGET k\n");
  CHECK(RespClient::as_text(*client->read()) == "PONG");
  CHECK(RespClient::as_text(*client->read()) == "a\r\n");
  CHECK(RespClient::as_text(*client->read()) == "PONG");
  CHECK(RespClient::as_text(*client->read()) == "OK");
  CHECK(RespClient::as_text(*client->read()) == "two words");
}

TEST_CASE("protocol errors are named and end the connection") {
  const std::pair<std::string, std::string> cases[] = {
      {"*1\r\n*1\r\n", "-ERR Protocol error: expected '$', got '*'"},
      {"*x\r\n", "-ERR Protocol error: invalid multibulk length"},
      {"*99999999999\r\n", "-ERR Protocol error: invalid multibulk length"},
      {"*1\r\n$x\r\n", "-ERR Protocol error: invalid bulk length"},
      {"*1\r\n$-1\r\n", "-ERR Protocol error: invalid bulk length"},
      {"*1\r\n$536870913\r\n", "-ERR Protocol error: invalid bulk length"},
      {std::string(70'000, 'x'), "-ERR Protocol error: too big inline request"},
      {"GET \"unbalanced\r\n", "-ERR Protocol error: unbalanced quotes in request"},
      {"*" + std::string(70'000, '1'), "-ERR Protocol error: too big mbulk count string"},
      {"*1\r\n$" + std::string(70'000, '1'), "-ERR Protocol error: too big bulk count string"},
  };
  for (const Peer& peer : all_peers()) {
    CAPTURE(peer.name);
    const auto server = start_peer(peer);
    for (const auto& [bytes, error] : cases) {
      CAPTURE(bytes.substr(0, 30));
      const auto outcome = send_bytes(*server, bytes);
      CHECK(outcome.reply == error);
      CHECK(outcome.closed);
    }
    CHECK(server->run({"PING"}) == "PONG");
  }
}

TEST_CASE("before a password little is allowed, and little memory") {
  for (const Peer& peer : all_peers()) {
    CAPTURE(peer.name);
    const auto server = start_peer(peer, {"requirepass secret"});
    CHECK(server->run({"GET", "k"}) == "-NOAUTH Authentication required.");
    CHECK(send_bytes(*server, "*11\r\n").reply ==
          "-ERR Protocol error: unauthenticated multibulk length");
    CHECK(send_bytes(*server, "*2\r\n$16385\r\n").reply ==
          "-ERR Protocol error: unauthenticated bulk length");
    const auto client = server->client();
    CHECK(client->text({"AUTH", "wrong"}).starts_with("-WRONGPASS "));
    CHECK(client->text({"AUTH", "secret"}) == "OK");
    CHECK(client->text({"SET", "k", std::string(100'000, 'v')}) == "OK");
    CHECK(server->client()->text({"AUTH", "default", "secret"}) == "OK");
    CHECK(server->client()->text({"HELLO", "3", "AUTH", "default", "secret"}).find("proto 3") !=
          std::string::npos);
  }
}

TEST_CASE("a client without a password that reads nothing is closed at once") {
  for (Peer peer : {hearth_server(), hearth_on_epoll()}) {
    CAPTURE(peer.name);
    const auto server = start_peer(peer, {"requirepass secret"});
    const auto client = server->client();
    const std::string nonsense = [] {
      std::string all;
      for (int i = 0; i < 20'000; ++i) all += "x\r\n";
      return all;
    }();
    for (int i = 0; i < 1000 && client->send_raw(nonsense); ++i) {
    }
    const auto other = server->client();
    CHECK(other->text({"AUTH", "secret"}) == "OK");
    CHECK(eventually([&] {
      return other->text({"INFO", "clients"}).find("connected_clients:1\r") != std::string::npos;
    }));
  }
}

TEST_CASE("addresses of primaries that cannot be are refused") {
  const auto server = start_peer(hearth_server());
  for (const char* host : {"", "a b", "a\nb", "\"", "'"}) {
    CAPTURE(host);
    CHECK(server->run({"REPLICAOF", host, "6379"}).starts_with("-ERR "));
    CHECK(server->run({"ROLE"}).find("master") != std::string::npos);
  }
  CHECK(server->run({"CONFIG", "SET", "replicaof", " "}).starts_with("-ERR "));
  CHECK(server->run({"PING"}) == "PONG");
}

TEST_CASE("more clients than maxclients are told so") {
  for (const Peer& peer : all_peers()) {
    CAPTURE(peer.name);
    const auto server = start_peer(peer, {"maxclients 3"});
    std::vector<std::unique_ptr<RespClient>> clients;
    for (int i = 0; i < 3; ++i) {
      clients.push_back(server->client());
      REQUIRE(clients.back()->text({"PING"}) == "PONG");
    }
    const auto refused = server->client();
    const auto reply = refused->read();
    REQUIRE(reply.has_value());
    CHECK(RespClient::as_text(*reply) == "-ERR max number of clients reached");
    CHECK(refused->is_closed_by_server());
    clients.pop_back();
    CHECK(eventually([&] { return server->run({"PING"}) == "PONG"; }));
  }
}

TEST_CASE("idle clients are closed after timeout, busy ones are not") {
  const auto server = start_peer(hearth_server(), {"timeout 1"});
  const auto idle = server->client();
  REQUIRE(idle->text({"PING"}) == "PONG");
  CHECK(idle->is_closed_by_server(10'000));
}

TEST_CASE("a Unix socket serves with the permissions it was given") {
  const TempDir dir;
  const auto server =
      start_peer(hearth_server(), {"unixsocket " + dir.file("sock"), "unixsocketperm 700"});
  CHECK(HiredisClient(dir.file("sock")).run({"SET", "k", "v"}) == "OK");
  CHECK(server->run({"GET", "k"}) == "v");
  CHECK((std::filesystem::status(dir.file("sock")).permissions() & std::filesystem::perms::all) ==
        std::filesystem::perms::owner_all);
  CHECK(server->process().stop(SIGTERM) == 0);
  CHECK_FALSE(std::filesystem::exists(dir.file("sock")));
}

TEST_CASE("SIGTERM, SIGINT and SHUTDOWN end the server cleanly, and it starts again on its port") {
  for (const int signal : {SIGTERM, SIGINT, 0}) {
    CAPTURE(signal);
    auto server = start_peer(hearth_server());
    const int port = server->port();
    const auto client = server->client();
    REQUIRE(client->text({"SET", "k", "v"}) == "OK");
    if (signal == 0) {
      client->send({"SHUTDOWN", "NOSAVE"});
      CHECK(server->process().wait(milliseconds{10'000}) == 0);
    } else {
      CHECK(server->process().stop(signal) == 0);
    }
    CHECK(client->is_closed_by_server());
    const auto again = ServerProcess::start({.binary = hearth_server().binary,
                                             .config = {"save \"\""},
                                             .dir = server->dir(),
                                             .port = port});
    REQUIRE(again != nullptr);
    CHECK(again->run({"PING"}) == "PONG");
  }
}

TEST_CASE("a crash leaves a stack trace in the log") {
  const auto server = start_peer(hearth_server());
  server->process().send(SIGSEGV);
  const auto code = server->process().wait(milliseconds{20'000});
  REQUIRE(code.has_value());
  CHECK(*code != 0);
  const std::string log = server->log();
  CAPTURE(log);
  CHECK(log.find("STACK TRACE") != std::string::npos);
}

TEST_CASE("the log says when the server is ready, in the words that tools wait for") {
  const auto server = start_peer(hearth_server());
  const std::string log = server->log();
  const auto initialized = log.find("Server initialized");
  const auto ready = log.find("Ready to accept connections");
  CHECK(log.find(" PID: " + std::to_string(server->process().pid())) < initialized);
  REQUIRE(initialized != std::string::npos);
  REQUIRE(ready != std::string::npos);
  CHECK(initialized < ready);
}

TEST_CASE("mistakes in the configuration end the start with exit code 1 and a message") {
  const auto unknown = start_with("port 0\nno-such-directive yes\n");
  CHECK(unknown.exit_code == 1);
  CHECK(unknown.err.find("FATAL CONFIG FILE ERROR") != std::string::npos);
  CHECK(unknown.err.find("no-such-directive") != std::string::npos);
  CHECK(unknown.err.find("2") != std::string::npos);
  for (const char* text :
       {"port abc\n", "maxmemory lots\n", "appendonly perhaps\n", "maxmemory-policy random\n",
        "port\n", "requirepass \"unbalanced\n", "include /no/such/file.conf\n"}) {
    CAPTURE(text);
    const auto result = start_with(text);
    CHECK(result.exit_code == 1);
    CHECK_FALSE(result.err.empty());
  }
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"--user", "foo", "+nope"},
                                             {"--aclfile", "/no/such/file.acl"},
                                             {"--loadmodule", "/no/such/module.so"},
                                             {"--logfile", "/no/such/folder/log"}}) {
    CAPTURE(arguments[0]);
    CHECK(start_with("port 0\n", arguments).exit_code == 1);
  }
  const auto missing =
      run_command({hearth_server().binary, "/no/such/file.conf"}, milliseconds{15'000});
  CHECK(missing.exit_code == 1);
  CHECK(missing.err.find("/no/such/file.conf") != std::string::npos);
  CHECK(start_with("port 0\n", {"--no-such-option", "1"}).exit_code == 1);
}

TEST_CASE("a server that no client could reach does not start, and says why") {
  const auto start = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), hearth_server().binary);
    return run_command(arguments, milliseconds{15'000});
  };
  const auto says = [](const CommandResult& result, const std::string& text) {
    CAPTURE(text);
    CAPTURE(result.out);
    CAPTURE(result.err);
    CHECK(result.exit_code == 1);
    CHECK((result.out + result.err).find(text) != std::string::npos);
  };
  says(start({"--port", "0"}), "'port' is 0 and there is no 'unixsocket'");
  says(start({"--port", "21999", "--bind", ""}), "'bind' is empty and there is no 'unixsocket'");
  says(start({"--port", "0", "--unixsocket", "/nonexist/x.sock"}),
       "Failed opening Unix socket /nonexist/x.sock: No such file or directory");
  const TempDir dir;
  const std::string longest = dir.file(std::string(107 - dir.file("").size(), 'x'));
  says(start({"--port", "0", "--unixsocket", longest + "x"}),
       "the path has 108 bytes, the most are 107");
  // A file that is no socket stays.
  says(start({"--port", "0", "--unixsocket", dir.write("data", "precious")}), "already in use");
  CHECK(dir.read("data") == "precious");
  // Root may raise the limit again, unless the right to do so is taken away.
  const std::string as_user =
      ::geteuid() == 0 ? "setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource " : "";
  says(run_command({"/bin/sh", "-c", "ulimit -n 30; exec " + as_user + "\"$0\" --port 21999",
                    hearth_server().binary},
                   milliseconds{15'000}),
       "which is not enough to start");

  const auto server = start_peer(hearth_server(), {"unixsocket " + longest});
  CHECK(RespClient(longest).text({"PING"}) == "PONG");
}

TEST_CASE("files have the permissions that the umask and data-file-mode leave") {
  const auto mode_of = [](const std::string& path) {
    return std::filesystem::status(path).permissions() & std::filesystem::perms::all;
  };
  using std::filesystem::perms;
  const mode_t before = ::umask(027);
  for (const bool strict : {false, true}) {
    CAPTURE(strict);
    const auto dir = std::make_shared<TempDir>();
    std::vector<std::string> config{"appendonly yes", "logfile " + dir->file("own.log")};
    if (strict) config.emplace_back("data-file-mode 600");
    const auto server =
        ServerProcess::start({.binary = hearth_server().binary, .config = config, .dir = dir});
    REQUIRE(server != nullptr);
    CHECK(server->run({"SAVE"}) == "OK");
    const perms data = strict ? perms::owner_read | perms::owner_write
                              : perms::owner_read | perms::owner_write | perms::group_read;
    CHECK(mode_of(dir->file("dump.rdb")) == data);
    CHECK(mode_of(dir->file("appendonlydir/appendonly.aof.manifest")) == data);
    CHECK(mode_of(dir->file("appendonlydir")) ==
          (strict ? perms::owner_all : perms::owner_all | perms::group_read | perms::group_exec));
    CHECK(mode_of(dir->file("own.log")) ==
          (perms::owner_read | perms::owner_write | perms::group_read));
    // A file that may hold passwords stays as closed, or as open, as it was.
    std::filesystem::permissions(dir->file("server.conf"), perms::owner_read | perms::owner_write);
    CHECK(server->run({"CONFIG", "REWRITE"}) == "OK");
    CHECK(mode_of(dir->file("server.conf")) == (perms::owner_read | perms::owner_write));
    // The next snapshot is a new file.
    CHECK(server->run({"CONFIG", "SET", "data-file-mode", strict ? "640" : "600"}) == "OK");
    CHECK(server->run({"SAVE"}) == "OK");
    CHECK(mode_of(dir->file("dump.rdb")) ==
          (strict ? perms::owner_read | perms::owner_write | perms::group_read
                  : perms::owner_read | perms::owner_write));
  }
  ::umask(before);
}

TEST_CASE("SIGTERM while the data is loaded ends the server with exit code 0") {
  const auto dir = std::make_shared<TempDir>();
  {
    const auto server = ServerProcess::start({.binary = hearth_server().binary, .dir = dir});
    REQUIRE(server != nullptr);
    const auto client = server->client();
    for (int i = 0; i < 20'000; ++i) REQUIRE(client->send({"SET", std::to_string(i), "v"}));
    for (int i = 0; i < 20'000; ++i) REQUIRE(client->read().has_value());
    CHECK(client->text({"SAVE"}) == "OK");
  }
  const int port = free_port();
  ChildProcess slow(
      {hearth_server().binary, "--port", std::to_string(port), "--dir", dir->path(),
       "--key-load-delay", "10000", "--loading-process-events-interval-bytes", "1024"},
      dir->file("slow.log"), dir->file("slow.log"));
  REQUIRE(eventually([&] {
    RespClient client(port);
    return client.is_connected() && client.text({"GET", "k"}).starts_with("-LOADING");
  }));
  CHECK(slow.stop(SIGTERM) == 0);
}

TEST_CASE("a port in use ends the start with a message that names it") {
  const auto server = start_peer(hearth_server());
  const std::string port = std::to_string(server->port());
  const auto second = run_command({hearth_server().binary, "--port", port, "--bind", "127.0.0.1"},
                                  milliseconds{15'000});
  CHECK(second.exit_code == 1);
  CHECK((second.out + second.err).find("Failed listening on port " + port) != std::string::npos);
}

TEST_CASE("options of the command line override the file, and CONFIG REWRITE keeps them") {
  const auto server =
      ServerProcess::start({.binary = hearth_server().binary,
                            .config = {"# a comment that stays", "maxmemory 1gb", "save \"\""},
                            .arguments = {"--maxmemory", "200mb", "--loglevel", "verbose"}});
  REQUIRE(server != nullptr);
  CHECK(server->run({"CONFIG", "GET", "maxmemory"}) == "maxmemory 209715200");
  CHECK(server->run({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"}) == "OK");
  CHECK(server->run({"CONFIG", "REWRITE"}) == "OK");
  const std::string config = server->dir()->read("server.conf");
  CAPTURE(config);
  CHECK(config.find("# a comment that stays\n") != std::string::npos);
  CHECK(config.find("maxmemory 200mb\n") != std::string::npos);
  CHECK(config.find("maxmemory-policy allkeys-lru\n") != std::string::npos);
  CHECK(config.find("maxmemory 1gb") == std::string::npos);
}

TEST_CASE("what one server dumps the other restores") {
  const auto redis = redis_server();
  if (!redis) return;
  const auto theirs = start_peer(*redis);
  const auto ours = start_peer(hearth_server(), {"rdb-compat 7.0"});
  const auto move = [](const ServerProcess& from, const ServerProcess& to, const std::string& key) {
    const auto payload = from.client()->run({"DUMP", key});
    REQUIRE(payload.has_value());
    REQUIRE_FALSE(payload->is_null());
    CHECK(to.run({"RESTORE", key, "0", std::string(payload->text())}) == "OK");
  };
  for (const auto* server : {theirs.get(), ours.get()}) {
    server->run({"SET", "s", "a string"});
    server->run({"SET", "i", "12345"});
    server->run({"SET", "long", std::string(5'000, 'x')});
    server->run({"HSET", "small", "a", "1", "b", "two"});
    std::vector<std::string> big{"HSET", "big"};
    for (int i = 0; i < 1'000; ++i)
      big.insert(big.end(), {"field" + std::to_string(i), "value" + std::to_string(i)});
    server->run(big);
  }
  for (const char* key : {"s", "i", "long", "small", "big"}) {
    CAPTURE(key);
    theirs->run({"DEL", key});
    move(*ours, *theirs, key);
    ours->run({"DEL", key});
    move(*theirs, *ours, key);
  }
  for (const auto* server : {theirs.get(), ours.get()}) {
    CHECK(server->run({"GET", "s"}) == "a string");
    CHECK(server->run({"INCR", "i"}) == "12346");
    CHECK(server->run({"STRLEN", "long"}) == "5000");
    CHECK(server->run({"HGET", "small", "b"}) == "two");
    CHECK(server->run({"HGET", "big", "field777"}) == "value777");
    CHECK(server->run({"HLEN", "big"}) == "1000");
  }
}

// The server as the system that runs it sees it: its log, its service manager, its cores.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <filesystem>
#include <regex>

#include "src/base/socket_mark.h"
#include "tests/system/peers.h"

using namespace hearth::test;

namespace {

// Sets a variable for the processes that are started while it lives.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  ~Environment() {
    if (old_)
      ::setenv(name_, old_->c_str(), 1);
    else
      ::unsetenv(name_);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

// The socket that systemd gives to a service of Type=notify.
class NotifySocket {
 public:
  NotifySocket()
      : path_(dir_.file("notify")), fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  ~NotifySocket() { ::close(fd_); }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  // The next message; "" where there is none.
  [[nodiscard]] std::string message() const {
    char buffer[512];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
    return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : "";
  }

 private:
  TempDir dir_;
  std::string path_;
  int fd_;
};

// The cores that each thread of a process may use, as the kernel writes them.
std::vector<std::string> cores_of_threads(int pid) {
  std::vector<std::string> cores;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("Cpus_allowed_list:\t")) cores.push_back(line.substr(19));
    }
  }
  return cores;
}

bool every_line_matches(const std::string& text, const char* pattern) {
  std::istringstream lines(text);
  const std::regex form(pattern);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    if (std::regex_match(line, form)) continue;
    MESSAGE("does not match: " << line);
    return false;
  }
  return count > 0;
}

}  // namespace

TEST_CASE("lines of the log have the form and the times that were asked for") {
  CHECK(every_line_matches(start_peer(hearth_server())->log(),
                           R"(\d+:M \d\d \w+ \d{4} \d\d:\d\d:\d\d\.\d{3} [.*#-] .*)"));
  CHECK(
      every_line_matches(start_peer(hearth_server(), {"log-timestamp-format milliseconds"})->log(),
                         R"(\d+:M \d{13} [.*#-] .*)"));
  const auto server =
      start_peer(hearth_server(), {"log-format logfmt", "log-timestamp-format iso8601"});
  CHECK(every_line_matches(
      server->log(),
      R"(pid=\d+ role=primary timestamp="\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d" )"
      R"(level=(notice|warning|info|debug) message="([^"\\]|\\.)*")"));
  CHECK(server->run({"CONFIG", "SET", "log-format", "legacy", "log-timestamp-format", "legacy"}) ==
        "OK");
  CHECK(server->run({"CONFIG", "GET", "log-format"}).find("legacy") != std::string::npos);
}

TEST_CASE("the first version that --version names is that of the Redis spoken") {
  const auto result = run_command({hearth_server().binary, "--version"}, milliseconds{10'000});
  CHECK(result.exit_code == 0);
  CHECK_MESSAGE(std::regex_search(result.out,
                                  std::regex(R"(^Redis server v=7\.4\.\d+ hearth=\d+\.\d+\.\d+)")),
                result.out);
  const auto server = start_peer(hearth_server());
  const std::string info = server->run({"INFO", "server"});
  CHECK(info.find("redis_version:7.4.") != std::string::npos);
}

TEST_CASE("an empty server counts at most 0.9 MB") {
  const auto server =
      start_peer(hearth_server(), {"maxmemory 1mb", "maxmemory-policy allkeys-lru"});
  const std::string memory = server->run({"INFO", "memory"});
  if (memory.find("mem_allocator:jemalloc") == std::string::npos) {
    MESSAGE("skipped: this build's allocator is not the one that is shipped");
    return;
  }
  std::smatch used;
  REQUIRE(std::regex_search(memory, used, std::regex(R"(used_memory:(\d+))")));
  CHECK(std::stoul(used[1]) <= 900'000);
  CHECK(server->run({"SET", "k", "v"}) == "OK");
}

TEST_CASE(
    "a shutdown that the disk holds up says so, and how to end it; the version of a snapshot is "
    "told") {
  const auto server = start_peer(hearth_server());
  REQUIRE(server->run({"CONFIG", "SET", "save", "3600 1"}) == "OK");
  REQUIRE(server->run({"SET", "k", "v"}) == "OK");
  REQUIRE(server->run({"SAVE"}) == "OK");
  CHECK(server->log().find("'rdb-compat 7.0' writes for") != std::string::npos);
  REQUIRE(server->run({"SET", "k", "w"}) == "OK");
  std::filesystem::remove(server->dir()->file("dump.rdb"));
  std::filesystem::create_directory(server->dir()->file("dump.rdb"));
  server->process().send(SIGTERM);
  CHECK(eventually([&] { return server->log().find("SHUTDOWN NOSAVE") != std::string::npos; }));
  CHECK(server->run({"PING"}) == "PONG");
  CHECK(server->run({"CONFIG", "SET", "save", ""}) == "OK");
  CHECK(server->process().stop(SIGTERM) == 0);
}

TEST_CASE("a service manager is told when the server is ready and when it ends") {
  const NotifySocket socket;
  const Environment environment("NOTIFY_SOCKET", socket.path());
  for (const char* setting : {"systemd", "auto"}) {
    CAPTURE(setting);
    // The manager watches the process that it started: it does not go to the background.
    const auto server = start_peer(
        hearth_server(), {std::string("supervised ") + setting, "daemonize yes", "pidfile \"\""});
    CHECK(eventually([&] { return socket.message().find("READY=1\n") != std::string::npos; }));
    CHECK(server->run({"INFO", "server"}).find("process_supervised:systemd") != std::string::npos);
    server->process().send(SIGTERM);
    CHECK(eventually([&] { return socket.message().find("STOPPING=1\n") != std::string::npos; }));
    CHECK(eventually([&] { return !server->process().is_running(); }));
  }
  const auto server = start_peer(hearth_server(), {"supervised no"});
  CHECK(server->run({"INFO", "server"}).find("process_supervised:no") != std::string::npos);
  CHECK(socket.message().empty());
}

TEST_CASE("a service that waits to be warm counts as started when it is") {
  const NotifySocket socket;
  const Environment environment("NOTIFY_SOCKET", socket.path());
  const auto server = start_peer(
      hearth_server(), {"supervised systemd", "warm-gate loading", "warm-gate-deadline 3600"});
  std::string told;
  const auto is_told = [&](std::string_view what) {
    told += socket.message();
    return told.find(what) != std::string::npos;
  };
  CHECK(eventually([&] { return is_told("EXTEND_TIMEOUT_USEC=3630000000\n"); }));
  CHECK_FALSE(is_told("READY=1\n"));
  CHECK(server->run({"WARM", "OPEN"}) == "1");
  CHECK(eventually([&] { return is_told("READY=1\n"); }));
}

TEST_CASE("the service unit is closed to an exposure of 1.5, as systemd counts it") {
  const auto analyze = find_program("systemd-analyze");
  if (!analyze) {
    MESSAGE("skipped: systemd-analyze is not installed");
    return;
  }
  const auto result = run_command({*analyze, "security", "--offline=true", "--threshold=15",
                                   HEARTH_BINARY_DIR "/hearth.service"},
                                  milliseconds{30'000});
  CAPTURE(result.out);
  CHECK(result.exit_code == 0);
}

TEST_CASE("threads and children keep to the cores of their lists") {
  const auto free = start_peer(hearth_server());
  const std::string all = cores_of_threads(free->process().pid()).at(0);
  if (all == "0") {
    MESSAGE("skipped: there is one core only");
    return;
  }
  const auto server = start_peer(
      hearth_server(), {"server-cpulist 0", "bgsave-cpulist 1", "rdb-key-save-delay 10000000"});
  const int pid = server->process().pid();
  const auto cores = cores_of_threads(pid);
  CHECK(std::count(cores.begin(), cores.end(), "0") == 1);  // the one that serves
  CHECK(std::count(cores.begin(), cores.end(), all) == static_cast<long>(cores.size()) - 1);
  REQUIRE(server->run({"SET", "k", "v"}) == "OK");
  REQUIRE(server->run({"BGSAVE"}) == "Background saving started");
  std::string child;
  std::ifstream("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children") >>
      child;
  REQUIRE(!child.empty());
  CHECK(eventually([&] { return cores_of_threads(std::stoi(child)).at(0) == "1"; }));

  const auto odd = start_peer(hearth_server(), {"server-cpulist 1-0", "bio-cpulist 0"});
  CHECK(odd->log().find("server-cpulist: '1-0' is no list of cores") != std::string::npos);
  const auto background = cores_of_threads(odd->process().pid());
  CHECK(std::count(background.begin(), background.end(), "0") == 2);
}

TEST_CASE("new connections speak the protocol that client-default-resp names") {
  const auto server = start_peer(hearth_server(), {"client-default-resp 3"});
  const auto client = server->client();
  REQUIRE(client->send_raw("CONFIG GET port\r\n"));
  const auto reply = client->read();
  REQUIRE(reply.has_value());
  CHECK(reply->kind == hearth::RespKind::kMap);
}

TEST_CASE("SORT ALPHA gives texts in the order of the locale, and stores them in that of bytes") {
  const TempDir locales;
  const std::string locale = "de_DE.UTF-8";
  const auto localedef = find_program("localedef");
  // It ends with 1 at times because of warnings; whether there is a locale is what counts.
  if (!localedef ||
      std::system((*localedef + " -i de_DE -f UTF-8 " + locales.file(locale) + " >/dev/null 2>&1")
                      .c_str()) < 0 ||
      !std::filesystem::exists(locales.file(locale) + "/LC_COLLATE")) {
    MESSAGE("skipped: the package locales is not installed");
    return;
  }
  const Environment path("LOCPATH", locales.path());
  const Environment all("LC_ALL", locale);
  for (const Peer& peer : all_peers()) {
    CAPTURE(peer.name);
    const auto server = start_peer(peer);
    server->run({"RPUSH", "l", "b", "B", "a", "\xC3\xA4", "C"});
    for (const char* item : {"b", "B", "a", "\xC3\xA4", "C"})
      server->run({"SET", std::string("weight_") + item, item});
    const std::string in_locale = "a \xC3\xA4 b B C", in_bytes = "B C a b \xC3\xA4";
    CHECK(server->run({"SORT", "l", "ALPHA"}) == in_locale);
    CHECK(server->run({"SORT_RO", "l", "ALPHA", "BY", "weight_*"}) == in_locale);
    CHECK(server->run({"SORT", "l", "ALPHA", "DESC", "LIMIT", "0", "1"}) == "C");
    CHECK(server->run({"SORT", "l", "ALPHA", "STORE", "stored"}) == "5");
    CHECK(server->run({"LRANGE", "stored", "0", "-1"}) == in_bytes);
    if (peer.name == "redis-server") continue;  // 7.0 has no locale-collate
    CHECK(server->run({"CONFIG", "SET", "locale-collate", "C"}) == "OK");
    CHECK(server->run({"SORT", "l", "ALPHA"}) == in_bytes);
    CHECK(server->run({"CONFIG", "SET", "locale-collate", "none_NO"}).find("Invalid locale name") !=
          std::string::npos);
    CHECK(server->run({"CONFIG", "SET", "locale-collate", ""}) == "OK");
    CHECK(server->run({"SORT", "l", "ALPHA"}) == in_locale);
  }
}

TEST_CASE("socket-mark-id marks what listens, where the system lets it") {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(fd >= 0);
  std::uint32_t mark = 0;
  socklen_t size = sizeof mark;
  const bool allowed = ::setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, size) == 0;
  hearth::mark_socket(fd, 7);
  REQUIRE(::getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &size) == 0);
  CHECK(mark == (allowed ? 7U : 0U));
  ::close(fd);
  const auto server = start_peer(hearth_server(), {"socket-mark-id 7"});
  CHECK(server->run({"PING"}) == "PONG");
  CHECK((server->log().find("Could not give a listening socket the mark 7") == std::string::npos) ==
        allowed);
}

// The data set on the disk: an engine with its persistence on a disk in memory that crashes.
#include "src/server/persistence.h"

#include <doctest/doctest.h>

#include "src/command/table.h"
#include "src/commands/all.h"
#include "tests/support/mem_file_system.h"

using namespace hearth;
using hearth::test::MemFileSystem;

namespace {

class FakeClock final : public Clock {
 public:
  UnixMillis unix_now() const override { return now; }
  MonoTime mono_now() const override { return MonoTime{now.ms * 1000}; }
  UnixMillis now{1'000'000'000'000};
};

// Runs the job at once; its end is told when the test says so.
class InlineLauncher final : public ChildLauncher {
 public:
  Result<int> start(Job job) override {
    if (refuses) return fail(ErrorCode::kIo, "no child today");
    job_ = std::move(job);
    running_ = true;
    stopped_ = false;
    ++forks_;
    const auto done = job_.run(kPid, [](std::uint64_t) {});
    outcome_ = {};
    outcome_.succeeded = static_cast<bool>(done);
    if (!done) outcome_.error = done.error().context;
    return kPid;
  }
  void stop() override {
    stopped_ = true;
    finish();
  }
  void stop_and_forget() override { running_ = false; }
  bool is_running() const override { return running_; }
  std::int64_t last_fork_us() const override { return 0; }
  std::uint64_t forks() const override { return forks_; }

  void finish() {
    if (!running_) return;
    running_ = false;
    outcome_.stopped_by_us = stopped_;
    if (stopped_) outcome_.succeeded = false;
    const Job job = std::move(job_);
    job.on_end(outcome_);
  }
  bool refuses = false;

 private:
  static constexpr int kPid = 77;
  Job job_;
  ChildOutcome outcome_;
  bool running_ = false, stopped_ = false;
  std::uint64_t forks_ = 0;
};

class InlineSyncer final : public aof::Syncer {
 public:
  void start(std::shared_ptr<io::File> file, std::uint64_t up_to) override {
    if (file->sync()) synced_ = up_to;
  }
  bool is_busy() const override { return false; }
  std::uint64_t synced() const override { return synced_; }
  std::string error() const override { return {}; }
  void wait() override {}

 private:
  std::uint64_t synced_ = 0;
};

class Server final : public EngineHost {
 public:
  using Config = std::vector<std::vector<std::string>>;
  Server(MemFileSystem& disk, const Config& config) : table_(specs_) {
    for (const auto& words : config) REQUIRE(config_.apply_directive(words));
    Persistence::Ports ports;
    ports.config = &config_;
    ports.disk = &disk;
    ports.children = &children;
    ports.syncer = &syncer_;
    ports.clock = &clock;
    ports.sleep = [](microseconds) {};
    ports.wants_changed = [this] { engine_->want_commands(persistence->wants_commands()); };
    ports.give_up = [this] { gave_up = true; };
    persistence = std::make_unique<Persistence>(std::move(ports));
    Engine::Options o;
    o.seed = 1;
    o.config = &config_;
    o.commands = &table_;
    o.host = this;
    o.ticks = [] { return std::uint64_t{0}; };
    o.persistence = persistence.get();
    o.now = clock.now;
    o.mono = MonoTime{1};
    engine_ = std::make_unique<Engine>(std::move(o));
    persistence->attach(*engine_);
    engine_->add_sink(persistence->sink());
    started = persistence->load_at_start([] { return true; });
    engine_->set_time(clock.unix_now(), clock.mono_now());
    session_ = &engine_->open({"127.0.0.1:1", "127.0.0.1:2", 1, false, true, false});
  }
  template <typename... A>
  std::string run(const A&... words) {
    const std::vector<std::string> owned{std::string(words)...};
    const std::vector<std::string_view> argv(owned.begin(), owned.end());
    engine_->execute(*session_, argv);
    persistence->end_turn();
    std::string reply = session_->out.str();
    session_->out.clear();
    return reply;
  }
  std::string digest() { return run("DEBUG", "DIGEST"); }
  std::string info(std::string_view field) {
    const std::string text = run("INFO", "persistence");
    const std::size_t at = text.find(std::string(field) + ":");
    if (at == std::string::npos) return "(none)";
    const std::size_t from = at + field.size() + 1;
    return text.substr(from, text.find("\r\n", from) - from);
  }
  void advance(milliseconds by) {
    clock.now = clock.now + by;
    engine_->set_time(clock.unix_now(), clock.mono_now());
  }

  void flush_soon(Session&) override {}
  void close_soon(Session&) override {}
  void resume_soon(Session&) override {}

  FakeClock clock;
  InlineLauncher children;
  std::unique_ptr<Persistence> persistence;
  bool started = false, gave_up = false;

 private:
  std::vector<const CommandSpec*> specs_ = all_commands();
  CommandTable table_;
  config::Registry config_;
  InlineSyncer syncer_;
  std::unique_ptr<Engine> engine_;
  Session* session_ = nullptr;
};

const Server::Config kPlain = {{"save", ""}, {"enable-debug-command", "yes"}};
const Server::Config kLogged = {{"save", ""},
                                {"enable-debug-command", "yes"},
                                {"appendonly", "yes"},
                                {"appendfsync", "always"},
                                {"auto-aof-rewrite-percentage", "0"}};

void fill(Server& server) {
  server.run("SET", "s", "v");
  server.run("SET", "timed", "v", "PX", "100000");
  server.run("HSET", "h", "f", "1", "g", "2");
  server.run("SELECT", "3");
  server.run("INCRBY", "n", "41");
  server.run("MULTI");
  server.run("INCR", "n");
  server.run("SET", "t", "u");
  server.run("EXEC");
  server.run("SELECT", "0");
}

}  // namespace

TEST_CASE("SAVE writes what the next start loads") {
  MemFileSystem disk;
  std::string before;
  {
    Server server(disk, kPlain);
    REQUIRE(server.started);
    fill(server);
    CHECK(server.info("rdb_changes_since_last_save") != "0");
    CHECK(server.run("SAVE") == "+OK\r\n");
    CHECK(server.info("rdb_changes_since_last_save") == "0");
    before = server.digest();
  }
  disk.crash();
  Server server(disk, kPlain);
  CHECK(server.digest() == before);
  CHECK(server.info("rdb_last_load_keys_loaded") == "5");
}

TEST_CASE("a damaged snapshot keeps the server from starting") {
  MemFileSystem disk;
  disk.put("dump.rdb", "REDIS0011 and then nothing that makes sense");
  CHECK_FALSE(Server(disk, kPlain).started);
  disk.put("dump.rdb", "SOMETHING else");
  CHECK_FALSE(Server(disk, kPlain).started);
}

TEST_CASE("BGSAVE saves the moment it was asked, and counts what comes after") {
  MemFileSystem disk;
  Server server(disk, kPlain);
  server.run("SET", "a", "1");
  CHECK(server.run("BGSAVE") == "+Background saving started\r\n");
  CHECK(server.info("rdb_bgsave_in_progress") == "1");
  CHECK(server.run("BGSAVE") == "-ERR Background save already in progress\r\n");
  CHECK(server.run("SAVE") == "-ERR Background save already in progress\r\n");
  server.run("SET", "b", "2");
  server.children.finish();
  CHECK(server.info("rdb_bgsave_in_progress") == "0");
  CHECK(server.info("rdb_last_bgsave_status") == "ok");
  CHECK(server.info("rdb_changes_since_last_save") == "1");
  CHECK(server.run("BGSAVE", "CANCEL") ==
        "-ERR Background saving is currently not in progress or scheduled\r\n");
}

TEST_CASE("BGSAVE CANCEL and FLUSHALL end a save that is under way") {
  MemFileSystem disk;
  Server server(disk, kPlain);
  server.run("SET", "a", "1");
  server.run("BGSAVE");
  CHECK(server.run("BGSAVE", "CANCEL") == "+Background saving cancelled\r\n");
  CHECK(server.info("rdb_bgsave_in_progress") == "0");
  CHECK(server.info("rdb_last_bgsave_status") == "ok");
  server.run("BGSAVE");
  server.run("FLUSHALL");
  CHECK(server.info("rdb_bgsave_in_progress") == "0");
}

TEST_CASE("after FLUSHALL an empty snapshot is up to date, if there are save points") {
  MemFileSystem disk;
  {
    Server server(disk, {{"save", "3600", "1"}});
    server.run("SET", "a", "1");
    server.run("FLUSHALL");
    CHECK(server.info("rdb_changes_since_last_save") == "0");
  }
  Server server(disk, kPlain);
  server.run("SET", "a", "1");
  server.run("FLUSHALL");
  CHECK(server.info("rdb_changes_since_last_save") != "0");
}

TEST_CASE("one child at a time: what comes second is refused or scheduled") {
  MemFileSystem disk;
  Server server(disk, kPlain);
  CHECK(server.run("BGREWRITEAOF") == "+Background append only file rewriting started\r\n");
  CHECK(server.run("BGREWRITEAOF") ==
        "-ERR Background append only file rewriting already in progress\r\n");
  CHECK(server.run("BGSAVE").starts_with("-ERR Another child process is active (AOF?)"));
  CHECK(server.run("BGSAVE", "SCHEDULE") == "+Background saving scheduled\r\n");
  CHECK(server.run("BGSAVE", "CANCEL") == "+Scheduled background saving cancelled\r\n");
  CHECK(server.run("BGSAVE", "SCHEDULE") == "+Background saving scheduled\r\n");
  server.children.finish();
  server.persistence->tick();
  CHECK(server.info("rdb_bgsave_in_progress") == "1");
}

TEST_CASE("a save point saves after enough changes and enough time") {
  MemFileSystem disk;
  Server server(disk, {{"save", "10", "2"}});
  server.run("SET", "a", "1");
  server.advance(seconds(11));
  server.persistence->tick();
  CHECK(server.info("rdb_bgsave_in_progress") == "0");
  server.run("SET", "a", "2");
  server.persistence->tick();
  CHECK(server.info("rdb_bgsave_in_progress") == "1");
}

TEST_CASE("after a snapshot failed, writes are refused until one succeeds") {
  MemFileSystem disk;
  Server server(disk, {{"save", "900", "1"}});
  disk.fail_at(1);
  server.run("BGSAVE");
  server.children.finish();
  CHECK(server.info("rdb_last_bgsave_status") == "err");
  CHECK(server.run("SET", "a", "1").starts_with("-MISCONF "));
  CHECK(server.run("PING").starts_with("-MISCONF "));
  CHECK(server.run("GET", "a") == "$-1\r\n");
  CHECK(server.run("CONFIG", "SET", "stop-writes-on-bgsave-error", "no") == "+OK\r\n");
  CHECK(server.run("SET", "a", "1") == "+OK\r\n");
  disk.fail_at(0);
  server.run("CONFIG", "SET", "stop-writes-on-bgsave-error", "yes");
  CHECK(server.run("SAVE") == "+OK\r\n");
  CHECK(server.run("SET", "a", "2") == "+OK\r\n");
}

TEST_CASE("DEBUG RELOAD brings the same data back, NOSAVE the data of the last snapshot") {
  MemFileSystem disk;
  Server server(disk, kPlain);
  fill(server);
  const std::string before = server.digest();
  CHECK(server.run("DEBUG", "RELOAD") == "+OK\r\n");
  CHECK(server.digest() == before);
  server.run("SET", "later", "1");
  CHECK(server.run("DEBUG", "RELOAD", "NOSAVE") == "+OK\r\n");
  CHECK(server.digest() == before);
  CHECK(server.run("DEBUG", "RELOAD", "NOFLUSH").starts_with("-ERR Error trying to load the RDB"));
  CHECK(server.run("DEBUG", "RELOAD", "x").starts_with("-ERR DEBUG RELOAD only supports"));
}

TEST_CASE("the log brings everything back: from the start, after a rewrite, in both base forms") {
  for (const char* preamble : {"yes", "no"}) {
    CAPTURE(preamble);
    MemFileSystem disk;
    Server::Config config = kLogged;
    config.push_back({"aof-use-rdb-preamble", preamble});
    std::string before;
    {
      Server server(disk, config);
      REQUIRE(server.started);
      fill(server);
      before = server.digest();
      CHECK(server.run("DEBUG", "LOADAOF") == "+OK\r\n");
      CHECK(server.digest() == before);
      server.run("BGREWRITEAOF");
      server.run("SET", "during", "1");
      server.children.finish();
      server.run("SET", "after", "1");
      server.run("DEL", "s");
      before = server.digest();
      CHECK(server.run("DEBUG", "LOADAOF") == "+OK\r\n");
      CHECK(server.digest() == before);
    }
    disk.crash();
    Server server(disk, config);
    REQUIRE(server.started);
    CHECK(server.digest() == before);
    const std::string base = preamble == std::string("yes") ? "rdb" : "aof";
    CHECK(disk.contents("appendonlydir/appendonly.aof.manifest") ==
          "file appendonly.aof.2.base." + base +
              " seq 2 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n");
  }
}

TEST_CASE("a key that expired while the server was down is replayed as it was") {
  MemFileSystem disk;
  {
    Server server(disk, kLogged);
    server.run("SET", "kept", "v", "PX", "1000");
    server.run("PERSIST", "kept");
    server.run("SET", "gone", "v", "PX", "1000");
  }
  Server server(disk, kLogged);
  server.advance(seconds(100));
  CHECK(server.run("GET", "kept") == "$1\r\nv\r\n");
  CHECK(server.run("GET", "gone") == "$-1\r\n");
}

TEST_CASE("a log whose end was cut off is loaded without it, if that is allowed") {
  const std::string set = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
  const std::string cut = set + "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n";
  const auto disk_with_log = [&](MemFileSystem& disk) {
    REQUIRE(disk.make_dir("appendonlydir"));
    disk.put("appendonlydir/appendonly.aof.1.incr.aof", cut);
    disk.put("appendonlydir/appendonly.aof.manifest",
             "file appendonly.aof.1.incr.aof seq 1 type i\n");
  };
  MemFileSystem disk;
  disk_with_log(disk);
  {
    Server server(disk, kLogged);
    REQUIRE(server.started);
    CHECK(server.run("GET", "a") == "$1\r\n1\r\n");
    CHECK(server.run("EXISTS", "b") == ":0\r\n");
  }
  CHECK(disk.contents("appendonlydir/appendonly.aof.1.incr.aof") == set);
  MemFileSystem strict;
  disk_with_log(strict);
  Server::Config config = kLogged;
  config.push_back({"aof-load-truncated", "no"});
  CHECK_FALSE(Server(strict, config).started);
}

TEST_CASE("the log can be turned on and off while the server runs") {
  MemFileSystem disk;
  Server server(disk, kPlain);
  server.run("SET", "a", "1");
  CHECK(server.run("CONFIG", "SET", "appendonly", "yes") == "+OK\r\n");
  CHECK(server.info("aof_enabled") == "1");
  CHECK(server.info("aof_rewrite_in_progress") == "1");
  server.run("SET", "b", "2");
  CHECK_FALSE(disk.exists("appendonlydir/appendonly.aof.manifest"));
  server.children.finish();
  CHECK(disk.contents("appendonlydir/appendonly.aof.manifest") ==
        "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type "
        "i\n");
  const std::string before = server.digest();
  CHECK(server.run("DEBUG", "LOADAOF") == "+OK\r\n");
  CHECK(server.digest() == before);
  CHECK(server.run("CONFIG", "SET", "appendonly", "no") == "+OK\r\n");
  CHECK(server.info("aof_enabled") == "0");
}

TEST_CASE("a log that grew by its percentage is rewritten by itself") {
  MemFileSystem disk;
  Server server(disk, {{"save", ""},
                       {"appendonly", "yes"},
                       {"auto-aof-rewrite-percentage", "100"},
                       {"auto-aof-rewrite-min-size", "1000"}});
  server.persistence->tick();
  CHECK(server.info("aof_rewrite_in_progress") == "0");
  server.run("SET", "k", std::string(2000, 'x'));
  server.persistence->tick();
  CHECK(server.info("aof_rewrite_in_progress") == "1");
  server.children.finish();
  server.persistence->tick();
  CHECK(server.info("aof_rewrite_in_progress") == "0");
}

TEST_CASE("with fsync always nothing that was answered is lost, whenever the disk fails") {
  const auto live = [](Server& server) {
    std::vector<std::string> answered;
    for (int i = 0; i < 12 && !server.gave_up; ++i) {
      const std::string key = "k" + std::to_string(i);
      const std::string reply = server.run("SET", key, "v");
      if (!server.gave_up && reply == "+OK\r\n") answered.push_back(key);
      if (i == 4) server.run("BGREWRITEAOF");
      if (i == 7) server.children.finish();
    }
    return answered;
  };
  int operations = 0;
  {
    MemFileSystem disk;
    Server server(disk, kLogged);
    const int start = disk.operations();
    CHECK(live(server).size() == 12);
    operations = disk.operations() - start;
  }
  REQUIRE(operations > 20);
  for (int n = 1; n <= operations; ++n) {
    for (const std::size_t torn : {0U, 5U}) {
      CAPTURE(n);
      CAPTURE(torn);
      MemFileSystem disk;
      disk.keep_unsynced(torn);
      std::vector<std::string> answered;
      {
        Server server(disk, kLogged);
        REQUIRE(server.started);
        disk.fail_at(n);
        answered = live(server);
      }
      disk.crash();
      Server server(disk, kLogged);
      REQUIRE(server.started);
      for (const std::string& key : answered) {
        CAPTURE(key);
        CHECK(server.run("EXISTS", key) == ":1\r\n");
      }
    }
  }
}

// The data set on the disk: an engine with its persistence on a disk in memory that crashes.
#include "src/server/persistence.h"
#include "src/command/replication_control.h"

#include <doctest/doctest.h>

#include "src/command/table.h"
#include "src/commands/all.h"
#include "tests/support/fake_persistence.h"
#include "tests/support/figure_watch.h"
#include "tests/support/figures_elsewhere.h"
#include "tests/support/inline_launcher.h"
#include "tests/support/manual_disk.h"
#include "tests/support/mem_file_system.h"

using namespace hearth;
using hearth::test::FakeReplication;
using hearth::test::FigureWatch;
using hearth::test::InlineLauncher;
using hearth::test::ManualDisk;
using hearth::test::MemFileSystem;

namespace {

class FakeClock final : public Clock {
 public:
  UnixMillis unix_now() const override { return now; }
  MonoTime mono_now() const override { return MonoTime{now.ms * 1000}; }
  UnixMillis now{1'000'000'000'000};
};

class Server final : public EngineHost {
 public:
  using Config = std::vector<std::vector<std::string>>;
  Server(MemFileSystem& disk, const Config& config, milliseconds later = milliseconds(0),
         const std::function<void(Server&)>& while_loading = nullptr)
      : table_(specs_) {
    clock.now = clock.now + later;
    for (const auto& words : config) REQUIRE(config_.apply_directive(words));
    Persistence::Ports ports;
    ports.config = &config_;
    ports.disk = &disk;
    ports.children = &children;
    ports.disk_thread = &disk_thread;
    ports.pid = 4711;
    ports.is_alive = [](int pid) { return pid == 78; };
    ports.stream_position = [this] { return position; };
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
    started = persistence->load_at_start([&] {
      if (while_loading) while_loading(*this);
      return true;
    });
    engine_->set_time(clock.unix_now(), clock.mono_now());
    session_ = &engine_->open({"127.0.0.1:1", "127.0.0.1:2", 1, false, true, false});
    other_ = &engine_->open({"127.0.0.1:3", "127.0.0.1:2", 1, false, true, false});
    count_.engine = engine_.get();
    engine_->services().replication = &count_;
  }
  template <typename... A>
  std::string run(const A&... words) {
    return run_in(*session_, {std::string(words)...});
  }
  template <typename... A>
  std::string run_as_other(const A&... words) {
    return run_in(*other_, {std::string(words)...});
  }
  // The host holds back what these wrote.
  bool must_wait() { return engine_->sessions().must_wait_for_disk(*session_); }
  bool other_must_wait() { return engine_->sessions().must_wait_for_disk(*other_); }
  std::string digest() { return run("DEBUG", "DIGEST"); }
  std::string info(std::string_view field) {
    const std::string text = run("INFO", "persistence");
    const std::size_t at = text.find(std::string(field) + ":");
    if (at == std::string::npos) return "(none)";
    const std::size_t from = at + field.size() + 1;
    return text.substr(from, text.find("\r\n", from) - from);
  }
  void look(FigureWatch& watch) { watch.look(*engine_->services().info); }
  void advance(milliseconds by) {
    clock.now = clock.now + by;
    engine_->set_time(clock.unix_now(), clock.mono_now());
  }

  void flush_soon(Session&) override {}
  void close_soon(Session&) override {}
  void resume_soon(Session&) override {}

  FakeClock clock;
  InlineLauncher children;
  ManualDisk disk_thread;
  // Of the stream that the data is made of.
  std::optional<aof::StreamPosition> position;
  std::unique_ptr<Persistence> persistence;
  bool started = false, gave_up = false;

 private:
  // Where the stream stands without replicas: it counts changes.
  class Count final : public FakeReplication {
   public:
    std::uint64_t offset() const override { return engine->effects().changes(); }
    Engine* engine = nullptr;
  };
  std::string run_in(Session& session, const std::vector<std::string>& words) {
    const std::vector<std::string_view> argv(words.begin(), words.end());
    engine_->execute(session, argv);
    persistence->end_turn();
    std::string reply = session.out.str();
    session.out.clear();
    return reply;
  }

  std::vector<const CommandSpec*> specs_ = all_commands();
  CommandTable table_;
  config::Registry config_;
  Count count_;
  std::unique_ptr<Engine> engine_;
  Session *session_ = nullptr, *other_ = nullptr;
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

namespace {

// Values that are too large for one word of a log, with all that belongs to them.
void fill_large(Server& server) {
  const std::string item(4096, 'x');
  for (int i = 0; i < 300; ++i) {
    const std::string n = std::to_string(i);
    server.run("RPUSH", "list", item + n);
    server.run("SADD", "set", item + n);
    server.run("ZADD", "zset", std::to_string(i * 0.1), item + n);
    server.run("HSET", "hash", "f" + n, item);
    server.run("XADD", "stream", "5-" + std::to_string(i + 1), "f", item, "g", n);
  }
  server.run("RPUSH", "few", std::string(3 << 20, 'a'), std::string(3 << 20, 'b'));
  server.run("ZADD", "zset", "inf", "infinite", "-inf", "least", "1e-7", "small");
  server.run("HPEXPIRE", "hash", "5000", "FIELDS", "2", "f1", "f200");
  server.run("PEXPIRE", "list", "9000");
  server.run("XDEL", "stream", "5-300", "5-7");
  server.run("XGROUP", "CREATE", "stream", "readers", "5-3");
  server.run("XREADGROUP", "GROUP", "readers", "ann", "COUNT", "9", "STREAMS", "stream", ">");
  server.run("XGROUP", "CREATECONSUMER", "stream", "readers", "idle");
  server.run("XDEL", "stream", "5-5");
  server.run("XTRIM", "stream", "MAXLEN", "250");
  server.run("SET", "string", std::string(3 << 20, 's'));
  server.run("APPEND", "string", "tail");
  server.run("SETBIT", "string", std::to_string(8 * (3 << 20) + 100), "1");
}

}  // namespace

TEST_CASE("a log of commands has no words of whole values, and is replayed under smaller limits") {
  MemFileSystem disk;
  Server::Config config = kLogged;
  config.push_back({"aof-use-rdb-preamble", "no"});
  std::string before, groups, consumers;
  {
    Server server(disk, config);
    fill_large(server);
    // The second time all of it stands in the base, the first time in the increment.
    for (int rewritten = 0; rewritten < 2; ++rewritten) {
      before = server.digest();
      groups = server.run("XINFO", "STREAM", "stream", "FULL", "COUNT", "0");
      REQUIRE(server.run("CONFIG", "SET", "proto-max-bulk-len", "1mb") == "+OK\r\n");
      CHECK(server.run("DEBUG", "LOADAOF") == "+OK\r\n");
      CHECK(server.digest() == before);
      CHECK(server.run("XINFO", "STREAM", "stream", "FULL", "COUNT", "0") == groups);
      CHECK(server.run("HPEXPIRETIME", "hash", "FIELDS", "2", "f1", "f2").find(":-1") !=
            std::string::npos);
      REQUIRE(server.run("CONFIG", "SET", "proto-max-bulk-len", "512mb") == "+OK\r\n");
      server.run("BGREWRITEAOF");
      server.children.finish();
    }
  }
  // No word but that of the large string and items is longer than a piece.
  const std::string base = disk.contents("appendonlydir/appendonly.aof.3.base.aof");
  std::size_t longest = 0;
  for (std::size_t at = base.find("\n$"); at != std::string::npos; at = base.find("\n$", at + 1))
    longest = std::max<std::size_t>(longest, std::stoul(base.substr(at + 2, 12)));
  CHECK(longest < (4 << 20));
  CHECK(base.find("RPUSH") != std::string::npos);
  config.push_back({"proto-max-bulk-len", "1mb"});
  Server server(disk, config);
  REQUIRE(server.started);
  CHECK(server.digest() == before);
}

TEST_CASE("a log that selects a database which is not there is not loaded into another one") {
  MemFileSystem disk;
  Server::Config config = kLogged;
  config.push_back({"aof-use-rdb-preamble", "no"});
  {
    Server server(disk, config);
    server.run("SELECT", "9");
    server.run("SET", "a", "1");
  }
  config.push_back({"databases", "4"});
  CHECK_FALSE(Server(disk, config).started);
}

TEST_CASE("a snapshot is loaded under smaller limits than it was written") {
  MemFileSystem disk;
  std::string before;
  {
    Server server(disk, kPlain);
    fill_large(server);
    before = server.digest();
    REQUIRE(server.run("SAVE") == "+OK\r\n");
  }
  Server::Config config = kPlain;
  config.push_back({"proto-max-bulk-len", "1mb"});
  Server server(disk, config);
  REQUIRE(server.started);
  CHECK(server.digest() == before);
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

TEST_CASE("a log that can't be synced refuses writes and confirms nothing until it is rewritten") {
  MemFileSystem disk;
  Server::Config config = kLogged;
  config[2 + 1] = {"appendfsync", "everysec"};
  Server server(disk, config);
  REQUIRE(server.started);
  server.advance(seconds(2));
  CHECK(server.run("SET", "a", "1") == "+OK\r\n");
  CHECK(server.persistence->log_is_synced());
  server.advance(seconds(2));
  disk.fail_once_at(2);
  server.run("SET", "b", "2");
  CHECK_FALSE(server.persistence->log_is_synced());
  CHECK(server.info("aof_last_write_status") == "err");
  CHECK(server.run("SET", "c", "3") ==
        "-MISCONF Errors writing to the AOF file: fsync: injected fault\r\n");
  server.advance(seconds(2));
  server.persistence->end_turn();
  CHECK_FALSE(server.persistence->log_is_synced());
  server.persistence->tick();
  CHECK(server.info("aof_rewrite_in_progress") == "1");
  server.children.finish();
  CHECK(server.run("SET", "d", "4") == "+OK\r\n");
  CHECK(server.info("aof_last_write_status") == "ok");
  server.advance(seconds(2));
  server.persistence->end_turn();
  CHECK(server.persistence->log_is_synced());
  const std::string before = server.digest();
  disk.crash();
  Server again(disk, config);
  REQUIRE(again.started);
  CHECK(again.digest() == before);
  CHECK(again.run("EXISTS", "a", "b", "d") == ":3\r\n");
}

TEST_CASE("with fsync always the server ends rather than answer what the disk does not have") {
  MemFileSystem disk;
  Server server(disk, kLogged);
  disk.fail_once_at(2);
  server.run("SET", "a", "1");
  CHECK(server.gave_up);
}

TEST_CASE("with fsync always a reply waits for the disk, a reader does not") {
  MemFileSystem disk;
  Server server(disk, kLogged);
  server.disk_thread.hold(true);
  server.run("SET", "a", "1");
  CHECK(server.must_wait());
  CHECK(server.run_as_other("GET", "a") == "$1\r\n1\r\n");
  CHECK_FALSE(server.other_must_wait());
  server.disk_thread.step();
  server.persistence->end_turn();
  CHECK_FALSE(server.must_wait());
}

TEST_CASE("a log that is turned on over a snapshot begins with its data") {
  MemFileSystem disk;
  std::string before;
  {
    Server server(disk, kPlain);
    fill(server);
    REQUIRE(server.run("SAVE") == "+OK\r\n");
    before = server.digest();
  }
  {
    Server server(disk, kLogged);
    REQUIRE(server.started);
    CHECK(server.digest() == before);
  }
  disk.crash();
  CHECK(disk.exists("appendonlydir/appendonly.aof.1.base.rdb"));
  disk.put("dump.rdb", "not read any more");
  Server server(disk, kLogged);
  REQUIRE(server.started);
  CHECK(server.digest() == before);
}

TEST_CASE("what is loaded says where its stream stood, unless something was logged behind that") {
  const aof::StreamPosition position{std::string(40, 'e'), 4711, 3};
  MemFileSystem disk;
  {
    Server server(disk, kPlain);
    CHECK_FALSE(server.persistence->loaded_position().has_value());
    server.position = position;
    server.run("SET", "timed", "v", "PX", "1000");
    REQUIRE(server.run("SAVE") == "+OK\r\n");
  }
  {
    Server server(disk, kPlain);
    CHECK(server.persistence->loaded_position() == position);
  }
  for (const char* preamble : {"yes", "no"}) {
    CAPTURE(preamble);
    MemFileSystem logs;
    Server::Config config = kLogged;
    config.push_back({"aof-use-rdb-preamble", preamble});
    const auto end = [](Server& server) {
      REQUIRE(server.persistence->prepare_shutdown({.nosave = true}));
    };
    {
      Server server(logs, config);
      server.run("SET", "a", "1");
      server.position = position;
      end(server);
    }
    {
      Server server(logs, config);
      CHECK(server.persistence->loaded_position() == position);
      server.run("SET", "b", "1");
    }
    Server server(logs, config);
    CHECK_FALSE(server.persistence->loaded_position().has_value());
    CHECK(server.run("DBSIZE") == ":2\r\n");
  }
}

TEST_CASE("keys past their deadline are kept for those that follow the stream, and hidden") {
  MemFileSystem disk;
  {
    Server server(disk, kPlain);
    server.position = aof::StreamPosition{std::string(40, 'e'), 1, 0};
    server.run("SET", "timed", "v", "PX", "1000");
    REQUIRE(server.run("SAVE") == "+OK\r\n");
  }
  Server server(disk, kPlain, seconds(100));
  CHECK(server.info("rdb_last_load_keys_expired") == "0");
  CHECK(server.run("GET", "timed") == "$-1\r\n");
}

TEST_CASE("what killed processes left is removed, what lives is not") {
  MemFileSystem disk;
  const std::vector<std::string> gone{"temp-77.rdb", "temp-repl-77.rdb", "temp-1700000000.77.rdb",
                                      "temp-rewriteaof-bg-77.aof", "temp-4711.rdb"};
  const std::vector<std::string> kept{"temp-78.rdb", "temp-file.rdb", "temp-77.txt", "dump-77.rdb",
                                      "temp-x.77.rdb"};
  for (const std::string& name : gone) disk.put(name, "x");
  for (const std::string& name : kept) disk.put(name, "x");
  disk.put("appendonlydir/temp-appendonly.aof.incr", "x");
  const Server server(disk, kPlain);
  REQUIRE(server.started);
  for (const std::string& name : gone) {
    CAPTURE(name);
    CHECK_FALSE(disk.exists(name));
  }
  for (const std::string& name : kept) {
    CAPTURE(name);
    CHECK(disk.exists(name));
  }
  CHECK_FALSE(disk.exists("appendonlydir/temp-appendonly.aof.incr"));
}

TEST_CASE("a snapshot that can't be loaded is found out without touching the data") {
  MemFileSystem disk;
  Server server(disk, kPlain);
  fill(server);
  REQUIRE(server.run("SAVE") == "+OK\r\n");
  const std::string before = server.digest();
  const auto serve = [] { return true; };
  CHECK(server.persistence->check_snapshot("dump.rdb", serve));
  const std::string whole = disk.contents("dump.rdb");
  for (std::size_t n = 0; n < whole.size(); n += 3) {
    CAPTURE(n);
    disk.put("cut.rdb", whole.substr(0, n));
    CHECK_FALSE(server.persistence->check_snapshot("cut.rdb", serve));
  }
  CHECK(server.digest() == before);
}

TEST_CASE("a library that can't be loaded is found out without touching those that are there") {
  MemFileSystem disk;
  Server server(disk, kPlain);
  std::vector<std::string> tried;
  int loaded = 0;
  server.persistence->set_libraries(
      {.sources =
           [] {
             return std::vector<std::string>{"first", "broken"};
           },
       .load = [&](const std::string&, bool) -> Result<void> { return ++loaded, Result<void>(); },
       .clear = [] {},
       .begin_trial = [&]() -> Persistence::Libraries::Trial {
         return [&](const std::string& source) -> Result<void> {
           tried.push_back(source);
           if (source == "broken") return fail(ErrorCode::kCorrupt, "no library");
           return {};
         };
       }});
  REQUIRE(server.run("SAVE") == "+OK\r\n");
  const auto checked = server.persistence->check_snapshot("dump.rdb", [] { return true; });
  CHECK_FALSE(checked);
  CHECK(tried == std::vector<std::string>{"first", "broken"});
  CHECK(loaded == 0);
}

namespace {

void watch_a_snapshot(FigureWatch& watch, MemFileSystem& disk) {
  Server server(disk, kPlain);
  server.look(watch);
  fill(server);
  server.run("SET", "stale", "v", "PX", "3000");
  for (int i = 0; i < 2000; ++i) server.run("SET", "k" + std::to_string(i), std::string(500, 'x'));
  server.advance(seconds(1));
  server.children.fork_us = 70;
  server.run("BGSAVE");
  server.children.report({.keys = 2, .copied_bytes = 4096});
  server.advance(seconds(1));
  server.look(watch);
  server.children.finish();
  server.look(watch);
  server.advance(seconds(2));
  server.run("DEBUG", "RELOAD", "NOSAVE");
  server.look(watch);
}

void watch_the_log(FigureWatch& watch) {
  MemFileSystem disk;
  Server server(disk, {{"save", ""}, {"appendfsync", "everysec"}});
  watch.begin();
  server.look(watch);
  server.run("CONFIG", "SET", "appendonly", "yes");
  server.children.report({.keys = 2, .copied_bytes = 4096});
  server.look(watch);
  server.advance(seconds(3));
  server.children.finish();
  server.persistence->end_turn();
  server.look(watch);
  server.run("BGSAVE");
  server.run("BGREWRITEAOF");
  server.look(watch);
  server.children.finish();
  server.persistence->tick();
  server.children.fail_job();
  server.children.finish();
  server.look(watch);
  server.disk_thread.hold(true);
  server.advance(seconds(2));
  server.run("SET", "a", "1");
  server.run("SET", "b", "2");
  server.look(watch);
  server.advance(std::chrono::minutes(1));
  server.persistence->end_turn();
  server.look(watch);
  server.disk_thread.hold(false);
}

}  // namespace

TEST_CASE("the figures of snapshots and of the log move") {
  MemFileSystem disk;
  FigureWatch watch;
  watch_a_snapshot(watch, disk);
  Server again(disk, {{"save", ""}, {"loading-process-events-interval-bytes", "1024"}},
               milliseconds(0), [&](Server& server) {
                 server.advance(seconds(1));
                 server.look(watch);
               });
  watch_the_log(watch);
  for (const std::string_view row : hearth::test::kFiguresOfPersistence) {
    CAPTURE(row);
    CHECK(watch.has_moved(row));
  }
}

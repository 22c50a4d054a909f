#include <doctest/doctest.h>

#include "persistence/aof/append_log.h"
#include "persistence/aof/replay.h"
#include "tests/support/mem_file_system.h"

using namespace hearth;
using aof::AppendLog;
using aof::SyncPolicy;
using hearth::test::MemFileSystem;

namespace {

class InlineSyncer final : public aof::Syncer {
 public:
  void start(std::shared_ptr<io::File> file, std::uint64_t up_to) override {
    ++starts;
    if (file->sync()) done_ = up_to;
  }
  bool is_busy() const override { return busy; }
  std::uint64_t synced() const override { return done_; }
  std::string error() const override { return {}; }
  void wait() override {}
  int starts = 0;
  bool busy = false;

 private:
  std::uint64_t done_ = 0;
};

Effect effect(DbIndex db, std::vector<std::string> words) { return {db, 0, std::move(words)}; }

void commit(AppendLog& log, const std::vector<Effect>& effects) { log.on_commit({effects, {}}); }

struct Played {
  std::vector<std::string> lines;
  bool cut_off = false;
  std::uint64_t whole = 0;
  std::string error;
};

Played play(const std::string& bytes) {
  MemFileSystem fs;
  fs.put("log", bytes);
  const auto file = fs.open("log", io::OpenMode::kRead);
  io::InputWindow window(**file, "log");
  Played played;
  bool in_multi = false;
  aof::ReplayHandler handler;
  handler.run = [&](std::span<const std::string_view> words) -> Result<void> {
    std::string line;
    for (const auto word : words) line += (line.empty() ? "" : " ") + std::string(word);
    if (line == "MULTI") in_multi = true;
    if (line == "EXEC") in_multi = false;
    played.lines.push_back(line);
    return {};
  };
  handler.in_transaction = [&] { return in_multi; };
  handler.progress = [](std::uint64_t) { return Result<void>(); };
  const auto end = aof::replay(window, handler);
  if (!end) {
    played.error = end.error().context;
  } else {
    played.cut_off = end->cut_off;
    played.whole = end->whole_up_to;
  }
  return played;
}

}  // namespace

TEST_CASE("units are logged with SELECT when the database changes, and MULTI around several") {
  MemFileSystem fs;
  InlineSyncer syncer;
  AppendLog log(syncer);
  log.use(std::move(*fs.open("log", io::OpenMode::kAppend)), 0);
  commit(log, {effect(0, {"SET", "a", "1"})});
  commit(log, {effect(0, {"SET", "b", "2"}), effect(3, {"DEL", "c"})});
  commit(log, {effect(3, {"DEL", "d"})});
  REQUIRE(log.flush({SyncPolicy::kAlways, false, false, MonoTime{1}}));
  CHECK(log.size() == fs.contents("log").size());
  CHECK(log.synced_total() == log.appended_total());
  CHECK(play(fs.contents("log")).lines == std::vector<std::string>{"SELECT 0", "SET a 1", "MULTI",
                                                                   "SET b 2", "SELECT 3", "DEL c",
                                                                   "EXEC", "DEL d"});
}

TEST_CASE("a write that fails is taken back and can be tried again") {
  MemFileSystem fs;
  InlineSyncer syncer;
  AppendLog log(syncer);
  log.use(std::move(*fs.open("log", io::OpenMode::kAppend)), 0);
  commit(log, {effect(0, {"SET", "a", "1"})});
  fs.fail_at(1);
  CHECK_FALSE(log.flush({}));
  fs.fail_at(0);
  CHECK(log.buffered() > 0);
  REQUIRE(log.flush({}));
  CHECK(log.buffered() == 0);
}

TEST_CASE("every second the log is synced once, elsewhere, and a busy disk puts writes off") {
  MemFileSystem fs;
  InlineSyncer syncer;
  AppendLog log(syncer);
  log.use(std::move(*fs.open("log", io::OpenMode::kAppend)), 0);
  const auto flush_at = [&](std::int64_t ms) {
    REQUIRE(log.flush({SyncPolicy::kEverySecond, false, false, MonoTime{ms * 1000}}));
  };
  commit(log, {effect(0, {"SET", "a", "1"})});
  flush_at(5000);
  CHECK(syncer.starts == 1);
  commit(log, {effect(0, {"SET", "a", "2"})});
  flush_at(5500);
  CHECK(syncer.starts == 1);
  CHECK(log.buffered() == 0);
  CHECK(log.synced_total() < log.appended_total());
  flush_at(6000);
  CHECK(syncer.starts == 2);
  CHECK(log.synced_total() == log.appended_total());
  syncer.busy = true;
  commit(log, {effect(0, {"SET", "a", "3"})});
  flush_at(7000);
  CHECK(log.buffered() > 0);
  flush_at(9000);
  CHECK(log.buffered() == 0);
  CHECK(log.delayed() == 1);
}

TEST_CASE("notes of the time stand in front of the first command of a second") {
  MemFileSystem fs;
  InlineSyncer syncer;
  AppendLog log(syncer);
  log.use(std::move(*fs.open("log", io::OpenMode::kAppend)), 0);
  log.set_timestamps(true);
  log.set_now(UnixMillis{5000});
  commit(log, {effect(0, {"PING"})});
  commit(log, {effect(0, {"PING"})});
  REQUIRE(log.flush({}));
  CHECK(fs.contents("log") ==
        "#TS:5\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n");
  CHECK(play(fs.contents("log")).lines == std::vector<std::string>{"SELECT 0", "PING", "PING"});
}

TEST_CASE("a log cut at any byte is whole up to its last command outside of a transaction") {
  const std::string ping = "*1\r\n$4\r\nPING\r\n";
  const std::string unit =
      "*1\r\n$5\r\nMULTI\r\n*2\r\n$3\r\nDEL\r\n$1\r\na\r\n*1\r\n$4\r\nEXEC\r\n";
  const std::string bytes = ping + unit + "#TS:1\r\n" + ping;
  for (std::size_t n = 0; n <= bytes.size(); ++n) {
    CAPTURE(n);
    const Played played = play(bytes.substr(0, n));
    CHECK(played.error.empty());
    std::size_t whole = 0;
    for (const std::size_t end : {std::size_t{0}, ping.size(), ping.size() + unit.size(),
                                  ping.size() + unit.size() + 7, bytes.size()}) {
      if (end <= n) whole = end;
    }
    CHECK(played.whole == whole);
    CHECK(played.cut_off == (whole != n));
  }
}

TEST_CASE("bytes that are no commands are refused with their offset") {
  CHECK(play("*1\r\n$4\r\nPING\r\n!!!*1\r\n").error ==
        "log: offset 14: Bad file format reading the append only file");
  CHECK(play("*x\r\n").error == "log: offset 0: Bad file format reading the append only file");
}

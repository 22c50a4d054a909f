#include <doctest/doctest.h>

#include <algorithm>

#include "persistence/aof/log.h"
#include "persistence/aof/replay.h"
#include "src/base/random.h"
#include "tests/support/manual_disk.h"
#include "tests/support/mem_file_system.h"

using namespace hearth;
using aof::Log;
using aof::SyncPolicy;
using hearth::test::ManualDisk;
using hearth::test::MemFileSystem;

namespace {

Effect effect(DbIndex db, std::vector<std::string> words) { return {db, 0, std::move(words)}; }

void commit(Log& log, const std::vector<Effect>& effects) { log.on_commit({effects, {}}); }

// A log on a disk in memory. One unit is "N <number>"; its number is also its offset in the stream.
class Logged {
 public:
  explicit Logged(MemFileSystem& fs) : fs_(fs), files_(fs, "dir", "log"), log(files_, fs, disk) {}

  // As a server that starts on what is there. False: the disk failed.
  bool open() {
    const auto start = [this]() -> Result<void> {
      HEARTH_TRY_VOID(files_.open());
      if (files_.manifest().empty()) {
        HEARTH_TRY_VOID(files_.make_dir());
        HEARTH_TRY_VOID(write_base());
        HEARTH_TRY_VOID(files_.switch_base(
            {.base_temp_path = "temp-base", .form = aof::LogFiles::BaseForm::kCommands}));
      }
      if (files_.manifest().increments.empty()) HEARTH_TRY_VOID(files_.add_increment());
      return log.open();
    };
    return static_cast<bool>(start());
  }
  void write_unit() {
    ++number_;
    commit(log, {effect(0, {"N", std::to_string(number_)})});
  }
  void turn(SyncPolicy policy = SyncPolicy::kEverySecond) {
    turn_.policy = policy;
    turn_.now = MonoTime{now_ms * 1000};
    turn_.offset = static_cast<std::uint64_t>(number_);
    log.turn(turn_);
    for (const Log::Event& event : log.take_events()) events.push_back(event.kind);
  }
  [[nodiscard]] std::uint64_t barrier() const { return log.barrier(turn_); }
  // The file of the child: the base of this moment.
  Result<void> write_base() {
    HEARTH_TRY(const std::unique_ptr<io::File> file, fs_.open("temp-base", io::OpenMode::kCreate));
    HEARTH_TRY_VOID(file->append("*2\r\n$4\r\nBASE\r\n$" +
                                 std::to_string(std::to_string(number_).size()) + "\r\n" +
                                 std::to_string(number_) + "\r\n"));
    return file->sync();
  }
  bool begin_rewrite() {
    log.begin_rewrite(static_cast<std::uint64_t>(number_));
    return static_cast<bool>(write_base());
  }
  void finish_rewrite() {
    log.finish_rewrite("temp-base", aof::LogFiles::BaseForm::kCommands, false);
  }
  [[nodiscard]] bool saw(Log::Event::Kind kind) const {
    return std::find(events.begin(), events.end(), kind) != events.end();
  }
  [[nodiscard]] std::string text() const {
    const auto& increments = files_.manifest().increments;
    return increments.empty() ? "" : fs_.contents(files_.path_of(increments.back()));
  }
  [[nodiscard]] int number() const { return number_; }

  ManualDisk disk;
  std::vector<Log::Event::Kind> events;
  std::int64_t now_ms = 5000;

 private:
  MemFileSystem& fs_;
  aof::LogFiles files_;
  int number_ = 0;
  Log::Turn turn_;

 public:
  Log log;
};

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
  Logged logged(fs);
  REQUIRE(logged.open());
  commit(logged.log, {effect(0, {"SET", "a", "1"})});
  commit(logged.log, {effect(0, {"SET", "b", "2"}), effect(3, {"DEL", "c"})});
  commit(logged.log, {effect(3, {"DEL", "d"})});
  logged.turn(SyncPolicy::kAlways);
  CHECK(logged.log.size() == logged.text().size());
  CHECK(logged.log.is_synced());
  CHECK(play(logged.text()).lines == std::vector<std::string>{"SELECT 0", "SET a 1", "MULTI",
                                                              "SET b 2", "SELECT 3", "DEL c",
                                                              "EXEC", "DEL d"});
}

TEST_CASE("a write that fails is taken back, and tried again when that is asked for") {
  MemFileSystem fs;
  Logged logged(fs);
  REQUIRE(logged.open());
  logged.write_unit();
  fs.fail_once_at(1);
  logged.turn();
  CHECK(logged.log.trouble() == Log::Trouble::kWrite);
  CHECK(logged.log.buffered() > 0);
  CHECK(logged.text().empty());
  logged.write_unit();
  logged.turn();
  CHECK(logged.text().empty());
  logged.log.retry();
  logged.turn();
  CHECK(logged.log.trouble() == Log::Trouble::kNone);
  CHECK(logged.events ==
        std::vector{Log::Event::Kind::kWriteFailed, Log::Event::Kind::kWriteRecovered});
  logged.turn();
  CHECK(play(logged.text()).lines == std::vector<std::string>{"SELECT 0", "N 1", "N 2"});
}

TEST_CASE("nothing is written behind torn bytes that could not be cut off") {
  MemFileSystem fs;
  Logged logged(fs);
  REQUIRE(logged.open());
  logged.write_unit();
  fs.fail_at(1);
  logged.turn();
  CHECK_FALSE(logged.text().empty());  // half of the write, and the truncate failed too
  fs.fail_once_at(1);                  // it fails once more
  logged.log.retry();
  logged.turn();
  CHECK(logged.log.trouble() == Log::Trouble::kWrite);
  logged.log.retry();
  logged.turn();
  CHECK(play(logged.text()).lines == std::vector<std::string>{"SELECT 0", "N 1"});
}

TEST_CASE("every second the log is synced once; what is committed meanwhile gathers") {
  MemFileSystem fs;
  Logged logged(fs);
  REQUIRE(logged.open());
  logged.write_unit();
  logged.turn();
  CHECK(logged.log.synced_offset() == 1);
  logged.now_ms = 5500;
  logged.write_unit();
  logged.turn();
  CHECK(logged.log.buffered() == 0);
  CHECK(logged.log.synced_offset() == 1);
  CHECK_FALSE(logged.log.is_synced());
  logged.now_ms = 6000;
  logged.turn();
  CHECK(logged.log.synced_offset() == 2);
  CHECK(logged.log.is_synced());
  logged.disk.hold(true);
  logged.now_ms = 7000;
  logged.write_unit();
  logged.turn();
  CHECK(logged.log.sync_pending());
  logged.write_unit();
  logged.turn();
  CHECK(logged.log.buffered() > 0);
  CHECK(logged.barrier() == UINT64_MAX);  // nobody waits yet
  logged.now_ms = 9000;
  logged.turn();
  CHECK(logged.barrier() == 2);
  CHECK(logged.log.delayed() == 1);
  CHECK(logged.saw(Log::Event::Kind::kSlow));
  while (logged.disk.step()) logged.turn();
  CHECK(logged.log.synced_offset() == 4);
  CHECK(logged.barrier() == UINT64_MAX);
}

TEST_CASE("with fsync always replies wait until the disk has the write, and only those") {
  MemFileSystem fs;
  Logged logged(fs);
  REQUIRE(logged.open());
  logged.turn(SyncPolicy::kAlways);
  CHECK(logged.barrier() == 0);
  logged.disk.hold(true);
  logged.write_unit();
  logged.turn(SyncPolicy::kAlways);
  CHECK(logged.barrier() == 0);
  logged.write_unit();
  logged.turn(SyncPolicy::kAlways);
  REQUIRE(logged.disk.step());
  logged.turn(SyncPolicy::kAlways);
  CHECK(logged.barrier() == 1);
  REQUIRE(logged.disk.step());
  logged.turn(SyncPolicy::kAlways);
  CHECK(logged.barrier() == 2);
}

TEST_CASE("after a sync failed nothing is confirmed until a rewrite is complete") {
  MemFileSystem fs;
  Logged logged(fs);
  REQUIRE(logged.open());
  logged.write_unit();
  logged.turn();
  CHECK(logged.log.synced_offset() == 1);
  logged.now_ms += 1000;
  logged.write_unit();
  fs.fail_once_at(2);  // the write is well
  logged.turn();
  CHECK(logged.log.trouble() == Log::Trouble::kSync);
  CHECK(logged.log.error() == "fsync: injected fault");
  CHECK(logged.log.synced_offset() == 0);
  for (int i = 0; i < 5; ++i) {
    logged.now_ms += 1000;
    logged.write_unit();
    logged.turn();
    CHECK(logged.log.synced_offset() == 0);
    CHECK_FALSE(logged.log.is_synced());
  }
  REQUIRE(logged.begin_rewrite());
  logged.now_ms += 1000;
  logged.write_unit();
  logged.turn();
  CHECK(logged.log.synced_offset() == 0);
  logged.finish_rewrite();
  logged.turn();
  CHECK(logged.log.trouble() == Log::Trouble::kNone);
  CHECK(logged.log.synced_offset() == 8);
  CHECK(logged.saw(Log::Event::Kind::kSyncRecovered));
  fs.crash();
  CHECK(play(logged.text()).lines == std::vector<std::string>{"SELECT 0", "N 8"});
}

TEST_CASE("a sync that fails again during the rewrite needs another one") {
  MemFileSystem fs;
  Logged logged(fs);
  REQUIRE(logged.open());
  logged.write_unit();
  fs.fail_once_at(2);
  logged.turn();
  REQUIRE(logged.begin_rewrite());
  logged.now_ms += 1000;
  logged.write_unit();
  fs.fail_once_at(2);
  logged.turn();
  logged.finish_rewrite();
  logged.turn();
  CHECK(logged.log.trouble() == Log::Trouble::kSync);
  CHECK(logged.log.synced_offset() == 0);
  REQUIRE(logged.begin_rewrite());
  logged.finish_rewrite();
  logged.turn();
  CHECK(logged.log.synced_offset() == 2);
}

TEST_CASE("a rewrite whose increment can't be made is void, and the log in use stays") {
  MemFileSystem fs;
  Logged logged(fs);
  REQUIRE(logged.open());
  logged.write_unit();
  logged.turn();
  logged.write_unit();
  fs.fail_once_at(4);  // behind the write and both syncs
  logged.log.begin_rewrite(2);
  CHECK(logged.log.rewrite_is_void());
  REQUIRE(logged.write_base());
  logged.finish_rewrite();
  logged.turn();
  CHECK(logged.saw(Log::Event::Kind::kIncrementFailed));
  CHECK(logged.saw(Log::Event::Kind::kSwitchFailed));
  CHECK_FALSE(logged.log.is_switching());
  CHECK_FALSE(fs.exists("temp-base"));
  logged.write_unit();
  logged.turn();
  // The database is named again where the increment was to begin.
  CHECK(play(logged.text()).lines ==
        std::vector<std::string>{"SELECT 0", "N 1", "N 2", "SELECT 0", "N 3"});
}

TEST_CASE("a log that is turned on confirms nothing before its first base") {
  MemFileSystem fs;
  Logged logged(fs);
  logged.log.begin_first();
  CHECK_FALSE(logged.log.takes_units());
  REQUIRE(logged.begin_rewrite());
  logged.write_unit();
  logged.turn(SyncPolicy::kAlways);
  CHECK(logged.log.synced_offset() == 0);
  CHECK(logged.barrier() == UINT64_MAX);
  logged.log.abandon_rewrite();
  CHECK(logged.log.state() == Log::State::kFirstRewrite);
  CHECK_FALSE(fs.exists("dir/temp-log.incr"));
  REQUIRE(logged.begin_rewrite());
  logged.write_unit();
  logged.turn(SyncPolicy::kAlways);
  logged.finish_rewrite();
  logged.turn(SyncPolicy::kAlways);
  CHECK(logged.log.state() == Log::State::kOn);
  CHECK(logged.log.synced_offset() == 2);
  CHECK(play(logged.text()).lines == std::vector<std::string>{"SELECT 0", "N 2"});
}

TEST_CASE("notes of the time stand in front of the first command of a second") {
  MemFileSystem fs;
  Logged logged(fs);
  REQUIRE(logged.open());
  logged.log.set_timestamps(true);
  logged.log.set_time(UnixMillis{5000});
  commit(logged.log, {effect(0, {"PING"})});
  commit(logged.log, {effect(0, {"PING"})});
  logged.turn();
  CHECK(logged.text() ==
        "#TS:5\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nPING\r\n");
  CHECK(play(logged.text()).lines == std::vector<std::string>{"SELECT 0", "PING", "PING"});
}

TEST_CASE("the note of where the stream stands is read as it was written, and nothing else is") {
  const aof::StreamPosition position{std::string(40, 'c'), 1234567, 9};
  const std::string note = aof::position_note(position);
  CHECK(note.starts_with("#"));
  CHECK(aof::parse_position_note(note) == position);
  for (std::size_t n = 0; n + 3 < note.size(); ++n) {
    const auto cut = aof::parse_position_note(note.substr(0, n));
    CHECK_FALSE(cut.has_value());
  }
  for (const std::string& other :
       {std::string("#TS:5\r\n"), "#REPL:" + std::string(40, 'z') + " 1 0\r\n",
        "#REPL:" + std::string(40, 'a') + " -1 0\r\n",
        "#REPL:" + std::string(40, 'a') + " 99999999999999999999 0\r\n"}) {
    CAPTURE(other);
    CHECK_FALSE(aof::parse_position_note(other).has_value());
  }
}

namespace {

// The content of a log's files: the number of the last unit, if all units up to it are in it
// once; else a text that says what is wrong.
std::string loaded(MemFileSystem& fs, int& last) {
  aof::LogFiles files(fs, "dir", "log");
  if (auto opened = files.open(); !opened) return opened.error().context;
  last = 0;
  std::vector<aof::LogFile> all;
  if (files.manifest().base) all.push_back(*files.manifest().base);
  all.insert(all.end(), files.manifest().increments.begin(), files.manifest().increments.end());
  for (const aof::LogFile& file : all) {
    const Played played = play(fs.contents(files.path_of(file)));
    if (!played.error.empty() && file.name != all.back().name) return file.name + played.error;
    for (const std::string& line : played.lines) {
      if (line.starts_with("BASE ")) last = std::stoi(line.substr(5));
      if (!line.starts_with("N ")) continue;
      if (std::stoi(line.substr(2)) != last + 1)
        return file.name + ": " + line + " behind " + std::to_string(last);
      ++last;
    }
  }
  return "";
}

}  // namespace

TEST_CASE("whatever the disk does, what was confirmed is there after a crash, once") {
  int healed = 0;
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    MemFileSystem fs;
    fs.keep_unsynced(rng.below(3) * 7);
    int confirmed = 0;
    {
      Logged logged(fs);
      REQUIRE(logged.open());
      const SyncPolicy policy = rng.below(2) == 0 ? SyncPolicy::kAlways : SyncPolicy::kEverySecond;
      bool rewriting = false;
      const int steps = 5 + static_cast<int>(rng.below(60));
      for (int i = 0; i < steps; ++i) {
        switch (rng.below(10)) {
          case 0: fs.fail_once_at(1 + static_cast<int>(rng.below(4))); break;
          case 1: logged.disk.hold(rng.below(2) == 0); break;
          case 2: logged.log.retry(); break;
          case 3:
            if (!rewriting && !logged.log.is_switching()) rewriting = logged.begin_rewrite();
            break;
          case 4:
            if (std::exchange(rewriting, false)) logged.finish_rewrite();
            break;
          case 5: logged.disk.step(); break;
          default: logged.write_unit(); break;
        }
        logged.now_ms += static_cast<std::int64_t>(rng.below(700));
        logged.turn(policy);
        confirmed = std::max(confirmed, static_cast<int>(logged.log.synced_offset()));
        CHECK(confirmed <= logged.number());
      }
      healed += logged.saw(Log::Event::Kind::kSyncRecovered) ? 1 : 0;
      // Work that was given and not done is lost with the process.
      const bool is_damaged = logged.log.trouble() == Log::Trouble::kSync;
      fs.crash();
      int last = 0;
      const std::string problem = loaded(fs, last);
      // A crash before the rewrite that replaces a damaged file: it is noticed, at least.
      if (is_damaged && !problem.empty()) continue;
      CHECK(problem == "");
      CHECK(last >= confirmed);
      CHECK(last <= logged.number());
      if (last < confirmed) return;
    }
  }
  CHECK(healed > 20);  // else the test shows less than it says
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

TEST_CASE("a length that the file has no bytes for is its end, and costs no memory") {
  const std::string ping = "*1\r\n$4\r\nPING\r\n";
  for (const char* length : {"100000", "5000000000", "100000000000000"}) {
    CAPTURE(length);
    const Played played = play(ping + "*2\r\n$3\r\nGET\r\n$" + length + "\r\nabc");
    CHECK(played.error.empty());
    CHECK(played.cut_off);
    CHECK(played.whole == ping.size());
  }
}

TEST_CASE("bytes that are no commands are refused with their offset") {
  CHECK(play("*1\r\n$4\r\nPING\r\n!!!*1\r\n").error ==
        "log: offset 14: Bad file format reading the append only file");
  CHECK(play("*x\r\n").error == "log: offset 0: Bad file format reading the append only file");
}

// Workers between a source and a sink that are in memory.
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/support/temp_dir.h"
#include "tools/cache_warm/checkpoint.h"
#include "tools/cache_warm/node_info.h"
#include "tools/cache_warm/progress.h"
#include "tools/cache_warm/sender.h"
#include "tools/cache_warm/summary.h"
#include "tools/cache_warm/worker.h"

using namespace hearth;
using namespace hearth::warm;

namespace {

// Advances a little with every look, as real time does.
class StepClock final : public Clock {
 public:
  UnixMillis unix_now() const override { return UnixMillis{0}; }
  MonoTime mono_now() const override { return now_ = now_ + microseconds{100}; }
  void advance(milliseconds by) { now_ = now_ + by; }

 private:
  mutable MonoTime now_{1};
};

class RowsReader final : public Reader {
 public:
  RowsReader(std::vector<Column> columns, std::vector<std::vector<Cell>> rows)
      : columns_(std::move(columns)), rows_(std::move(rows)) {}
  std::optional<std::size_t> fails_after;
  bool is_gone = false;
  [[nodiscard]] bool is_lost() override { return is_gone; }

  Result<std::unique_ptr<RowStream>> open(const Selection&, const Chunk&) override {
    class Stream final : public RowStream {
     public:
      explicit Stream(const RowsReader& reader) : reader_(reader) {}
      const std::vector<Column>& columns() const override { return reader_.columns_; }
      Result<std::optional<Row>> next() override {
        if (reader_.fails_after && at_ == *reader_.fails_after)
          return fail(ErrorCode::kIo, "disk on fire");
        if (at_ == reader_.rows_.size()) return std::optional<Row>{};
        return std::optional<Row>(Row(reader_.rows_[at_++]));
      }
      const RowsReader& reader_;
      std::size_t at_ = 0;
    };
    return std::unique_ptr<RowStream>(std::make_unique<Stream>(*this));
  }

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

// Keeps rows unanswered until `finish`, as a pipeline does; refuses the tags it is told to.
class QueueSink final : public RowSink {
 public:
  explicit QueueSink(StepClock& clock) : clock_(clock) {}
  client::CompletionSink* fates = nullptr;
  std::set<std::string> refused_keys;
  std::string refusal = "ERR no";
  std::vector<std::string> keys;
  std::optional<std::size_t> fails_after;
  std::atomic<bool>* interrupt_after_put = nullptr;
  int idles = 0;

  Result<void> put(const client::Operation& row) override {
    if (fails_after && keys.size() == *fails_after) return fail(ErrorCode::kIo, "node gone");
    keys.emplace_back(row.key);
    waiting_.emplace_back(row.tag, std::string(row.key));
    if (interrupt_after_put != nullptr) interrupt_after_put->store(true);
    return {};
  }
  Result<void> idle(milliseconds wait) override {
    ++idles;
    clock_.advance(wait);
    return {};
  }
  Result<void> finish(std::optional<milliseconds>) override {
    for (const auto& [tag, key] : waiting_) {
      if (refused_keys.contains(key)) {
        fates->on_refused(tag, key, refusal);
      } else {
        fates->on_done(tag);
      }
    }
    waiting_.clear();
    return {};
  }

 private:
  StepClock& clock_;
  std::vector<std::pair<std::uint64_t, std::string>> waiting_;
};

struct Bench {
  explicit Bench(std::string_view lines, std::vector<std::vector<Cell>> rows)
      : plan(*parse_plan(
            "[[mapping]]\nname = \"m\"\ntable = \"t\"\nkey = \"k:{id}\"\n" + std::string(lines),
            "t")),
        reader({{"id", false}, {"v", false}}, std::move(rows)),
        rejects(plan.errors, [this](const std::string& line) { printed.push_back(line); }),
        job(plan, clock, rejects, interrupt),
        sender(job),
        sink(clock) {
    sink.fates = &sender;
    sender.send_to(sink);
    for (const auto& mapping : plan.mappings) {
      job.mappings.push_back({&mapping, {}, {0}, 0});
      job.add_task({job.mappings.size() - 1, Chunk{}});
    }
  }
  LoadReport run() {
    const MonoTime begun = clock.mono_now();
    Worker worker(job, reader, sender);
    worker.work();
    LoadReport report;
    if (const auto stop = job.reason_to_stop()) {
      report.end = stop->end;
      report.reason = stop->reason;
    }
    report.mappings = job.tallies();
    report.seconds = static_cast<double>((clock.mono_now() - begun).count()) / 1e6;
    return report;
  }

  WarmPlan plan;
  StepClock clock;
  RowsReader reader;
  std::vector<std::string> printed;
  RejectLog rejects;
  std::atomic<bool> interrupt{false};
  Job job;
  Sender sender;
  QueueSink sink;
};

Cell integer(std::int64_t v) { return {CellType::kInteger, v, 0, {}}; }
Cell text(std::string_view v) { return {CellType::kText, 0, 0, v}; }

std::vector<std::vector<Cell>> rows(int count) {
  std::vector<std::vector<Cell>> result;
  for (int i = 1; i <= count; ++i) result.push_back({integer(i), text("x")});
  return result;
}

}  // namespace

TEST_CASE("every row is stored and confirmed") {
  Bench bench("", rows(1000));
  const LoadReport report = bench.run();
  CHECK(report.end == LoadEnd::kComplete);
  CHECK(report.total().rows_read == 1000);
  CHECK(report.total().keys_written == 1000);
  CHECK(report.total().rows_stored == 1000);
  CHECK(report.unconfirmed() == 0);
  CHECK(bench.sink.keys.front() == "k:1");
  CHECK(exit_code_of(report) == kExitAllStored);
}

TEST_CASE("a mapping is through when its last chunk has all answers, and not when one is lost") {
  Bench bench("", rows(10));
  bench.job.add_task({0, Chunk{}});
  CHECK_FALSE(bench.job.is_through(0));
  CHECK(bench.run().total().rows_stored == 20);
  CHECK(bench.job.is_through(0));

  Bench lost("", rows(10));
  lost.job.add_task({0, Chunk{}});
  lost.reader.is_gone = true;
  lost.reader.fails_after = 5;
  lost.run();
  CHECK(lost.job.tasks().size() == 2);
  CHECK_FALSE(lost.job.is_through(0));
  lost.job.clear_tasks();
  CHECK(lost.job.is_through(0));
}

TEST_CASE("bad and refused rows are skipped and counted") {
  auto data = rows(10);
  data[2][0] = Cell{};
  data[5][1] = text("\xff");
  Bench bench("", data);
  bench.sink.refused_keys = {"k:9"};
  const LoadReport report = bench.run();
  CHECK(report.end == LoadEnd::kComplete);
  CHECK(report.total().rows_stored == 7);
  CHECK(report.total().rows_bad == 3);
  CHECK(bench.rejects.count() == 3);
  CHECK(exit_code_of(report) == kExitSomeBad);
}

TEST_CASE("on_error fail ends the run at the first bad row, max_errors at one more than it says") {
  auto data = rows(3000);
  for (auto& row : data) row[1] = text("\xff");
  {
    Bench bench("[errors]\non_error = \"fail\"\n", data);
    const LoadReport report = bench.run();
    CHECK(report.end == LoadEnd::kTooManyErrors);
    CHECK(report.total().rows_read == 1);
    CHECK(exit_code_of(report) == kExitTooManyErrors);
  }
  Bench bench("[errors]\nmax_errors = 20\n", data);
  CHECK(bench.run().total().rows_read == 21);
  Bench by_default("", data);
  CHECK(by_default.run().total().rows_read == 1001);
}

TEST_CASE("refusals that arrive last still end the run as too many") {
  Bench bench("[errors]\non_error = \"fail\"\n", rows(5));
  bench.sink.refused_keys = {"k:5"};
  const LoadReport report = bench.run();
  CHECK(report.end == LoadEnd::kTooManyErrors);
  CHECK(report.total().rows_stored == 4);
}

TEST_CASE("an interrupt stops reading and confirms what was sent") {
  Bench bench("", rows(5000));
  bench.sink.interrupt_after_put = &bench.interrupt;
  const LoadReport report = bench.run();
  CHECK(report.end == LoadEnd::kInterrupted);
  CHECK(report.total().rows_read < 1000);
  CHECK(report.total().rows_stored == report.total().rows_read);
  CHECK(exit_code_of(report) == kExitInterrupted);
}

TEST_CASE("a failing source and a failing target are told apart") {
  Bench broken_source("", rows(100));
  broken_source.reader.fails_after = 50;
  const LoadReport source_report = broken_source.run();
  CHECK(source_report.end == LoadEnd::kSourceFailed);
  CHECK(source_report.reason == "disk on fire");
  CHECK(source_report.total().rows_stored == 50);
  CHECK(exit_code_of(source_report) == kExitSource);

  Bench broken_target("", rows(100));
  broken_target.sink.fails_after = 30;
  const LoadReport target_report = broken_target.run();
  CHECK(target_report.end == LoadEnd::kTargetFailed);
  CHECK(target_report.unconfirmed() == 31);
  CHECK(exit_code_of(target_report) == kExitTarget);
}

TEST_CASE("the rate limit spreads rows over time") {
  Bench bench("rate = 1000\n", rows(2000));
  const LoadReport report = bench.run();
  CHECK(report.total().rows_stored == 2000);
  CHECK(report.seconds > 1.8);
  CHECK(report.seconds < 2.4);
  CHECK(bench.sink.idles > 10);
}

TEST_CASE("several mappings keep their own counts") {
  Bench bench("[[mapping]]\nname = \"b\"\ntable = \"t\"\nkey = \"b:{id}\"\nvalue = \"hash\"\n",
              rows(2));
  bench.sink.refused_keys = {"b:2"};
  const LoadReport report = bench.run();
  REQUIRE(report.mappings.size() == 2);
  CHECK(report.mappings[0].rows_stored == 2);
  CHECK(report.mappings[1].rows_stored == 1);
  CHECK(report.mappings[1].rows_bad == 1);
}

TEST_CASE("a row with several keys is stored when all are, and bad once when some are not") {
  const char* more =
      "[[mapping.output]]\nkey = \"a:{id}\"\nvalue = \"string\"\ncolumn = \"v\"\n"
      "[[mapping.output]]\nkey = \"b:{id}\"\nvalue = \"string\"\ncolumn = \"v\"\n";
  for (const auto& refused : std::vector<std::set<std::string>>{
           {"k:2"}, {"a:2"}, {"b:2"}, {"k:2", "b:2"}, {"k:2", "a:2", "b:2"}}) {
    Bench bench(more, rows(3));
    bench.sink.refused_keys = refused;
    const LoadReport report = bench.run();
    CHECK(report.total().rows_stored == 2);
    CHECK(report.total().rows_bad == 1);
    CHECK(report.unconfirmed() == 0);
    CHECK(bench.rejects.count() == 1);
  }
}

TEST_CASE("keys that were there already are kept and counted") {
  Bench bench("value = \"hash\"\nonly_if_absent = true\n", rows(3));
  bench.sink.refused_keys = {"k:2"};
  bench.sink.refusal = "BUSYKEY Target key name already exists.";
  const LoadReport report = bench.run();
  CHECK(report.total().rows_stored == 3);
  CHECK(report.total().keys_kept == 1);
  CHECK(exit_code_of(report) == kExitAllStored);
}

TEST_CASE("a group counts all of its rows") {
  auto data = rows(6);
  for (std::size_t i = 0; i < data.size(); ++i)
    data[i][0] = integer(static_cast<std::int64_t>(i / 3));
  Bench bench("value = \"list\"\ncolumn = \"v\"\n", data);
  const LoadReport report = bench.run();
  CHECK(bench.sink.keys == std::vector<std::string>{"k:0", "k:1"});
  CHECK(report.total().rows_stored == 6);
  CHECK(report.total().keys_written == 2);
}

TEST_CASE("a chunk is in the checkpoint when all of it is acknowledged, and not before") {
  const test::TempDir dir;
  const std::string file = dir.file("checkpoint");
  {
    auto checkpoint = Checkpoint::open(file, "plan", false);
    REQUIRE(checkpoint.has_value());
    Bench bench("", rows(10));
    bench.job.checkpoint = checkpoint->get();
    CHECK(bench.run().end == LoadEnd::kComplete);
    Bench broken("", rows(10));
    broken.reader.fails_after = 5;
    broken.job.checkpoint = checkpoint->get();
    CHECK(broken.run().end == LoadEnd::kSourceFailed);
  }
  const Chunk range{.kind = Chunk::Kind::kRange,
                    .from = Bound{Bound::Type::kText, 0, "a b\n%"},
                    .to = Bound{Bound::Type::kUnsigned, -1}};
  {
    auto again = Checkpoint::open(file, "plan", true);
    REQUIRE_MESSAGE(again.has_value(), again.error().context);
    CHECK((*again)->is_done("m", Chunk{}));
    CHECK((*again)->rows_done("m") == 10);
    CHECK_FALSE((*again)->is_done("other", Chunk{}));
    CHECK_FALSE((*again)->chunks_of("m").has_value());
    CHECK((*again)->write_chunks("m", {range, Chunk{}}).has_value());
  }
  std::ofstream(file, std::ios::app) << "{\"mapping\":\"m\",\"done\":\"ran";  // killed in a line
  auto last = Checkpoint::open(file, "plan", true);
  REQUIRE_MESSAGE(last.has_value(), last.error().context);
  CHECK((*last)->chunks_of("m") == std::vector<Chunk>{range, Chunk{}});
  CHECK_FALSE((*last)->is_done("m", range));
  CHECK((*last)->write_done("m", range, 5).has_value());
  CHECK(Checkpoint::open(file, "plan", true).value()->is_done("m", range));
  const auto other = Checkpoint::open(file, "another", true);
  REQUIRE_FALSE(other.has_value());
  CHECK(other.error().context.find("another mapping file") != std::string::npos);
}

TEST_CASE("INFO tells who a server is and what it evicts") {
  const auto info = parse_node_info(
      "# Server\r\nrun_id:abc\r\n# Stats\r\ninstantaneous_ops_per_sec:12\r\n# "
      "Memory\r\nused_memory:1000\r\nmaxmemory:2000\r\n"
      "maxmemory_policy:allkeys-lru\r\nevicted_keys:7\r\n# Keyspace\r\n"
      "db0:keys=5,expires=1,avg_ttl=0\r\ndb3:keys=2,expires=0\r\n");
  REQUIRE(info.has_value());
  CHECK(info->stream.run_id == "abc");
  CHECK(info->ops_per_second == 12);
  CHECK(info->evicted_keys == 7);
  CHECK(info->used_memory == 1000);
  CHECK(info->keys == 7);
  CHECK(info->evicts());
  CHECK_FALSE(parse_node_info("hello").has_value());
}

TEST_CASE("the summary is one JSON object that says it all") {
  Bench bench("", rows(10));
  const LoadReport report = bench.run();
  LoadReport whole = report;
  whole.counters.retried = 3;
  whole.nodes = 2;
  const auto json = nlohmann::json::parse(summary_json(whole));
  CHECK(json["result"] == "complete");
  CHECK(json["exit_code"] == 0);
  CHECK(json["rows_stored"] == 10);
  CHECK(json["retried"] == 3);
  CHECK(json["nodes"] == 2);
  CHECK(json["mappings"][0]["name"] == "m");
  CHECK(summary_text(report, false).starts_with("m: 10 rows read, 10 stored in "));
}

TEST_CASE("reject lines are JSON even when the key is not text, and are read back") {
  const std::vector<std::string> primary_key{"7", "a\"b"};
  const std::string text =
      reject_line({"m", 7, "k\xff\"", "bad \x01", &primary_key}) + reject_line({"m", 1, "", "r"});
  const auto line = nlohmann::json::parse(text.substr(0, text.find('\n')));
  CHECK(line["mapping"] == "m");
  CHECK(line["row"] == 7);
  CHECK(line["key"] == "k\\xff\"");
  CHECK(line["primary_key"][1] == "a\"b");
  CHECK(nlohmann::json::parse(reject_line({"m", 1, "", "r"}))["key"].is_null());
  const test::TempDir dir;
  const auto rows = read_rejects(dir.write("rejects", text));
  REQUIRE_MESSAGE(rows.has_value(), rows.error().context);
  CHECK(rows->keys.at("m") == std::vector<std::vector<std::string>>{primary_key});
  CHECK(rows->without_key == 1);
  CHECK_FALSE(read_rejects(dir.write("wrong", "{}\n")).has_value());
}

TEST_CASE(
    "progress shows a bar with the time left, fits the terminal, or tells what it waits for") {
  ProgressState state;
  state.name = "products";
  state.rows = 50'000;
  state.rows_expected = 200'000;
  state.rows_per_second = 241'000;
  state.bytes_per_second = 61.2e6;
  state.average_rate = 10'000;
  CHECK(
      progress_text(state, true, 100) ==
      "products  [######------------------]   25%  50,000 rows  241K rows/s  61.2 MB/s  ETA 0:15");
  CHECK(progress_text(state, true, 79) ==
        "products  [######------------------]   25%  50,000 rows  241K rows/s  ETA 0:15");
  for (std::size_t width = 20; width < 120; ++width)
    CHECK(progress_text(state, true, width).size() <= width);
  state.bad = 1234;
  state.rows_expected.reset();
  CHECK(progress_text(state, false, 200) ==
        "products  50,000 rows  241K rows/s  61.2 MB/s  1,234 bad");
  state.waiting = "10.0.0.1:7001: OOM no room (29 s left)";
  CHECK(progress_text(state, false, 200) ==
        "products  50,000 rows  1,234 bad  waiting for 10.0.0.1:7001: OOM no room (29 s left)");
  CHECK(clock_text(seconds{3723}) == "1:02:03");
  CHECK(grouped(1) == "1");
  CHECK(grouped(123456) == "123,456");
}

TEST_CASE("a connection that ends gives its chunk back, and everything else ends the load") {
  Bench bench("", rows(1000));
  bench.reader.fails_after = 700;
  bench.reader.is_gone = true;
  const LoadReport lost = bench.run();
  CHECK(lost.end == LoadEnd::kComplete);
  CHECK(bench.job.has_lost_source());
  CHECK(bench.job.tasks().size() == 1);
  CHECK(lost.total().rows_stored == 700);
  CHECK(lost.total().rows_again == 700);
  CHECK(lost.unconfirmed() == 0);
  CHECK(bench.job.take_source_loss() == "disk on fire");
  CHECK_FALSE(bench.job.has_lost_source());
  CHECK_FALSE(bench.job.take_source_loss().has_value());
  bench.reader.fails_after.reset();
  const LoadReport whole = bench.run();
  CHECK(whole.total().rows_read == 1700);
  CHECK(whole.total().rows_stored == 1700);
  CHECK(bench.job.tasks().empty());
  CHECK(whole.unconfirmed() == 0);

  Bench other("", rows(1000));
  other.reader.fails_after = 700;
  CHECK(other.run().end == LoadEnd::kSourceFailed);
  CHECK_FALSE(other.job.has_lost_source());
}

TEST_CASE("hot rows are counted, and a checkpoint knows nothing of them") {
  Bench bench("", rows(10));
  ChunkTask hot{0, Chunk{.kind = Chunk::Kind::kKeys}, true};
  bench.job.add_task(hot);
  const LoadReport report = bench.run();
  CHECK(report.total().rows_hot == 10);
  CHECK(report.total().rows_read == 20);
  CHECK(summary_text(report, false).find("10 hot rows came first") != std::string::npos);
}

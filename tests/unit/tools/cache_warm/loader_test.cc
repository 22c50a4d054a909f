#include "tools/cache_warm/loader.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tools/cache_warm/summary.h"

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

class RowsSource final : public Source {
 public:
  RowsSource(std::vector<Column> columns, std::vector<std::vector<Cell>> rows)
      : columns_(std::move(columns)), rows_(std::move(rows)) {}
  std::optional<std::size_t> fails_after;

  Result<std::unique_ptr<RowStream>> open(const Selection&, const Partition&) override {
    class Stream final : public RowStream {
     public:
      explicit Stream(const RowsSource& source) : source_(source) {}
      const std::vector<Column>& columns() const override { return source_.columns_; }
      Result<std::optional<Row>> next() override {
        if (source_.fails_after && at_ == *source_.fails_after)
          return fail(ErrorCode::kIo, "disk on fire");
        if (at_ == source_.rows_.size()) return std::optional<Row>{};
        return std::optional<Row>(Row(source_.rows_[at_++]));
      }
      const RowsSource& source_;
      std::size_t at_ = 0;
    };
    return std::unique_ptr<RowStream>(std::make_unique<Stream>(*this));
  }
  Result<std::vector<Partition>> partitions(const Selection&, int) override {
    return std::vector<Partition>(1);
  }
  Result<std::optional<std::uint64_t>> estimate_rows(const Selection&) override {
    return std::optional<std::uint64_t>(rows_.size());
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
        fates->on_refused(tag, key, "OOM no room");
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
      : plan(*parse_mapping(
            "[[mapping]]\nname = \"m\"\ntable = \"t\"\nkey = \"k:{id}\"\n" + std::string(lines),
            "t")),
        source({{"id", false}, {"v", false}}, std::move(rows)),
        rejects(*RejectLog::open(silent(plan.errors))),
        loader(plan, clock, progress, rejects, interrupt),
        sink(clock) {
    sink.fates = &loader;
  }
  LoadReport run() { return loader.run(source, sink); }
  static ErrorPolicy silent(ErrorPolicy policy) {
    policy.printed = 0;
    return policy;
  }

  WarmPlan plan;
  StepClock clock;
  RowsSource source;
  Progress progress{ProgressStyle::kSilent};
  RejectLog rejects;
  std::atomic<bool> interrupt{false};
  Loader loader;
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
  CHECK(report.total().rows_stored == 1000);
  CHECK(report.unconfirmed() == 0);
  CHECK(bench.sink.keys.front() == "k:1");
  CHECK(exit_code_of(report) == kExitAllStored);
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
  broken_source.source.fails_after = 50;
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
  auto plan = parse_mapping(
      "[[mapping]]\nname = \"a\"\ntable = \"t\"\nkey = \"a:{id}\"\n[[mapping]]\nname = "
      "\"b\"\ntable = \"t\"\nkey = \"b:{id}\"\nvalue = \"hash\"\n",
      "t");
  REQUIRE(plan.has_value());
  StepClock clock;
  RowsSource source({{"id", false}}, {{integer(1)}, {integer(2)}});
  Progress progress(ProgressStyle::kSilent);
  auto rejects = RejectLog::open(Bench::silent(plan->errors));
  const std::atomic<bool> interrupt{false};
  Loader loader(*plan, clock, progress, *rejects, interrupt);
  QueueSink sink(clock);
  sink.fates = &loader;
  sink.refused_keys = {"b:2"};
  const LoadReport report = loader.run(source, sink);
  REQUIRE(report.mappings.size() == 2);
  CHECK(report.mappings[0].rows_stored == 2);
  CHECK(report.mappings[1].rows_stored == 1);
  CHECK(report.mappings[1].rows_bad == 1);
}

TEST_CASE("the summary is one JSON object that says it all") {
  Bench bench("", rows(10));
  const LoadReport report = bench.run();
  client::DispatcherCounters counters;
  counters.retried = 3;
  const auto json = nlohmann::json::parse(summary_json(report, counters, 2));
  CHECK(json["result"] == "complete");
  CHECK(json["exit_code"] == 0);
  CHECK(json["rows_stored"] == 10);
  CHECK(json["retried"] == 3);
  CHECK(json["nodes"] == 2);
  CHECK(json["mappings"][0]["name"] == "m");
  CHECK(summary_text(report).starts_with("m: 10 rows read, 10 stored in "));
}

TEST_CASE("reject lines are JSON even when the key is not text") {
  const auto line = nlohmann::json::parse(reject_line({"m", 7, "k\xff\"", "bad \x01"}));
  CHECK(line["mapping"] == "m");
  CHECK(line["row"] == 7);
  CHECK(line["key"] == "k\\xff\"");
  CHECK(nlohmann::json::parse(reject_line({"m", 1, "", "r"}))["key"].is_null());
}

TEST_CASE("progress shows a bar with the time left, or a plain line") {
  ProgressState state;
  state.name = "products";
  state.rows = 50'000;
  state.rows_expected = 200'000;
  state.rows_per_second = 241'000;
  state.bytes_per_second = 61.2e6;
  state.average_rate = 10'000;
  CHECK(
      progress_text(state, true) ==
      "products  [######------------------]   25%  50,000 rows  241K rows/s  61.2 MB/s  ETA 0:15");
  state.bad = 1234;
  state.rows_expected.reset();
  CHECK(progress_text(state, false) == "products  50,000 rows  241K rows/s  61.2 MB/s  1,234 bad");
  CHECK(clock_text(seconds{3723}) == "1:02:03");
  CHECK(grouped(1) == "1");
  CHECK(grouped(123456) == "123,456");
}

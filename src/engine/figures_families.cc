// The sections of INFO whose rows are families: commandstats, errorstats, latencystats, keyspace,
// keysizes.
#include "src/base/format_number.h"
#include "src/engine/key_sizes.h"
#include "src/engine/reports.h"

namespace hearth {
namespace {

namespace fig = figure;

// fn(command) for each command and subcommand.
template <typename F>
void for_each_command(const CommandTable& table, F&& fn) {
  for (const auto& command : table.all()) {
    fn(*command);
    for (const auto& sub : command->subcommands) fn(*sub);
  }
}

// fn(database, its number as text) for each that has keys.
template <typename F>
void for_each_used_database(const Keyspace& keyspace, F&& fn) {
  for (DbIndex i = 0; i < keyspace.db_count(); ++i) {
    const Database& db = keyspace.db(i);
    if (db.size() > 0) fn(db, std::to_string(i));
  }
}

void add_command_stats(const EngineCore& core, FigureView& view) {
  for_each_command(core.commands, [&](const Command& command) {
    const CommandStats& c = core.stats.commands[command.id];
    if (c.calls == 0 && c.rejected == 0 && c.failed == 0) return;
    view.begin_member(command.full_name);
    view.add_part("calls", c.calls);
    view.add_part("usec", c.ns / 1000);
    view.add_part("usec_per_call", FigureValue::decimal(FigureValue::ratio(c.ns, c.calls * 1000)));
    view.add_part("rejected_calls", c.rejected);
    view.add_part("failed_calls", c.failed);
    view.end_member();
  });
}

void add_errors(const EngineCore& core, FigureView& view) {
  for (const auto& [code, count] : core.stats.errors) {
    view.begin_member(code);
    view.add_part("count", count);
    view.end_member();
  }
}

void add_latencies(const EngineCore& core, FigureView& view) {
  for_each_command(core.commands, [&](const Command& command) {
    if (core.stats.latencies[command.id] == nullptr) return;
    const LatencyHistogram& h = *core.stats.latencies[command.id];
    view.begin_member(command.full_name);
    for (const double percent : core.settings().latency_tracking_info_percentiles) {
      view.add_part("p" + double_text(percent),
                    FigureValue::decimal(static_cast<double>(h.percentile_ns(percent)) / 1000, 3));
    }
    view.end_member();
  });
}

void add_databases(const EngineCore& core, FigureView& view) {
  for_each_used_database(core.keyspace, [&](const Database& db, const std::string& number) {
    view.begin_member(number);
    view.add_part("keys", db.size());
    view.add_part("expires", db.volatile_count());
    view.add_part("avg_ttl", db.average_ttl_ms());
    view.end_member();
  });
}

// Counted when asked for, so that no write pays for it: of a database with more keys, that many are
// looked at and the counts stand for all.
void add_key_sizes(const EngineCore& core, FigureView& view) {
  constexpr std::uint64_t kMostKeys = 100'000;
  for_each_used_database(core.keyspace, [&](const Database& db, const std::string& number) {
    KeySizes sizes;
    std::uint64_t cursor = 0, seen = 0;
    do {
      cursor = db.scan(cursor, [&](const Entry& e) {
        sizes.add(e);
        ++seen;
      });
    } while (cursor != 0 && seen < kMostKeys);
    if (cursor != 0) sizes.scale(db.size(), seen);
    sizes.write(number + "_distrib_", view);
  });
}

constexpr FigureRow<EngineCore> kCommandStatsRows[] = {
    {fig::counter("cmdstat_", "Calls of a command, and their time."), add_command_stats},
};
constexpr FigureRow<EngineCore> kErrorRows[] = {
    {fig::counter("errorstat_", "Errors that clients heard, by their code."), add_errors},
};
constexpr FigureRow<EngineCore> kLatencyRows[] = {
    {fig::gauge("latency_percentiles_usec_", "Percentiles of a command's time."), add_latencies},
};
constexpr FigureRow<EngineCore> kDatabaseRows[] = {
    {fig::gauge("db", "Keys of a database, those with a deadline, and their average time left."),
     add_databases},
};
constexpr FigureRow<EngineCore> kKeySizeRows[] = {
    {fig::gauge("db", "Keys of a database by type and size, in powers of two."), add_key_sizes},
};

}  // namespace

void Reports::write_commandstats(FigureView& view) {
  show_rows<EngineCore>(kCommandStatsRows, &parts_.core, view);
}

void Reports::write_errorstats(FigureView& view) {
  show_rows<EngineCore>(kErrorRows, &parts_.core, view);
}

void Reports::write_latencystats(FigureView& view) {
  show_rows<EngineCore>(kLatencyRows, &parts_.core, view);
}

void Reports::write_keyspace(FigureView& view) {
  show_rows<EngineCore>(kDatabaseRows, &parts_.core, view);
}

void Reports::write_key_sizes(FigureView& view) {
  show_rows<EngineCore>(kKeySizeRows, &parts_.core, view);
}

}  // namespace hearth

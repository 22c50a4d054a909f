// cache-warm: fills a cache from a database. Parses the command line, builds the parts, runs them.
#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "tools/cache_warm/app/arguments.h"
#include "tools/cache_warm/app/follow.h"
#include "tools/cache_warm/app/metrics.h"
#include "tools/cache_warm/dry_run.h"
#include "tools/cache_warm/loader.h"
#include "tools/cache_warm/rights.h"
#include "tools/cache_warm/summary.h"
#include "tools/client/system_clock.h"

namespace {

using namespace hearth;
using namespace hearth::warm;

// A signal handler can reach nothing but a global; this is the only one.
std::atomic<bool> g_interrupted{false};  // NOLINT

void on_signal(int) { g_interrupted.store(true, std::memory_order_relaxed); }

void heed_signals() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND);  // the second one ends the process at once
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody changes it
  return value == nullptr ? "" : value;
}

// The password of a database of that kind, where it has no way of its own to read one.
Secrets secrets_for(const std::string& source_url) {
  Secrets secrets;
  secrets.target_password = environment("HEARTH_PASSWORD");
  secrets.source_password = environment("HEARTH_SOURCE_PASSWORD");
  const bool is_mysql = source_url.starts_with("mysql:") || source_url.starts_with("mariadb:");
  if (secrets.source_password.empty() && is_mysql)
    secrets.source_password = environment("MYSQL_PWD");
  return secrets;
}

// Asked for each time it is drawn, so that a terminal that changes its size is followed.
std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

int complain(int code, std::string_view what) {
  fmt::print(stderr, "cache-warm: {}\n", what);
  return code;
}

int exit_code_for(const Error& error, int otherwise) {
  return error.code == ErrorCode::kBusy      ? static_cast<int>(kExitInterrupted)
         : error.code == ErrorCode::kInvalid ? static_cast<int>(kExitUsage)
                                             : otherwise;
}

SourceOptions source_options(const WarmPlan& plan) {
  SourceOptions options;
  options.url = plan.source.url;
  options.password = plan.source.password;
  options.consistent = plan.source.consistent;
  options.connect_timeout = plan.source.connect_timeout;
  options.interrupt = &g_interrupted;
  return options;
}

std::uint64_t random_seed(const Clock& clock) {
  return static_cast<std::uint64_t>(clock.mono_now().us) ^ static_cast<std::uint64_t>(::getpid());
}

int dry_run(const Arguments& args, const WarmPlan& plan, const Clock& clock) {
  constexpr std::uint64_t kSampled = 1'000;
  RejectLog rejects(plan.errors, [](const std::string&) {});
  Job job(plan, clock, rejects, g_interrupted);
  auto source = open_source(source_options(plan));
  if (!source) return complain(exit_code_for(source.error(), kExitSource), source.error().context);
  if (auto prepared = prepare_mappings(**source, job, 0); !prepared)
    return complain(exit_code_for(prepared.error(), kExitSource), prepared.error().context);
  const auto options = run_options(args, plan);
  if (!options) return complain(kExitUsage, options.error().context);
  const std::uint64_t sampled = args.limit > 0 ? args.limit : std::max(kSampled, args.show);
  const auto previews = preview_mappings(**source, job, {sampled, args.show});
  if (!previews)
    return complain(exit_code_for(previews.error(), kExitSource), previews.error().context);
  const double rate = options->rate_unit == Throttle::Unit::kRows ? options->rate : 0;
  fmt::print("{}", args.json ? preview_json(*previews, rate) : preview_text(*previews, rate));
  for (const auto& preview : *previews) {
    if (preview.rows_bad > 0) return kExitSomeBad;
  }
  return kExitAllStored;
}

// Prints a finding of `check`.
void tell(std::string_view what, std::string_view statement) {
  fmt::print("{}\n  {}\n", what, statement);
}

int check_source(const WarmPlan& plan, bool& is_well) {
  auto source = open_source(source_options(plan));
  if (!source) return complain(exit_code_for(source.error(), kExitSource), source.error().context);
  for (const auto& mapping : plan.mappings) {
    const auto missing = (*source)->missing_rights(mapping.selection);
    if (!missing) {
      is_well = false;
      tell(fmt::format("mapping '{}':", mapping.name), missing.error().context);
      continue;
    }
    for (const auto& statement : *missing) {
      is_well = false;
      tell(fmt::format("mapping '{}': the database's user may not read it", mapping.name),
           statement);
    }
    if (!missing->empty()) continue;
    const auto shape = (*source)->describe(mapping.selection);
    const auto encoder = shape ? RowEncoder::bind(mapping, shape->columns)
                               : Result<RowEncoder>(unexpected<Error>(shape.error()));
    if (!encoder) {
      is_well = false;
      tell(fmt::format("mapping '{}':", mapping.name), encoder.error().context);
    }
  }
  return kExitAllStored;
}

int check_target(const WarmPlan& plan, const Clock& clock, bool& is_well) {
  RejectLog rejects(plan.errors, [](const std::string&) {});
  Job job(plan, clock, rejects, g_interrupted);
  Sender nobody(job);
  client::Client client(client_options(plan.target, random_seed(clock)), clock, nobody,
                        &g_interrupted);
  if (auto connected = client.connect(); !connected)
    return complain(exit_code_for(connected.error(), kExitTarget), connected.error().context);
  const auto missing = missing_target_rights(client, plan);
  if (!missing)
    return complain(exit_code_for(missing.error(), kExitTarget), missing.error().context);
  for (const auto& one : *missing) {
    is_well = is_well && !one.is_needed;
    tell(one.is_needed ? fmt::format("the target's user may not run {}", one.command)
                       : fmt::format("the target's user may not run {}; {}", one.command, one.loss),
         one.grant);
  }
  return kExitAllStored;
}

int check(const Arguments& args, const WarmPlan& plan, const Clock& clock) {
  bool is_well = true;
  if (const int code = check_source(plan, is_well); code != 0) return code;
  if (const int code = check_target(plan, clock, is_well); code != 0) return code;
  if (args.also_follow) {
    const int code = check_follow(plan, args.name, source_options(plan), clock, is_well);
    if (code != 0) return code;
  }
  if (is_well) fmt::print("all that a load needs is there\n");
  return is_well ? kExitAllStored : kExitUsage;
}

ProgressStyle progress_style(const Arguments& args) {
  if (args.quiet) return ProgressStyle::kSilent;
  return ::isatty(STDERR_FILENO) == 1 ? ProgressStyle::kBar : ProgressStyle::kLines;
}

int follow_changes(const Arguments& args, const WarmPlan& plan, const Clock& clock) {
  const auto options = follow_options(args, plan);
  if (!options) return complain(kExitUsage, options.error().context);
  if (args.drop_slot) {
    const auto dropped = drop_follow(plan, args.name, source_options(plan), clock);
    if (!dropped)
      return complain(exit_code_for(dropped.error(), kExitSource), dropped.error().context);
    return kExitAllStored;
  }
  Progress progress(progress_style(args), terminal_width);
  RejectLog rejects(plan.errors, [&](const std::string& line) { progress.print(line); });
  Follower follower(plan, *options, clock, progress, rejects, g_interrupted, random_seed(clock));
  std::unique_ptr<Metrics> metrics;
  if (!args.metrics.empty()) {
    auto listening = Metrics::listen(
        args.metrics, [&] { return follower.status().tallies; },
        [&] { return follow_gauges(follower.status()); });
    if (!listening) return complain(kExitUsage, listening.error().context);
    metrics = *std::move(listening);
  }
  const LoadReport report = follower.run();
  const FollowStatus status = follower.status();
  const bool never_began = report.end != LoadEnd::kComplete && status.loads == 0;
  if (args.json || !never_began)
    fmt::print("{}", args.json ? follow_json(report, status) : follow_text(status));
  if (report.end != LoadEnd::kComplete) complain(0, report.reason);
  std::fflush(stdout);
  if (auto closed = rejects.close(); !closed) return complain(kExitUsage, closed.error().context);
  return exit_code_of(report);
}

int move_rows(const Arguments& args, WarmPlan plan, const Clock& clock) {
  auto options = run_options(args, plan);
  if (!options) return complain(kExitUsage, options.error().context);
  Progress progress(progress_style(args), terminal_width);
  RejectLog rejects(plan.errors, [&](const std::string& line) { progress.print(line); });
  const bool compares = options->kind == RunKind::kVerify;
  Loader loader(std::move(plan), *std::move(options), clock, progress, rejects, g_interrupted,
                random_seed(clock));
  std::unique_ptr<Metrics> metrics;
  if (!args.metrics.empty()) {
    auto listening = Metrics::listen(args.metrics, [&] { return loader.tallies(); });
    if (!listening) return complain(kExitUsage, listening.error().context);
    metrics = *std::move(listening);
  }
  const LoadReport report = loader.run();
  for (const auto& note : report.notes) {
    if (!args.json && !args.quiet) fmt::print(stderr, "note: {}\n", note);
  }
  // A run that ended before its first row has a complaint rather than a result.
  const bool never_began = report.end != LoadEnd::kComplete && report.total().rows_read == 0;
  if (never_began && !args.json) return complain(exit_code_of(report), report.reason);
  fmt::print("{}", args.json ? summary_json(report) : summary_text(report, compares));
  if (never_began) fmt::print(stderr, "cache-warm: {}\n", report.reason);
  std::fflush(stdout);
  if (auto closed = rejects.close(); !closed) return complain(kExitUsage, closed.error().context);
  return exit_code_of(report);
}

int run(const Arguments& args) {
  const client::SystemClock clock;
  auto plan = read_plan(args, Secrets{});
  if (!plan) return complain(kExitUsage, plan.error().context);
  plan = read_plan(args, secrets_for(plan->source.url));
  if (args.verb == Verb::kCheck) return check(args, *plan, clock);
  if (args.verb == Verb::kFollow) return follow_changes(args, *plan, clock);
  if (args.dry_run) return dry_run(args, *plan, clock);
  return move_rows(args, *std::move(plan), clock);
}

// Takes the verb off the arguments, if there is one.
Verb take_verb(std::vector<std::string>& words) {
  static constexpr std::pair<std::string_view, Verb> kVerbs[] = {{"warm", Verb::kWarm},
                                                                 {"follow", Verb::kFollow},
                                                                 {"verify", Verb::kVerify},
                                                                 {"check", Verb::kCheck}};
  for (const auto& [word, verb] : kVerbs) {
    if (words.empty() || words.front() != word) continue;
    words.erase(words.begin());
    return verb;
  }
  return Verb::kWarm;
}

int run_tool(int argc, char** argv) {
  CLI::App app{"Fills a cache server or cluster from a database."};
  Arguments args;
  describe_arguments(app, args);
  app.set_version_flag("--version", "cache-warm " HEARTH_VERSION);
  std::vector<std::string> words(argv + 1, argv + argc);
  args.verb = take_verb(words);
  std::reverse(words.begin(), words.end());  // the order in which the library takes them
  try {
    app.parse(words);
  } catch (const CLI::ParseError& error) {  // how the library ends --help and reports mistakes
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  // Looked at last: a misspelt option is the mistake to tell, not what it left out.
  if (args.mapping_file.empty() && args.one_mapping.empty()) {
    app.exit(CLI::RequiredError("mapping_file"));
    return kExitUsage;
  }
  heed_signals();
  return run(args);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_tool(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cache-warm: %s\n", error.what());
  } catch (...) {
    std::fputs("cache-warm: failed\n", stderr);
  }
  return kExitSource;
}

// cache-warm: fills a cache from a database. Parses the command line, builds the parts, runs them.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tools/cache_warm/loader.h"
#include "tools/cache_warm/mapping.h"
#include "tools/cache_warm/summary.h"
#include "tools/client/client.h"
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

struct Arguments {
  std::string mapping_file;
  std::string source_url;
  std::vector<std::string> targets;
  std::vector<std::string> only;
  std::string on_error;
  std::optional<std::uint64_t> max_errors;
  std::string reject_file;
  std::optional<int> connections;
  std::optional<std::uint64_t> rate;
  bool dry_run = false;
  std::uint64_t show = 5;
  bool null_sink = false;
  bool json = false;
  bool quiet = false;
};

constexpr const char* kFooter =
    "Exit codes: 0 every row is stored; 1 some rows could not be stored; 2 wrong arguments or\n"
    "mapping file; 3 the source failed; 4 the target failed; 5 stopped by --on-error fail or\n"
    "--max-errors; 130 interrupted (what was sent is still confirmed; a second signal ends at "
    "once).\n"
    "The password of the target may be given in the environment as HEARTH_PASSWORD.";

void describe(CLI::App& app, Arguments& args) {
  app.add_option("mapping", args.mapping_file, "TOML file that says which rows become which keys");
  app.add_option("--source", args.source_url, "URL of the database, instead of the mapping file's");
  app.add_option("--target", args.targets,
                 "host:port, [v6]:port or unix:/path of a server or of any node of a cluster; may "
                 "be repeated");
  app.add_option("--only", args.only, "name of a mapping to load; may be repeated (default: all)");
  app.add_option("--on-error", args.on_error, "what a bad row does: skip or fail")
      ->check(CLI::IsMember({"skip", "fail"}));
  app.add_option("--max-errors", args.max_errors,
                 "more bad rows than this end the run (default 1000)");
  app.add_option("--reject-file", args.reject_file,
                 "writes each bad row here, one JSON object a line");
  app.add_option("--connections", args.connections, "connections to each node")
      ->check(CLI::Range(1, 64));
  app.add_option("--rate", args.rate, "rows per second of each mapping, at most")
      ->check(CLI::PositiveNumber);
  auto* dry = app.add_flag(
      "--dry-run", args.dry_run,
      "reads and encodes everything, prints the first keys and values, stores nothing");
  app.add_option("--show", args.show, "how many keys of each mapping --dry-run prints (default 5)");
  app.add_flag("--null", args.null_sink,
               "reads and encodes everything and drops it: measures the loader")
      ->excludes(dry);
  app.add_flag("--json", args.json, "prints the summary as one JSON object");
  app.add_flag("--quiet", args.quiet, "no progress");
  app.set_version_flag("--version", "cache-warm " HEARTH_VERSION);
  app.footer(kFooter);
}

Result<void> apply(const Arguments& args, WarmPlan& plan) {
  if (!args.source_url.empty()) plan.source_url = args.source_url;
  if (plan.source_url.empty())
    return fail(ErrorCode::kInvalid, "no source: give source.url in the mapping file or --source");
  if (!args.targets.empty()) {
    plan.target.seeds.clear();
    for (const auto& text : args.targets) {
      HEARTH_TRY(auto endpoint, client::parse_endpoint(text));
      plan.target.seeds.push_back(std::move(endpoint));
    }
  }
  if (plan.target.seeds.empty() && !args.dry_run && !args.null_sink) {
    return fail(ErrorCode::kInvalid,
                "no target: give target.address in the mapping file or --target");
  }
  if (const char* password = std::getenv("HEARTH_PASSWORD")) plan.target.password = password;
  if (!args.on_error.empty())
    plan.errors.on_error = args.on_error == "fail" ? OnError::kFail : OnError::kSkip;
  if (args.max_errors) plan.errors.max_errors = *args.max_errors;
  if (!args.reject_file.empty()) plan.errors.reject_file = args.reject_file;
  if (args.connections) plan.target.connections_per_node = *args.connections;
  for (auto& mapping : plan.mappings) {
    if (args.rate) mapping.rows_per_second = *args.rate;
  }
  if (args.only.empty()) return {};
  std::vector<Mapping> chosen;
  for (const auto& name : args.only) {
    const auto found = std::find_if(plan.mappings.begin(), plan.mappings.end(),
                                    [&](const Mapping& m) { return m.name == name; });
    if (found == plan.mappings.end())
      return fail(ErrorCode::kInvalid, fmt::format("--only {}: there is no such mapping", name));
    chosen.push_back(*found);
  }
  plan.mappings = std::move(chosen);
  return {};
}

Result<WarmPlan> read_plan(const Arguments& args) {
  std::ifstream file(args.mapping_file, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf()))
    return fail(ErrorCode::kIo, fmt::format("{}: cannot be read", args.mapping_file));
  HEARTH_TRY(WarmPlan plan, parse_mapping(text.str(), args.mapping_file));
  HEARTH_TRY_VOID(apply(args, plan));
  return plan;
}

client::DispatcherOptions client_options(const Target& target, const Clock& clock) {
  client::DispatcherOptions options;
  options.seeds = target.seeds;
  options.username = target.username;
  options.password = target.password;
  options.db = target.db;
  options.client_name = "cache-warm";
  options.links_per_node = target.connections_per_node;
  options.batch_ops = target.batch_rows;
  options.batch_bytes = target.batch_bytes;
  options.window_bytes = target.window_bytes;
  options.retry_for = target.retry_for;
  options.random_seed =
      static_cast<std::uint64_t>(clock.mono_now().us) ^ static_cast<std::uint64_t>(::getpid());
  return options;
}

int complain(int code, std::string_view what) {
  fmt::print(stderr, "cache-warm: {}\n", what);
  return code;
}

// Prints the summary and says how the process ends.
int conclude(const Arguments& args, const LoadReport& report,
             const client::DispatcherCounters& counters, std::size_t nodes, RejectLog& rejects) {
  fmt::print("{}", args.json ? summary_json(report, counters, nodes) : summary_text(report));
  std::fflush(stdout);
  if (auto closed = rejects.close(); !closed) return complain(kExitUsage, closed.error().context);
  return exit_code_of(report);
}

int run(const Arguments& args) {
  const client::SystemClock clock;
  const auto plan = read_plan(args);
  if (!plan) return complain(kExitUsage, plan.error().context);
  auto source = open_source(plan->source_url);
  if (!source) return complain(kExitSource, source.error().context);
  auto rejects = RejectLog::open(plan->errors);
  if (!rejects) return complain(kExitUsage, rejects.error().context);

  const bool on_terminal = ::isatty(STDERR_FILENO) == 1;
  Progress progress(args.quiet || args.dry_run ? ProgressStyle::kSilent
                    : on_terminal              ? ProgressStyle::kBar
                                               : ProgressStyle::kLines);
  Loader loader(*plan, clock, progress, *rejects, g_interrupted);
  if (args.dry_run) return conclude(args, loader.dry_run(**source, args.show), {}, 0, *rejects);
  if (args.null_sink) {
    NullSink sink(loader);
    return conclude(args, loader.run(**source, sink), {}, 0, *rejects);
  }

  client::Client client(client_options(plan->target, clock), clock, loader, &g_interrupted);
  if (auto connected = client.connect(); !connected) {
    const bool interrupted = connected.error().code == ErrorCode::kBusy;
    return complain(interrupted ? kExitInterrupted : kExitTarget, connected.error().context);
  }
  ClusterSink sink(client);
  const LoadReport report = loader.run(**source, sink);
  return conclude(args, report, client.counters(), client.nodes().size(), *rejects);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Fills a cache server or cluster from a database."};
  Arguments args;
  describe(app, args);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // how the library ends --help and reports mistakes
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  // Looked at last: a misspelt option is the mistake to tell, not what it left out.
  if (args.mapping_file.empty()) {
    app.exit(CLI::RequiredError("mapping"));
    return kExitUsage;
  }
  heed_signals();
  return run(args);
}

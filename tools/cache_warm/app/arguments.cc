#include "tools/cache_warm/app/arguments.h"

#include <fmt/core.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "src/base/hash.h"
#include "src/base/parse_number.h"
#include "tools/warm_mapping/ttl.h"
#include "tools/warm_source/sql_text.h"

namespace hearth::warm {
namespace {

constexpr const char* kFooter =
    "The first word may be warm (the default), follow (loads what is not loaded, then keeps the\n"
    "cache true by the database's change stream until SIGINT or SIGTERM), verify (compares the\n"
    "cache with the database) or check (tells which rights are missing, and the statements that\n"
    "give them).\n"
    "Exit codes: 0 every row is stored, or all is the same; 1 some rows could not be stored, or\n"
    "differ; 2 wrong arguments or mapping file, or something is missing; 3 the source failed; 4 "
    "the\n"
    "target failed; 5 stopped by --on-error fail or --max-errors; 6 the target evicted keys, "
    "would\n"
    "have, or lost them; 130 interrupted (what was sent is still confirmed; a second signal ends\n"
    "at once). A follow that was interrupted has done what it should: 0.\n"
    "Passwords: HEARTH_PASSWORD for the target, HEARTH_SOURCE_PASSWORD for the database, or the\n"
    "database's own ways (PGPASSWORD and .pgpass; MYSQL_PWD and my.cnf).";

constexpr const char* kMappingKeys[] = {"table",      "query",      "key",       "value",
                                        "column",     "score",      "where",     "ttl",
                                        "ttl_jitter", "ttl_column", "expires_at"};

// The one that may also stand beside a mapping file.
constexpr std::string_view kWhere = "where";

// A text as TOML writes it.
std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

void describe_load(CLI::App& app, Arguments& args) {
  app.add_option("--on-error", args.on_error, "what a bad row does: skip or fail")
      ->check(CLI::IsMember({"skip", "fail"}));
  app.add_option("--max-errors", args.max_errors,
                 "more bad rows than this end the run (default 1000)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--reject-file", args.reject_file,
                 "writes each bad row here, one JSON object a line");
  app.add_option("--replay", args.replay, "reads only the rows that a reject file names");
  app.add_option("--connections", args.connections, "connections of each worker to each node")
      ->check(CLI::Range(1, 64));
  app.add_option("--workers", args.workers, "connections to the database")
      ->check(CLI::Range(1, 64));
  app.add_option("--source-retry", args.source_retry,
                 "how long a database that is lost in the middle of a load is tried again "
                 "(default 5m)");
  app.add_option("--rate", args.rate,
                 "rows per second (5000), bytes per second (10mb), max, or auto (the default): as "
                 "much as leaves the answers of the servers quick");
  app.add_option("--limit", args.limit, "rows of each mapping, at most");
  app.add_option("--checkpoint", args.checkpoint, "keeps in this file what is done");
  app.add_flag("--resume", args.resume, "goes on where the run of the --checkpoint ended");
  app.add_flag("--force", args.force,
               "also where the rows will not fit below maxmemory, or several make one key");
  app.add_option("--guard", args.guard,
                 "keeps rows from overwriting what applications write meanwhile: auto (the "
                 "default: where the target can), epoch (it must), off")
      ->check(CLI::IsMember({"auto", "epoch", "off"}));
  app.add_option("--metrics", args.metrics, "host:port on which Prometheus may ask for /metrics");
  auto* dry = app.add_flag("--dry-run", args.dry_run,
                           "reads the first rows, prints keys and values, stores nothing");
  app.add_option("--show", args.show, "how many keys of each mapping --dry-run prints (default 5)");
  app.add_flag("--null", args.null_sink,
               "reads and encodes everything and drops it: measures the loader")
      ->excludes(dry);
}

void describe_follow(CLI::App& app, Arguments& args) {
  app.add_option("--name", args.name,
                 "follow: of the replication slot, the publication and the saved position "
                 "(default cache_warm); each follower of a database needs its own");
  auto* load = app.add_flag("--load", args.load, "follow: loads everything first in any case");
  app.add_flag("--no-load", args.no_load,
               "follow: where nothing is known of an earlier run, begins with the changes from now "
               "on and does not load")
      ->excludes(load);
  app.add_flag("--follow", args.also_follow, "check: also what follow needs");
  app.add_flag("--drop-slot", args.drop_slot,
               "follow: removes the replication slot and the saved position, and ends");
}

Result<std::string> plan_text(const Arguments& args) {
  if (args.mapping_file.empty()) {
    std::string text = "[[mapping]]\n";
    for (const auto& [name, value] : args.one_mapping)
      text += fmt::format("{} = {}\n", name, toml_string(value));
    return text;
  }
  std::ifstream file(args.mapping_file, std::ios::binary);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf()))
    return fail(ErrorCode::kIo, fmt::format("{}: cannot be read", args.mapping_file));
  return text.str();
}

Result<void> choose_mappings(const std::vector<std::string>& only, WarmPlan& plan) {
  if (only.empty()) return {};
  std::vector<Mapping> chosen;
  for (const auto& name : only) {
    const auto found = std::find_if(plan.mappings.begin(), plan.mappings.end(),
                                    [&](const Mapping& m) { return m.name == name; });
    if (found == plan.mappings.end())
      return fail(ErrorCode::kInvalid, fmt::format("--only {}: there is no such mapping", name));
    chosen.push_back(*found);
  }
  plan.mappings = std::move(chosen);
  return {};
}

// --where beside a mapping file: some rows of one mapping are loaded, beside what is there.
std::optional<std::string> backfill_condition(const Arguments& args) {
  if (args.mapping_file.empty()) return std::nullopt;
  for (const auto& [key, value] : args.one_mapping) {
    if (key == kWhere) return value;
  }
  return std::nullopt;
}

Result<void> narrow(const std::string& condition, WarmPlan& plan) {
  const auto refused = [](std::string_view why) {
    return fail(ErrorCode::kInvalid, fmt::format("--where: {}", why));
  };
  if (auto good = check_condition(condition); !good) return refused(good.error().context);
  if (plan.mappings.size() != 1)
    return refused("the file has several mappings: name one with --mapping");
  Mapping& mapping = plan.mappings.front();
  if (mapping.group) {
    return refused(
        fmt::format("several rows of mapping '{}' make one value, and the condition could leave "
                    "out some of them",
                    mapping.name));
  }
  Selection& selection = mapping.selection;
  if (!selection.sql.empty()) {
    // A line of its own ends a comment.
    selection.sql = fmt::format("SELECT * FROM ({}\n) AS q WHERE ({}\n)",
                                trimmed_query(selection.sql), condition);
  } else if (selection.where.empty()) {
    selection.where = condition;
  } else {
    selection.where = fmt::format("({}\n) AND ({}\n)", selection.where, condition);
  }
  // A change stream may write the same keys meanwhile: only an epoch knows what is newer.
  if (plan.target.guard == Guard::kAuto) plan.target.guard = Guard::kEpoch;
  return {};
}

Result<void> apply_target(const Arguments& args, const Secrets& secrets, Target& target) {
  if (!args.targets.empty()) target.seeds.clear();
  for (const auto& text : args.targets) {
    if (text.find("://") != std::string::npos) {
      HEARTH_TRY(auto url, client::parse_server_url(text));
      target.seeds.push_back(url.endpoint);
      target.username = url.username;
      target.password = url.password;
      target.db = url.db;
      continue;
    }
    HEARTH_TRY(auto endpoint, client::parse_endpoint(text));
    target.seeds.push_back(std::move(endpoint));
  }
  if (target.seeds.empty() && !args.dry_run && !args.null_sink) {
    return fail(ErrorCode::kInvalid,
                "no target: give target.address in the mapping file or --target");
  }
  if (!secrets.target_password.empty()) target.password = secrets.target_password;
  if (args.connections) target.connections_per_node = *args.connections;
  if (!args.guard.empty()) {
    target.guard = args.guard == "off"     ? Guard::kOff
                   : args.guard == "epoch" ? Guard::kEpoch
                                           : Guard::kAuto;
  }
  return {};
}

}  // namespace

void describe_arguments(CLI::App& app, Arguments& args) {
  app.add_option("mapping_file", args.mapping_file,
                 "TOML file that says which rows become which keys");
  for (const char* name : kMappingKeys) {
    std::string flag = fmt::format("--{}", name);
    std::replace(flag.begin(), flag.end(), '_', '-');
    app.add_option_function<std::string>(
        flag,
        [&args, name](const std::string& value) { args.one_mapping.emplace_back(name, value); },
        name == kWhere ? "condition in SQL: without a mapping file, of the only mapping; beside "
                         "one, loads the rows of a mapping that meet it and leaves all other keys "
                         "as they are"
                       : fmt::format("without a mapping file: {} of the only mapping", name));
  }
  app.add_option("--source", args.source_url, "URL of the database, instead of the mapping file's");
  app.add_option("--target", args.targets,
                 "host:port, [v6]:port, unix:/path or redis:// URL of a server or of any node of a "
                 "cluster; may be repeated");
  app.add_option("--only,--mapping", args.only,
                 "name of a mapping to load; may be repeated (default: all)");
  describe_load(app, args);
  describe_follow(app, args);
  app.add_flag("--repair", args.repair, "verify: writes keys that are missing or different");
  app.add_option("--sample", args.sample, "verify: part of the keys, such as 5%");
  app.add_option("--orphans", args.orphans, "verify: keys that belong to no row: report or delete")
      ->check(CLI::IsMember({"report", "delete"}));
  app.add_flag("--json", args.json, "prints the summary as one JSON object");
  app.add_flag("--quiet", args.quiet, "no progress");
  app.footer(kFooter);
}

Result<WarmPlan> read_plan(const Arguments& args, const Secrets& secrets) {
  for (const auto& [key, value] : args.one_mapping) {
    if (!args.mapping_file.empty() && key != kWhere)
      return fail(ErrorCode::kInvalid,
                  fmt::format("--{} is for a run without a mapping file", key));
  }
  const std::string name = args.mapping_file.empty() ? "command line" : args.mapping_file;
  HEARTH_TRY(const std::string text, plan_text(args));
  HEARTH_TRY(WarmPlan plan, parse_plan(text, name));
  if (!args.source_url.empty()) plan.source.url = args.source_url;
  if (plan.source.url.empty())
    return fail(ErrorCode::kInvalid, "no source: give source.url in the mapping file or --source");
  plan.source.password = secrets.source_password;
  if (args.workers) plan.source.workers = *args.workers;
  if (!args.source_retry.empty()) {
    const auto time = parse_duration(args.source_retry);
    if (!time)
      return fail(ErrorCode::kInvalid,
                  fmt::format("--source-retry {}: write a time such as 30s", args.source_retry));
    plan.source.retry_for = *time;
  }
  HEARTH_TRY_VOID(apply_target(args, secrets, plan.target));
  if (!args.on_error.empty())
    plan.errors.on_error = args.on_error == "fail" ? OnError::kFail : OnError::kSkip;
  if (args.max_errors) plan.errors.max_errors = static_cast<std::uint64_t>(*args.max_errors);
  if (!args.reject_file.empty()) plan.errors.reject_file = args.reject_file;
  HEARTH_TRY_VOID(choose_mappings(args.only, plan));
  if (const auto condition = backfill_condition(args)) HEARTH_TRY_VOID(narrow(*condition, plan));
  return plan;
}

Result<RunOptions> run_options(const Arguments& args, const WarmPlan& plan) {
  RunOptions options;
  options.kind = args.verb == Verb::kVerify ? RunKind::kVerify
                 : args.null_sink           ? RunKind::kNull
                                            : RunKind::kLoad;
  if (args.rate == "max") {
    options.adapts = false;
  } else if (!args.rate.empty() && args.rate != "auto") {
    const auto rows = parse_uint64(args.rate);
    const auto bytes = rows ? std::nullopt : parse_memory_size(args.rate);
    if ((!rows && !bytes) || rows == 0 || bytes == 0)
      return fail(ErrorCode::kInvalid,
                  fmt::format("--rate {}: write 5000, 10mb, max or auto", args.rate));
    options.rate = static_cast<double>(rows ? *rows : *bytes);
    options.rate_unit = rows ? Throttle::Unit::kRows : Throttle::Unit::kBytes;
  }
  options.limit = args.limit;
  options.checkpoint = args.checkpoint;
  options.resume = args.resume;
  if (args.resume && args.checkpoint.empty())
    return fail(ErrorCode::kInvalid, "--resume needs the --checkpoint of the run before");
  if (!args.checkpoint.empty() &&
      (args.limit > 0 || !args.replay.empty() || backfill_condition(args)))
    return fail(ErrorCode::kInvalid, "--checkpoint is for whole loads");
  HEARTH_TRY(const std::string text, plan_text(args));
  options.plan_fingerprint = fmt::format("{:016x}", hash_bytes(plan.source.url + "\n" + text, 0));
  options.replay = args.replay;
  options.force = args.force;
  options.is_partial = !args.only.empty() || backfill_condition(args).has_value();
  options.repair = args.repair;
  if (!args.sample.empty()) {
    const auto part = parse_percent(args.sample);
    if (!part)
      return fail(ErrorCode::kInvalid,
                  fmt::format("--sample {}: write a percentage such as 5%", args.sample));
    options.sample = *part;
  }
  options.orphans = args.orphans == "delete"   ? OrphanPolicy::kDelete
                    : args.orphans == "report" ? OrphanPolicy::kReport
                                               : OrphanPolicy::kIgnore;
  return options;
}

Result<FollowRunOptions> follow_options(const Arguments& args, const WarmPlan& plan) {
  FollowRunOptions options;
  HEARTH_TRY(options.load_options, run_options(args, plan));
  if (backfill_condition(args))
    return fail(ErrorCode::kInvalid, "--where is for a load: run it beside the one that follows");
  if (args.limit > 0 || !args.checkpoint.empty() || !args.replay.empty() || args.null_sink)
    return fail(ErrorCode::kInvalid, "--limit, --checkpoint, --replay and --null are for a load");
  options.name = args.name;
  const bool is_good = std::all_of(args.name.begin(), args.name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (!is_good || args.name.empty() || args.name.size() > 63)
    return fail(ErrorCode::kInvalid,
                fmt::format("--name {}: write a-z, 0-9 and '_', at most 63", args.name));
  options.load = args.load      ? FollowLoad::kFirst
                 : args.no_load ? FollowLoad::kNever
                                : FollowLoad::kIfNeeded;
  return options;
}

}  // namespace hearth::warm

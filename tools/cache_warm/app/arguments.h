// The command line of cache-warm.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "src/base/result.h"
#include "tools/cache_warm/follower.h"
#include "tools/cache_warm/loader.h"
#include "tools/cache_warm/plan.h"

namespace hearth::warm {

enum class Verb : std::uint8_t { kWarm, kFollow, kVerify, kCheck };

struct Arguments {
  Verb verb = Verb::kWarm;
  std::string mapping_file;
  // A single mapping without a file; the names are those of [[mapping]].
  std::vector<std::pair<std::string, std::string>> one_mapping;
  std::string source_url;
  std::vector<std::string> targets;
  std::vector<std::string> only;
  std::string on_error;
  std::optional<std::int64_t> max_errors;
  std::string reject_file;
  std::optional<int> connections;
  std::optional<int> workers;
  std::string source_retry;
  std::string rate;
  std::uint64_t limit = 0;
  std::string checkpoint;
  bool resume = false;
  std::string replay;
  bool force = false;
  std::string guard;
  bool repair = false;
  std::string name = "cache_warm";
  bool load = false;
  bool no_load = false;
  bool drop_slot = false;
  bool also_follow = false;
  std::string sample;
  std::string orphans;
  std::string metrics;
  bool dry_run = false;
  std::uint64_t show = 5;
  bool null_sink = false;
  bool json = false;
  bool quiet = false;
};

// Secrets, which come from the environment.
struct Secrets {
  std::string target_password;
  std::string source_password;
};

// Takes the first word for the verb, if it is one; describes the options of all verbs.
void describe_arguments(CLI::App& app, Arguments& args);

// Reads the mapping file, or makes one of the options, and applies the other options to it.
// Errors: kInvalid, kIo.
Result<WarmPlan> read_plan(const Arguments& args, const Secrets& secrets);
Result<RunOptions> run_options(const Arguments& args, const WarmPlan& plan);
// Errors: kInvalid.
Result<FollowRunOptions> follow_options(const Arguments& args, const WarmPlan& plan);

}  // namespace hearth::warm

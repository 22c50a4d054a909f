// DEBUG subcommands that change how the server runs, or stop it.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "src/base/log.h"
#include "src/command/debug_switches.h"
#include "src/command/expiry_control.h"
#include "src/command/info_control.h"
#include "src/command/persistence_control.h"
#include "src/command/server_control.h"
#include "src/commands/server/debug.h"

namespace hearth::commands {
namespace {

// 4 GiB: the longest string that a length of 32 bits can tell.
constexpr std::uint64_t kPackedMost = 1ULL << 32;

Outcome no_server() { return refuse("ERR this server runs without a process of its own"); }

Outcome sleep(CommandContext& ctx) {
  // Clients probe with numbers that have something behind them: what reads as one is taken.
  const double asked = std::strtod(std::string(ctx.arg(2)).c_str(), nullptr);
  const double seconds = asked > 0 ? std::min(asked, 3600.0) : 0;
  if (ctx.services().server == nullptr) return no_server();
  ctx.services().server->stand_still(microseconds(static_cast<std::int64_t>(seconds * 1e6)));
  ctx.reply().ok();
  return {};
}

Outcome crash(CommandContext& ctx) {
  std::string how(ctx.arg(1));
  for (char& c : how) c = ascii_lower(c);
  if (ctx.services().server != nullptr) ctx.services().server->crash(how);
  return no_server();
}

Outcome write_log(CommandContext& ctx) {
  log::warning("DEBUG LOG: {}", ctx.arg(2));
  ctx.reply().ok();
  return {};
}

Outcome error(CommandContext& ctx) { return refuse(std::string(ctx.arg(2))); }

Outcome set_active_expire(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t on, ctx.args().integer(2));
  ctx.services().expiry->set_active(on != 0);
  ctx.reply().ok();
  return {};
}

Outcome pause_cron(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t on, ctx.args().integer(2));
  ctx.services().debug->pause_cron = on != 0;
  ctx.reply().ok();
  return {};
}

Outcome dict_resizing(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t on, ctx.args().integer(2));
  if (const bool pause = on == 0; pause != ctx.services().debug->tables_keep_size) {
    ctx.services().debug->tables_keep_size = pause;
    for (DbIndex i = 0; i < ctx.keyspace().db_count(); ++i)
      ctx.keyspace().db(i).pause_resize(pause);
  }
  ctx.reply().ok();
  return {};
}

Outcome set_disable_deny_scripts(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t on, ctx.args().integer(2));
  ctx.services().debug->allow_denied_in_scripts = on != 0;
  ctx.reply().ok();
  return {};
}

Outcome set_skip_checksum_validation(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t on, ctx.args().integer(2));
  static_cast<void>(
      ctx.services().config->replace("skip-checksum-validation", on != 0 ? "yes" : "no"));
  ctx.reply().ok();
  return {};
}

Outcome quicklist_packed_threshold(CommandContext& ctx) {
  const auto bytes = parse_memory_size(ctx.arg(2));
  if (!bytes || *bytes > kPackedMost) {
    return refuse("ERR argument must be a memory value bigger than 1 and smaller than 4gb");
  }
  ctx.services().debug->packed_threshold = *bytes;
  ctx.reply().ok();
  return {};
}

Outcome replybuffer(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  DebugSwitches& switches = *ctx.services().debug;
  if (args.is(2, "PEAK-RESET-TIME")) {
    if (args.is(3, "NEVER")) {
      switches.reply_peak_life.reset();
    } else if (args.is(3, "RESET")) {
      switches.reply_peak_life = DebugSwitches::kReplyPeakLife;
    } else {
      HEARTH_TRY(const std::int64_t ms, args.integer_between(3, 0, INT32_MAX));
      switches.reply_peak_life = milliseconds(ms);
    }
  } else if (args.is(2, "RESIZING")) {
    HEARTH_TRY(const std::int64_t on, args.integer(3));
    switches.reply_buffers_keep_size = on == 0;
  } else {
    return unknown_debug_verb(args[1]);
  }
  ctx.reply().ok();
  return {};
}

Outcome change_repl_id(CommandContext& ctx) {
  log::notice("Changing replication IDs after receiving change-repl-id");
  ctx.services().info->change_replication_id();
  ctx.reply().ok();
  return {};
}

Outcome aof_flush_sleep(CommandContext& ctx) {
  HEARTH_TRY(const std::int64_t micros, ctx.args().integer_between(2, 0, 3600LL * 1'000'000));
  if (ctx.services().persistence == nullptr) return no_server();
  ctx.services().persistence->slow_down_log(microseconds(micros));
  ctx.reply().ok();
  return {};
}

Outcome config_rewrite_force_all(CommandContext& ctx) {
  if (ctx.services().server == nullptr) return no_server();
  if (const auto done =
          ctx.services().server->rewrite_config(ServerControl::RewriteExtent::kEverything);
      !done) {
    return refuse("ERR CONFIG-REWRITE-FORCE-ALL failed: " + done.error().context);
  }
  ctx.reply().ok();
  return {};
}

constexpr DebugVerb kDebugSwitchesVerbs[] = {
    {"SLEEP", "<seconds>", "Stops the whole server for that long; fractions are fine.", 3, 3,
     sleep},
    {"SEGFAULT", "", "Ends the process by an access to memory that is not there.", 2, 2, crash},
    {"PANIC", "", "Ends the process as a fatal condition does.", 2, 2, crash},
    {"ASSERT", "", "Ends the process as a broken assertion does.", 2, 2, crash},
    {"LOG", "<message>", "Writes a message to the log.", 3, 3, write_log},
    {"ERROR", "<text>", "Replies with that error.", 3, 3, error},
    {"SET-ACTIVE-EXPIRE", "<0|1>", "Whether keys expire without being looked at.", 3, 3,
     set_active_expire},
    {"PAUSE-CRON", "<0|1>", "Whether all background work stands still.", 3, 3, pause_cron},
    {"DICT-RESIZING", "<0|1>", "Whether tables of keys grow and shrink.", 3, 3, dict_resizing},
    {"SET-DISABLE-DENY-SCRIPTS", "<0|1>",
     "Whether scripts may run commands that are barred from them.", 3, 3, set_disable_deny_scripts},
    {"SET-SKIP-CHECKSUM-VALIDATION", "<0|1>",
     "Whether RESTORE trusts payloads without their checksum.", 3, 3, set_skip_checksum_validation},
    {"QUICKLIST-PACKED-THRESHOLD", "<size>",
     "From which size on list items stand alone; 0 is the default.", 3, 3,
     quicklist_packed_threshold},
    {"REPLYBUFFER", "<PEAK-RESET-TIME <NEVER|RESET|ms> | RESIZING <0|1>>",
     "How long a large reply counts for a client's buffer, and whether that changes at all.", 4, 4,
     replybuffer},
    {"AOF-FLUSH-SLEEP", "<microseconds>", "Makes every flush of the append-only file take longer.",
     3, 3, aof_flush_sleep},
    {"CHANGE-REPL-ID", "", "Gives the stream of effects another id.", 2, 2, change_repl_id},
    {"CONFIG-REWRITE-FORCE-ALL", "", "Like CONFIG REWRITE, with every parameter.", 2, 2,
     config_rewrite_force_all},
};

}  // namespace

std::span<const DebugVerb> debug_switch_verbs() { return kDebugSwitchesVerbs; }

}  // namespace hearth::commands

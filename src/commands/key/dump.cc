// Values as bytes: DUMP, RESTORE.
#include "persistence/rdb/dump.h"
#include "src/base/format_number.h"
#include "src/command/common_specs.h"
#include "src/command/context.h"
#include "src/command/debug_switches.h"
#include "src/command/write_guard.h"
#include "src/commands/key/family.h"
#include "src/commands/key/payload.h"

namespace hearth::commands {
namespace {

Outcome dump(CommandContext& ctx) {
  const Found at = ctx.keys().read(ctx.key(1));
  if (!at) {
    ctx.reply().null();
    return {};
  }
  ctx.reply().bulk(rdb::dump_payload(*at, payload_options(ctx)));
  return {};
}

struct DumpOptions {
  bool replace = false;
  bool absolute = false;
  std::optional<std::int64_t> idle_seconds;
  std::optional<std::int64_t> frequency;
  WriteGuard guard;
};

Result<DumpOptions, ReplyError> parse_dump(const ArgReader& args) {
  constexpr std::int64_t kCounterMax = 255;
  DumpOptions o;
  for (std::size_t i = 4; i < args.size(); ++i) {
    if (args.is(i, "REPLACE")) {
      o.replace = true;
    } else if (args.is(i, "ABSTTL")) {
      o.absolute = true;
    } else if (args.is(i, "IDLETIME", 1) && !o.frequency) {
      HEARTH_TRY(o.idle_seconds, args.integer(++i));
      if (*o.idle_seconds < 0) return refuse("ERR Invalid IDLETIME value, must be >= 0");
    } else if (args.is(i, "FREQ", 1) && !o.idle_seconds) {
      HEARTH_TRY(o.frequency, args.integer(++i));
      if (*o.frequency < 0 || *o.frequency > kCounterMax) {
        return refuse("ERR Invalid FREQ value, must be >= 0 and <= 255");
      }
    } else {
      HEARTH_TRY(const bool is_guard, read_guard(args, i, o.guard));
      if (!is_guard) return syntax_error();
      ++i;
    }
  }
  return o;
}

// kNoDeadline for a TTL of 0.
Result<std::int64_t, ReplyError> deadline_for(const CommandContext& ctx,
                                              const DumpOptions& options) {
  HEARTH_TRY(std::int64_t ttl, ctx.args().integer(2));
  if (ttl < 0) return refuse("ERR Invalid TTL value, must be >= 0");
  if (ttl == 0) return kNoDeadline;
  if (!options.absolute && __builtin_add_overflow(ttl, ctx.clock().ms, &ttl)) {
    return refuse("ERR Invalid TTL value, must be >= 0");
  }
  return ttl;
}

Result<rdb::Object, ReplyError> parse_payload(CommandContext& ctx) {
  const config::Settings& s = ctx.settings();
  const rdb::DecodeLimits limits = decode_limits(
      s, ctx.keyspace().seed(), ctx.services().debug->packed_threshold, ctx.string_bytes_most());
  const auto checksum = s.skip_checksum_validation ? rdb::Checksum::kSkip : rdb::Checksum::kVerify;
  auto object = rdb::parse_dump_payload(ctx.arg(3), limits, checksum, version_check(s));
  if (object) return std::move(*object);
  if (object.error().code == ErrorCode::kUnsupported) {
    return refuse("ERR DUMP payload version or checksum are wrong");
  }
  return refuse("ERR Bad data format");
}

void set_access(CommandContext& ctx, Found at, const DumpOptions& options) {
  if (options.frequency && ctx.keys().uses_lfu()) {
    ctx.keys().set_access(at, access_clock::lfu_with_counter(
                                  static_cast<std::uint8_t>(*options.frequency), ctx.clock()));
  } else if (options.idle_seconds && !ctx.keys().uses_lfu()) {
    ctx.keys().set_access(at, access_clock::lru_from_idle(*options.idle_seconds, ctx.clock()));
  }
}

void log_restore(CommandContext& ctx, const KeyRef& key, const DumpOptions& options,
                 std::int64_t deadline) {
  const bool is_guarded = options.guard.version != kNoVersion || !options.guard.epoch.empty();
  const bool is_relative = deadline != kNoDeadline && !options.absolute;
  if (ctx.effects().wants_commands() && (is_relative || is_guarded)) {
    std::vector<std::string> words;
    for (std::size_t i = 0; i < ctx.args().size(); ++i) {
      if (i > 3 && (ctx.args().is(i, "VER") || ctx.args().is(i, "WARM")))
        ++i;
      else
        words.emplace_back(ctx.arg(i));
    }
    if (is_relative) {
      words[2] = int64_text(deadline);
      words.emplace_back("ABSTTL");
    }
    ctx.effects().replicate_words(std::move(words));
  } else {
    ctx.effects().replicate_verbatim();
  }
  ctx.effects().event(Notify::kGeneric, "restore", key.name);
}

Outcome restore(CommandContext& ctx) {
  HEARTH_TRY(const DumpOptions options, parse_dump(ctx.args()));
  announce_guarded(ctx, options.guard);
  const KeyRef key = ctx.key(1);
  const Found at = ctx.keys().write(key);
  if (at && !options.replace) return refuse("BUSYKEY Target key name already exists.");
  HEARTH_TRY(const std::int64_t deadline, deadline_for(ctx, options));
  HEARTH_TRY(rdb::Object object, parse_payload(ctx));
  HEARTH_TRY(const bool admitted, admits(ctx, options.guard, key, at));
  if (!admitted) {
    ctx.reply().null();
    return {};
  }
  begin_guarded(ctx, options.guard);

  if (deadline != kNoDeadline && deadline <= ctx.now().ms) {
    // It would be gone at once; what it was to replace is gone all the same.
    if (at) {
      ctx.keys().remove(key, at);
      const bool lazy = ctx.settings().lazyfree_lazy_server_del;
      ctx.effects().replicate_as(lazy ? "UNLINK" : "DEL", key.name);
      ctx.effects().event(Notify::kGeneric, "del", key.name);
    }
    end_guarded(ctx, options.guard, key);
    ctx.reply().ok();
    return {};
  }
  ctx.keys().put(key, at,
                 rdb::make_entry(key.name, std::move(object), deadline, ctx.keys().new_access()));
  set_access(ctx, ctx.keys().database().find(key), options);
  log_restore(ctx, key, options, deadline);
  end_guarded(ctx, options.guard, key);
  ctx.reply().ok();
  return {};
}

constexpr ArgDoc kRestoreArgs[] = {args::key(),
                                   args::integer("ttl"),
                                   args::string("serialized-value"),
                                   args::token("replace", "REPLACE").opt().from("3.0.0"),
                                   args::token("absttl", "ABSTTL").opt().from("5.0.0"),
                                   args::integer("seconds", "IDLETIME").opt().from("5.0.0"),
                                   args::integer("frequency", "FREQ").opt().from("5.0.0"),
                                   args::integer("version", "VER").opt(),
                                   args::string("epoch", "WARM").opt()};
constexpr KeySpec kOverwriteKey[] = {KeySpec::one(1, access::kOverwrite)};
constexpr std::string_view kDumpComplexity = "O(N) with the size of the value.";

}  // namespace

constexpr CommandSpec kDump{
    .name = "DUMP",
    .summary = "Returns the value of a key as bytes that RESTORE takes.",
    .complexity = kDumpComplexity,
    .since = "2.6.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kReadonly,
    .acl = Acl::kKeyspace,
    .group = Group::kGeneric,
    .keys = kReadKey,
    .args = kKeyArg,
    .reply = Shape::kBulk | Shape::kNull,
    .handler = dump,
    .tips = kNondeterministic,
};
constexpr CommandSpec kRestore{
    .name = "RESTORE",
    .summary = "Makes a key of the bytes that DUMP returned.",
    .complexity = kDumpComplexity,
    .since = "2.6.0",
    .arity = Arity::at_least(4),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kKeyspace | Acl::kDangerous,
    .group = Group::kGeneric,
    .keys = kOverwriteKey,
    .args = kRestoreArgs,
    .reply = Shape::kOk | Shape::kNull,
    .handler = restore,
};
constexpr CommandSpec kRestoreAsking{
    .name = "RESTORE-ASKING",
    .summary = "RESTORE into a slot that is being imported; used by MIGRATE.",
    .complexity = kDumpComplexity,
    .since = "3.0.0",
    .arity = Arity::at_least(4),
    .flags = Flag::kWrite | Flag::kDenyOom | Flag::kAsking,
    .acl = Acl::kKeyspace | Acl::kDangerous,
    .group = Group::kServer,
    .keys = kOverwriteKey,
    .args = kRestoreArgs,
    .reply = Shape::kOk | Shape::kNull,
    .handler = restore,
};

}  // namespace hearth::commands

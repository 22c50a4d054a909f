// MIGRATE: moves keys to another server.
//
// The values are written out at once and travel as RESTORE commands. Until the other side has
// answered, the client waits and the keys are locked, so that what arrives there is what is removed
// here; other clients go on. A key is removed when its own RESTORE was confirmed, whatever happened
// to the others, so that it is never on both sides after a success, nor on none after a failure.
#include <algorithm>
#include <string_view>

#include "src/base/name_map.h"
#include "src/command/client_control.h"
#include "src/command/common_specs.h"
#include "src/command/context.h"
#include "src/command/hold_control.h"
#include "src/command/migration_control.h"
#include "src/command/options.h"
#include "src/command/unit_control.h"
#include "src/commands/key/family.h"
#include "src/commands/key/payload.h"
#include "src/commands/key/spec_parts.h"

namespace hearth::commands {
namespace {

using Words = std::vector<std::string>;

struct MigrateOptions {
  MigrationControl::Job job;
  std::int64_t db = 0;
  bool copy = false;
  bool replace = false;
  std::size_t first_key = 3;  // words
  std::size_t key_count = 1;
};

enum class MigrateWord : std::uint8_t { kCopy, kReplace, kAuth, kAuth2, kKeys };
constexpr OptionWord<MigrateWord> kMigrateWords[] = {{MigrateWord::kCopy, "COPY"},
                                                     {MigrateWord::kReplace, "REPLACE"},
                                                     {MigrateWord::kAuth, "AUTH", 1},
                                                     {MigrateWord::kAuth2, "AUTH2", 2},
                                                     {MigrateWord::kKeys, "KEYS", 1, true}};

Outcome parse_word(CommandContext& ctx, MigrateWord word, std::size_t i, MigrateOptions& o) {
  const ArgReader& args = ctx.args();
  const auto take = [&](std::size_t at) { return std::string(args[at]); };
  switch (word) {
    case MigrateWord::kCopy: o.copy = true; break;
    case MigrateWord::kReplace: o.replace = true; break;
    case MigrateWord::kAuth: o.job.preamble.assign({Words{"AUTH", take(i + 1)}}); break;
    case MigrateWord::kAuth2:
      o.job.preamble.assign({Words{"AUTH", take(i + 1), take(i + 2)}});
      break;
    case MigrateWord::kKeys:
      if (!args[3].empty()) {
        return refuse(
            "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string");
      }
      o.first_key = i + 1;
      o.key_count = args.size() - o.first_key;
      break;
  }
  return {};
}

// One word behind AUTH, two behind AUTH2, and what follows them up to the next option.
void migrate_secrets(const Services&, std::span<const std::string_view> argv,
                     std::vector<std::uint32_t>& words) {
  const auto is = [&](std::uint32_t i, std::string_view word) {
    return equals_ignore_case(argv[i], word);
  };
  for (std::uint32_t i = 6; i < argv.size(); ++i) {
    if (is(i, "KEYS")) return;
    if (!is(i, "AUTH") && !is(i, "AUTH2")) continue;
    const std::uint32_t certain = i + (is(i, "AUTH2") ? 2 : 1);
    for (++i; i < argv.size(); ++i) {
      if (i > certain && (is(i, "KEYS") || is(i, "COPY") || is(i, "REPLACE"))) break;
      words.push_back(i);
    }
    --i;
  }
}

bool migrate_keys(std::span<const std::string_view> argv, std::vector<KeyPosition>& out) {
  std::size_t first = 3, count = 1;
  static_cast<void>(walk_options(ArgReader(argv), 6, kMigrateWords,
                                 [&](MigrateWord word, std::size_t i) -> Outcome {
                                   if (word != MigrateWord::kKeys) return {};
                                   first = i + 1;
                                   count = argv[3].empty() ? argv.size() - first : 0;
                                   return {};
                                 }));
  for (std::size_t i = first; i < first + count; ++i)
    out.push_back({static_cast<std::uint32_t>(i), kTaken});
  return count > 0;
}

Result<MigrateOptions, ReplyError> parse_migrate(CommandContext& ctx) {
  constexpr std::int64_t kDefaultTimeoutMs = 1000;
  const ArgReader& args = ctx.args();
  MigrateOptions o;
  HEARTH_TRY_VOID(walk_options(args, 6, kMigrateWords, [&](MigrateWord word, std::size_t i) {
    return parse_word(ctx, word, i, o);
  }));
  HEARTH_TRY(const std::int64_t timeout, args.integer(5));
  HEARTH_TRY(o.db, args.integer_between(4, INT32_MIN, INT32_MAX));
  HEARTH_TRY(const std::int64_t port, args.integer_between(2, 1, UINT16_MAX));
  o.job.host = std::string(args[1]);
  o.job.port = static_cast<std::uint16_t>(port);
  o.job.timeout = milliseconds(timeout > 0 ? timeout : kDefaultTimeoutMs);
  return o;
}

std::vector<std::string> restore_words(const CommandContext& ctx, const Entry& e,
                                       const MigrateOptions& options) {
  const std::int64_t ttl =
      e.has_deadline() ? std::max<std::int64_t>(1, e.deadline() - ctx.clock().ms) : 0;
  // The slot may still be importing on the other side: it takes the key only from one who asks.
  std::vector<std::string> words{ctx.settings().cluster_enabled ? "RESTORE-ASKING" : "RESTORE",
                                 std::string(e.key()), std::to_string(ttl),
                                 rdb::dump_payload(e, payload_options(ctx))};
  if (options.replace) words.emplace_back("REPLACE");
  return words;
}

// The work that is left when the other side has answered. The session may have ended by then.
struct Completion {
  const Services& services;  // of the engine, which outlives every job
  ConnId client = 0;
  DbIndex db = 0;
  bool copy = false;
  std::vector<std::string> names;

  void operator()(const MigrationControl::JobResult& result) const {
    if (!copy) remove_confirmed(result);
    services.holds->unlock_keys(db, names);
    Session* session = services.clients->find(client);
    if (session == nullptr || !session->is_waiting()) return;
    const std::size_t reply_from = session->out.size();
    ReplyWriter reply(session->out, session->resp);
    const std::string error = error_of(result);
    if (error.empty()) {
      reply.ok();
    } else {
      reply.error(error);
      services.stats->count_error(error);
    }
    services.clients->resume(*session, reply_from);
  }

 private:
  static std::string error_of(const MigrationControl::JobResult& result) {
    for (const std::string& error : result.errors) {
      if (!error.empty()) return "ERR Target instance replied with error: " + error;
    }
    return result.failure;
  }

  void remove_confirmed(const MigrationControl::JobResult& result) const {
    KeyEnvironment& env = services.units->environment();
    Keys keys(env, db);
    std::vector<std::string> words{"DEL"};
    Slot slot = 0;
    for (std::size_t i = 0; i < result.errors.size() && i < names.size(); ++i) {
      if (!result.errors[i].empty()) continue;
      const KeyRef key = keys.make_ref(names[i]);
      slot = key.slot;
      const Found at = keys.database().find(key);
      if (!at) continue;  // expired or evicted meanwhile
      keys.remove(key, at);
      words.push_back(names[i]);
    }
    if (words.size() == 1) return;
    for (std::size_t i = 1; i < words.size(); ++i)
      env.effects->event(Notify::kGeneric, "del", db, words[i]);
    env.effects->count_changes(words.size() - 2);
    env.effects->replicate_words({db, slot}, std::move(words));
    services.units->commit();
  }
};

Outcome migrate(CommandContext& ctx) {
  HEARTH_TRY(MigrateOptions options, parse_migrate(ctx));
  std::vector<std::string> names;
  NameViewSet taken(ctx.keyspace().seed());  // a key that is named twice travels once
  for (std::size_t i = options.first_key; i < options.first_key + options.key_count; ++i) {
    const Found at = ctx.keys().read(ctx.key(i));
    if (!at || !taken.insert(ctx.arg(i)).second) continue;
    options.job.commands.push_back(restore_words(ctx, *at, options));
    names.emplace_back(ctx.arg(i));
  }
  if (names.empty()) {
    ctx.reply().simple("NOKEY");
    return {};
  }
  const Services& services = ctx.services();
  if (services.migration == nullptr)
    return refuse("IOERR error or timeout connecting to the client");
  if (!ctx.settings().cluster_enabled || options.db != 0) {
    options.job.preamble.push_back({"SELECT", std::to_string(options.db)});
  }
  Completion completion{services, ctx.session().id, ctx.keys().index(), options.copy,
                        std::move(names)};
  services.holds->lock_keys(completion.db, completion.names);
  services.clients->wait(ctx.session());
  services.migration->start(std::move(options.job), std::move(completion));
  return {};
}

constexpr ArgDoc kKeySelector[] = {args::key("key", 0), args::token("empty-string", "\"\"")};
constexpr ArgDoc kAuth2[] = {args::string("username"), args::string("password")};
constexpr ArgDoc kAuthentication[] = {args::string("auth", "AUTH").from("4.0.7"),
                                      args::block("auth2", kAuth2, "AUTH2").from("6.0.0")};
constexpr ArgDoc kArgs[] = {args::string("host"),
                            args::integer("port"),
                            args::one_of("key-selector", kKeySelector),
                            args::integer("destination-db"),
                            args::integer("timeout"),
                            args::token("copy", "COPY").opt().from("3.0.0"),
                            args::token("replace", "REPLACE").opt().from("3.0.0"),
                            args::one_of("authentication", kAuthentication).opt(),
                            [] {
                              ArgDoc a = args::key("keys", 1).opt().many().from("3.0.6");
                              a.token = "KEYS";
                              return a;
                            }()};
constexpr KeySpec kKeySpecs[] = {
    KeySpec::one(3, kTaken), KeySpec::after_keyword("KEYS", 6, -1, kTaken | access::kIncomplete)};
constexpr HistoryNote kMigrateHistory[] = {{"3.0.0", "Takes `COPY` and `REPLACE`."},
                                           {"3.0.6", "Takes `KEYS`."},
                                           {"4.0.7", "Takes `AUTH`."},
                                           {"6.0.0", "Takes `AUTH2`."}};

}  // namespace

constexpr CommandSpec kMigrate{
    .name = "MIGRATE",
    .summary = "Moves keys to another server; each is removed here when it has arrived there.",
    .complexity = "O(N) with N the size of the values, here, on the wire and there",
    .since = "2.6.0",
    .arity = Arity::at_least(6),
    .flags = Flag::kWrite | Flag::kNoScript | Flag::kMovesSlots,
    .acl = Acl::kKeyspace | Acl::kDangerous,
    .group = Group::kGeneric,
    .keys = kKeySpecs,
    .args = kArgs,
    .reply = Shape::kOk | Shape::kSimple,
    .handler = migrate,
    .tips = kNondeterministic,
    .history = kMigrateHistory,
    .find_keys = migrate_keys,
    .secrets = migrate_secrets,
};

}  // namespace hearth::commands

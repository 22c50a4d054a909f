// Keys that change their name or place, and copies: RENAME, RENAMENX, MOVE, COPY.
#include "src/command/context.h"
#include "src/command/options.h"
#include "src/commands/key/family.h"
#include "src/commands/key/spec_parts.h"

namespace hearth::commands {
namespace {

constexpr std::string_view kSameObject = "ERR source and destination objects are the same";

enum class Overwrite : bool { kNo, kYes };

// False, with nothing changed, if the destination exists and may not be overwritten.
Result<bool, ReplyError> rename_key(CommandContext& ctx, Overwrite overwrite) {
  const KeyRef from = ctx.key(1);
  const KeyRef to = ctx.key(2);
  Keys& keys = ctx.keys();
  keys.let_expired_go({from, to});
  if (!keys.write(from)) return refuse(std::string(kNoSuchKey));
  if (from.name == to.name) return overwrite == Overwrite::kYes;
  if (keys.peek(to) && overwrite == Overwrite::kNo) return false;

  Entry* entry = keys.take(from, keys.peek(from));
  const Found old = keys.peek(to);
  // Listeners hear of a new key, whether there was one of that name or not.
  if (old) ctx.effects().event(Notify::kNew, "new", to.name);
  keys.put(to, old, Entry::with_key(entry, to.name));
  ctx.effects().replicate_verbatim();
  ctx.effects().event(Notify::kGeneric, "rename_from", from.name);
  ctx.effects().event(Notify::kGeneric, "rename_to", to.name);
  return true;
}

Outcome rename(CommandContext& ctx) {
  HEARTH_TRY_VOID(rename_key(ctx, Overwrite::kYes));
  ctx.reply().ok();
  return {};
}

Outcome renamenx(CommandContext& ctx) {
  HEARTH_TRY(const bool renamed, rename_key(ctx, Overwrite::kNo));
  ctx.reply().integer(renamed ? 1 : 0);
  return {};
}

Result<DbIndex, ReplyError> parse_db(CommandContext& ctx, std::size_t word) {
  HEARTH_TRY(const std::int64_t db, ctx.args().int32(word));
  if (db < 0 || db >= ctx.keyspace().db_count()) return refuse("ERR DB index is out of range");
  return static_cast<DbIndex>(db);
}

Outcome move(CommandContext& ctx) {
  if (ctx.settings().cluster_enabled && ctx.keyspace().db_count() == 1)
    return refuse("ERR MOVE is not allowed in cluster mode");
  HEARTH_TRY(const DbIndex db, parse_db(ctx, 2));
  if (db == ctx.keys().index()) return refuse(std::string(kSameObject));
  const KeyRef key = ctx.key(1);
  Keys there = ctx.keys_in(db);
  const Found at = ctx.keys().write(key);
  if (!at || there.peek(key)) {
    ctx.reply().integer(0);
    return {};
  }
  Entry* entry = ctx.keys().take(key, at);
  ctx.effects().replicate_verbatim();
  there.put(key, {}, entry);
  ctx.effects().event(Notify::kGeneric, "move_from", key.name);
  ctx.effects().in(db).event(Notify::kGeneric, "move_to", key.name);
  ctx.reply().integer(1);
  return {};
}

enum class CopyWord : std::uint8_t { kReplace, kDb };
constexpr OptionWord<CopyWord> kCopyWords[] = {{CopyWord::kReplace, "REPLACE"},
                                               {CopyWord::kDb, "DB", 1}};

struct CopyOptions {
  DbIndex db = 0;
  bool replace = false;
};

Result<CopyOptions, ReplyError> parse_copy(CommandContext& ctx) {
  CopyOptions o{ctx.keys().index(), false};
  HEARTH_TRY_VOID(
      walk_options(ctx.args(), 3, kCopyWords, [&](CopyWord word, std::size_t i) -> Outcome {
        if (word == CopyWord::kReplace) {
          o.replace = true;
          return {};
        }
        HEARTH_TRY(o.db, parse_db(ctx, i + 1));
        return {};
      }));
  return o;
}

// The last DB counts.
std::size_t copy_database_word(std::span<const std::string_view> argv) {
  std::size_t db = 0;
  static_cast<void>(
      walk_options(ArgReader(argv), 3, kCopyWords, [&](CopyWord word, std::size_t i) -> Outcome {
        if (word == CopyWord::kDb) db = i + 1;
        return {};
      }));
  return db;
}

Outcome copy(CommandContext& ctx) {
  HEARTH_TRY(const CopyOptions options, parse_copy(ctx));
  const KeyRef from = ctx.key(1);
  const KeyRef to = ctx.key(2);
  if (options.db == ctx.keys().index() && from.name == to.name)
    return refuse(std::string(kSameObject));
  Keys there = ctx.keys_in(options.db);
  ctx.keys().let_expired_go(from);
  there.let_expired_go(to);
  const Found source = ctx.keys().read(from);
  const Found old = source ? there.peek(to) : Found();
  if (!source || (old && !options.replace)) {
    ctx.reply().integer(0);
    return {};
  }
  ctx.effects().replicate_verbatim();
  if (old) ctx.effects().in(options.db).event(Notify::kNew, "new", to.name);
  there.put(to, old, source->copy_as(to.name));
  ctx.effects().in(options.db).event(Notify::kGeneric, "copy_to", to.name);
  ctx.reply().integer(1);
  return {};
}

constexpr ArgDoc kRenameArgs[] = {args::key("key", 0), args::key("newkey", 1)};
constexpr ArgDoc kMoveArgs[] = {args::key(), args::integer("db")};
constexpr ArgDoc kCopyArgs[] = {args::key("source", 0), args::key("destination", 1),
                                args::integer("destination-db", "DB").opt(),
                                args::token("replace", "REPLACE").opt()};
constexpr KeySpec kRenameKeys[] = {KeySpec::one(1, kTaken), KeySpec::one(2, access::kOverwrite)};
constexpr KeySpec kRenameNxKeys[] = {KeySpec::one(1, kTaken),
                                     KeySpec::one(2, access::kOW | access::kInsert)};
constexpr KeySpec kMoveKey[] = {KeySpec::one(1, access::kModifyRead)};
constexpr KeySpec kCopyKeys[] = {KeySpec::one(1, access::kRead),
                                 KeySpec::one(2, access::kOverwrite)};
constexpr HistoryNote kSameNameAllowed[] = {{"3.2.0", "The two names may be the same."}};

}  // namespace

constexpr CommandSpec kRename{
    .name = "RENAME",
    .summary = "Gives a key another name, whatever stood under that.",
    .complexity = "O(1), and O(N) with N the parts of a value that is overwritten",
    .since = "1.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kWrite,
    .acl = Acl::kKeyspace,
    .group = Group::kGeneric,
    .keys = kRenameKeys,
    .args = kRenameArgs,
    .reply = Shape::kOk,
    .handler = rename,
};
constexpr CommandSpec kRenameNx{
    .name = "RENAMENX",
    .summary = "Gives a key another name if nothing stands under that.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kKeyspace,
    .group = Group::kGeneric,
    .keys = kRenameNxKeys,
    .args = kRenameArgs,
    .reply = Shape::kInteger,
    .handler = renamenx,
    .history = kSameNameAllowed,
};
constexpr CommandSpec kMove{
    .name = "MOVE",
    .summary = "Moves a key to another database.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kWrite | Flag::kFast,
    .acl = Acl::kKeyspace,
    .group = Group::kGeneric,
    .keys = kMoveKey,
    .args = kMoveArgs,
    .reply = Shape::kInteger,
    .handler = move,
    .databases = DatabaseUse::kSecondAndOwn,
};
constexpr CommandSpec kCopy{
    .name = "COPY",
    .summary = "Copies the value and the time to live of a key to another key.",
    .complexity = "O(N) with N the parts of the value",
    .since = "6.2.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kKeyspace,
    .group = Group::kGeneric,
    .keys = kCopyKeys,
    .args = kCopyArgs,
    .reply = Shape::kInteger,
    .handler = copy,
    .database_word = copy_database_word,
    .databases = DatabaseUse::kOptional,
};

}  // namespace hearth::commands

// Consumer groups: XGROUP CREATE, SETID, DESTROY, CREATECONSUMER, DELCONSUMER, HELP.
#include "src/command/docs.h"
#include "src/commands/stream/family.h"
#include "src/commands/stream/groups.h"
#include "src/commands/stream/ids.h"
#include "src/commands/stream/spec_parts.h"

namespace hearth::commands {
namespace {

struct PositionOptions {
  bool make = false;
  std::int64_t entries_read = StreamGroup::kUnknown;
};

enum class MakeOption : bool { kRefused, kAllowed };

// The words behind XGROUP CREATE|SETID key group id.
Result<PositionOptions, ReplyError> parse_options(const ArgReader& args, MakeOption make) {
  PositionOptions o;
  for (std::size_t i = 5; i < args.size(); ++i) {
    if (make == MakeOption::kAllowed && args.is(i, "MKSTREAM")) {
      o.make = true;
    } else if (args.is(i, "ENTRIESREAD", 1)) {
      HEARTH_TRY(o.entries_read, args.integer(++i));
      if (o.entries_read < 0 && o.entries_read != StreamGroup::kUnknown)
        return refuse("ERR value for ENTRIESREAD must be positive or -1");
    } else {
      return refuse("ERR unknown subcommand or wrong number of arguments for '" +
                    std::string(args[1]) + "'. Try XGROUP HELP.");
    }
  }
  return o;
}

tl::unexpected<ReplyError> key_required() {
  return refuse(
      "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to "
      "use the MKSTREAM option to create an empty stream automatically.");
}

Result<Change, ReplyError> required_stream(CommandContext& ctx) {
  HEARTH_TRY(const Found at, ctx.keys().write(ctx.key(2), Type::kStream));
  if (!at) return key_required();
  return ctx.keys().change(ctx.key(2), at);
}

Result<GroupAt, ReplyError> required_group(CommandContext& ctx) {
  HEARTH_TRY(Change change, required_stream(ctx));
  Stream& stream = *change->stream();
  if (StreamGroup* group = stream.group(ctx.arg(3)))
    return GroupAt{std::move(change), stream, *group};
  return refuse("NOGROUP No such consumer group '" + std::string(ctx.arg(3)) + "' for key name '" +
                std::string(ctx.arg(2)) + "'");
}

void changed(CommandContext& ctx, std::string_view event) {
  ctx.effects().replicate_verbatim();
  ctx.effects().side_event(Notify::kStream, event, ctx.arg(2));
}

Outcome create(CommandContext& ctx) {
  HEARTH_TRY(const PositionOptions o, parse_options(ctx.args(), MakeOption::kAllowed));
  const KeyRef key = ctx.key(2);
  HEARTH_TRY(Found at, ctx.keys().write(key, Type::kStream));
  if (!at && !o.make) return key_required();
  StreamId id = at ? at->stream()->last_id() : StreamId{};
  if (ctx.arg(4) != "$") {
    HEARTH_TRY(id, strict_id(ctx.arg(4)));
  }
  if (at && at->stream()->group(ctx.arg(3)) != nullptr)
    return refuse("BUSYGROUP Consumer Group name already exists");
  const bool is_new = !at;
  at = made_stream(ctx, key, at);
  ctx.keys().change(key, at)->stream()->add_group(ctx.arg(3), id, o.entries_read);
  ctx.effects().replicate_verbatim();
  if (is_new)
    ctx.effects().event(Notify::kStream, "xgroup-create", key.name);
  else
    ctx.effects().side_event(Notify::kStream, "xgroup-create", key.name);
  ctx.reply().ok();
  return {};
}

Outcome set_id(CommandContext& ctx) {
  HEARTH_TRY(const PositionOptions o, parse_options(ctx.args(), MakeOption::kRefused));
  HEARTH_TRY(const GroupAt at, required_group(ctx));
  StreamId id = at.stream.last_id();
  if (ctx.arg(4) != "$") {
    HEARTH_TRY(id, any_id(ctx.arg(4)));
  }
  at.group.last_id = id;
  at.group.entries_read = o.entries_read;
  changed(ctx, "xgroup-setid");
  ctx.reply().ok();
  return {};
}

Outcome destroy(CommandContext& ctx) {
  HEARTH_TRY(const Change change, required_stream(ctx));
  const bool was_there = change->stream()->remove_group(ctx.arg(3));
  if (was_there) changed(ctx, "xgroup-destroy");
  ctx.reply().integer(was_there ? 1 : 0);
  return {};
}

Outcome create_consumer(CommandContext& ctx) {
  HEARTH_TRY(const GroupAt at, required_group(ctx));
  const bool is_new = at.group.consumer(ctx.arg(4)) == nullptr;
  if (is_new) {
    at.group.add_consumer(ctx.arg(4), ctx.clock());
    changed(ctx, "xgroup-createconsumer");
  }
  ctx.reply().integer(is_new ? 1 : 0);
  return {};
}

Outcome delete_consumer(CommandContext& ctx) {
  HEARTH_TRY(const GroupAt at, required_group(ctx));
  StreamConsumer* consumer = at.group.consumer(ctx.arg(4));
  std::size_t pending = 0;
  if (consumer != nullptr) {
    pending = consumer->pending.size();
    at.group.remove_consumer(*consumer);
    changed(ctx, "xgroup-delconsumer");
  }
  ctx.reply().integer(static_cast<std::int64_t>(pending));
  return {};
}

constexpr ArgDoc kGroupId[] = {args::string("id"), args::token("new-id", "$")};
constexpr ArgDoc kCreateArgs[] = {args::key(), args::string("group"),
                                  args::one_of("id-selector", kGroupId),
                                  args::token("mkstream", "MKSTREAM").opt(),
                                  args::integer("entries-read", "ENTRIESREAD").opt().from("7.0.0")};
constexpr ArgDoc kGroupSetIdArgs[] = {
    args::key(), args::string("group"), args::one_of("id-selector", kGroupId),
    args::integer("entries-read", "ENTRIESREAD").opt().from("7.0.0")};
constexpr ArgDoc kGroupArgs[] = {args::key(), args::string("group")};
constexpr ArgDoc kConsumerArgs[] = {args::key(), args::string("group"), args::string("consumer")};
constexpr KeySpec kGroupInsertKey[] = {KeySpec::one(2, access::kAdd)};
constexpr KeySpec kGroupUpdateKey[] = {KeySpec::one(2, access::kModify)};
constexpr KeySpec kGroupDeleteKey[] = {KeySpec::one(2, access::kRW | access::kDelete)};
constexpr HistoryNote kGroupHistory[] = {{"7.0.0", "Accepts `ENTRIESREAD`."}};

constexpr CommandSpec kCreate{
    .name = "CREATE",
    .summary = "Makes a group that reads a stream from an id on.",
    .complexity = "O(1)",
    .since = "5.0.0",
    .arity = Arity::at_least(5),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kGroupInsertKey,
    .args = kCreateArgs,
    .reply = Shape::kOk,
    .handler = create,
    .history = kGroupHistory,
};
constexpr CommandSpec kSetId{
    .name = "SETID",
    .summary = "Sets the id behind which a group reads on.",
    .complexity = "O(1)",
    .since = "5.0.0",
    .arity = Arity::at_least(5),
    .flags = Flag::kWrite,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kGroupUpdateKey,
    .args = kGroupSetIdArgs,
    .reply = Shape::kOk,
    .handler = set_id,
    .history = kGroupHistory,
};
constexpr CommandSpec kDestroy{
    .name = "DESTROY",
    .summary = "Removes a group and what it has pending.",
    .complexity = "O(N) with the number of entries that the group has pending.",
    .since = "5.0.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kWrite,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kGroupDeleteKey,
    .args = kGroupArgs,
    .reply = Shape::kInteger,
    .handler = destroy,
};
constexpr CommandSpec kCreateConsumer{
    .name = "CREATECONSUMER",
    .summary = "Makes a consumer in a group.",
    .complexity = "O(1)",
    .since = "6.2.0",
    .arity = Arity::exactly(5),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kGroupInsertKey,
    .args = kConsumerArgs,
    .reply = Shape::kInteger,
    .handler = create_consumer,
};
constexpr CommandSpec kDelConsumer{
    .name = "DELCONSUMER",
    .summary = "Removes a consumer, and returns how many entries it had pending.",
    .complexity = "O(N) with the number of entries that the consumer has pending.",
    .since = "5.0.0",
    .arity = Arity::exactly(5),
    .flags = Flag::kWrite,
    .acl = Acl::kStream,
    .group = Group::kStream,
    .keys = kGroupDeleteKey,
    .args = kConsumerArgs,
    .reply = Shape::kInteger,
    .handler = delete_consumer,
};
constexpr const CommandSpec* kGroupSubcommands[] = {&kCreate,  &kCreateConsumer, &kDelConsumer,
                                                    &kDestroy, &kStreamHelp,     &kSetId};

}  // namespace

constexpr CommandSpec kXGroup{
    .name = "XGROUP",
    .summary = "Holds the commands that manage groups of consumers.",
    .complexity = "Depends on the subcommand.",
    .since = "5.0.0",
    .arity = Arity::at_least(2),
    .group = Group::kStream,
    .reply = Shape::kNone,
    .subcommands = kGroupSubcommands,
};

}  // namespace hearth::commands

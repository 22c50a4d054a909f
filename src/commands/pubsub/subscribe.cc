// SUBSCRIBE, UNSUBSCRIBE and their relatives for patterns and shard channels. Each name is
// confirmed by a message of its own: kind, name, and how many subscriptions the client has now.
#include "src/command/context.h"
#include "src/commands/pubsub/family.h"
#include "src/pubsub/pubsub.h"

namespace hearth::commands {
namespace {

using Kind = PubSub::Kind;

// Channels and patterns are counted together, shard channels by themselves.
std::int64_t count_of(const Session& s, Kind kind) {
  return static_cast<std::int64_t>(kind == Kind::kShard ? s.subscriptions.shard_channels.size()
                                                        : s.subscriptions.normal_count());
}

const Subscriptions::Names& names_of(const Session& s, Kind kind) {
  return kind == Kind::kShard     ? s.subscriptions.shard_channels
         : kind == Kind::kPattern ? s.subscriptions.patterns
                                  : s.subscriptions.channels;
}

void confirm(CommandContext& ctx, std::string_view what, const std::string_view* name, Kind kind) {
  ctx.session().reply_is_push = true;
  ReplyWriter& reply = ctx.reply();
  reply.push(3);
  reply.bulk(what);
  if (name != nullptr)
    reply.bulk(*name);
  else
    reply.null();
  reply.integer(count_of(ctx.session(), kind));
}

Outcome subscribe_to(CommandContext& ctx, Kind kind, std::string_view what) {
  Session& s = ctx.session();
  for (const std::string_view name : ctx.args().from(1)) {
    ctx.services().pubsub->subscribe(kind, name, s, s.subscriptions);
    confirm(ctx, what, &name, kind);
  }
  return {};
}

Outcome unsubscribe_from(CommandContext& ctx, Kind kind, std::string_view what) {
  Session& s = ctx.session();
  if (ctx.args().size() > 1) {
    for (const std::string_view name : ctx.args().from(1)) {
      ctx.services().pubsub->unsubscribe(kind, name, s.subscriptions);
      confirm(ctx, what, &name, kind);
    }
    return {};
  }
  std::vector<std::string> all;
  for (const auto& [name, at] : names_of(s, kind)) all.emplace_back(name);
  for (const std::string_view name : all) {
    ctx.services().pubsub->unsubscribe(kind, name, s.subscriptions);
    confirm(ctx, what, &name, kind);
  }
  if (all.empty()) confirm(ctx, what, nullptr, kind);
  return {};
}

Outcome subscribe(CommandContext& ctx) { return subscribe_to(ctx, Kind::kChannel, "subscribe"); }
Outcome psubscribe(CommandContext& ctx) { return subscribe_to(ctx, Kind::kPattern, "psubscribe"); }
Outcome ssubscribe(CommandContext& ctx) {
  if (ctx.session().deny_blocking)
    return refuse("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
  return subscribe_to(ctx, Kind::kShard, "ssubscribe");
}
Outcome unsubscribe(CommandContext& ctx) {
  return unsubscribe_from(ctx, Kind::kChannel, "unsubscribe");
}
Outcome punsubscribe(CommandContext& ctx) {
  return unsubscribe_from(ctx, Kind::kPattern, "punsubscribe");
}
Outcome sunsubscribe(CommandContext& ctx) {
  return unsubscribe_from(ctx, Kind::kShard, "sunsubscribe");
}

constexpr ArgDoc kSubscribeChannels[] = {args::string("channel").many()};
constexpr ArgDoc kOptionalChannels[] = {args::string("channel").many().opt()};
constexpr ArgDoc kPatterns[] = {args::pattern("pattern").many()};
constexpr ArgDoc kOptionalPatterns[] = {args::pattern("pattern").many().opt()};
constexpr ArgDoc kSubscribeShardChannels[] = {args::string("shardchannel").many()};
constexpr ArgDoc kOptionalShardChannels[] = {args::string("shardchannel").many().opt()};
// Shard channels have slots as keys have, so that commands about them are routed.
constexpr KeySpec kShardKeys[] = {KeySpec::range(1, -1, 1, access::kNotKey)};
constexpr Flag kSubscribePlain =
    Flag::kPubsub | Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kInSubscriberMode;

}  // namespace

constexpr CommandSpec kSubscribe{
    .name = "SUBSCRIBE",
    .summary = "Listens to channels.",
    .complexity = "O(N) with N the number of channels",
    .since = "2.0.0",
    .arity = Arity::at_least(2),
    .flags = kSubscribePlain,
    .group = Group::kPubsub,
    .args = kSubscribeChannels,
    .reply = Shape::kPush,
    .handler = subscribe,
    .channels = ChannelUse::kArguments,
};

constexpr CommandSpec kUnsubscribe{
    .name = "UNSUBSCRIBE",
    .summary = "Stops listening to channels, to all if none is named.",
    .complexity = "O(N) with N the number of channels",
    .since = "2.0.0",
    .arity = Arity::at_least(1),
    .flags = kSubscribePlain,
    .group = Group::kPubsub,
    .args = kOptionalChannels,
    .reply = Shape::kPush,
    .handler = unsubscribe,
};

constexpr CommandSpec kPSubscribe{
    .name = "PSUBSCRIBE",
    .summary = "Listens to all channels whose names match patterns.",
    .complexity = "O(N) with N the number of patterns",
    .since = "2.0.0",
    .arity = Arity::at_least(2),
    .flags = kSubscribePlain,
    .group = Group::kPubsub,
    .args = kPatterns,
    .reply = Shape::kPush,
    .handler = psubscribe,
    .channels = ChannelUse::kPatterns,
};

constexpr CommandSpec kPUnsubscribe{
    .name = "PUNSUBSCRIBE",
    .summary = "Stops listening by patterns, by all if none is named.",
    .complexity = "O(N) with N the number of patterns",
    .since = "2.0.0",
    .arity = Arity::at_least(1),
    .flags = kSubscribePlain,
    .group = Group::kPubsub,
    .args = kOptionalPatterns,
    .reply = Shape::kPush,
    .handler = punsubscribe,
};

constexpr CommandSpec kSSubscribe{
    .name = "SSUBSCRIBE",
    .summary = "Listens to shard channels.",
    .complexity = "O(N) with N the number of shard channels",
    .since = "7.0.0",
    .arity = Arity::at_least(2),
    .flags = kSubscribePlain,
    .group = Group::kPubsub,
    .keys = kShardKeys,
    .args = kSubscribeShardChannels,
    .reply = Shape::kPush,
    .handler = ssubscribe,
    .channels = ChannelUse::kArguments,
};

constexpr CommandSpec kSUnsubscribe{
    .name = "SUNSUBSCRIBE",
    .summary = "Stops listening to shard channels, to all if none is named.",
    .complexity = "O(N) with N the number of shard channels",
    .since = "7.0.0",
    .arity = Arity::at_least(1),
    .flags = kSubscribePlain,
    .group = Group::kPubsub,
    .keys = kShardKeys,
    .args = kOptionalShardChannels,
    .reply = Shape::kPush,
    .handler = sunsubscribe,
};

}  // namespace hearth::commands

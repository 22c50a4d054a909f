// PUBLISH, SPUBLISH and PUBSUB.
#include "cluster/model/slot.h"
#include "src/base/glob.h"
#include "src/command/context.h"
#include "src/command/docs.h"
#include "src/command/publish_relay.h"
#include "src/commands/pubsub/family.h"
#include "src/metrics/stats.h"
#include "src/pubsub/pubsub.h"

namespace hearth::commands {
namespace {

using Kind = PubSub::Kind;

std::size_t publish_shard(CommandContext& ctx, std::string_view channel, std::string_view message) {
  const PubSub::Heard heard = ctx.services().pubsub->publish_shard(channel, message);
  if (heard.bytes > 0 && ctx.settings().cluster_slot_stats_enabled)
    ctx.services().stats->slots.add(cluster::slot_of(channel), {0, 0, heard.bytes});
  return heard.receivers;
}

Outcome publish_to(CommandContext& ctx, Kind kind) {
  const std::string_view channel = ctx.arg(1), message = ctx.arg(2);
  const Services& services = ctx.services();
  const bool shard = kind == Kind::kShard;
  const std::size_t receivers =
      shard ? publish_shard(ctx, channel, message) : services.pubsub->publish(channel, message);
  ++services.stats->pubsub_messages;
  // In a cluster the bus takes messages to every node, replicas included; else the effect log does.
  if (services.relay != nullptr)
    services.relay->publish(channel, message, shard);
  else
    ctx.effects().relay_verbatim();
  ctx.reply().integer(static_cast<std::int64_t>(receivers));
  return {};
}

Outcome publish(CommandContext& ctx) { return publish_to(ctx, Kind::kChannel); }
Outcome spublish(CommandContext& ctx) { return publish_to(ctx, Kind::kShard); }

Outcome reply_channels(CommandContext& ctx, Kind kind) {
  if (ctx.args().size() > 3)
    return refuse("ERR wrong number of arguments for '" + ctx.command().full_name + "' command");
  const std::string_view pattern = ctx.args().size() == 3 ? ctx.arg(2) : "*";
  std::vector<std::string_view> names;
  ctx.services().pubsub->for_each_channel(kind, [&](std::string_view name) {
    if (glob_match(pattern, name)) names.push_back(name);
  });
  ctx.reply().array(names.size());
  for (const auto name : names) ctx.reply().bulk(name);
  return {};
}

Outcome reply_counts(CommandContext& ctx, Kind kind) {
  const auto names = ctx.args().from(2);
  ctx.reply().array(names.size() * 2);
  for (const auto name : names) {
    ctx.reply().bulk(name);
    ctx.reply().integer(static_cast<std::int64_t>(ctx.services().pubsub->count(kind, name)));
  }
  return {};
}

Outcome pubsub_channels(CommandContext& ctx) { return reply_channels(ctx, Kind::kChannel); }
Outcome pubsub_shardchannels(CommandContext& ctx) { return reply_channels(ctx, Kind::kShard); }
Outcome pubsub_numsub(CommandContext& ctx) { return reply_counts(ctx, Kind::kChannel); }
Outcome pubsub_shardnumsub(CommandContext& ctx) { return reply_counts(ctx, Kind::kShard); }

Outcome pubsub_numpat(CommandContext& ctx) {
  ctx.reply().integer(static_cast<std::int64_t>(ctx.services().pubsub->pattern_count()));
  return {};
}

constexpr ArgDoc kPublishArgs[] = {args::string("channel"), args::string("message")};
constexpr ArgDoc kSPublishArgs[] = {args::string("shardchannel"), args::string("message")};
constexpr ArgDoc kPatternArgs[] = {args::pattern("pattern").opt()};
constexpr ArgDoc kChannelArgs[] = {args::string("channel").many().opt()};
constexpr ArgDoc kShardChannelArgs[] = {args::string("shardchannel").many().opt()};
constexpr KeySpec kShardKey[] = {KeySpec::one(1, access::kNotKey)};
constexpr Flag kPublishPlain = Flag::kPubsub | Flag::kLoading | Flag::kStale;

constexpr CommandSpec kPublishChannels{
    .name = "CHANNELS",
    .summary = "Lists the channels that somebody listens to.",
    .complexity = "O(N) with N the number of channels",
    .since = "2.8.0",
    .arity = Arity::at_least(2),
    .flags = kPublishPlain,
    .group = Group::kPubsub,
    .args = kPatternArgs,
    .reply = Shape::kArray,
    .handler = pubsub_channels,
};
constexpr CommandSpec kNumSub{
    .name = "NUMSUB",
    .summary = "Counts the listeners of channels, patterns left aside.",
    .complexity = "O(N) with N the number of channels asked for",
    .since = "2.8.0",
    .arity = Arity::at_least(2),
    .flags = kPublishPlain,
    .group = Group::kPubsub,
    .args = kChannelArgs,
    .reply = Shape::kArray,
    .handler = pubsub_numsub,
};
constexpr CommandSpec kNumPat{
    .name = "NUMPAT",
    .summary = "Counts the different patterns that somebody listens by.",
    .complexity = "O(1)",
    .since = "2.8.0",
    .arity = Arity::exactly(2),
    .flags = kPublishPlain,
    .group = Group::kPubsub,
    .reply = Shape::kInteger,
    .handler = pubsub_numpat,
};
constexpr CommandSpec kPublishShardChannels{
    .name = "SHARDCHANNELS",
    .summary = "Lists the shard channels that somebody listens to.",
    .complexity = "O(N) with N the number of shard channels",
    .since = "7.0.0",
    .arity = Arity::at_least(2),
    .flags = kPublishPlain,
    .group = Group::kPubsub,
    .args = kPatternArgs,
    .reply = Shape::kArray,
    .handler = pubsub_shardchannels,
};
constexpr CommandSpec kShardNumSub{
    .name = "SHARDNUMSUB",
    .summary = "Counts the listeners of shard channels.",
    .complexity = "O(N) with N the number of shard channels asked for",
    .since = "7.0.0",
    .arity = Arity::at_least(2),
    .flags = kPublishPlain,
    .group = Group::kPubsub,
    .args = kShardChannelArgs,
    .reply = Shape::kArray,
    .handler = pubsub_shardnumsub,
};
constexpr CommandSpec kHelp = help_spec("6.2.0", Group::kPubsub);
constexpr const CommandSpec* kPubSubSubs[] = {&kPublishChannels,      &kNumSub,      &kNumPat,
                                              &kPublishShardChannels, &kShardNumSub, &kHelp};

}  // namespace

constexpr CommandSpec kPublish{
    .name = "PUBLISH",
    .summary = "Sends a message to the listeners of a channel.",
    .complexity = "O(N+M) with N the listeners of the channel and M the number of patterns",
    .since = "2.0.0",
    .arity = Arity::exactly(3),
    .flags = kPublishPlain | Flag::kFast | Flag::kMayReplicate,
    .group = Group::kPubsub,
    .args = kPublishArgs,
    .reply = Shape::kInteger,
    .handler = publish,
    .channels = ChannelUse::kFirstArgument,
};

constexpr CommandSpec kSPublish{
    .name = "SPUBLISH",
    .summary = "Sends a message to the listeners of a shard channel.",
    .complexity = "O(N) with N the listeners of the shard channel",
    .since = "7.0.0",
    .arity = Arity::exactly(3),
    .flags = kPublishPlain | Flag::kFast | Flag::kMayReplicate,
    .group = Group::kPubsub,
    .keys = kShardKey,
    .args = kSPublishArgs,
    .reply = Shape::kInteger,
    .handler = spublish,
    .channels = ChannelUse::kFirstArgument,
};

constexpr CommandSpec kPubSub{
    .name = "PUBSUB",
    .summary = "The container of commands about channels and their listeners.",
    .complexity = "Depends on the subcommand",
    .since = "2.8.0",
    .arity = Arity::at_least(2),
    .group = Group::kPubsub,
    .subcommands = kPubSubSubs,
};

}  // namespace hearth::commands

#include "src/commands/stream/groups.h"

namespace hearth::commands {
namespace {

tl::unexpected<ReplyError> no_such_group(const KeyRef& key, std::string_view group) {
  return refuse("NOGROUP No such key '" + std::string(key.name) + "' or consumer group '" +
                std::string(group) + "'");
}

}  // namespace

StreamLimits stream_limits(const CommandContext& ctx) {
  return {ctx.settings().stream_node_max_bytes, ctx.settings().stream_node_max_entries};
}

Found made_stream(CommandContext& ctx, const KeyRef& key, Found at) {
  if (at) return at;
  return ctx.keys().put(
      key, at,
      Entry::make(key.name, std::make_unique<Stream>(), kNoDeadline, ctx.keys().new_access()));
}

Result<GroupView, ReplyError> group_for_read(CommandContext& ctx, const KeyRef& key,
                                             std::string_view group) {
  HEARTH_TRY(const Found at, ctx.keys().read(key, Type::kStream));
  const StreamGroup* found = at ? at->stream()->group(group) : nullptr;
  if (found == nullptr) return no_such_group(key, group);
  return GroupView{*at->stream(), *found};
}

Result<GroupAt, ReplyError> group_for_write(CommandContext& ctx, const KeyRef& key,
                                            std::string_view group) {
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kStream));
  if (!at) return no_such_group(key, group);
  Change change = ctx.keys().change(key, at);
  Stream& stream = *change->stream();
  StreamGroup* found = stream.group(group);
  if (found == nullptr) return no_such_group(key, group);
  return GroupAt{std::move(change), stream, *found};
}

StreamConsumer& seen_consumer(CommandContext& ctx, std::string_view key,
                              std::string_view group_name, StreamGroup& group,
                              std::string_view name) {
  StreamConsumer* consumer = group.consumer(name);
  if (consumer == nullptr) {
    consumer = &group.add_consumer(name, ctx.clock());
    ctx.effects().replicate_as("XGROUP", "CREATECONSUMER", key, group_name, name);
    ctx.effects().side_event(Notify::kStream, "xgroup-createconsumer", key);
  }
  consumer->seen_ms = ctx.clock().ms;
  return *consumer;
}

void PendingEffects::delivered(const PendingEntry& entry) {
  if (!ctx_.effects().wants_commands()) {
    ctx_.effects().count_changes(1);
    return;
  }
  const std::string_view name = entry.consumer->name;
  if (!claimed_.empty() &&
      (time_ms_ != entry.delivered_ms || deliveries_ != entry.deliveries || consumer_ != name)) {
    log_claims();
  }
  claimed_.push_back(entry.id);
  time_ms_ = entry.delivered_ms;
  deliveries_ = entry.deliveries;
  consumer_ = name;
}

void PendingEffects::acknowledged(StreamId id) {
  if (ctx_.effects().wants_commands())
    acknowledged_.push_back(id);
  else
    ctx_.effects().count_changes(1);
}

void PendingEffects::log_claims() {
  std::vector<std::string> words{"XCLAIM", std::string(key_), std::string(group_name_), consumer_,
                                 "0"};
  for (const StreamId id : claimed_) words.push_back(stream_id_text(id));
  words.insert(words.end(),
               {"TIME", std::to_string(time_ms_), "RETRYCOUNT", std::to_string(deliveries_),
                "FORCE", "JUSTID", "LASTID", stream_id_text(group_.last_id)});
  ctx_.effects().count_changes(claimed_.size() - 1);
  ctx_.effects().replicate_words(std::move(words));
  claimed_.clear();
}

void PendingEffects::log() {
  if (!acknowledged_.empty()) {
    std::vector<std::string> words{"XACK", std::string(key_), std::string(group_name_)};
    for (const StreamId id : acknowledged_) words.push_back(stream_id_text(id));
    ctx_.effects().count_changes(acknowledged_.size() - 1);
    ctx_.effects().replicate_words(std::move(words));
    acknowledged_.clear();
  }
  if (!claimed_.empty()) log_claims();
}

void log_group_position(CommandContext& ctx, std::string_view key, std::string_view group_name,
                        const StreamGroup& group) {
  ctx.effects().replicate_as("XGROUP", "SETID", key, group_name, stream_id_text(group.last_id),
                             "ENTRIESREAD", group.entries_read);
}

}  // namespace hearth::commands

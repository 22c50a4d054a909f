// Consumer groups and their streams: finding or making them, and the forms in which changes of a
// group are replicated.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/command/context.h"
#include "src/store/stream.h"

namespace hearth::commands {

[[nodiscard]] StreamLimits stream_limits(const CommandContext& ctx);
// The place, with an empty stream made if there was none.
[[nodiscard]] Found made_stream(CommandContext& ctx, const KeyRef& key, Found at);

struct GroupView {
  const Stream& stream;
  const StreamGroup& group;
};
struct GroupAt {
  Change change;
  Stream& stream;
  StreamGroup& group;
};
// For commands that need key and group: NOGROUP if there is none.
[[nodiscard]] Result<GroupView, ReplyError> group_for_read(CommandContext& ctx, const KeyRef& key,
                                                           std::string_view group);
[[nodiscard]] Result<GroupAt, ReplyError> group_for_write(CommandContext& ctx, const KeyRef& key,
                                                          std::string_view group);

// The consumer, made if there is none, with its event and effect; marks it as seen.
[[nodiscard]] StreamConsumer& seen_consumer(CommandContext& ctx, std::string_view key,
                                            std::string_view group_name, StreamGroup& group,
                                            std::string_view name);

// Collects what became of pending entries of one group, and logs it in few commands.
//
// Deliveries are repeated as XCLAIM with exact time and count, as all peers do; entries that are no
// longer pending as XACK.
class PendingEffects {
 public:
  PendingEffects(CommandContext& ctx, std::string_view key, std::string_view group_name,
                 const StreamGroup& group)
      : ctx_(ctx), key_(key), group_name_(group_name), group_(group) {}

  void delivered(const PendingEntry& entry);
  void acknowledged(StreamId id);
  // Writes what was collected. The group's last id goes with XCLAIM.
  void log();

 private:
  void log_claims();

  CommandContext& ctx_;
  std::string_view key_, group_name_;
  const StreamGroup& group_;
  std::vector<StreamId> claimed_;  // all with the time, count and consumer of the last
  std::int64_t time_ms_ = 0;
  std::uint64_t deliveries_ = 0;
  std::string consumer_;
  std::vector<StreamId> acknowledged_;
};

// XGROUP SETID with the group's figures.
void log_group_position(CommandContext& ctx, std::string_view key, std::string_view group_name,
                        const StreamGroup& group);

}  // namespace hearth::commands

// Helpers of the list commands: finding the list, taking items off it, removing an empty one.
#pragma once

#include <optional>
#include <string_view>

#include "src/command/context.h"
#include "src/store/list_value.h"

namespace hearth::commands {

// The list under a key for reading or changing; nothing if there is none.
[[nodiscard]] inline Result<Found, ReplyError> read_list(CommandContext& ctx, const KeyRef& key) {
  return ctx.keys().read(key, Type::kList);
}
[[nodiscard]] inline Result<Found, ReplyError> write_list(CommandContext& ctx, const KeyRef& key) {
  return ctx.keys().write(key, Type::kList);
}

// Pushes items, one at least, one after the other at this end of the list, which is made if there
// was none. Returns its place.
Found push_items(CommandContext& ctx, const KeyRef& key, Found at, ListEnd end,
                 std::span<const std::string_view> items);

// To be called when items were taken away: a list that has lost its last item goes, with the event
// for that; another may become compact again.
void settle_after_removal(CommandContext& ctx, const KeyRef& key, Found at);

// The limits of a list's segments, as configured.
[[nodiscard]] ListLimits list_limits(const CommandContext& ctx);

inline void reply_item(ReplyWriter& reply, const ds::Element& item) {
  if (item.is_number())
    reply.bulk_integer(item.number);
  else
    reply.bulk({item.data, item.length});
}

// LEFT or RIGHT.
[[nodiscard]] Result<ListEnd, ReplyError> list_end(const ArgReader& args, std::size_t i);
[[nodiscard]] inline std::string_view end_word(ListEnd end) {
  return end == ListEnd::kHead ? "LEFT" : "RIGHT";
}
[[nodiscard]] inline std::string_view pop_event(ListEnd end) {
  return end == ListEnd::kHead ? "lpop" : "rpop";
}
[[nodiscard]] inline std::string_view push_event(ListEnd end) {
  return end == ListEnd::kHead ? "lpush" : "rpush";
}
[[nodiscard]] inline std::string_view pop_command(ListEnd end) {
  return end == ListEnd::kHead ? "LPOP" : "RPOP";
}

// Replies with `count` items, which exist, from this end on, and takes them off, with the events;
// the caller logs the effect. No array head is written.
void pop_items(CommandContext& ctx, const KeyRef& key, Found at, ListEnd end, std::uint64_t count);

}  // namespace hearth::commands

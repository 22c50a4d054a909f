#include "src/commands/list/list_key.h"

#include "src/command/debug_switches.h"

namespace hearth::commands {

Found push_items(CommandContext& ctx, const KeyRef& key, Found at, ListEnd end,
                 std::span<const std::string_view> items) {
  const ListLimits limits = list_limits(ctx);
  if (at) {
    ListValue(ctx.keys().change(key, at)).push(end, items, limits);
    return at;
  }
  return ctx.keys().put(key, at, make_list(key.name, end, items, limits, ctx.keys().new_access()));
}

void settle_after_removal(CommandContext& ctx, const KeyRef& key, Found at) {
  if (ListView(*at).size() > 0)
    return ListValue(ctx.keys().change(key, at)).settle(list_limits(ctx));
  ctx.keys().remove(key, at, false);
  ctx.effects().event(Notify::kGeneric, "del", key.name);
}

ListLimits list_limits(const CommandContext& ctx) {
  return {ctx.settings().list_max_listpack_size, ctx.services().debug->packed_threshold};
}

Result<ListEnd, ReplyError> list_end(const ArgReader& args, std::size_t i) {
  if (args.is(i, "LEFT")) return ListEnd::kHead;
  if (args.is(i, "RIGHT")) return ListEnd::kTail;
  return syntax_error();
}

void pop_items(CommandContext& ctx, const KeyRef& key, Found at, ListEnd end, std::uint64_t count) {
  const auto write = [&reply = ctx.reply()](const ds::Element& item) { reply_item(reply, item); };
  {
    const Change change = ctx.keys().change(key, at);
    ListValue list(change);
    if (end == ListEnd::kHead)
      list.visit(0, count, write);
    else if (count > 0)
      list.visit_back(list.size() - 1, count, write);
    list.drop(end, count);
  }
  if (count > 0) ctx.effects().event(Notify::kList, pop_event(end), key.name);
  settle_after_removal(ctx, key, at);
}

}  // namespace hearth::commands

#include "src/commands/list/access.h"

#include <memory>

namespace hearth::commands {

Found made_list(CommandContext& ctx, const KeyRef& key, Found at) {
  if (at) return at;
  auto list = std::make_unique<List>();
  return ctx.keys().put(key, at,
                        Entry::make_object(key.name, Type::kList, list.release(), kNoDeadline,
                                           ctx.keys().new_access()));
}

void settle_after_removal(CommandContext& ctx, const KeyRef& key, Found at) {
  List& list = *at->list();
  if (list.size() > 0) {
    if (list.encoding() == ListEncoding::kQuicklist) list.shrink(list_limits(ctx));
    return;
  }
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
  List& list = *at->list();
  ReplyWriter& reply = ctx.reply();
  const auto write = [&reply](const ds::Element& item) { reply_item(reply, item); };
  if (end == ListEnd::kHead)
    list.visit(0, count, write);
  else if (count > 0)
    list.visit_back(list.size() - 1, count, write);
  list.drop(end, count);
  if (count > 0) ctx.effects().event(Notify::kList, pop_event(end), key.name);
  settle_after_removal(ctx, key, at);
}

}  // namespace hearth::commands

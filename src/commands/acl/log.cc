// ACL LOG: what was denied lately.
#include "src/acl/log.h"

#include <algorithm>

#include "src/command/account_control.h"
#include "src/command/context.h"
#include "src/commands/acl/family.h"

namespace hearth::commands {
namespace {

constexpr std::int64_t kShownByDefault = 10;

void write_entry(ReplyWriter& reply, const acl::Log::Entry& entry, UnixMillis now) {
  const auto text = [&](std::string_view name, std::string_view value) {
    reply.bulk(name);
    reply.bulk(value);
  };
  const auto number = [&](std::string_view name, std::int64_t value) {
    reply.bulk(name);
    reply.integer(value);
  };
  reply.map(10);
  number("count", static_cast<std::int64_t>(entry.count));
  text("reason", acl::reason_name(entry.reason));
  text("context", acl::context_name(entry.context));
  text("object", entry.object);
  text("username", entry.user);
  reply.bulk("age-seconds");
  reply.real(static_cast<double>((now - entry.updated).count()) / 1000);
  text("client-info", entry.client);
  number("entry-id", static_cast<std::int64_t>(entry.id));
  number("timestamp-created", entry.created.ms);
  number("timestamp-last-updated", entry.updated.ms);
}

Outcome acl_log(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  if (args.size() > 3) return syntax_error();
  acl::Log& log = ctx.services().accounts->log();
  if (args.is(2, "RESET")) {
    log.reset();
    ctx.reply().ok();
    return {};
  }
  std::int64_t wanted = kShownByDefault;
  if (args.size() == 3) {
    HEARTH_TRY(wanted, args.integer(2));
  }
  const auto count =
      std::min(log.entries().size(), static_cast<std::size_t>(std::max<std::int64_t>(0, wanted)));
  ctx.reply().array(count);
  for (std::size_t i = 0; i < count; ++i) write_entry(ctx.reply(), log.entries()[i], ctx.clock());
  return {};
}

constexpr ArgDoc kWhat[] = {args::integer("count"), args::token("reset", "RESET")};
constexpr ArgDoc kArgs[] = {args::one_of("operation", kWhat).opt()};
constexpr HistoryNote kHistory[] = {{"7.2.0", "Tells an id and two times of each entry."}};

}  // namespace

constexpr CommandSpec kAclLog{
    .name = "LOG",
    .summary = "Lists what was denied lately, or forgets it.",
    .complexity = "O(N) with N the number of entries shown",
    .since = "6.0.0",
    .arity = Arity::at_least(2),
    .flags = Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale,
    .group = Group::kServer,
    .args = kArgs,
    .reply = Shape::kArray | Shape::kOk,
    .handler = acl_log,
    .history = kHistory,
};

}  // namespace hearth::commands

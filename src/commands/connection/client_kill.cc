// CLIENT LIST and CLIENT KILL: connections by filters. KILL has an old form too, one address.
#include "src/command/client_control.h"
#include "src/command/common_specs.h"
#include "src/commands/connection/client_filter.h"
#include "src/commands/connection/family.h"

namespace hearth::commands {
namespace {

Outcome client_list(CommandContext& ctx) {
  HEARTH_TRY(const ClientFilter filter, parse_client_filter(ctx, 2, "ERR Invalid client ID"));
  ClientControl& clients = *ctx.services().clients;
  const MonoTime now = clients.mono_now();
  const bool spares_me = filter.spare_me.value_or(false);
  std::string text;
  clients.for_each([&](const Session& s) {
    if ((spares_me && &s == &ctx.session()) || !filter.fits(s, now)) return;
    text += client_line(s, now);
    text += '\n';
  });
  ctx.reply().verbatim("txt", text);
  return {};
}

Outcome kill_by_address(CommandContext& ctx) {
  ClientControl& clients = *ctx.services().clients;
  Session* victim = nullptr;
  clients.for_each([&](Session& s) {
    if (s.address == ctx.arg(2) && !s.close_now) victim = &s;
  });
  if (victim == nullptr) return refuse("ERR No such client");
  ctx.reply().ok();
  clients.kill(*victim, ctx.session());
  return {};
}

Outcome client_kill(CommandContext& ctx) {
  if (ctx.args().size() == 3) return kill_by_address(ctx);
  HEARTH_TRY(const ClientFilter filter,
             parse_client_filter(ctx, 2, "ERR client-id should be greater than 0"));
  ClientControl& clients = *ctx.services().clients;
  const bool spares_me = filter.spare_me.value_or(true);
  std::int64_t killed = 0;
  clients.for_each([&](Session& s) {
    if (s.close_now || (spares_me && &s == &ctx.session()) || !filter.fits(s, clients.mono_now()))
      return;
    clients.kill(s, ctx.session());
    ++killed;
  });
  ctx.reply().integer(killed);
  return {};
}

constexpr HistoryNote kListHistory[] = {{"2.8.12", "Shows a client id that is never used twice."},
                                        {"5.0.0", "TYPE filters by the kind of client."},
                                        {"6.2.0", "ID filters by client ids."},
                                        {"7.0.3", "Shows the protocol's version."},
                                        {"7.2.0", "Shows the library's name and version."}};
constexpr HistoryNote kKillHistory[] = {
    {"2.8.12", "Filters; the reply is then a count."},
    {"3.2.0", "TYPE knows the kind master."},
    {"5.0.0", "TYPE knows the kind replica; slave still means the same."},
    {"6.2.0", "LADDR filters by the server's own address."},
    {"7.4.0", "MAXAGE filters by the age of the connection."}};
constexpr ArgDoc kKillForms[] = {args::string("ip:port"),
                                 args::one_of("new-format", kClientFilterDocs).many()};
constexpr ArgDoc kKillArgs[] = {args::one_of("filter", kKillForms)};
constexpr Flag kFlags =
    Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale | Flag::kKeepsCaching;

}  // namespace

constexpr CommandSpec kClientList{
    .name = "LIST",
    .summary = "Describes the open connections, one line of fields each.",
    .complexity = "O(N) with N the number of connections",
    .since = "2.4.0",
    .arity = Arity::at_least(2),
    .flags = kFlags,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kClientFilterDocs,
    .reply = Shape::kVerbatim | Shape::kBulk,
    .handler = client_list,
    .tips = kNondeterministic,
    .history = kListHistory,
};

constexpr CommandSpec kClientKill{
    .name = "KILL",
    .summary = "Closes connections.",
    .complexity = "O(N) with N the number of connections",
    .since = "2.4.0",
    .arity = Arity::at_least(3),
    .flags = kFlags,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kKillArgs,
    .reply = Shape::kOk | Shape::kInteger,
    .handler = client_kill,
    .history = kKillHistory,
};

}  // namespace hearth::commands

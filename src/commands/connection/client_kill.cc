// CLIENT KILL, in its old form (one address) and by filters that must all fit.
#include "src/command/context.h"
#include "src/commands/connection/client_text.h"
#include "src/commands/connection/family.h"

namespace hearth::commands {
namespace {

struct Filter {
  std::optional<ConnId> id;
  std::optional<ClientType> type;
  std::optional<std::string_view> address, local_address, user;
  std::int64_t age_at_least = 0;  // seconds; 0: any
  bool spare_me = true;
};

Result<Filter, ReplyError> parse_filter(const ArgReader& args) {
  Filter f;
  if (args.size() % 2 != 0) return syntax_error();
  for (std::size_t i = 2; i < args.size(); i += 2) {
    const std::string_view value = args[i + 1];
    if (args.is(i, "ID")) {
      const auto id = parse_int64(value);
      if (!id || *id < 1) return refuse("ERR client-id should be greater than 0");
      f.id = static_cast<ConnId>(*id);
    } else if (args.is(i, "TYPE")) {
      f.type = client_type(value);
      if (!f.type) return refuse(unknown_client_type(value));
    } else if (args.is(i, "ADDR")) {
      f.address = value;
    } else if (args.is(i, "LADDR")) {
      f.local_address = value;
    } else if (args.is(i, "USER")) {
      if (value != "default") return refuse("ERR No such user '" + std::string(value) + "'");
      f.user = value;
    } else if (args.is(i, "MAXAGE")) {
      HEARTH_TRY(f.age_at_least,
                 args.integer(i + 1, "ERR maxage is not an integer or out of range"));
      if (f.age_at_least <= 0) return refuse("ERR maxage should be greater than 0");
    } else if (args.is(i, "SKIPME")) {
      if (args.is(i + 1, "YES"))
        f.spare_me = true;
      else if (args.is(i + 1, "NO"))
        f.spare_me = false;
      else
        return syntax_error();
    } else {
      return syntax_error();
    }
  }
  return f;
}

bool fits(const Filter& f, const Session& s, MonoTime now) {
  return (!f.id || s.id == *f.id) && (!f.type || type_of(s) == *f.type) &&
         (!f.address || s.address == *f.address) &&
         (!f.local_address || s.local_address == *f.local_address) &&
         (!f.user || s.user == *f.user) &&
         (now - s.created_at).count() / 1'000'000 >= f.age_at_least;
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
  HEARTH_TRY(const Filter filter, parse_filter(ctx.args()));
  ClientControl& clients = *ctx.services().clients;
  std::int64_t killed = 0;
  clients.for_each([&](Session& s) {
    if (s.close_now || (filter.spare_me && &s == &ctx.session()) ||
        !fits(filter, s, clients.mono_now()))
      return;
    clients.kill(s, ctx.session());
    ++killed;
  });
  ctx.reply().integer(killed);
  return {};
}

constexpr ArgDoc kTypes[] = {
    args::token("normal", "NORMAL"), args::token("master", "MASTER").from("3.2.0"),
    args::token("slave", "SLAVE"), args::token("replica", "REPLICA").from("5.0.0"),
    args::token("pubsub", "PUBSUB")};
constexpr ArgDoc kSkipMe[] = {args::token("yes", "YES"), args::token("no", "NO")};
constexpr ArgDoc kFilters[] = {
    args::integer("client-id", "ID").opt().from("2.8.12"),
    args::one_of("client-type", kTypes, "TYPE").opt().from("2.8.12"),
    args::string("username", "USER").opt(),
    args::string("addr", "ADDR").opt(),
    args::string("laddr", "LADDR").opt().from("6.2.0"),
    args::one_of("skipme", kSkipMe, "SKIPME").opt(),
    args::integer("maxage", "MAXAGE").opt().from("7.4.0"),
};
constexpr ArgDoc kForms[] = {args::string("ip:port"), args::one_of("new-format", kFilters).many()};
constexpr ArgDoc kArgs[] = {args::one_of("filter", kForms)};
constexpr HistoryNote kHistory[] = {
    {"2.8.12", "Filters; the reply is then a count."},
    {"3.2.0", "TYPE knows the kind master."},
    {"5.0.0", "TYPE knows the kind replica; slave still means the same."},
    {"6.2.0", "LADDR filters by the server's own address."},
    {"7.4.0", "MAXAGE filters by the age of the connection."}};

}  // namespace

constexpr CommandSpec kClientKill{
    .name = "KILL",
    .summary = "Closes connections.",
    .complexity = "O(N) with N the number of connections",
    .since = "2.4.0",
    .arity = Arity::at_least(3),
    .flags = Flag::kAdmin | Flag::kNoScript | Flag::kLoading | Flag::kStale,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kArgs,
    .reply = Shape::kOk | Shape::kInteger,
    .handler = client_kill,
    .history = kHistory,
};

}  // namespace hearth::commands

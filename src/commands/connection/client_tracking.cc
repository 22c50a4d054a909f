// CLIENT TRACKING and what belongs to it: the server tells a client that what it has read has
// changed.
#include <algorithm>
#include <set>

#include "src/command/client_control.h"
#include "src/command/context.h"
#include "src/command/tracking_control.h"
#include "src/commands/connection/family.h"
#include "src/commands/connection/spec_parts.h"
#include "src/tracking/tracking.h"

namespace hearth::commands {
namespace {

using tracking::Mode;

struct Options {
  std::optional<ConnId> redirect;
  bool broadcast = false, opt_in = false, opt_out = false, no_loop = false;
  std::vector<std::string_view> prefixes;
};

Result<Options, ReplyError> parse_options(const CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  Options o;
  for (std::size_t i = 3; i < args.size(); ++i) {
    if (args.is(i, "REDIRECT", 1)) {
      if (o.redirect.value_or(0) != 0)
        return refuse("ERR A client can only redirect to a single other client");
      HEARTH_TRY(const std::int64_t id, args.integer(++i));
      o.redirect = static_cast<ConnId>(id);
      if (ctx.services().clients->find(*o.redirect) == nullptr)
        return refuse("ERR The client ID you want redirect to does not exist");
    } else if (args.is(i, "PREFIX", 1)) {
      o.prefixes.push_back(args[++i]);
    } else if (args.is(i, "BCAST")) {
      o.broadcast = true;
    } else if (args.is(i, "OPTIN")) {
      o.opt_in = true;
    } else if (args.is(i, "OPTOUT")) {
      o.opt_out = true;
    } else if (args.is(i, "NOLOOP")) {
      o.no_loop = true;
    } else {
      return syntax_error();
    }
  }
  return o;
}

Outcome overlapping(std::string_view a, std::string_view how, std::string_view b) {
  return refuse("ERR Prefix '" + std::string(a) + "' overlaps with " + std::string(how) + " '" +
                std::string(b) + "'. Prefixes for a single client must not overlap.");
}

Outcome check_prefixes(const std::vector<std::string_view>& fresh, const tracking::Client* old) {
  std::set<std::string_view> existing, provided;
  if (old != nullptr) existing.insert(old->prefixes.begin(), old->prefixes.end());
  for (const std::string_view prefix : fresh) {
    if (const auto other = tracking::overlapping_one(existing, prefix))
      return overlapping(prefix, "an existing prefix", *other);
    if (const auto other = tracking::overlapping_one(provided, prefix))
      return overlapping(*other, "another provided prefix", prefix);
    provided.insert(prefix);
  }
  return {};
}

// Whether the options go together, and with how tracking is on already.
Outcome check_options(const Options& o, const tracking::Client* old) {
  if (!o.broadcast && !o.prefixes.empty())
    return refuse("ERR PREFIX option requires BCAST mode to be enabled");
  if (old != nullptr && (old->mode == Mode::kBroadcast) != o.broadcast) {
    return refuse(
        "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and "
        "then re-enabling it with a different mode.");
  }
  if (o.broadcast && (o.opt_in || o.opt_out))
    return refuse("ERR OPTIN and OPTOUT are not compatible with BCAST");
  if (o.opt_in && o.opt_out) return refuse("ERR You can't specify both OPTIN mode and OPTOUT mode");
  if (old != nullptr &&
      ((o.opt_in && old->mode == Mode::kOptOut) || (o.opt_out && old->mode == Mode::kOptIn))) {
    return refuse(
        "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and "
        "then re-enabling it with a different mode.");
  }
  return o.broadcast ? check_prefixes(o.prefixes, old) : Outcome();
}

Outcome client_tracking(CommandContext& ctx) {
  HEARTH_TRY(const Options o, parse_options(ctx));
  Session& session = ctx.session();
  if (ctx.args().is(2, "OFF")) {
    ctx.services().tracking->stop(session);
    ctx.reply().ok();
    return {};
  }
  if (!ctx.args().is(2, "ON")) return syntax_error();
  HEARTH_TRY_VOID(check_options(o, session.tracking.get()));
  tracking::Client how;
  how.mode = o.broadcast ? Mode::kBroadcast
             : o.opt_in  ? Mode::kOptIn
             : o.opt_out ? Mode::kOptOut
                         : Mode::kAll;
  how.no_loop = o.no_loop;
  how.redirect = o.redirect.value_or(0);
  how.prefixes.assign(o.prefixes.begin(), o.prefixes.end());
  const bool has_prefixes = session.tracking != nullptr && !session.tracking->prefixes.empty();
  if (o.broadcast && how.prefixes.empty() && !has_prefixes) how.prefixes.emplace_back();
  ctx.services().tracking->start(session, std::move(how));
  ctx.reply().ok();
  return {};
}

Outcome client_caching(CommandContext& ctx) {
  tracking::Client* how = ctx.session().tracking.get();
  if (how == nullptr) {
    return refuse(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or "
        "OPTOUT mode enabled");
  }
  if (ctx.args().is(2, "YES")) {
    if (how->mode != Mode::kOptIn) {
      return refuse("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
    }
  } else if (ctx.args().is(2, "NO")) {
    if (how->mode != Mode::kOptOut) {
      return refuse("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
    }
  } else {
    return syntax_error();
  }
  how->caching = true;
  ctx.reply().ok();
  return {};
}

std::int64_t redirect_of(const Session& session) {
  return session.tracking == nullptr ? -1 : static_cast<std::int64_t>(session.tracking->redirect);
}

Outcome client_getredir(CommandContext& ctx) {
  ctx.reply().integer(redirect_of(ctx.session()));
  return {};
}

std::vector<std::string_view> flags_of(const tracking::Client* how) {
  if (how == nullptr) return {"off"};
  std::vector<std::string_view> flags{"on"};
  const auto add = [&](bool on, std::string_view name) {
    if (on) flags.push_back(name);
  };
  add(how->mode == Mode::kBroadcast, "bcast");
  add(how->mode == Mode::kOptIn, "optin");
  add(how->mode == Mode::kOptIn && how->caching, "caching-yes");
  add(how->mode == Mode::kOptOut, "optout");
  add(how->mode == Mode::kOptOut && how->caching, "caching-no");
  add(how->no_loop, "noloop");
  add(how->redirect_is_gone, "broken_redirect");
  return flags;
}

Outcome client_trackinginfo(CommandContext& ctx) {
  const tracking::Client* how = ctx.session().tracking.get();
  ReplyWriter& reply = ctx.reply();
  reply.map(3);
  reply.bulk("flags");
  const auto flags = flags_of(how);
  reply.set(flags.size());
  for (const auto flag : flags) reply.bulk(flag);
  reply.bulk("redirect");
  reply.integer(redirect_of(ctx.session()));
  reply.bulk("prefixes");
  reply.array(how == nullptr ? 0 : how->prefixes.size());
  if (how != nullptr) {
    for (const std::string& prefix : how->prefixes) reply.bulk(prefix);
  }
  return {};
}

constexpr ArgDoc kTrackingArgs[] = {
    args::one_of("status", kOnOff),
    args::integer("client-id", "REDIRECT").opt(),
    args::string("prefix", "PREFIX").opt().repeats_token(),
    args::token("bcast", "BCAST").opt(),
    args::token("optin", "OPTIN").opt(),
    args::token("optout", "OPTOUT").opt(),
    args::token("noloop", "NOLOOP").opt(),
};
constexpr ArgDoc kYesNo[] = {args::token("yes", "YES"), args::token("no", "NO")};
constexpr ArgDoc kCachingArgs[] = {args::one_of("mode", kYesNo)};

}  // namespace

constexpr CommandSpec kClientTracking{
    .name = "TRACKING",
    .summary = "Switches messages on or off that tell of changes to keys the client has read.",
    .complexity = "O(1); some options O(N) with N the prefixes of the client",
    .since = "6.0.0",
    .arity = Arity::at_least(3),
    .flags = kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kTrackingArgs,
    .reply = Shape::kOk,
    .handler = client_tracking,
};

constexpr CommandSpec kClientCaching{
    .name = "CACHING",
    .summary = "Says whether the reads of the next command are tracked.",
    .complexity = "O(1)",
    .since = "6.0.0",
    .arity = Arity::exactly(3),
    .flags = kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .args = kCachingArgs,
    .reply = Shape::kOk,
    .handler = client_caching,
};

constexpr CommandSpec kClientGetRedir{
    .name = "GETREDIR",
    .summary =
        "Returns the id of the client that gets this one's invalidation messages, 0 if it gets "
        "them itself, -1 if there are none.",
    .complexity = "O(1)",
    .since = "6.0.0",
    .arity = Arity::exactly(2),
    .flags = kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .reply = Shape::kInteger,
    .handler = client_getredir,
};

constexpr CommandSpec kClientTrackingInfo{
    .name = "TRACKINGINFO",
    .summary = "Tells how the connection's reads are tracked.",
    .complexity = "O(1)",
    .since = "6.2.0",
    .arity = Arity::exactly(2),
    .flags = kPlain,
    .acl = Acl::kConnection,
    .group = Group::kConnection,
    .reply = Shape::kMap,
    .handler = client_trackinginfo,
};

}  // namespace hearth::commands

// Asking how long a key lives: TTL, PTTL, EXPIRETIME, PEXPIRETIME.
#include <algorithm>

#include "src/command/common_specs.h"
#include "src/command/context.h"
#include "src/commands/key/family.h"

namespace hearth::commands {
namespace {

constexpr std::int64_t kAbsent = -2;
constexpr std::int64_t kForEver = -1;

Outcome report_deadline(CommandContext& ctx, bool absolute, bool in_seconds) {
  const Found at = ctx.keys().inspect(ctx.key(1));
  if (!at || !at->has_deadline()) {
    ctx.reply().integer(at ? kForEver : kAbsent);
    return {};
  }
  std::int64_t ms = at->deadline();
  if (!absolute) ms = std::max<std::int64_t>(0, ms - ctx.clock().ms);
  // To the nearest second, so that a TTL that was just set reads back as given. Halves round up;
  // written so that the largest deadline does not overflow.
  ctx.reply().integer(in_seconds ? ms / 1000 + (ms % 1000 >= 500 ? 1 : 0) : ms);
  return {};
}

Outcome ttl(CommandContext& ctx) { return report_deadline(ctx, false, true); }
Outcome pttl(CommandContext& ctx) { return report_deadline(ctx, false, false); }
Outcome expiretime(CommandContext& ctx) { return report_deadline(ctx, true, true); }
Outcome pexpiretime(CommandContext& ctx) { return report_deadline(ctx, true, false); }

constexpr HistoryNote kTwoNegatives[] = {{"2.8.0", "Answers -2 for a key that does not exist."}};

constexpr CommandSpec ttl_spec(std::string_view name, std::string_view summary,
                               std::string_view since, Handler handler) {
  return CommandSpec{
      .name = name,
      .summary = summary,
      .complexity = "O(1)",
      .since = since,
      .arity = Arity::exactly(2),
      .flags = Flag::kReadonly | Flag::kFast,
      .acl = Acl::kKeyspace,
      .group = Group::kGeneric,
      .keys = kReadKey,
      .args = kKeyArg,
      .reply = Shape::kInteger,
      .handler = handler,
  };
}
constexpr CommandSpec relative(CommandSpec spec) {
  spec.tips = kNondeterministic;
  spec.history = kTwoNegatives;
  return spec;
}

}  // namespace

constexpr CommandSpec kTtl =
    relative(ttl_spec("TTL", "Tells how many seconds a key still lives.", "1.0.0", ttl));
constexpr CommandSpec kPTtl =
    relative(ttl_spec("PTTL", "Tells how many milliseconds a key still lives.", "2.6.0", pttl));
constexpr CommandSpec kExpireTime =
    ttl_spec("EXPIRETIME", "Tells when a key ends, in seconds since 1970.", "7.0.0", expiretime);
constexpr CommandSpec kPExpireTime = ttl_spec(
    "PEXPIRETIME", "Tells when a key ends, in milliseconds since 1970.", "7.0.0", pexpiretime);

}  // namespace hearth::commands

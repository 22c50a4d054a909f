// OBJECT: how a value is stored and used.
#include "src/command/common_specs.h"
#include "src/command/context.h"
#include "src/commands/key/family.h"
#include "src/store/value_type.h"

namespace hearth::commands {
namespace {

Outcome encoding(CommandContext& ctx) {
  const Found at = ctx.keys().peek(ctx.key(2));
  if (at)
    ctx.reply().bulk(encoding_name(*at));
  else
    ctx.reply().null();
  return {};
}

// Small integers stand in their entries and take no memory of their own. Clients know them as
// shared by everyone, unless a policy needs to tell every key's accesses apart.
bool counts_as_shared(const config::Settings& s, const Entry& e) {
  constexpr std::int64_t kSharedBelow = 10'000;
  if (!e.is_int() || e.int_value() < 0 || e.int_value() >= kSharedBelow) return false;
  const bool tracks_access = uses_lru(s.maxmemory_policy) || uses_lfu(s.maxmemory_policy);
  return s.maxmemory == 0 || !tracks_access;
}

Outcome refcount(CommandContext& ctx) {
  constexpr std::int64_t kShared = INT32_MAX;
  const Found at = ctx.keys().peek(ctx.key(2));
  if (at)
    ctx.reply().integer(counts_as_shared(ctx.settings(), *at) ? kShared : 1);
  else
    ctx.reply().null();
  return {};
}

constexpr std::string_view kPolicySwitch =
    " Please note that when switching between policies at runtime LRU and LFU data will take some "
    "time to adjust.";

Outcome idletime(CommandContext& ctx) {
  const Found at = ctx.keys().peek(ctx.key(2));
  if (!at) {
    ctx.reply().null();
    return {};
  }
  if (ctx.keys().uses_lfu()) {
    return refuse("ERR An LFU maxmemory policy is selected, idle time not tracked." +
                  std::string(kPolicySwitch));
  }
  ctx.reply().integer(access_clock::lru_idle_ms(at->access(), ctx.clock()) / 1000);
  return {};
}

Outcome freq(CommandContext& ctx) {
  const Found at = ctx.keys().peek(ctx.key(2));
  if (!at) {
    ctx.reply().null();
    return {};
  }
  if (!ctx.keys().uses_lfu()) {
    return refuse("ERR An LFU maxmemory policy is not selected, access frequency not tracked." +
                  std::string(kPolicySwitch));
  }
  ctx.reply().integer(
      access_clock::lfu_counter(at->access(), ctx.clock(), ctx.keys().lfu_params()));
  return {};
}

// Of a key that is gone, as long as its tombstone stands.
Outcome version(CommandContext& ctx) {
  const KeyRef key = ctx.key(2);
  const std::uint64_t version = ctx.keys().version_of(key, ctx.keys().peek(key));
  if (version == kNoVersion)
    ctx.reply().null();
  else
    ctx.reply().integer(static_cast<std::int64_t>(version));
  return {};
}

Outcome help(CommandContext& ctx) {
  static constexpr std::string_view kLines[] = {
      "OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
      "ENCODING <key>",
      "    Name the internal form of the value of <key>.",
      "FREQ <key>",
      "    Tell the access counter of <key>, kept under an LFU maxmemory policy.",
      "IDLETIME <key>",
      "    Tell for how many seconds <key> was not accessed, kept unless the policy is LFU.",
      "REFCOUNT <key>",
      "    Tell how many keys refer to the value of <key>.",
      "VERSION <key>",
      "    Tell the version that a write to <key> with VER has to exceed.",
      "HELP",
      "    Print this help.",
  };
  ctx.reply().array(std::size(kLines));
  for (const auto line : kLines) ctx.reply().simple(line);
  return {};
}

constexpr KeySpec kObjectLookAtKey[] = {KeySpec::one(2, access::kReadMeta)};

constexpr CommandSpec object_spec(std::string_view name, std::string_view summary,
                                  std::string_view since, Shape reply, Handler handler) {
  return CommandSpec{
      .name = name,
      .summary = summary,
      .complexity = "O(1)",
      .since = since,
      .arity = Arity::exactly(3),
      .flags = Flag::kReadonly,
      .acl = Acl::kKeyspace,
      .group = Group::kGeneric,
      .keys = kObjectLookAtKey,
      .args = kKeyArg,
      .reply = reply | Shape::kNull,
      .handler = handler,
      .tips = kNondeterministic,
  };
}

constexpr CommandSpec kEncoding = object_spec(
    "ENCODING", "Names the internal form of a key's value.", "2.2.3", Shape::kBulk, encoding);
constexpr CommandSpec kFreq = object_spec(
    "FREQ", "Returns the logarithmic access counter of a key.", "4.0.0", Shape::kInteger, freq);
constexpr CommandSpec kIdleTime =
    object_spec("IDLETIME", "Returns the seconds since a key was last accessed.", "2.2.3",
                Shape::kInteger, idletime);
constexpr CommandSpec kVersion =
    object_spec("VERSION", "Returns the version that a key was last written with.", "7.4.0",
                Shape::kInteger, version);
constexpr CommandSpec kRefCount =
    object_spec("REFCOUNT", "Returns how many keys refer to a key's value.", "2.2.3",
                Shape::kInteger, refcount);
constexpr CommandSpec kHelp{
    .name = "HELP",
    .summary = "Lists the subcommands of OBJECT.",
    .complexity = "O(1)",
    .since = "6.2.0",
    .arity = Arity::exactly(2),
    .flags = Flag::kLoading | Flag::kStale,
    .acl = Acl::kKeyspace,
    .group = Group::kGeneric,
    .reply = Shape::kArray,
    .handler = help,
};
constexpr const CommandSpec* kSubcommands[] = {&kEncoding, &kFreq,     &kHelp,
                                               &kIdleTime, &kRefCount, &kVersion};

}  // namespace

constexpr CommandSpec kObject{
    .name = "OBJECT",
    .summary = "Holds the commands that look at how values are stored.",
    .complexity = "Depends on the subcommand.",
    .since = "2.2.3",
    .arity = Arity::at_least(2),
    .group = Group::kGeneric,
    .reply = Shape::kNone,
    .subcommands = kSubcommands,
};

}  // namespace hearth::commands

#include "src/command/write_guard.h"

#include <fmt/format.h>

#include <iterator>

#include "src/command/warm_control.h"
#include "src/command/warm_gate_control.h"
#include "src/effects/version_notes.h"

namespace hearth {
namespace {

constexpr std::string_view kWriteEcho = "hearth:warm-write:";  // id
constexpr std::string_view kTouchEcho = "hearth:warm-touch:";  // (bytes ':' key) ...
constexpr std::string_view kBeginEcho = "hearth:warm-begin:";  // seconds ':' id
constexpr std::string_view kEndEcho = "hearth:warm-end:";      // 0 ':' id
constexpr std::string_view kForgetEcho = "hearth:forget:";     // key
constexpr std::string_view kReadyEcho = "hearth:warm-ready";
constexpr std::string_view kNotReadyEcho = "hearth:warm-not-ready";

// The key is no word of the request, so that this and what follows go past Keys.
void replay_version(CommandContext& ctx, const VersionNote& note) {
  Database& db = ctx.keyspace().db(ctx.keys().index());
  const KeyRef key = ctx.keys().make_ref(note.key);
  db.raise_version(key, db.find(key), note.version);
}

void replay_gone(CommandContext& ctx, const GoneNote& note) {
  Tombstones& tombstones = ctx.keyspace().db(ctx.keys().index()).tombstones();
  if (note.floor > 0) tombstones.raise_floor(note.floor);
  for (const GoneNote::Key& key : note.keys) tombstones.add(key.fingerprint, key.version);
}

void replay_forgotten(CommandContext& ctx, std::string_view name) {
  ctx.keyspace().db(ctx.keys().index()).forget_version(ctx.keys().make_ref(name));
}

void replay_touches(CommandContext& ctx, std::string_view text) {
  while (const auto told = numbered_text(text)) {
    if (told->number > told->rest.size()) return;
    const KeyRef key = ctx.keys().make_ref(told->rest.substr(0, told->number));
    ctx.services().warm->touch(ctx.keys().index(), key.hash);
    text = told->rest.substr(told->number);
  }
}

// Does what one of the messages says. False: it is none of them.
bool replay_message(CommandContext& ctx, std::string_view message) {
  const auto behind = [&](std::string_view prefix) {
    return message.starts_with(prefix) ? std::optional(message.substr(prefix.size()))
                                       : std::nullopt;
  };
  if (const auto note = VersionNote::parse(message)) return replay_version(ctx, *note), true;
  if (const auto note = GoneNote::parse(message)) return replay_gone(ctx, *note), true;
  if (const auto key = behind(kForgetEcho)) return replay_forgotten(ctx, *key), true;
  if (message == kReadyEcho || message == kNotReadyEcho) {
    if (ctx.services().warm_gate != nullptr) ctx.services().warm_gate->hear(message == kReadyEcho);
    return true;
  }
  WarmControl* warm = ctx.services().warm;
  if (warm == nullptr) return false;
  if (const auto id = behind(kWriteEcho)) {
    warm->note_write(*id);
    warm->excuse(WarmControl::Excuse::kNext);
  } else if (const auto keys = behind(kTouchEcho)) {
    replay_touches(ctx, *keys);
  } else if (const auto told = behind(kBeginEcho)) {
    if (const auto begun = numbered_text(*told))
      static_cast<void>(
          warm->begin(begun->rest, seconds{static_cast<std::int64_t>(begun->number)}));
  } else if (const auto ended = behind(kEndEcho)) {
    if (const auto epoch = numbered_text(*ended)) static_cast<void>(warm->end(epoch->rest));
  } else {
    return false;
  }
  return true;
}

}  // namespace

Result<std::uint64_t, ReplyError> version_at(const ArgReader& args, std::size_t i) {
  HEARTH_TRY(const std::int64_t version,
             args.integer_between(i, 1, INT64_MAX, "ERR version must be a positive integer"));
  return static_cast<std::uint64_t>(version);
}

Result<bool, ReplyError> read_guard(const ArgReader& args, std::size_t i, WriteGuard& guard) {
  if (args.is(i, "VER", 1) && guard.version == kNoVersion) {
    HEARTH_TRY(guard.version, version_at(args, i + 1));
    return true;
  }
  if (!args.is(i, "WARM", 1) || !guard.epoch.empty()) return false;
  guard.epoch = args[i + 1];
  if (guard.epoch.empty()) return refuse("ERR a warm epoch has a name");
  return true;
}

Result<bool, ReplyError> admits(CommandContext& ctx, const WriteGuard& guard, const KeyRef& key,
                                Found at) {
  if (guard.version != kNoVersion && guard.version <= ctx.keys().version_of(key, at)) return false;
  if (guard.epoch.empty()) return true;
  WarmControl* warm = ctx.services().warm;
  const WarmAnswer answer = warm == nullptr
                                ? WarmAnswer::kUnknownEpoch
                                : warm->ask(guard.epoch, ctx.keys().index(), key.hash, key.slot);
  if (answer == WarmAnswer::kUnknownEpoch)
    return refuse("NOWARM this node has no such warm epoch, or not for this key");
  return answer == WarmAnswer::kMayWrite;
}

void announce_guarded(CommandContext& ctx, const WriteGuard& guard) {
  if (!guard.epoch.empty() && ctx.services().warm != nullptr)
    ctx.services().warm->excuse(WarmControl::Excuse::kNow);
}

void begin_guarded(CommandContext& ctx, const WriteGuard& guard) {
  if (guard.epoch.empty()) return;
  ctx.services().warm->note_write(guard.epoch);
  if (ctx.effects().wants_commands())
    ctx.effects().relay_words({"ECHO", fmt::format("{}{}", kWriteEcho, guard.epoch)});
}

void end_guarded(CommandContext& ctx, const WriteGuard& guard, const KeyRef& key) {
  if (guard.version == kNoVersion) return;
  ctx.keys().raise_version(key, ctx.keys().peek(key), guard.version);
  if (ctx.effects().wants_commands())
    ctx.effects().relay_words({"ECHO", VersionNote{guard.version, key.name}.text()});
}

void add_touch(std::string& message, std::string_view key) {
  if (message.empty()) message = kTouchEcho;
  fmt::format_to(std::back_inserter(message), "{}:{}", key.size(), key);
}

std::optional<std::string_view> key_of_version_echo(std::span<const std::string_view> words) {
  if (words.size() != 2 || !equals_ignore_case(words[0], "ECHO")) return std::nullopt;
  const auto note = VersionNote::parse(words[1]);
  return note ? std::optional(note->key) : std::nullopt;
}

void relay_epoch(CommandContext& ctx, std::string_view what, std::string_view id, seconds life) {
  const std::string_view prefix = what == "BEGIN" ? kBeginEcho : kEndEcho;
  if (ctx.effects().wants_commands())
    ctx.effects().relay_words({"ECHO", fmt::format("{}{}:{}", prefix, life.count(), id)});
}

void relay_warm_state(EffectLog& effects, bool is_ready) {
  const std::string_view words[] = {"ECHO", is_ready ? kReadyEcho : kNotReadyEcho};
  effects.relay({0, 0}, words);
}

void forget_version(Keys& keys, const KeyRef& key, EffectLog& effects) {
  if (!keys.forget_version(key)) return;
  const std::string message = std::string(kForgetEcho).append(key.name);
  const std::string_view words[] = {"ECHO", message};
  effects.relay({keys.index(), key.slot}, words);
}

void replay_guard(CommandContext& ctx, std::string_view message) {
  if (!replay_message(ctx, message)) return;
  if (ctx.effects().wants_commands()) ctx.effects().relay_words({"ECHO", message});
}

}  // namespace hearth

// The options VER n and WARM id, under which a write is made only if it brings nothing old.
//
// VER: the write is made if it is newer than what the key was last written with, also if the key is
// gone since (see Database). So changes of a database's rows may come late, twice or in another
// order, and no key goes back to an older row. WARM: see WarmControl.
//
// In the append-only file and in the stream to replicas, a version follows its write as an ECHO,
// and an ECHO stands in front of a write of a warm epoch. Other servers run those without effect:
// they get the values, and know neither versions nor epochs. A server that repeats such a stream
// writes the messages to its own file as well.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "src/command/context.h"

namespace hearth {

struct WriteGuard {
  std::uint64_t version = kNoVersion;
  std::string_view epoch;  // a word of the request; empty: none
  [[nodiscard]] bool is_set() const { return version != kNoVersion || !epoch.empty(); }
};

// The word i as a version, 1 .. 2^63 - 1.
[[nodiscard]] Result<std::uint64_t, ReplyError> version_at(const ArgReader& args, std::size_t i);

// Reads VER n or WARM id at word i into `guard`, each once. False if neither stands there.
[[nodiscard]] Result<bool, ReplyError> read_guard(const ArgReader& args, std::size_t i,
                                                  WriteGuard& guard);

// May the write be made? `at`: what was found under the key. An error where the epoch is unknown.
[[nodiscard]] Result<bool, ReplyError> admits(CommandContext& ctx, const WriteGuard& guard,
                                              const KeyRef& key, Found at);
// To be called before the key is looked up, then before an admitted write, and after it was made
// and logged.
void announce_guarded(CommandContext& ctx, const WriteGuard& guard);
void begin_guarded(CommandContext& ctx, const WriteGuard& guard);
void end_guarded(CommandContext& ctx, const WriteGuard& guard, const KeyRef& key);

// Adds a key to the message by which replicas hear of those that a write without effect has named.
// The message begins as an empty string.
void add_touch(std::string& message, std::string_view key);

// An epoch begins or ends on replicas too.
void relay_epoch(CommandContext& ctx, std::string_view what, std::string_view id, seconds life);

// The key of an ECHO that carries a version; nothing if the words are another command.
[[nodiscard]] std::optional<std::string_view> key_of_version_echo(
    std::span<const std::string_view> words);

// The version of a key that is gone is forgotten, here and elsewhere: its slot is another node's.
void forget_version(Keys& keys, const KeyRef& key, EffectLog& effects);

// Replicas, and a log that is read later, learn whether the node is warm (warm-gate).
void relay_warm_state(EffectLog& effects, bool is_ready);

// Does what `message` says if it is an ECHO of these, in a log or stream that is replayed, and
// passes it on to the node's own log and replicas.
void replay_guard(CommandContext& ctx, std::string_view message);

}  // namespace hearth

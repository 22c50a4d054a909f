// MONITOR: every command, once it has run, to every session that asked. Scripts are shown before
// they run, so that their commands follow them.
#include <cstdio>

#include "cluster/model/slot.h"
#include "src/base/quote.h"
#include "src/engine/engine.h"
#include "src/engine/script_run.h"
#include "src/proto/reply_writer.h"

namespace hearth {

std::vector<std::string_view> Engine::without_secrets(
    const Command& command, std::span<const std::string_view> argv) const {
  std::vector<std::string_view> shown(argv.begin(), argv.end());
  if (command.spec->secrets == nullptr) return shown;
  std::vector<std::uint32_t> secret;
  command.spec->secrets(services_, argv, secret);
  for (const std::uint32_t i : secret) {
    if (i < shown.size()) shown[i] = "(redacted)";
  }
  return shown;
}

void Engine::monitor(Session& session) {
  session.monitor = true;
  monitors_.emplace(session.id, &session);
}

void Engine::unmonitor(Session& session) {
  session.monitor = false;
  monitors_.erase(session.id);
}

void Engine::log_slow(Session& session, const Command& command,
                      std::span<const std::string_view> argv, std::uint64_t ns) {
  if (has(command.flags, Flag::kSkipSlowlog)) return;
  const Session& client = session.in_script ? *script_->caller : session;
  command_logs_.of(CommandLogs::Kind::kSlow)
      .add(env_.clock, static_cast<std::int64_t>(ns / 1000), without_secrets(command, argv),
           client.address, client.name, settings().slowlog_max_len);
}

void Engine::announce(Session& session, const Command& command,
                      std::span<const std::string_view> argv) {
  if (!has(command.flags, Flag::kSkipMonitor) && !has(command.flags, Flag::kAdmin))
    feed_monitors(session, command, argv);
}

void Engine::log_call(Session& session, const Command& command,
                      std::span<const std::string_view> argv, std::uint64_t ns) {
  if (ns >= hot_.slow_ns) log_slow(session, command, argv, ns);
  if (monitors_.empty()) return;
  // A command that waited was announced when it came.
  const BlockedClient* client = session.waiting ? blocked_.find(session.id) : nullptr;
  if (client == nullptr || !client->announced) announce(session, command, argv);
}

void Engine::note_hot_keys(const Command& command, std::span<const std::string_view> argv,
                           std::uint64_t ns, std::uint64_t reply_bytes) {
  // What runs inside of these counts by itself.
  if (has(command.flags, Flag::kRunsQueue) || has(command.acl, Acl::kScripting)) return;
  std::vector<HotKeys::Key> keys;
  if (extract_keys(command, argv, positions_)) {
    for (const KeyPosition& p : positions_)
      keys.push_back({argv[p.index], cluster::slot_of(argv[p.index])});
  }
  std::uint64_t bytes = reply_bytes;
  for (const std::string_view word : argv) bytes += word.size();
  hot_keys_.note(keys, ns, bytes, rng_);
}

void Engine::log_size(Session& session, const Command& command,
                      std::span<const std::string_view> argv, CommandLogs::Kind kind,
                      std::uint64_t bytes) {
  if (has(command.flags, Flag::kSkipSlowlog)) return;
  const std::uint64_t most = kind == CommandLogs::Kind::kLargeRequest
                                 ? settings().commandlog_large_request_max_len
                                 : settings().commandlog_large_reply_max_len;
  command_logs_.of(kind).add(env_.clock, static_cast<std::int64_t>(bytes),
                             without_secrets(command, argv), session.address, session.name, most);
}

void Engine::feed_monitors(const Session& from, const Command& command,
                           std::span<const std::string_view> argv) {
  const std::int64_t micros = services_.server != nullptr
                                  ? services_.server->unix_micros(env_.clock)
                                  : env_.clock.ms * 1000;
  char stamp[48];
  std::snprintf(stamp, sizeof stamp, "%lld.%06d", static_cast<long long>(micros / 1'000'000),
                static_cast<int>(micros % 1'000'000));
  std::string line = std::string(stamp) + " [" + std::to_string(from.db) + " " + from.address + "]";
  for (const std::string_view word : without_secrets(command, argv)) {
    line += ' ';
    append_quoted(line, word);
  }
  for (const auto& [id, s] : monitors_) {
    // One that says QUIT hears no more, of that neither.
    if (s->close_now || s->close_after_reply) continue;
    ReplyWriter(s->executing ? s->own_pushes : s->out, s->resp).simple(line);
    if (!s->executing) wrote_to(*s);
  }
}

}  // namespace hearth

// MONITOR: every command, as it is about to run, to every session that asked.
#include <cstdio>

#include "cluster/model/slot.h"
#include "src/base/quote.h"
#include "src/engine/engine.h"
#include "src/engine/script_run.h"
#include "src/proto/reply_writer.h"

namespace hearth {
namespace {

// After the command ran, because only it knows which of its words are secret.
std::vector<std::string_view> without_secrets(const Session& session,
                                              std::span<const std::string_view> argv) {
  std::vector<std::string_view> shown(argv.begin(), argv.end());
  for (const std::uint32_t i : session.redacted) {
    if (i < shown.size()) shown[i] = "(redacted)";
  }
  return shown;
}

}  // namespace

void Engine::monitor(Session& session) {
  if (session.monitor) return;
  session.monitor = true;
  ++monitors_;
}

void Engine::unmonitor(Session& session) {
  if (!session.monitor) return;
  session.monitor = false;
  --monitors_;
}

void Engine::log_slow(Session& session, const Command& command,
                      std::span<const std::string_view> argv, std::uint64_t ns) {
  if (has(command.flags, Flag::kSkipSlowlog)) return;
  const Session& client = session.in_script ? *script_->caller : session;
  command_logs_.of(CommandLogs::Kind::kSlow)
      .add(env_.clock, static_cast<std::int64_t>(ns / 1000), without_secrets(session, argv),
           client.address, client.name, settings().slowlog_max_len);
}

void Engine::announce(Session& session, const Command& command, DbIndex db,
                      std::span<const std::string_view> argv) {
  if (!has(command.flags, Flag::kSkipMonitor) && !has(command.flags, Flag::kAdmin))
    feed_monitors(session, db, without_secrets(session, argv));
}

void Engine::log_call(Session& session, const Command& command, DbIndex db,
                      std::span<const std::string_view> argv, std::uint64_t ns) {
  if (ns >= hot_.slow_ns) log_slow(session, command, argv, ns);
  if (monitors_ == 0) return;
  // A command that waited was announced when it came.
  const BlockedClient* client = session.waiting ? blocked_.find(session.id) : nullptr;
  if (client == nullptr || !client->announced) announce(session, command, db, argv);
}

void Engine::note_hot_keys(const Command& command, std::span<const std::string_view> argv,
                           std::uint64_t ns, std::uint64_t reply_bytes) {
  // What runs inside of these counts by itself.
  if (command.full_name == "exec" || has(command.acl, Acl::kScripting)) return;
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
                             without_secrets(session, argv), session.address, session.name, most);
}

void Engine::feed_monitors(const Session& from, DbIndex db,
                           std::span<const std::string_view> argv) {
  char stamp[48];
  std::snprintf(stamp, sizeof stamp, "%lld.%06d", static_cast<long long>(env_.clock.ms / 1000),
                static_cast<int>(env_.clock.ms % 1000) * 1000);
  std::string line = std::string(stamp) + " [" + std::to_string(db) + " " + from.address + "]";
  for (const std::string_view word : argv) {
    line += ' ';
    append_quoted(line, word);
  }
  for_each([&](Session& s) {
    if (!s.monitor || s.close_now) return;
    ReplyWriter(s.executing ? s.own_pushes : s.out, s.resp).simple(line);
    if (!s.executing) wrote_to(s);
  });
}

}  // namespace hearth

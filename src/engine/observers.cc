#include "src/engine/observers.h"

#include <cstdio>

#include "cluster/model/slot.h"
#include "src/base/quote.h"
#include "src/command/server_control.h"
#include "src/proto/reply_writer.h"

namespace hearth {

void Observers::start(Session& session) {
  session.monitor = true;
  monitors_.emplace(session.id, &session);
}

void Observers::stop(Session& session) {
  session.monitor = false;
  monitors_.erase(session.id);
}

std::vector<std::string_view> Observers::without_secrets(const Command& command, Words argv) const {
  std::vector<std::string_view> shown(argv.begin(), argv.end());
  if (command.spec->secrets == nullptr) return shown;
  std::vector<std::uint32_t> secret;
  command.spec->secrets(core_.services, argv, secret);
  for (const std::uint32_t i : secret) {
    if (i < shown.size()) shown[i] = "(redacted)";
  }
  return shown;
}

void Observers::note_call(Session& session, const Session& client, const Command& command,
                          Words argv, std::uint64_t ns, std::uint64_t reply_bytes, bool announced) {
  if (ns >= core_.hot.slow_ns) [[unlikely]]
    log_slow(client, command, argv, ns);
  if (!monitors_.empty() && !announced) [[unlikely]]
    announce(session, command, argv);
  if (ns >= core_.hot.latency_ns) [[unlikely]] {
    core_.latency.add(has(command.flags, Flag::kFast) ? "fast-command" : "command", core_.env.clock,
                      static_cast<std::uint32_t>((ns + 500'000) / 1'000'000));
  }
  if (core_.hot_keys.is_active()) [[unlikely]]
    note_hot_keys(command, argv, ns, reply_bytes);
  if (core_.hot.slot_stats) [[unlikely]]
    slot_costs_.note_call(session, command, argv, ns, reply_bytes);
}

void Observers::announce(const Session& session, const Command& command, Words argv) {
  if (!has(command.flags, Flag::kSkipMonitor) && !has(command.flags, Flag::kAdmin))
    feed(session, command, argv);
}

void Observers::log_slow(const Session& client, const Command& command, Words argv,
                         std::uint64_t ns) {
  if (has(command.flags, Flag::kSkipSlowlog)) return;
  core_.command_logs.of(CommandLogs::Kind::kSlow)
      .add(core_.env.clock, static_cast<std::int64_t>(ns / 1000), without_secrets(command, argv),
           client.address, client.name, core_.settings().slowlog_max_len);
}

void Observers::log_size(const Session& client, const Command& command, Words argv,
                         CommandLogs::Kind kind, std::uint64_t bytes) {
  if (has(command.flags, Flag::kSkipSlowlog)) return;
  const config::Settings& s = core_.settings();
  const std::uint64_t most = kind == CommandLogs::Kind::kLargeRequest
                                 ? s.commandlog_large_request_max_len
                                 : s.commandlog_large_reply_max_len;
  core_.command_logs.of(kind).add(core_.env.clock, static_cast<std::int64_t>(bytes),
                                  without_secrets(command, argv), client.address, client.name,
                                  most);
}

void Observers::note_hot_keys(const Command& command, Words argv, std::uint64_t ns,
                              std::uint64_t reply_bytes) {
  // Commands inside of these count by themselves.
  if (has(command.flags, Flag::kRunsQueue) || has(command.acl, Acl::kScripting)) return;
  std::vector<HotKeys::Key> keys;
  if (extract_keys(command, argv, positions_)) {
    for (const KeyPosition& p : positions_)
      keys.push_back({argv[p.index], cluster::slot_of(argv[p.index])});
  }
  std::uint64_t bytes = reply_bytes;
  for (const std::string_view word : argv) bytes += word.size();
  core_.hot_keys.note(keys, ns, bytes, core_.rng);
}

void Observers::feed(const Session& from, const Command& command, Words argv) {
  const std::int64_t micros = core_.services.server != nullptr
                                  ? core_.services.server->unix_micros(core_.env.clock)
                                  : core_.env.clock.ms * 1000;
  char stamp[48];
  std::snprintf(stamp, sizeof stamp, "%lld.%06d", static_cast<long long>(micros / 1'000'000),
                static_cast<int>(micros % 1'000'000));
  std::string line = std::string(stamp) + " [" + std::to_string(from.db) + " " + from.address + "]";
  for (const std::string_view word : without_secrets(command, argv)) {
    line += ' ';
    append_quoted(line, word);
  }
  for (const auto& [id, s] : monitors_) {
    // One that says QUIT hears no more, not even of that.
    if (s->close_now || s->close_after_reply) continue;
    ReplyWriter(message_output(*s), s->resp).simple(line);
    if (!s->is_running()) sessions_.wrote_to(*s);
  }
}

}  // namespace hearth

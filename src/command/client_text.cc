#include "src/command/client_text.h"

#include <algorithm>

#include "src/base/parse_number.h"
#include "src/command/table.h"

namespace hearth {
namespace {

struct Line {
  std::string text;
  void add(std::string_view name, std::string_view value) {
    if (!text.empty()) text += ' ';
    text += name;
    text += '=';
    text += value;
  }
  void add(std::string_view name, std::uint64_t value) { add(name, std::to_string(value)); }
};

// The output as two parts: the first segment is the client's reply buffer, the rest its overflow.
struct OutputParts {
  std::uint64_t first_bytes = 0, overflow_segments = 0, overflow_capacity = 0;
};
OutputParts output_parts(const OutBuffer& out) {
  OutputParts parts;
  parts.first_bytes = out.size();
  if (out.segment_count() < 2) return parts;
  parts.overflow_segments = out.segment_count() - 1;
  out.gather(1, [&](const char*, std::size_t n) { parts.first_bytes = n; });
  parts.overflow_capacity = out.size() - parts.first_bytes;
  return parts;
}

std::uint64_t whole_seconds(microseconds d) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, d.count() / 1'000'000));
}

}  // namespace

std::optional<ClientType> client_type(std::string_view word) {
  if (equals_ignore_case(word, "normal")) return ClientType::kNormal;
  if (equals_ignore_case(word, "master") || equals_ignore_case(word, "primary"))
    return ClientType::kPrimary;
  if (equals_ignore_case(word, "slave") || equals_ignore_case(word, "replica"))
    return ClientType::kReplica;
  if (equals_ignore_case(word, "pubsub")) return ClientType::kPubsub;
  return std::nullopt;
}

ClientType type_of(const Session& session) {
  if (session.primary) return ClientType::kPrimary;
  if (session.replica) return ClientType::kReplica;
  return session.in_subscribe_mode() ? ClientType::kPubsub : ClientType::kNormal;
}

std::string unknown_client_type(std::string_view word) {
  return "ERR Unknown client type '" + std::string(word) + "'";
}

std::string client_flags(const Session& s) {
  std::string flags;
  const auto add = [&](bool on, char letter) {
    if (on) flags += letter;
  };
  add(s.primary, 'M');
  add(s.replica, 'S');
  add(s.monitor, 'O');
  add(s.in_multi, 'x');
  add(s.in_subscribe_mode(), 'P');
  add(s.tracking != nullptr, 't');
  add(s.tracking != nullptr && s.tracking->redirect_is_gone, 'R');
  add(s.tracking != nullptr && s.tracking->mode == tracking::Mode::kBroadcast, 'B');
  add(s.is_parked(), 'b');
  add(s.watch_broken, 'd');
  add(s.close_after_reply, 'c');
  add(s.close_now, 'A');
  add(s.unix_socket, 'U');
  add(s.readonly, 'r');
  add(s.no_evict, 'e');
  add(s.no_touch, 'T');
  add(s.import_source, 'I');
  return flags.empty() ? "N" : flags;
}

std::string client_line(const Session& s, MonoTime now) {
  const OutputParts output = output_parts(s.out);
  Line line;
  line.add("id", s.id);
  line.add("addr", s.address);
  line.add("laddr", s.local_address);
  line.add("fd", std::to_string(s.fd));
  line.add("name", s.name);
  line.add("age", whole_seconds(now - s.created_at));
  line.add("idle", whole_seconds(now - s.last_active));
  line.add("flags", client_flags(s));
  line.add("db", s.db);
  line.add("sub", s.subscriptions.channels.size());
  line.add("psub", s.subscriptions.patterns.size());
  line.add("ssub", s.subscriptions.shard_channels.size());
  line.add("multi", s.in_multi ? std::to_string(s.queue.size()) : "-1");
  line.add("watch", s.watched.size());
  line.add("qbuf", s.query_bytes);
  line.add("qbuf-free", s.query_free);
  line.add("argv-mem", s.argv_bytes);
  line.add("multi-mem", s.queue_bytes);
  line.add("rbs", s.out.first_capacity());
  line.add("rbp", output.first_bytes);
  // A reply that is being written now is not waiting yet.
  const bool waits = s.output_pending && !s.is_running();
  line.add("obl", waits ? output.first_bytes : 0);
  line.add("oll", output.overflow_segments);
  line.add("omem", output.overflow_capacity);
  line.add("tot-mem", s.memory_bytes());
  line.add("events", waits ? "rw" : "r");
  line.add("cmd", s.last_command != nullptr ? std::string_view(s.last_command->full_name) : "NULL");
  line.add("user", s.user_name());
  line.add("redir", s.tracking == nullptr ? "-1" : std::to_string(s.tracking->redirect));
  line.add("resp", std::to_string(s.resp));
  line.add("lib-name", s.lib_name);
  line.add("lib-ver", s.lib_version);
  line.add("tot-net-in", s.net_input);
  line.add("tot-net-out", s.net_output);
  line.add("tot-cmds", s.commands);
  line.add("capa", s.understands_redirects ? "r" : "");
  return std::move(line.text);
}

bool is_plain_name(std::string_view name) {
  return std::all_of(name.begin(), name.end(), [](char c) { return c >= '!' && c <= '~'; });
}

Outcome set_client_name(Session& session, std::string_view name) {
  if (!is_plain_name(name))
    return refuse("ERR Client names cannot contain spaces, newlines or special characters.");
  session.name = name;
  return {};
}

}  // namespace hearth

// CommandContext: all that a handler sees.
#pragma once

#include <array>
#include <string_view>

#include "src/base/random.h"
#include "src/command/args.h"
#include "src/command/keys.h"
#include "src/command/session.h"
#include "src/command/spec.h"
#include "src/command/table.h"
#include "src/config/registry.h"
#include "src/effects/effect_log.h"
#include "src/proto/reply_writer.h"

namespace hearth {

class AccountControl;
class BlockingControl;
class ClientControl;
class ClusterControl;
class CommandLogs;
struct DebugSwitches;
class ExpiryControl;
class HandoverControl;
class HoldControl;
class HotListControl;
class HotKeys;
class InfoControl;
class LatencyMonitor;
class MigrationControl;
class MonitorControl;
class PersistenceControl;
class ProgressSource;
class PubSub;
class PublishRelay;
class Reclaimer;
class ReplicaControl;
class ReplicationControl;
class ScriptControl;
class ScriptHost;
class ServerControl;
class SlotMigrationControl;
struct Stats;
class TrackingControl;
class TransactionControl;
class UnitControl;
class WarmControl;
class WarmGateControl;

// Services for handlers from the rest of the server: ports, each with a header of its own, and
// shared parts of the engine. A null pointer means "not in this build of the server" (an engine
// test without a cluster has no ClusterControl).
struct Services {
  ClientControl* clients = nullptr;
  HoldControl* holds = nullptr;
  MonitorControl* monitors = nullptr;
  ExpiryControl* expiry = nullptr;
  UnitControl* units = nullptr;
  TransactionControl* transactions = nullptr;
  const CommandTable* commands = nullptr;
  config::Registry* config = nullptr;
  PubSub* pubsub = nullptr;
  Stats* stats = nullptr;
  CommandLogs* command_logs = nullptr;
  LatencyMonitor* latency = nullptr;
  Reclaimer* reclaimer = nullptr;
  ServerControl* server = nullptr;
  InfoControl* info = nullptr;
  MigrationControl* migration = nullptr;
  ClusterControl* cluster = nullptr;
  PublishRelay* relay = nullptr;
  DebugSwitches* debug = nullptr;
  BlockingControl* blocking = nullptr;
  ProgressSource* progress = nullptr;
  ScriptControl* scripts = nullptr;
  ScriptHost* script_host = nullptr;
  AccountControl* accounts = nullptr;
  TrackingControl* tracking = nullptr;
  HotKeys* hot_keys = nullptr;
  PersistenceControl* persistence = nullptr;
  ReplicationControl* replication = nullptr;
  ReplicaControl* replica = nullptr;
  HandoverControl* handover = nullptr;
  WarmControl* warm = nullptr;
  WarmGateControl* warm_gate = nullptr;
  HotListControl* hot_list = nullptr;
  SlotMigrationControl* slot_migrations = nullptr;
};

class CommandContext {
 public:
  struct Parts {
    const Command& command;
    Session& session;
    KeyEnvironment& env;
    const Services& services;
    std::span<const std::string_view> argv;
    OutBuffer& out;
  };
  explicit CommandContext(const Parts& parts)
      : parts_(parts),
        args_(parts.argv),
        keys_(parts.env, parts.session.db),
        reply_(parts.out, parts.session.resp) {}

  // Words of the request; [0] is the command's name (and [1] the subcommand's).
  [[nodiscard]] const ArgReader& args() const { return args_; }
  [[nodiscard]] std::string_view arg(std::size_t i) const { return args_[i]; }
  // The word as a key, with hash and slot.
  [[nodiscard]] KeyRef key(std::size_t i) const { return keys_.ref(args_[i]); }
  // Keys::let_expired_go for the words first .. end - 1.
  void let_expired_go(std::size_t first, std::size_t end) {
    for (std::size_t i = first; i < end; ++i) keys_.let_expired_go(key(i));
  }
  // The session's database; keys_in reaches another one (COPY, MOVE).
  [[nodiscard]] Keys& keys() { return keys_; }
  [[nodiscard]] Keys keys_in(DbIndex db) const { return {parts_.env, db}; }
  // fn(key, i) for the words first, first + step ... below `end`, in order. Buckets and entries are
  // prefetched for sixteen keys at a time, so that their cache misses overlap.
  template <typename F>
  void for_each_key(std::size_t first, std::size_t end, std::size_t step, F&& fn) {
    if (end - first <= step) return fn(key(first), first);
    std::array<KeyRef, 16> refs;
    for (std::size_t i = first; i < end;) {
      std::size_t count = 0;
      for (std::size_t at = i; at < end && count < refs.size(); at += step) {
        refs[count] = key(at);
        keys_.database().prefetch_bucket(refs[count++]);
      }
      for (std::size_t n = 0; n < count; ++n) keys_.database().prefetch_entry(refs[n]);
      for (std::size_t n = 0; n < count; ++n, i += step) fn(refs[n], i);
    }
  }
  [[nodiscard]] Keyspace& keyspace() { return *parts_.env.keyspace; }
  [[nodiscard]] Session& session() { return parts_.session; }
  [[nodiscard]] ReplyWriter& reply() { return reply_; }
  // Records what this command did, in the session's database and the slot of the first key.
  [[nodiscard]] CommandEffects effects() {
    return {*parts_.env.effects, {keys_.index(), keys_.first().slot}, parts_.argv};
  }
  // Deadlines are compared with this: 0 while a log or a primary's stream is replayed and for an
  // import source, because they decide when a key expires.
  [[nodiscard]] UnixMillis now() const { return parts_.env.now; }
  // The time of this turn, whatever now() is. Relative times and ages are counted from it.
  [[nodiscard]] UnixMillis clock() const { return parts_.env.clock; }
  [[nodiscard]] Rng& rng() { return *parts_.env.rng; }
  // May the handler ask services().blocking to wait? Else it answers as if its time were over.
  [[nodiscard]] bool may_block() const { return !parts_.session.deny_blocking && !timed_out(); }
  // The command waited and its time is over: it answers with what there is.
  [[nodiscard]] bool timed_out() const { return parts_.session.attempt == Attempt::kLast; }
  // Longest string that this request may make. What is replayed was made under the limits of its
  // writer, which may have been others.
  [[nodiscard]] std::uint64_t string_bytes_most() const {
    return parts_.session.replaying ? INT64_MAX / 16 : settings().proto_max_bulk_len;
  }
  [[nodiscard]] const Services& services() const { return parts_.services; }
  [[nodiscard]] const Command& command() const { return parts_.command; }
  [[nodiscard]] const config::Settings& settings() const {
    return parts_.services.config->settings();
  }

 private:
  Parts parts_;
  ArgReader args_;
  Keys keys_;
  ReplyWriter reply_;
};

}  // namespace hearth

// Session: one logical client, as the engine knows it. A socket's client is one; so will be a
// replication link or a peer that forwards commands. The engine owns it; engine thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/acl/user.h"
#include "src/base/check.h"
#include "src/base/ids.h"
#include "src/base/name_map.h"
#include "src/base/out_buffer.h"
#include "src/base/time.h"
#include "src/pubsub/pubsub.h"
#include "src/tracking/tracking.h"

namespace hearth {

struct Command;
class ClientControl;

enum class ReplyMode : std::uint8_t { kOn, kOff, kSkip, kSkipNext };

// One command of an open MULTI. Owned, since the request's bytes are gone by EXEC.
struct QueuedCommand {
  const Command* command = nullptr;
  std::vector<std::string> argv;
};

struct Session;

// A watched key with the sessions that watch it; the engine keeps them. `stale`: the key was past
// its deadline when that session began to watch it, so that its removal is no change.
struct Watcher {
  bool stale = false;
};
using WatchedKey = std::pair<const DbName, std::map<Session*, Watcher>>;

// HIMPORT: lists of field names by the name of the list, and what they cost, kept as they change.
class FieldSets {
 public:
  using Fields = std::vector<std::string>;
  void put(std::string_view name, Fields fields);
  // nullptr: there is none.
  [[nodiscard]] const Fields* find(std::string_view name) const;
  bool erase(std::string_view name);
  void clear();
  [[nodiscard]] std::size_t size() const { return sets_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::map<std::string, Fields, std::less<>> sets_;
  std::size_t bytes_ = 0;
};

// The state of a session, as far as its requests are concerned. There is one at a time, and
// only the changes that `may_become` lists:
//
//   idle -> running -> idle            a command ran
//   idle -> held -> idle               a pause or a lock is in the way: the request comes again
//   running -> waiting -> idle         its command answers later (MIGRATE), through `resume`
//   waiting -> running                 the rest of an EXEC goes on
//   running -> blocked                 it waits for keys or progress; CLIENT UNBLOCK may end that
//   blocked -> running, blocked -> idle   run again; given up without running
enum class RunState : std::uint8_t { kIdle, kRunning, kHeld, kWaiting, kBlocked };

[[nodiscard]] constexpr bool may_become(RunState from, RunState to) {
  using enum RunState;
  switch (from) {
    case kIdle: return to == kRunning || to == kHeld || to == kWaiting;
    case kRunning: return to == kIdle || to == kWaiting || to == kBlocked;
    case kHeld: return to == kIdle;
    case kWaiting:
    case kBlocked: return to == kIdle || to == kRunning;
  }
  return false;
}

// A command that waited is run again when it may be served, and for the last time when its time is
// over: then it must answer.
enum class Attempt : std::uint8_t { kFirst, kAgain, kLast };

// The network's part of a session: the engine reads it for CLIENT LIST and for limits.
struct SessionNetwork {
  std::string address, local_address;  // "127.0.0.1:50000", "/tmp/sock:0"
  void* connection = nullptr;          // the network's own handle; the engine never looks at it
  int fd = -1;
  bool unix_socket = false;
  bool on_this_host = false;  // loopback or unix socket: what "local" permissions ask
  bool ipv6 = false;
  std::uint64_t net_input = 0, net_output = 0;
  std::size_t query_bytes = 0, query_free = 0, argv_bytes = 0;
  bool output_pending = false;  // is on the host's list of sessions to flush
  // Its replies wait until the log, or enough replicas, have its last write; no request of it runs
  // meanwhile.
  bool awaits_disk = false;
  MonoTime held_since{};
  // The front of its output is the rest of a reply whose beginning has left.
  bool sent_in_part = false;
  std::size_t dying_bytes = 0;  // what closing it will free: it was evicted
};

// Modes that the client asked for by CLIENT, HELLO and the like.
struct SessionModes {
  std::string name, lib_name, lib_version;
  int resp = 2;
  ReplyMode reply_mode = ReplyMode::kOn;
  bool readonly = false;  // READONLY: may read from a replica
  bool asking = false;    // ASKING: for the next command
  bool no_evict = false;
  bool no_touch = false;
  bool understands_redirects = false;  // CLIENT CAPA redirect
  bool import_source = false;          // CLIENT IMPORT-SOURCE
  bool loads = false;                  // WARM LOADER: the warm gate is open to it
  bool monitor = false;                // set by MonitorControl only
};

// The kind of session, fixed by whoever opened it or by its handshake.
struct SessionRole {
  bool in_script = false;  // runs the commands of scripts: TIME stands still
  bool replica = false;    // asked for the stream of effects: it sends acknowledgements
  bool primary = false;    // brings the stream of effects of the server that this one follows
  bool replaying = false;  // repeats what was logged: nothing of it is refused or logged again
};

// MULTI and WATCH; kept by TransactionControl.
struct SessionTransaction {
  bool in_multi = false;
  bool multi_aborted = false;  // a command could not be queued: EXEC answers EXECABORT
  bool watch_broken = false;   // a watched key changed: EXEC answers null
  std::vector<QueuedCommand> queue;
  std::size_t queue_bytes = 0;
  // Bytes of MULTI and the queued commands, and of what they were answered; kept with
  // cluster-slot-stats-enabled alone.
  struct Traffic {
    std::uint64_t in = 0, out = 0;
  };
  Traffic queue_traffic;
  std::vector<WatchedKey*> watched;
  // The rest of an EXEC one of whose commands waits.
  std::vector<QueuedCommand> rest;
};

struct Session final : Subscriber, SessionNetwork, SessionModes, SessionRole, SessionTransaction {
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Renders a pub/sub message; set by the engine.
  std::size_t on_message(std::string_view pattern, std::string_view channel,
                         std::string_view payload, bool shard) override;
  // A subscription ended because the channel's slot went elsewhere.
  void on_shard_channel_lost(std::string_view channel);

  [[nodiscard]] RunState run_state() const { return state_; }
  // The engine's: an unlisted change stops a checked build.
  void become(RunState state) {
    HEARTH_DCHECK(may_become(state_, state));
    state_ = state;
  }
  [[nodiscard]] bool is_running() const { return state_ == RunState::kRunning; }
  [[nodiscard]] bool is_held() const { return state_ == RunState::kHeld; }
  [[nodiscard]] bool is_blocked() const { return state_ == RunState::kBlocked; }
  // Its own command has not answered yet.
  [[nodiscard]] bool is_waiting() const { return state_ >= RunState::kWaiting; }
  // No request of it runs until the engine resumes it.
  [[nodiscard]] bool is_parked() const { return state_ >= RunState::kHeld; }

  ClientControl* clients = nullptr;  // told when a message was written
  ConnId id = 0;
  DbIndex db = 0;
  bool authenticated = false;
  const acl::User* account = nullptr;  // never null in an engine; changed by AccountControl only

  OutBuffer out;
  // While a command of this session runs, messages to itself wait here for the end of its reply.
  OutBuffer own_pushes;
  bool reply_is_push = false;  // the command answered by pushes: CLIENT REPLY does not silence it
  bool close_after_reply = false;
  bool close_now = false;
  Attempt attempt = Attempt::kFirst;
  bool deny_blocking = false;  // inside EXEC or a script nothing waits

  FieldSets field_sets;
  Subscriptions subscriptions;
  std::unique_ptr<tracking::Client> tracking;  // null: CLIENT TRACKING is off
  std::int64_t frozen_micros = 0;              // in a script: what TIME answered first, 0 before

  std::uint64_t request_bytes = 0;  // of the request that runs, for SlotCosts; 0: not known
  std::uint64_t held_turn = 0;      // its place among those that are held; 0: none
  std::uint64_t write_offset = 0;   // where the stream of effects stood after its last write
  MonoTime soft_limit_since{};      // output is above the soft limit since; 0: it is not
  MonoTime created_at{};
  MonoTime last_active{};
  MonoTime reply_peak_since{};
  const Command* last_command = nullptr;
  std::uint64_t commands = 0;
  std::size_t counted_bytes = 0;  // its part of the sum that maxmemory-clients limits

  [[nodiscard]] bool is_held_back() const { return is_parked() || awaits_disk; }
  [[nodiscard]] bool in_subscribe_mode() const {
    return subscriptions.normal_count() + subscriptions.shard_channels.size() > 0;
  }
  [[nodiscard]] std::string_view user_name() const { return account->name(); }
  // Bytes that this client costs: buffers, queued commands, names. O(1).
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  RunState state_ = RunState::kIdle;
};

// Where a message to the session goes: behind the reply of its command, if one runs.
inline OutBuffer& message_output(Session& session) {
  return session.is_running() ? session.own_pushes : session.out;
}

}  // namespace hearth

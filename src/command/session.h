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

struct Session final : Subscriber {
  Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Renders a pub/sub message; set by the engine.
  void on_message(std::string_view pattern, std::string_view channel, std::string_view payload,
                  bool shard) override;

  ClientControl* clients = nullptr;  // told when a message was written
  ConnId id = 0;
  std::string name, lib_name, lib_version;
  std::string address, local_address;  // "127.0.0.1:50000", "/tmp/sock:0"
  void* connection = nullptr;          // the network's own handle; the engine never looks at it
  int fd = -1;
  bool unix_socket = false;
  bool on_this_host = false;  // loopback or unix socket: what "local" permissions ask
  bool ipv6 = false;

  DbIndex db = 0;
  int resp = 2;
  bool authenticated = false;
  const acl::User* account = nullptr;  // never null in an engine; changed by AccessControl only
  bool readonly = false;               // READONLY: may read from a replica
  bool asking = false;                 // ASKING: for the next command
  bool no_evict = false;
  bool no_touch = false;
  bool in_script = false;          // runs the commands of scripts: TIME stands still
  std::int64_t frozen_micros = 0;  // in a script: what TIME answered first, 0 before
  bool monitor = false;
  bool understands_redirects = false;  // CLIENT CAPA redirect
  bool import_source = false;          // CLIENT IMPORT-SOURCE
  bool replica = false;                // asked for the stream of effects: it sends acknowledgements
  bool primary = false;    // brings the stream of effects of the server that this one follows
  bool replaying = false;  // repeats what was logged: nothing of it is refused or logged again
  ReplyMode reply_mode = ReplyMode::kOn;
  bool reply_is_push =
      false;  // the command answered by pushes, which CLIENT REPLY does not silence

  // MULTI
  bool in_multi = false;
  bool multi_aborted = false;  // a command could not be queued: EXEC answers EXECABORT
  bool watch_broken = false;   // a watched key changed: EXEC answers null
  std::vector<QueuedCommand> queue;
  std::size_t queue_bytes = 0;
  std::vector<WatchedKey*> watched;

  FieldSets field_sets;

  Subscriptions subscriptions;
  std::unique_ptr<tracking::Client> tracking;  // null: CLIENT TRACKING is off

  OutBuffer out;
  // While a command of this session runs, messages to itself wait here for the end of its reply.
  bool executing = false;
  OutBuffer own_pushes;
  bool output_pending = false;  // is on the host's list of sessions to flush
  bool close_after_reply = false;
  bool close_now = false;
  // Parked: no request of it runs until the engine resumes it (CLIENT PAUSE, a command that waits).
  bool parked = false;
  std::uint64_t parked_turn = 0;   // its place among those that pauses and locks hold; 0: none
  bool waiting = false;            // parked because its own command has not answered yet
  bool blocked = false;            // waits for keys or progress: CLIENT UNBLOCK may end it
  bool timed_out = false;          // its command is run for the last time: it must answer
  bool deny_blocking = false;      // inside EXEC or a script nothing waits
  std::uint64_t write_offset = 0;  // where the stream of effects stood after its last write
  MonoTime soft_limit_since{};     // output stands above the soft limit since; 0: it does not

  MonoTime created_at{};
  MonoTime last_active{};
  const Command* last_command = nullptr;
  std::uint64_t net_input = 0, net_output = 0, commands = 0;
  MonoTime reply_peak_since{};
  std::size_t counted_bytes = 0;  // its part of the sum that maxmemory-clients limits
  std::size_t dying_bytes = 0;    // what closing it will free: it was evicted
  std::size_t query_bytes = 0, query_free = 0, argv_bytes = 0;  // kept by the network

  [[nodiscard]] bool in_subscribe_mode() const {
    return subscriptions.normal_count() + subscriptions.shard_channels.size() > 0;
  }
  [[nodiscard]] std::string_view user_name() const { return account->name(); }
  // What this client costs: buffers, queued commands, names.
  [[nodiscard]] std::size_t memory_bytes() const;
};

}  // namespace hearth

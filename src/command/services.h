// Ports: what handlers may ask of the rest of the server. Implemented by the engine and by the
// composition root; tests implement what they need. A null pointer means "not in this build of the
// server" (an engine test without a cluster has no ClusterControl).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/ids.h"
#include "src/base/result.h"
#include "src/base/time.h"
#include "src/command/spec.h"

namespace hearth {

class CommandContext;
class CommandTable;
class EvictionPool;
class LatencyMonitor;
class PubSub;
class ReplyWriter;
struct KeyEnvironment;
class CommandLogs;
class HotKeys;
struct Command;
struct Garbage;
struct Session;
struct Stats;
enum class Type : std::uint8_t;
namespace acl {
class Log;
class User;
class Users;
enum class Context : std::uint8_t;
}  // namespace acl
namespace tracking {
class Table;
struct Client;
}  // namespace tracking
namespace config {
class Registry;
struct Settings;
}  // namespace config
namespace cluster {
struct View;
}

// CLIENT PAUSE.
enum class PauseKind : std::uint8_t { kWrite, kAll };

// All sessions. Implemented by the engine.
class ClientControl {
 public:
  virtual ~ClientControl() = default;
  // In the order of their ids.
  virtual void for_each(const std::function<void(Session&)>& fn) = 0;
  [[nodiscard]] virtual Session* find(ConnId id) = 0;
  [[nodiscard]] virtual std::size_t count() const = 0;
  // The time of this loop turn, for ages and idle times.
  [[nodiscard]] virtual MonoTime mono_now() const = 0;
  // The session's replies so far still go out when it kills itself; another's don't.
  virtual void kill(Session& victim, const Session& by) = 0;
  // Something was written to another session's buffer: it will be flushed in this loop turn.
  virtual void wrote_to(Session& session) = 0;
  // Has the reply grown past the client's limit, so that it will never be sent? To be asked now and
  // then by commands whose reply has no bound.
  [[nodiscard]] virtual bool is_over_output_limit(Session& session) = 0;
  // Parks the session: its command answers later, through `resume`.
  virtual void wait(Session& session) = 0;
  // Lets a waiting session go on, after its reply was written to session.out. reply_from: the size
  // of session.out before that; CLIENT REPLY may take the reply back.
  virtual void resume(Session& session, std::size_t reply_from) = 0;
};

// Pauses and locks: they make requests wait that could run otherwise. The engine implements it.
class HoldControl {
 public:
  virtual ~HoldControl() = default;
  virtual void pause(PauseKind kind, UnixMillis until) = 0;
  virtual void unpause() = 0;
  // While locked, commands that name one of these keys are held (MIGRATE under way).
  virtual void lock_keys(DbIndex db, std::span<const std::string> names) = 0;
  virtual void unlock_keys(DbIndex db, std::span<const std::string> names) = 0;
};

// MONITOR. Implemented by the engine.
class MonitorControl {
 public:
  virtual ~MonitorControl() = default;
  // From now on the session is told of every command.
  virtual void start(Session& session) = 0;
  virtual void stop(Session& session) = 0;
};

// The background expiry, for DEBUG SET-ACTIVE-EXPIRE. Implemented by the engine.
class ExpiryControl {
 public:
  virtual ~ExpiryControl() = default;
  virtual void set_active(bool on) = 0;
};

// Changes outside of a command's own run (when MIGRATE completes). Implemented by the engine.
class UnitControl {
 public:
  virtual ~UnitControl() = default;
  // Commits what was recorded.
  virtual void commit() = 0;
  // The environment for Keys.
  [[nodiscard]] virtual KeyEnvironment& environment() = 0;
};

// Commands that wait: for keys, or for replicas and the log to have come far enough. A handler that
// finds nothing, and whose ctx.may_block() says yes, asks to wait and returns without a reply. Its
// command is run again when one of the keys may have what it wants; it then answers, or asks again,
// which keeps its place and its deadline. Implemented by the engine.
class BlockingControl {
 public:
  virtual ~BlockingControl() = default;
  // The reply when the deadline passes. kRunAgain: the handler gives it, with ctx.timed_out() set.
  enum class OnTimeout : std::uint8_t { kNullArray, kNull, kRunAgain };
  struct KeyWait {
    std::span<const std::string_view> keys;  // in the session's database; repeats are allowed
    Type type;                               // run again when a key changed and holds this type
    MonoTime deadline{};                     // 0: none
    OnTimeout on_timeout = OnTimeout::kNullArray;
    // Run again also when a key is gone or holds another type (XREADGROUP).
    bool wakes_without_type = false;
    // The words to run again; empty: those of the request (XREAD makes "$" an id first).
    std::vector<std::string> again;
  };
  virtual void wait_for_keys(CommandContext& ctx, KeyWait key_wait) = 0;
  // Until progressed() is called and the handler is content; at the deadline it is run once more.
  virtual void wait_for_progress(CommandContext& ctx, MonoTime deadline) = 0;
  // A replica or the log has come further: those who wait for that are run again.
  virtual void progressed() = 0;
  // CLIENT UNBLOCK: false if the client does not wait, or for something that can't be given up.
  enum class Unblock : std::uint8_t { kTimeout, kError };
  [[nodiscard]] virtual bool unblock(ConnId id, Unblock how) = 0;
  // Ends every wait with this error (the node became a replica).
  virtual void unblock_all(std::string_view error) = 0;
};

// How far others hold what this node has done, as offsets of its stream of effects. Implemented by
// replication and the log; null: there is neither.
class ProgressSource {
 public:
  virtual ~ProgressSource() = default;
  // Replicas that have confirmed everything up to the offset; `on_disk`: in their logs.
  [[nodiscard]] virtual std::size_t replicas_at(std::uint64_t offset, bool on_disk) const = 0;
  [[nodiscard]] virtual bool is_on_disk_here(std::uint64_t offset) const = 0;
  [[nodiscard]] virtual bool has_log() const = 0;
  [[nodiscard]] virtual bool is_replica() const = 0;
  // Replicas should confirm soon: somebody waits.
  virtual void ask_replicas() = 0;
};

// MULTI and WATCH. Implemented by the engine.
class TransactionControl {
 public:
  virtual ~TransactionControl() = default;
  // Runs the queue of the session as one unit and writes EXEC's reply.
  virtual void exec(CommandContext& ctx) = 0;
  // The command of an EXEC that the session waited for has answered: runs those behind it.
  virtual void go_on(Session& session) = 0;
  virtual void discard(Session& session) = 0;
  virtual void watch(Session& session, DbIndex db, std::string_view key) = 0;
  virtual void unwatch(Session& session) = 0;
  // Every key of the database is about to change at once: it becomes empty (FLUSHDB), or what
  // `becomes` holds (SWAPDB). Watchers of keys that are in neither, or only as expired ones, don't
  // mind.
  virtual void touch_all(DbIndex db, std::optional<DbIndex> becomes) = 0;
};

// Users and what they may do. Implemented by the engine.
class AccessControl {
 public:
  virtual ~AccessControl() = default;
  [[nodiscard]] virtual const acl::Users& users() const = 0;
  [[nodiscard]] virtual acl::Log& log() = 0;
  // Makes the session the user's if the password is right. A failure is logged.
  //   object  what ACL LOG shows as tried: the command's word
  [[nodiscard]] virtual bool authenticate(Session& session, std::string_view user,
                                          std::string_view password, std::string_view object) = 0;
  // The state of a new connection: the default user's, if that needs no password.
  virtual void become_default(Session& session) = 0;
  // Nothing if the session's user may run this, else the error for the client ("NOPERM ..."). A
  // denial is counted and logged, as one of `context`.
  [[nodiscard]] virtual std::optional<std::string> denied(Session& session, const Command& command,
                                                          std::span<const std::string_view> argv,
                                                          acl::Context context) = 0;
  // ACL SETUSER. Sessions of the user that listen to channels it may no longer hear are closed.
  //   error  the client's text, without a code
  [[nodiscard]] virtual Result<void, std::string> set_user(std::string_view name,
                                                           std::span<const std::string_view> rules,
                                                           const Session& by) = 0;
  // ACL DELUSER. Sessions of the user are closed. False if there is none.
  virtual bool delete_user(std::string_view name, const Session& by) = 0;
  // ACL LOAD and SAVE: `aclfile`.
  [[nodiscard]] virtual Result<void, std::string> load_file(const Session* by) = 0;
  [[nodiscard]] virtual Result<void> save_file() = 0;
  // The words of `user` directives that make the present users; nothing if they live in a file.
  [[nodiscard]] virtual std::optional<std::vector<std::vector<std::string>>> directives() const = 0;
};

// CLIENT TRACKING. Implemented by the engine.
class TrackingControl {
 public:
  virtual ~TrackingControl() = default;
  // Switches it on, or changes how it is on: prefixes are added to those the session has.
  virtual void start(Session& session, tracking::Client how) = 0;
  virtual void stop(Session& session) = 0;
  [[nodiscard]] virtual const tracking::Table& table() const = 0;
  [[nodiscard]] virtual std::size_t client_count() const = 0;
};

// Frees what would take long, on another thread if there is one.
class Reclaimer {
 public:
  virtual ~Reclaimer() = default;
  virtual void reclaim(Garbage garbage) = 0;
  [[nodiscard]] virtual std::uint64_t pending_objects() const = 0;
  [[nodiscard]] virtual std::uint64_t freed_objects() const = 0;
  virtual void reset_freed() = 0;
};

// What SHUTDOWN is asked to do with the data.
struct ShutdownRequest {
  bool save = false;    // even without save points
  bool nosave = false;  // in spite of save points
  bool now = false;     // without waiting for replicas that lag
  bool force = false;   // even if saving fails
};

inline constexpr std::string_view kShutdownRefused = "ERR Errors trying to SHUTDOWN. Check logs.";

// The process around the engine. Implemented by the composition root.
class ServerControl {
 public:
  virtual ~ServerControl() = default;
  // Stops the process in an orderly way after this loop turn, or says why it goes on. Where
  // replicas lag, `asker` waits for them, and hears an error if the server goes on after all.
  [[nodiscard]] virtual Outcome shutdown(const ShutdownRequest& request, Session& asker) = 0;
  // SHUTDOWN ABORT: takes back a shutdown that has not begun yet. False if there is none.
  [[nodiscard]] virtual bool abort_shutdown() { return false; }
  // How long a shutdown under way waits for replicas yet; nothing while none does.
  [[nodiscard]] virtual std::optional<milliseconds> shutdown_left() const { return std::nullopt; }
  // Blocks the engine thread: DEBUG SLEEP only.
  virtual void sleep(microseconds duration) = 0;
  // Ends the process at once, for DEBUG SEGFAULT, PANIC and ASSERT.
  [[noreturn]] virtual void crash(std::string_view how) = 0;
  // Microseconds since 1970 at this moment, not of this loop turn: TIME. A server that has no finer
  // clock answers with the turn's.
  [[nodiscard]] virtual std::int64_t unix_micros(UnixMillis turn) { return turn.ms * 1000; }
  // The text of a file of users, and its atomic replacement.
  [[nodiscard]] virtual Result<std::string> read_text(const std::string& path) = 0;
  [[nodiscard]] virtual Result<void> replace_text(const std::string& path,
                                                  std::string_view text) = 0;
  // Hex digits that nobody can guess: passwords.
  [[nodiscard]] virtual std::string secret_hex(std::size_t length) = 0;
  // CONFIG REWRITE: the file the server was started with, replaced atomically.
  enum class RewriteExtent : std::uint8_t { kChanged, kEverything };  // kEverything: defaults too
  [[nodiscard]] virtual Result<void> rewrite_config(RewriteExtent extent) = 0;
};

// Sections of INFO, in order. Everyone who has figures adds a section's lines.
class InfoWriter {
 public:
  void section(std::string_view title) {
    if (!text_.empty()) text_ += "\r\n";
    text_ += "# ";
    text_ += title;
    text_ += "\r\n";
  }
  void field(std::string_view name, std::string_view value) {
    text_ += name;
    text_ += ':';
    text_ += value;
    text_ += "\r\n";
  }
  void field(std::string_view name, std::int64_t value) { field(name, std::to_string(value)); }
  void fixed(std::string_view name, double value, int digits = 2);
  [[nodiscard]] std::string& text() { return text_; }

 private:
  std::string text_;
};

class InfoControl {
 public:
  virtual ~InfoControl() = default;
  struct Section {
    std::string_view name;   // lower case, as a client asks for it
    bool by_default = true;  // part of INFO without arguments
    bool in_all = true;      // part of INFO all
  };
  [[nodiscard]] virtual std::span<const Section> sections() const = 0;
  // Writes the section with its title.
  virtual void write(std::string_view section, InfoWriter& out) = 0;

  // Bytes by what they are for. total and peak are the allocator's; the others are sums over what
  // the engine owns, so that total - overhead is about what the data takes.
  struct MemoryFigures {
    std::uint64_t total = 0, peak = 0, startup = 0;
    std::uint64_t clients_normal = 0, clients_pubsub = 0, clients_replica = 0;
    std::uint64_t backlog = 0, cluster_links = 0;
    std::uint64_t tables = 0;                  // hash tables of all databases
    std::uint64_t scripts = 0, functions = 0;  // caches and interpreters
    std::uint64_t overhead = 0;                // startup and all of the above
    std::uint64_t dataset = 0;                 // total - overhead, 0 if that is negative
  };
  [[nodiscard]] virtual MemoryFigures memory_figures() = 0;
  [[nodiscard]] virtual std::string_view version() const = 0;
  [[nodiscard]] virtual UnixMillis started() const = 0;
  // The id of this server's stream of effects, 40 hex digits, and how far it has come.
  [[nodiscard]] virtual std::string_view replication_id() const = 0;
  [[nodiscard]] virtual std::uint64_t replication_offset() const = 0;
  virtual void change_replication_id() = 0;
};

// What DEBUG switches on and off. Owned by the engine; each is read where it matters.
struct DebugSwitches {
  bool pause_cron = false;               // no background work at all
  bool tables_keep_size = false;         // tables of keys neither grow nor shrink
  bool allow_denied_in_scripts = false;  // commands marked noscript run in scripts
  bool reply_buffers_keep_size = false;  // the first piece of output is as large as it was
  // How long the largest reply of a client counts for the size of its next; none: for ever.
  std::optional<milliseconds> reply_peak_life = kReplyPeakLife;
  static constexpr milliseconds kReplyPeakLife{5000};
  std::uint64_t packed_threshold = 0;  // bytes; longer list items stand alone. 0: by the node size
};

// Takes published messages to the other nodes of a cluster.
class PublishRelay {
 public:
  virtual ~PublishRelay() = default;
  virtual void publish(std::string_view channel, std::string_view payload, bool shard) = 0;
};

// MIGRATE: hands keys over to another server.
class MigrationControl {
 public:
  virtual ~MigrationControl() = default;
  struct Job {
    std::string host;  // a name or an address
    std::uint16_t port = 0;
    std::vector<std::vector<std::string>> preamble;  // AUTH, SELECT
    std::vector<std::vector<std::string>> commands;  // one RESTORE per key
    milliseconds timeout{1000};                      // the longest the other side may be silent
  };
  // failure: the error for the client, with its code, if the job did not come to its end; then
  // `errors` may be short. errors: for each command that was answered, the peer's error or "" for
  // OK.
  struct JobResult {
    std::string failure;
    std::vector<std::string> errors;
  };
  // Never calls `done` from inside start. `done` is called once, unless the server ends before.
  virtual void start(Job job, std::function<void(JobResult)> done) = 0;
  // Connections kept open for the next job.
  [[nodiscard]] virtual std::uint64_t cached_connections() const { return 0; }
};

// Snapshots and the append-only log. Implemented by the composition root.
class PersistenceControl {
 public:
  virtual ~PersistenceControl() = default;
  // SAVE: a snapshot now, on this thread.
  [[nodiscard]] virtual Outcome save() = 0;
  // BGSAVE; both return the line for the client.
  enum class WhenBusy : std::uint8_t { kRefuse, kSchedule };
  [[nodiscard]] virtual Result<std::string_view, ReplyError> save_in_background(WhenBusy busy) = 0;
  [[nodiscard]] virtual Result<std::string_view, ReplyError> cancel_background_save() = 0;
  // BGREWRITEAOF; returns the line for the client.
  [[nodiscard]] virtual Result<std::string_view, ReplyError> rewrite_log() = 0;
  // DEBUG RELOAD: saves, empties and loads the data set.
  struct Reload {
    bool save = true;
    bool flush = true;
    bool merge = false;  // keys of the file replace those that are there
  };
  [[nodiscard]] virtual Outcome reload(const Reload& how) = 0;
  // DEBUG LOADAOF.
  [[nodiscard]] virtual Outcome reload_log() = 0;
  // Seconds since 1970 of the last snapshot that succeeded.
  [[nodiscard]] virtual std::int64_t last_save() const = 0;
  [[nodiscard]] virtual bool is_loading() const = 0;
  // Why writes are refused now, as an error text; "" if they are not.
  [[nodiscard]] virtual std::string_view write_refusal() const = 0;
  // All databases were emptied: what is being saved or stands on the disk is of no use any more.
  virtual void flushed_all() = 0;
  // DEBUG AOF-FLUSH-SLEEP: every flush of the log takes this much longer.
  virtual void slow_down_log(microseconds by) = 0;
  // The lines of INFO persistence, and those of INFO stats about forks.
  virtual void write_info(InfoWriter& out) = 0;
  virtual void write_fork_info(InfoWriter& out) = 0;
};

// The stream of effects to replicas. Implemented by the composition root.
class ReplicationControl {
 public:
  virtual ~ReplicationControl() = default;
  // SYNC, PSYNC and REPLCONF, by the session of a replica to be.
  [[nodiscard]] virtual Outcome sync(CommandContext& ctx) = 0;
  [[nodiscard]] virtual Outcome configure(CommandContext& ctx) = 0;
  // The replicas' part of ROLE.
  virtual void write_role(ReplyWriter& out) = 0;
  virtual void write_info(InfoWriter& out) = 0;
  virtual void write_sync_info(InfoWriter& out) = 0;  // those lines of INFO stats
  // A session that may be a replica's ends.
  virtual void closed(Session& session) = 0;
  [[nodiscard]] virtual std::uint64_t offset() const = 0;
  // Bytes of the backlog and of what waits for replicas.
  [[nodiscard]] virtual std::uint64_t backlog_bytes() const = 0;
  // Memory that holds what replicas have not taken yet: no reason to evict keys, since telling them
  // of each eviction would make it more.
  [[nodiscard]] virtual std::uint64_t unsent_bytes() const = 0;
  virtual void id_changed() = 0;
};

inline constexpr std::string_view kReadOnlyReplica =
    "READONLY You can't write against a read only replica.";

// This server as the replica of another. Implemented by the composition root.
class ReplicaControl {
 public:
  virtual ~ReplicaControl() = default;
  // REPLICAOF; `by` is who asks. Errors: as for the client.
  [[nodiscard]] virtual Outcome follow(std::string_view host, std::uint16_t port,
                                       CommandContext& by) = 0;
  [[nodiscard]] virtual Outcome follow_nobody(CommandContext& by) = 0;
  [[nodiscard]] virtual bool is_replica() const = 0;
  // Everything that the primary had to tell up to now has arrived and more comes.
  [[nodiscard]] virtual bool link_is_up() const = 0;
  // ROLE and the lines of INFO replication, as a replica.
  virtual void write_role(ReplyWriter& out) = 0;
  virtual void write_info(InfoWriter& out) = 0;
};

// The cluster as commands see it. Null when cluster mode is off.
class ClusterControl;
// Scripts and functions, see script_control.h.
class ScriptControl;
class ScriptHost;

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
  AccessControl* access = nullptr;
  TrackingControl* tracking = nullptr;
  HotKeys* hot_keys = nullptr;
  PersistenceControl* persistence = nullptr;
  ReplicationControl* replication = nullptr;
  ReplicaControl* replica = nullptr;
};

}  // namespace hearth

// Replication: the primary's side. Replicas get the data set as a snapshot of one moment and then
// every committed unit from that moment on.
//
// A replica is an ordinary session that sent SYNC or PSYNC. Its states:
//
//   kWaiting   until a child can be forked for it
//   kSaving    a child writes its snapshot; into a file, or through us to the socket
//   kSending   the file goes to the socket, a piece whenever there is room
//   kAwaitAck  it got a snapshot without a length: its first acknowledgement says that it is loaded
//   kOnline    it gets the stream
//
// What is committed while a snapshot is on its way waits in `pending`, bounded by the replica's
// client-output-buffer-limit.
#pragma once

#include <uv.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "persistence/io/file_system.h"
#include "src/command/services.h"
#include "src/config/registry.h"
#include "src/effects/command_stream.h"
#include "src/engine/engine.h"
#include "src/replication/backlog.h"
#include "src/server/child_launcher.h"
#include "src/server/persistence.h"

namespace hearth {

class Replication final : public ReplicationControl, public ProgressSource, public EffectSink {
 public:
  struct Ports {
    uv_loop_t* loop = nullptr;
    config::Registry* config = nullptr;
    io::FileSystem* disk = nullptr;
    ChildLauncher* children = nullptr;
    const Clock* clock = nullptr;
    Persistence* persistence = nullptr;
    std::function<void()> wants_changed;  // wants_commands() may have
  };
  explicit Replication(Ports ports) : ports_(std::move(ports)) {}
  ~Replication() override = default;

  void attach(Engine& engine);
  // Gives the handles back to the loop.
  void close();

  // Pings, time-outs, snapshots that are due; `hz` times a second.
  void tick();
  // At the end of a loop turn, before its output leaves.
  void end_turn();
  // Replicas that get the stream.
  [[nodiscard]] std::size_t online_replicas() const;
  // Tells the log which of them have not confirmed everything up to `offset`.
  void log_lagging(std::uint64_t offset);
  [[nodiscard]] bool wants_commands() const { return backlog_.has_value() && !following_; }

  // --- while this server is a replica itself: its own replicas get its primary's stream ---
  // The data is what the stream makes of it up to offset(): a primary may go on from there.
  [[nodiscard]] bool can_continue() const { return backlog_.has_value(); }
  // The database that the stream's next effect belongs to if it does not say so.
  [[nodiscard]] DbIndex stream_db() const { return stream_db_; }
  void begin_following();
  // All data came from the primary: the stream is its, and stands at `offset`.
  void adopt(std::string id, std::uint64_t offset);
  // The primary goes on where we are, under this name of the stream.
  void continue_as(const std::string& id);
  // Bytes of the stream whose effects are in the data; `db` as stream_db().
  void relay(std::string_view bytes, DbIndex db);
  // This server is its own primary again: the stream goes on under a new name, and who followed
  // the old one may follow on.
  void lead();
  void drop_replicas();
  // The data is of no stream any more.
  void forget_stream() { backlog_.reset(); }

  // --- EffectSink ---
  void on_commit(const CommittedUnit& unit) override;

  // --- ReplicationControl ---
  [[nodiscard]] Outcome sync(CommandContext& ctx) override;
  [[nodiscard]] Outcome configure(CommandContext& ctx) override;
  void write_role(ReplyWriter& out) override;
  void write_info(InfoWriter& out) override;
  void write_sync_info(InfoWriter& out) override;
  void closed(Session& session) override;
  [[nodiscard]] std::uint64_t offset() const override {
    return backlog_ ? backlog_->last() : offset_;
  }
  [[nodiscard]] std::uint64_t backlog_bytes() const override;
  [[nodiscard]] std::uint64_t unsent_bytes() const override;
  void id_changed() override {}

  // --- ProgressSource ---
  [[nodiscard]] std::size_t replicas_at(std::uint64_t offset, bool on_disk) const override;
  [[nodiscard]] bool is_on_disk_here(std::uint64_t offset) const override;
  [[nodiscard]] bool has_log() const override;
  [[nodiscard]] bool is_replica() const override { return following_; }
  void ask_replicas() override { acks_wanted_ = true; }

 private:
  enum class State : std::uint8_t { kGreeting, kWaiting, kSaving, kSending, kAwaitAck, kOnline };
  // What of the data set a snapshot holds.
  struct Content {
    bool keys = true, functions = true;
    friend bool operator==(const Content&, const Content&) = default;
  };
  struct Replica {
    State state = State::kGreeting;
    bool takes_eof = false;  // a snapshot of unknown length, ended by a mark
    bool takes_psync2 = false;
    bool rdb_only = false;  // wants no stream
    Content content;
    bool acknowledges = false;  // came by PSYNC
    bool direct = false;        // its snapshot goes to the socket without a file
    int port = 0;
    std::string address;  // as it announced itself
    std::uint64_t acked = 0, acked_on_disk = 0;
    MonoTime acked_at{}, waiting_since{};
    std::string pending;
    std::unique_ptr<io::File> file;
    std::uint64_t file_left = 0;
  };

  [[nodiscard]] const config::Settings& settings() const { return ports_.config->settings(); }
  [[nodiscard]] bool try_partial(CommandContext& ctx, Replica& replica);
  [[nodiscard]] static Result<Content, ReplyError> content_of(std::string_view filter);
  void acknowledge(Replica& replica, CommandContext& ctx, std::size_t at);
  void start_stream(Session& session, Replica& replica);
  void send(Session& session, std::string_view bytes);
  void feed(std::string_view bytes);
  void count_good_replicas();
  void start_snapshots();
  void begin_snapshot(bool direct, Content content);
  [[nodiscard]] rdb::FileOptions snapshot_options(const ChildLauncher::Report& report,
                                                  Content content);
  [[nodiscard]] Result<void> fork_to_file(Content content);
  [[nodiscard]] Result<void> fork_to_sockets(Content content);
  void file_written(const ChildOutcome& outcome, const std::string& path);
  void sockets_written(const ChildOutcome& outcome);
  void read_pipe();
  void close_pipe();
  void update_pipe();
  void drop(ConnId id);
  void send_files();
  [[nodiscard]] static std::string name_of(const Session& session, const Replica& replica);
  [[nodiscard]] static std::string_view state_name(State state);
  template <typename F>
  void for_each(F&& fn);

  Ports ports_;
  Engine* engine_ = nullptr;
  std::map<ConnId, Replica> replicas_;
  std::optional<replication::Backlog> backlog_;
  std::uint64_t offset_ = 0;  // where the stream stood when the backlog was given up
  CommandStream stream_{Effect::kToReplicas};
  std::string scratch_;
  bool following_ = false;
  DbIndex stream_db_ = 0;
  std::string id2_;              // the stream's name before, "" if none
  std::uint64_t id2_until_ = 0;  // that name holds for bytes before this offset
  bool acks_wanted_ = false;
  bool fed_ = false;  // since the last tick
  MonoTime last_ping_{}, last_newline_{}, alone_since_{};
  std::string eof_mark_;
  int pipe_ = -1;
  uv_poll_t* poll_ = nullptr;
  bool polling_ = false;
  uv_async_t wake_{};
  std::size_t good_ = 0;
  std::uint64_t full_ = 0, partial_ok_ = 0, partial_err_ = 0;
};

}  // namespace hearth

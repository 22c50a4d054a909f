#include "src/server/replication.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "src/base/bytes.h"
#include "src/base/log.h"
#include "src/command/context.h"
#include "src/config/words.h"

namespace hearth {
namespace {

// Bytes of a snapshot that wait in a replica's output at most.
constexpr std::size_t kOutputAhead = 1024 * 1024;
constexpr std::size_t kPiece = 128 * 1024;
constexpr seconds kNewlineEvery{1};

// The child's end of the pipe to the parent.
class PipeSink final : public rdb::ByteSink {
 public:
  explicit PipeSink(int fd) : fd_(fd) {}
  [[nodiscard]] Result<void> append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return fail(ErrorCode::kIo, "the pipe to the parent is gone");
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }

 private:
  int fd_;
};

}  // namespace

template <typename F>
void Replication::for_each(F&& fn) {
  std::vector<ConnId> ids;
  for (const auto& [id, replica] : replicas_) ids.push_back(id);
  for (const ConnId id : ids) {
    const auto at = replicas_.find(id);
    Session* session = engine_->find(id);
    if (at != replicas_.end() && session != nullptr && !session->close_now)
      fn(*session, at->second);
  }
}

void Replication::attach(Engine& engine) {
  engine_ = &engine;
  uv_async_init(ports_.loop, &wake_, [](uv_async_t*) {});
  uv_unref(reinterpret_cast<uv_handle_t*>(&wake_));
  ports_.config->on_change({"repl-backlog-size"},
                           [this](const config::Settings& s) -> Result<void, std::string> {
                             if (backlog_) backlog_->set_capacity(s.repl_backlog_size);
                             return {};
                           });
}

void Replication::close() {
  close_pipe();
  uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr);
}

std::string Replication::name_of(const Session& session, const Replica& replica) {
  const std::string ip = replica.address.empty()
                             ? session.address.substr(0, session.address.rfind(':'))
                             : replica.address;
  return replica.port == 0 ? fmt::format("client id #{}", session.id)
                           : fmt::format("{}:{}", ip, replica.port);
}

// --- the stream ---

void Replication::send(Session& session, std::string_view bytes) {
  session.out.append(bytes);
  engine_->wrote_to(session);
}

void Replication::feed(std::string_view bytes) {
  backlog_->append(bytes);
  fed_ = true;
  const std::uint64_t limit = config::replica_hard_limit(settings().client_output_buffer_limit[1],
                                                         settings().repl_backlog_size);
  for_each([&](Session& session, Replica& replica) {
    switch (replica.state) {
      case State::kGreeting:
      case State::kWaiting: break;
      case State::kOnline: send(session, bytes); break;
      case State::kSaving:
      case State::kSending:
      case State::kAwaitAck:
        if (replica.rdb_only) break;
        replica.pending += bytes;
        if (limit != 0 && replica.pending.size() > limit) {
          log::warning(
              "Client {} scheduled to be closed ASAP for overcoming of output buffer limits.",
              name_of(session, replica));
          drop(session.id);
        }
        break;
    }
  });
}

void Replication::on_commit(const CommittedUnit& unit) {
  if (following_ || unit.effects.empty()) return;
  if (!backlog_) {
    ++offset_;  // nobody gets it, but WAITAOF tells by it what the disk has
    return;
  }
  scratch_.clear();
  stream_.append(unit, scratch_);
  if (scratch_.empty()) return;
  stream_db_ = unit.effects.back().db;
  feed(scratch_);
}

void Replication::start_stream(Session& session, Replica& replica) {
  replica.file.reset();
  if (replica.rdb_only) {
    session.close_after_reply = true;
    engine_->wrote_to(session);
    engine_->end_session_soon(session);
    return;
  }
  replica.state = State::kOnline;
  replica.acked_at = ports_.clock->mono_now();
  send(session, std::exchange(replica.pending, {}));
  replica.pending.shrink_to_fit();
  log::notice("Synchronization with replica {} succeeded", name_of(session, replica));
  const int no_delay = settings().repl_disable_tcp_nodelay ? 0 : 1;
  setsockopt(session.fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
}

void Replication::drop(ConnId id) {
  if (Session* session = engine_->find(id)) {
    session->close_now = true;
    engine_->end_session_soon(*session);
  }
}

void Replication::closed(Session& session) {
  const auto at = replicas_.find(session.id);
  if (at == replicas_.end()) return;
  const bool was_direct = at->second.state == State::kSaving && at->second.direct;
  if (at->second.state != State::kGreeting)
    log::notice("Connection with replica {} lost.", name_of(session, at->second));
  replicas_.erase(at);
  count_good_replicas();
  alone_since_ = ports_.clock->mono_now();
  if (!was_direct) return;
  for (const auto& [id, other] : replicas_) {
    if (other.state == State::kSaving && other.direct) return;
  }
  log::notice("Diskless rdb transfer, last replica dropped, killing fork child.");
  ports_.children->stop();
  close_pipe();
}

// --- as a replica ---

void Replication::begin_following() {
  following_ = true;
  ports_.wants_changed();
}

void Replication::drop_replicas() {
  for_each([&](Session& session, Replica& replica) {
    if (replica.state != State::kGreeting) drop(session.id);
  });
}

void Replication::adopt(std::string id, std::uint64_t offset) {
  engine_->set_replication_id(std::move(id));
  id2_.clear();
  backlog_.emplace(settings().repl_backlog_size, offset);
}

void Replication::continue_as(const std::string& id) {
  if (id == engine_->replication_id()) return;
  id2_ = engine_->replication_id();
  id2_until_ = offset() + 1;
  engine_->set_replication_id(id);
  // They learn the new name by asking again.
  drop_replicas();
}

void Replication::relay(std::string_view bytes, DbIndex db) {
  stream_db_ = db;
  if (backlog_) feed(bytes);
}

void Replication::lead() {
  following_ = false;
  if (backlog_) {
    id2_ = engine_->replication_id();
    id2_until_ = offset() + 1;
  }
  engine_->change_replication_id();
  stream_.forget_database();
  drop_replicas();
  alone_since_ = ports_.clock->mono_now();
  ports_.wants_changed();
}

// --- the conversation ---

bool Replication::try_partial(CommandContext& ctx, Replica& replica) {
  const std::string_view id = ctx.arg(1);
  const auto wanted = parse_int64(ctx.arg(2));
  const bool before = !id2_.empty() && id == id2_ && wanted && *wanted >= 0 &&
                      static_cast<std::uint64_t>(*wanted) <= id2_until_;
  const bool ours = id == engine_->replication_id() || before;
  if (!ours || !backlog_ || !wanted || *wanted < 0 ||
      !backlog_->can_continue_at(static_cast<std::uint64_t>(*wanted))) {
    if (id != "?") {
      ++partial_err_;
      if (!ours) {
        log::notice("Partial resynchronization not accepted: Replication ID mismatch");
      } else {
        log::notice(
            "Unable to partial resync with replica {} for lack of backlog (Replica request was: "
            "{}).",
            name_of(ctx.session(), replica), ctx.arg(2));
      }
    }
    return false;
  }
  ++partial_ok_;
  replica.state = State::kOnline;
  replica.acked_at = ports_.clock->mono_now();
  const std::string missed = backlog_->from(static_cast<std::uint64_t>(*wanted));
  send(ctx.session(), replica.takes_psync2
                          ? fmt::format("+CONTINUE {}\r\n", engine_->replication_id())
                          : std::string("+CONTINUE\r\n"));
  send(ctx.session(), missed);
  log::notice(
      "Partial resynchronization request from {} accepted. Sending {} bytes of backlog starting "
      "from offset {}.",
      name_of(ctx.session(), replica), missed.size(), *wanted);
  return true;
}

Outcome Replication::sync(CommandContext& ctx) {
  Session& session = ctx.session();
  if (session.replica) return {};
  const bool psync = ctx.args().size() > 1;
  if (following_ && !engine_->services().replica->link_is_up())
    return refuse("NOMASTERLINK Can't SYNC while not connected with my master");
  Replica& replica = replicas_[session.id];
  session.replica = true;
  replica.acknowledges = psync;
  log::notice("Replica {} asks for synchronization", name_of(session, replica));
  if (psync && try_partial(ctx, replica)) return {};
  ++full_;
  if (!backlog_) {
    // Nobody can know the stream up to here: it gets a new name.
    if (offset_ == 0) engine_->change_replication_id();
    backlog_.emplace(settings().repl_backlog_size, offset_);
    last_ping_ = ports_.clock->mono_now();
    ports_.wants_changed();
  }
  replica.state = State::kWaiting;
  replica.waiting_since = ports_.clock->mono_now();
  start_snapshots();
  return {};
}

void Replication::acknowledge(Replica& replica, CommandContext& ctx, std::size_t at) {
  const auto offset = parse_int64(ctx.arg(at));
  if (!offset || *offset < 0) return;
  replica.acked = std::max(replica.acked, static_cast<std::uint64_t>(*offset));
  replica.acked_at = ports_.clock->mono_now();
  if (ctx.args().is(at + 1, "FACK", 1)) {
    const auto on_disk = parse_int64(ctx.arg(at + 2));
    if (on_disk && *on_disk >= 0)
      replica.acked_on_disk = std::max(replica.acked_on_disk, static_cast<std::uint64_t>(*on_disk));
  }
  if (replica.state == State::kAwaitAck) start_stream(ctx.session(), replica);
  count_good_replicas();
  engine_->services().blocking->progressed();
}

// The words are the parts that are wanted: "functions", and none for neither keys nor functions.
Result<Replication::Content, ReplyError> Replication::content_of(std::string_view filter) {
  Content content{false, false};
  const auto words = config::split_words(filter);
  if (!words) return refuse("ERR Missing rdb-filter-only values");
  for (const std::string& word : *words) {
    if (word != "functions") return refuse("ERR Unsupported rdb-filter-only option: " + word);
    content.functions = true;
  }
  return content;
}

Outcome Replication::configure(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  Replica& replica = replicas_[ctx.session().id];
  for (std::size_t i = 1; i + 1 < args.size(); i += 2) {
    if (args.is(i, "listening-port")) {
      HEARTH_TRY(const std::int64_t port, args.integer_between(i + 1, 0, 65535));
      replica.port = static_cast<int>(port);
    } else if (args.is(i, "ip-address")) {
      constexpr std::size_t kAddressMost = 255;
      if (args[i + 1].size() > kAddressMost)
        return refuse("ERR REPLCONF ip-address provided by replica instance is too long: " +
                      std::to_string(args[i + 1].size()) + " bytes");
      replica.address = std::string(args[i + 1]);
    } else if (args.is(i, "capa")) {
      replica.takes_eof = replica.takes_eof || args.is(i + 1, "eof");
      replica.takes_psync2 = replica.takes_psync2 || args.is(i + 1, "psync2");
    } else if (args.is(i, "ack")) {
      if (ctx.session().replica) acknowledge(replica, ctx, i + 1);
      return {};  // an acknowledgement has no reply
    } else if (args.is(i, "getack")) {
      return {};  // for replicas only
    } else if (args.is(i, "rdb-only")) {
      HEARTH_TRY(const std::int64_t on, args.integer_between(i + 1, 0, 1));
      replica.rdb_only = on == 1;
    } else if (args.is(i, "rdb-filter-only")) {
      HEARTH_TRY(replica.content, content_of(args[i + 1]));
    } else if (!args.is(i, "version")) {
      return refuse("ERR Unrecognized REPLCONF option: " + std::string(args[i]));
    }
  }
  ctx.reply().ok();
  return {};
}

// --- snapshots ---

void Replication::start_snapshots() {
  // In the middle of a script that lets the server run on, the data is no unit's.
  if (ports_.children->is_running() || engine_->in_transaction()) return;
  const config::Settings& s = settings();
  const MonoTime now = ports_.clock->mono_now();
  int direct = 0, by_file = 0;
  bool due = false;
  // One snapshot serves all who want the same of the data; the others wait for the next.
  Content content;
  for (const auto& [id, replica] : replicas_) {
    if (replica.state != State::kWaiting) continue;
    if (direct + by_file == 0) content = replica.content;
    if (replica.content != content) continue;
    if (!s.repl_diskless_sync || !replica.takes_eof) {
      ++by_file;
      continue;
    }
    ++direct;
    due = due || now - replica.waiting_since >= s.repl_diskless_sync_delay;
  }
  if (by_file > 0) return begin_snapshot(false, content);
  if (direct == 0) return;
  const bool enough =
      s.repl_diskless_sync_max_replicas > 0 && direct >= s.repl_diskless_sync_max_replicas;
  if (due || enough) {
    begin_snapshot(true, content);
  } else {
    log::debug("Delay next BGSAVE for diskless SYNC");
  }
}

void Replication::begin_snapshot(bool direct, Content content) {
  log::notice("Starting BGSAVE for SYNC with target: {}", direct ? "replicas sockets" : "disk");
  // The stream goes on from here, for readers that know of no database yet.
  stream_.forget_database();
  for_each([&](Session& session, Replica& replica) {
    if (replica.state != State::kWaiting || replica.content != content) return;
    if (direct && !replica.takes_eof) return;
    replica.state = State::kSaving;
    replica.direct = direct;
    replica.pending.clear();
    if (replica.acknowledges) {
      send(session, fmt::format("+FULLRESYNC {} {}\r\n", engine_->replication_id(), offset()));
    }
  });
  const auto started = direct ? fork_to_sockets(content) : fork_to_file(content);
  if (started) return;
  log::warning("BGSAVE for replication failed: {}", started.error().context);
  for_each([&](Session& session, Replica& replica) {
    if (replica.state == State::kSaving) drop(session.id);
  });
}

rdb::FileOptions Replication::snapshot_options(const ChildLauncher::Report& report,
                                               Content content) {
  // Our own stream selects its database anew; a primary's goes on as it comes.
  rdb::FileOptions options = ports_.persistence->sync_options(report, following_ ? stream_db_ : 0);
  options.with_keys = content.keys;
  if (!content.functions) options.functions = {};
  return options;
}

Result<void> Replication::fork_to_file(Content content) {
  ChildLauncher::Job job;
  job.kind = ChildLauncher::Kind::kSnapshot;
  const std::string path = fmt::format("temp-repl-{}.rdb", ports_.clock->mono_now().us);
  job.run = [this, path, content](int, const ChildLauncher::Report& report) -> Result<void> {
    const rdb::FileOptions options = snapshot_options(report, content);
    const snapshot::SaveRequest request{"", path, settings().rdb_save_incremental_fsync};
    HEARTH_TRY_VOID(snapshot::write_and_sync(*ports_.disk, request, engine_->keyspace(), options));
    return {};
  };
  job.on_progress = [this](const ChildProgress& p) { ports_.persistence->note_progress(p); };
  job.on_end = [this, path](const ChildOutcome& outcome) { file_written(outcome, path); };
  HEARTH_TRY(const int pid, ports_.children->start(std::move(job)));
  log::notice("Background saving started by pid {}", pid);
  ports_.persistence->note_child(true);
  return {};
}

void Replication::file_written(const ChildOutcome& outcome, const std::string& path) {
  ports_.persistence->note_child(false);
  if (outcome.succeeded)
    log::notice("Background saving terminated with success");
  else
    log::warning("Background saving error: {}", outcome.error);
  for_each([&](Session& session, Replica& replica) {
    if (replica.state != State::kSaving || replica.direct) return;
    auto file = ports_.disk->open(path, io::OpenMode::kRead);
    if (!outcome.succeeded || !file) return drop(session.id);
    const auto size = (*file)->size();
    if (!size) return drop(session.id);
    replica.file = std::move(*file);
    replica.file_left = *size;
    replica.state = State::kSending;
    send(session, fmt::format("${}\r\n", *size));
  });
  // Who reads it has it open.
  static_cast<void>(ports_.disk->remove(path));
  send_files();
  start_snapshots();
}

void Replication::send_files() {
  bool more = false;
  for_each([&](Session& session, Replica& replica) {
    if (replica.state != State::kSending) return;
    std::string piece;
    while (replica.file_left > 0 && session.out.size() < kOutputAhead) {
      piece.resize(std::min<std::uint64_t>(kPiece, replica.file_left));
      const auto got = replica.file->read(piece.data(), piece.size());
      if (!got || *got == 0) return drop(session.id);
      send(session, std::string_view(piece).substr(0, *got));
      replica.file_left -= *got;
    }
    if (replica.file_left == 0) return start_stream(session, replica);
    more = true;
  });
  // What was written leaves in this turn; the next piece comes in another.
  if (more) uv_async_send(&wake_);
}

Result<void> Replication::fork_to_sockets(Content content) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return fail(ErrorCode::kIo, fmt::format("pipe: {}", std::strerror(errno)));
  eof_mark_ = engine_->environment().rng->hex(40);
  ChildLauncher::Job job;
  job.keep_fd = ends[1];
  job.run = [this, fd = ends[1], content](int,
                                          const ChildLauncher::Report& report) -> Result<void> {
    PipeSink sink(fd);
    HEARTH_TRY_VOID(rdb::write_file(engine_->keyspace(), snapshot_options(report, content), sink));
    return {};
  };
  job.on_progress = [this](const ChildProgress& p) { ports_.persistence->note_progress(p); };
  job.on_end = [this](const ChildOutcome& outcome) { sockets_written(outcome); };
  const auto pid = ports_.children->start(std::move(job));
  ::close(ends[1]);
  if (!pid) {
    ::close(ends[0]);
    return tl::unexpected<Error>(pid.error());
  }
  log::notice("Background RDB transfer started by pid {}", *pid);
  ports_.persistence->note_child(true);
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  pipe_ = ends[0];
  poll_ = new uv_poll_t;
  uv_poll_init(ports_.loop, poll_, pipe_);
  poll_->data = this;
  polling_ = false;
  for_each([&](Session& session, Replica& replica) {
    if (replica.state == State::kSaving && replica.direct)
      send(session, fmt::format("$EOF:{}\r\n", eof_mark_));
  });
  update_pipe();
  return {};
}

// The pipe is read while every replica has room: the slowest one sets the pace.
void Replication::update_pipe() {
  if (poll_ == nullptr) return;
  bool room = true;
  for_each([&](Session& session, Replica& replica) {
    if (replica.state == State::kSaving && replica.direct && session.out.size() >= kOutputAhead)
      room = false;
  });
  if (room == polling_) return;
  polling_ = room;
  if (room) {
    uv_poll_start(poll_, UV_READABLE | UV_DISCONNECT,
                  [](uv_poll_t* h, int, int) { static_cast<Replication*>(h->data)->read_pipe(); });
  } else {
    uv_poll_stop(poll_);
  }
}

void Replication::read_pipe() {
  std::string piece(kPiece, '\0');
  const ssize_t got = ::read(pipe_, piece.data(), piece.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got > 0) {
    const std::string_view bytes = std::string_view(piece).substr(0, static_cast<std::size_t>(got));
    for_each([&](Session& session, Replica& replica) {
      if (replica.state == State::kSaving && replica.direct) send(session, bytes);
    });
    return update_pipe();
  }
  std::size_t up = 0;
  for_each([&](Session&, Replica& replica) {
    up += replica.state == State::kSaving && replica.direct ? 1U : 0U;
  });
  log::notice("Diskless rdb transfer, done reading from pipe, {} replicas still up.", up);
  close_pipe();
}

void Replication::close_pipe() {
  if (poll_ != nullptr) {
    uv_close(reinterpret_cast<uv_handle_t*>(std::exchange(poll_, nullptr)),
             [](uv_handle_t* h) { delete reinterpret_cast<uv_poll_t*>(h); });
  }
  if (pipe_ >= 0) ::close(std::exchange(pipe_, -1));
}

void Replication::sockets_written(const ChildOutcome& outcome) {
  ports_.persistence->note_child(false);
  // The child is gone; what it wrote last may still stand in the pipe.
  if (pipe_ >= 0) fcntl(pipe_, F_SETFL, 0);
  while (pipe_ >= 0) read_pipe();
  if (outcome.succeeded)
    log::notice("Background RDB transfer terminated with success");
  else
    log::warning("Background transfer error: {}", outcome.error);
  for_each([&](Session& session, Replica& replica) {
    if (replica.state != State::kSaving || !replica.direct) return;
    if (!outcome.succeeded) return drop(session.id);
    send(session, eof_mark_);
    replica.state = State::kAwaitAck;
    replica.acked_at = ports_.clock->mono_now();
    if (!replica.acknowledges || replica.rdb_only) start_stream(session, replica);
  });
  start_snapshots();
}

// --- time ---

void Replication::end_turn() {
  if (!backlog_) return;
  if (std::exchange(acks_wanted_, false) && !replicas_.empty()) {
    scratch_.clear();
    constexpr std::string_view kGetAck[] = {"REPLCONF", "GETACK", "*"};
    append_command(std::span<const std::string_view>(kGetAck), scratch_);
    feed(scratch_);
  }
  send_files();
  update_pipe();
}

// Those that hold up the promise of min-replicas-to-write: they take the stream and said so lately.
void Replication::count_good_replicas() {
  const MonoTime now = ports_.clock->mono_now();
  const seconds most = settings().min_replicas_max_lag;
  good_ = static_cast<std::size_t>(
      std::count_if(replicas_.begin(), replicas_.end(), [&](const auto& entry) {
        const Replica& r = entry.second;
        return r.state == State::kOnline &&
               std::chrono::duration_cast<seconds>(now - r.acked_at) <= most;
      }));
  engine_->set_good_replicas(good_);
}

void Replication::tick() {
  if (!backlog_) return;
  count_good_replicas();
  const MonoTime now = ports_.clock->mono_now();
  const config::Settings& s = settings();
  start_snapshots();
  bool any = false;
  const bool newline = now - last_newline_ >= kNewlineEvery;
  if (newline) last_newline_ = now;
  for_each([&](Session& session, Replica& replica) {
    any = any || replica.state != State::kGreeting;
    const bool early =
        replica.state == State::kWaiting || (replica.state == State::kSaving && !replica.direct);
    // So that the replica knows that we are there.
    if (early && newline) send(session, "\n");
    const bool silent = replica.acknowledges &&
                        (replica.state == State::kOnline || replica.state == State::kAwaitAck) &&
                        now - replica.acked_at > s.repl_timeout;
    if (!silent) return;
    log::warning("Disconnecting timedout replica ({} sync): {}",
                 replica.state == State::kOnline ? "streaming" : "full", name_of(session, replica));
    drop(session.id);
  });
  // A stream that flows needs no ping.
  if (std::exchange(fed_, false) || !any || following_) last_ping_ = now;
  if (now - last_ping_ >= s.repl_ping_replica_period) {
    last_ping_ = now;
    scratch_.clear();
    constexpr std::string_view kPing[] = {"PING"};
    append_command(std::span<const std::string_view>(kPing), scratch_);
    feed(scratch_);
  }
  if (any || following_ || s.repl_backlog_ttl.count() == 0 ||
      now - alone_since_ < s.repl_backlog_ttl)
    return;
  log::notice("Replication backlog freed after {} seconds without connected replicas.",
              s.repl_backlog_ttl.count());
  // Changes from here on are in no stream: nobody may go on from where it stood.
  offset_ = backlog_->last();
  backlog_.reset();
  engine_->change_replication_id();
  ports_.wants_changed();
}

// --- what others ask ---

std::size_t Replication::replicas_at(std::uint64_t offset, bool on_disk) const {
  return static_cast<std::size_t>(
      std::count_if(replicas_.begin(), replicas_.end(), [&](const auto& entry) {
        const Replica& r = entry.second;
        return r.state == State::kOnline && (on_disk ? r.acked_on_disk : r.acked) >= offset;
      }));
}

std::size_t Replication::online_replicas() const {
  return static_cast<std::size_t>(
      std::count_if(replicas_.begin(), replicas_.end(),
                    [](const auto& entry) { return entry.second.state == State::kOnline; }));
}

void Replication::log_lagging(std::uint64_t offset) {
  for_each([&](Session& session, Replica& replica) {
    if (replica.state != State::kOnline || replica.acked >= offset) return;
    log::warning("Lagging replica {} confirmed offset {}, {} bytes behind.",
                 name_of(session, replica), replica.acked, offset - replica.acked);
  });
}

bool Replication::has_log() const { return settings().appendonly; }
bool Replication::is_on_disk_here(std::uint64_t offset) const {
  return ports_.persistence->log_is_synced() || ports_.persistence->synced_offset() >= offset;
}

std::uint64_t Replication::backlog_bytes() const {
  std::uint64_t bytes = backlog_ ? backlog_->held() : 0;
  for (const auto& [id, replica] : replicas_) bytes += replica.pending.size();
  return bytes;
}

std::uint64_t Replication::unsent_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [id, replica] : replicas_) {
    bytes += replica.pending.capacity();
    if (const Session* session = engine_->find(id)) bytes += session->out.capacity_bytes();
  }
  return bytes;
}

std::string_view Replication::state_name(State state) {
  switch (state) {
    case State::kGreeting:
    case State::kWaiting:
    case State::kSaving: return "wait_bgsave";
    case State::kSending:
    case State::kAwaitAck: return "send_bulk";
    case State::kOnline: break;
  }
  return "online";
}

void Replication::write_role(ReplyWriter& out) {
  std::vector<std::array<std::string, 3>> lines;
  for_each([&](Session& session, Replica& replica) {
    if (replica.state != State::kOnline) return;
    lines.push_back({replica.address.empty() ? session.address.substr(0, session.address.rfind(':'))
                                             : replica.address,
                     std::to_string(replica.port), std::to_string(replica.acked)});
  });
  out.array(lines.size());
  for (const auto& line : lines) {
    out.array(line.size());
    for (const std::string& word : line) out.bulk(word);
  }
}

void Replication::write_info(InfoWriter& out) {
  std::vector<std::string> lines;
  const MonoTime now = ports_.clock->mono_now();
  for_each([&](Session& session, Replica& replica) {
    if (replica.state == State::kGreeting || replica.rdb_only) return;
    const std::string ip = replica.address.empty()
                               ? session.address.substr(0, session.address.rfind(':'))
                               : replica.address;
    const std::int64_t lag =
        replica.state == State::kOnline && replica.acknowledges
            ? std::chrono::duration_cast<seconds>(now - replica.acked_at).count()
            : 0;
    lines.push_back(fmt::format("ip={},port={},state={},offset={},lag={},type=replica", ip,
                                replica.port, state_name(replica.state), replica.acked, lag));
  });
  out.field("connected_slaves", as_signed(lines.size()));
  if (settings().min_replicas_to_write > 0 && settings().min_replicas_max_lag.count() > 0)
    out.field("min_slaves_good_slaves", as_signed(good_));
  for (std::size_t i = 0; i < lines.size(); ++i) out.field("slave" + std::to_string(i), lines[i]);
  out.field("replicas_waiting_psync", 0);
  out.field("master_failover_state", "no-failover");
  out.field("master_replid", engine_->replication_id());
  out.field("master_replid2", id2_.empty() ? std::string(40, '0') : id2_);
  out.field("master_repl_offset", as_signed(offset()));
  out.field("second_repl_offset", id2_.empty() ? -1 : as_signed(id2_until_));
  out.field("repl_backlog_active", backlog_ ? 1 : 0);
  out.field("repl_backlog_size", as_signed(settings().repl_backlog_size));
  out.field("repl_backlog_first_byte_offset",
            backlog_ && backlog_->held() > 0 ? as_signed(backlog_->first()) : 0);
  out.field("repl_backlog_histlen", backlog_ ? as_signed(backlog_->held()) : 0);
}

void Replication::write_sync_info(InfoWriter& out) {
  out.field("sync_full", as_signed(full_));
  out.field("sync_partial_ok", as_signed(partial_ok_));
  out.field("sync_partial_err", as_signed(partial_err_));
}

}  // namespace hearth

#include "src/server/replication.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "cluster/model/render.h"
#include "src/base/bytes.h"
#include "src/base/log.h"
#include "src/base/system_text.h"
#include "src/command/blocking_control.h"
#include "src/command/context.h"
#include "src/command/replica_control.h"
#include "src/config/words.h"
#include "src/replication/handshake.h"

namespace hearth {

using replication::PeerId;
using replication::PrimarySide;
using replication::Replica;
using replication::ReplicaState;
using replication::SnapshotContent;

namespace {

constexpr std::size_t kPiece = 128 * 1024;

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

Replication::Replication(Ports ports)
    : ports_(std::move(ports)),
      side_(side_settings(settings()), [this] { return engine_->environment().rng->hex(40); }) {}

replication::PrimarySettings Replication::side_settings(const config::Settings& s) {
  replication::PrimarySettings side;
  side.backlog_bytes = s.repl_backlog_size;
  side.backlog_ttl = s.repl_backlog_ttl;
  side.timeout = s.repl_timeout;
  side.ping_period = s.repl_ping_replica_period;
  side.diskless = s.repl_diskless_sync;
  side.diskless_delay = s.repl_diskless_sync_delay;
  side.diskless_max_replicas = static_cast<int>(s.repl_diskless_sync_max_replicas);
  const config::OutputBufferLimit& limit = s.client_output_buffer_limit[1];
  side.output_hard = config::replica_hard_limit(limit, s.repl_backlog_size);
  side.output_soft = limit.soft_bytes;
  side.soft_for = limit.soft_time;
  side.good_lag = s.min_replicas_max_lag;
  return side;
}

void Replication::attach(Engine& engine) {
  engine_ = &engine;
  side_.rename(std::string(engine.reports().replication_id()));
  uv_async_init(ports_.loop, &wake_, [](uv_async_t*) {});
  uv_unref(reinterpret_cast<uv_handle_t*>(&wake_));
  ports_.config->on_change(
      {"repl-backlog-size", "repl-backlog-ttl", "repl-timeout", "repl-ping-replica-period",
       "repl-diskless-sync", "repl-diskless-sync-delay", "repl-diskless-sync-max-replicas",
       "client-output-buffer-limit", "min-replicas-max-lag"},
      [this](const config::Settings& s) -> Result<void, std::string> {
        side_.change_settings(side_settings(s));
        return {};
      });
  ports_.config->on_change({"min-replicas-to-ack"},
                           [this](const config::Settings&) -> Result<void, std::string> {
                             ports_.wants_changed();
                             return {};
                           });
}

void Replication::close() {
  close_pipe();
  uv_close(reinterpret_cast<uv_handle_t*>(&wake_), nullptr);
}

// --- events and actions ---

void Replication::step(const replication::PrimaryEvent& event) {
  // In the middle of a script that lets the server run on, the data is no unit's.
  side_.allow_child(!ports_.children->is_running() && !engine_->in_transaction());
  perform(side_.step(ports_.clock->mono_now(), event));
}

void Replication::perform(const replication::PrimaryActions& actions) {
  for (const auto& action : actions) std::visit([this](const auto& a) { act(a); }, action);
}

Session* Replication::session_of(PeerId peer) const {
  Session* session = engine_->sessions().find(peer);
  return session == nullptr || session->close_now ? nullptr : session;
}

void Replication::send(Session& session, std::string_view bytes) {
  session.out.append(bytes);
  engine_->sessions().wrote_to(session);
}

void Replication::act(const replication::Send& action) {
  if (Session* session = session_of(action.peer)) send(*session, action.bytes);
}

void Replication::act(const replication::SendStream& action) {
  Session* session = session_of(action.peer);
  if (session == nullptr || !side_.backlog()) return;
  side_.backlog()->read(action.from, action.bytes,
                        [&](std::string_view piece) { session->out.append(piece); });
  engine_->sessions().wrote_to(*session);
}

void Replication::act(const replication::SendFile& action) {
  const auto at = files_.find(action.peer);
  Session* session = session_of(action.peer);
  if (at == files_.end() || session == nullptr) return;
  std::string piece;
  std::uint64_t given = 0;
  while (given < action.bytes) {
    piece.resize(std::min<std::uint64_t>(kPiece, action.bytes - given));
    const auto got = at->second->read(piece.data(), piece.size());
    if (!got || *got == 0) {
      given = 0;  // shorter than it was
      break;
    }
    send(*session, std::string_view(piece).substr(0, *got));
    given += *got;
  }
  step(replication::FilePiece{action.peer, given});
}

void Replication::act(const replication::SendSnapshot& action) {
  if (Session* session = session_of(action.peer)) send(*session, snapshot_bytes_);
}

void Replication::act(const replication::OpenFile& action) {
  auto file = ports_.disk->open(file_path(), io::OpenMode::kRead);
  std::optional<std::uint64_t> bytes;
  if (file) {
    if (const auto size = (*file)->size()) bytes = *size;
    files_[action.peer] = std::move(*file);
  }
  step(replication::FileOpened{action.peer, bytes});
}

void Replication::act(const replication::RemoveFile&) {
  static_cast<void>(ports_.disk->remove(file_path()));
}

void Replication::act(const replication::CloseFile& action) { files_.erase(action.peer); }

void Replication::act(const replication::Drop& action) {
  Session* session = session_of(action.peer);
  if (session == nullptr) return;
  if (action.why == replication::Drop::Why::kOutputLimit)
    ++engine_->stats().output_buffer_limit_disconnections;
  session->close_now = true;
  engine_->sessions().end_soon(*session);
}

void Replication::act(const replication::Dismiss& action) {
  Session* session = session_of(action.peer);
  if (session == nullptr) return;
  session->close_after_reply = true;
  engine_->sessions().wrote_to(*session);
  engine_->sessions().end_soon(*session);
}

void Replication::act(const replication::StartSnapshot& action) {
  const auto started =
      action.direct ? fork_to_sockets(action.content) : fork_to_file(action.content);
  if (!started) step(replication::SnapshotFailed{started.error().context});
}

void Replication::act(const replication::StopSnapshot&) {
  ports_.children->stop();
  close_pipe();
}

void Replication::act(const replication::ReadSnapshot& action) {
  if (poll_ == nullptr || std::exchange(wants_pipe_, action.on) == action.on) return;
  if (!action.on) {
    uv_poll_stop(poll_);
    return;
  }
  uv_poll_start(poll_, UV_READABLE | UV_DISCONNECT,
                [](uv_poll_t* h, int, int) { static_cast<Replication*>(h->data)->read_pipe(); });
}

void Replication::act(const replication::NameChanged&) {
  engine_->reports().set_replication_id(side_.id());
}
void Replication::act(const replication::WantsChanged&) { ports_.wants_changed(); }
void Replication::act(const replication::Progressed&) {
  engine_->services().blocking->progressed();
}
void Replication::act(const replication::CountChanged&) {
  engine_->gate().set_good_replicas(side_.good_replicas());
}

// Written bytes leave in this turn; the next piece comes in another.
void Replication::act(const replication::MoreToSend&) { uv_async_send(&wake_); }

void Replication::act(const replication::WentOnline& action) {
  const Session* session = session_of(action.peer);
  if (session == nullptr) return;
  const int no_delay = settings().repl_disable_tcp_nodelay ? 0 : 1;
  setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
}

void Replication::act(const replication::Note& action) {
  using Level = replication::Note::Level;
  std::string text = action.text;
  if (const std::size_t at = text.find("{}"); at != std::string::npos)
    text.replace(at, 2, name_of(action.peer));
  switch (action.level) {
    case Level::kDebug: log::debug("{}", text); break;
    case Level::kNotice: log::notice("{}", text); break;
    case Level::kWarning: log::warning("{}", text); break;
  }
}

std::string Replication::address_of(const Session& session, const Replica& replica) {
  return replica.address.empty() ? session.address.substr(0, session.address.rfind(':'))
                                 : replica.address;
}

std::string Replication::name_of(PeerId peer) const {
  const auto at = side_.peers().find(peer);
  const Session* session = engine_->sessions().find(peer);
  if (at == side_.peers().end() || session == nullptr || at->second.port == 0)
    return fmt::format("client id #{}", peer);
  return fmt::format("{}:{}", address_of(*session, at->second), at->second.port);
}

// --- the stream ---

void Replication::on_commit(const CommittedUnit& unit) {
  if (unit.effects.empty() || side_.is_following() || side_.is_frozen()) return;
  if (!side_.wants_stream()) return side_.count_unit();
  if (side_.takes_fresh_start()) stream_.forget_database();
  scratch_.clear();
  stream_.append(unit, scratch_);
  if (scratch_.empty()) return;
  DbIndex db = side_.stream_db();
  for (const Effect& effect : unit.effects) {
    if ((effect.targets & Effect::kToReplicas) != 0) db = effect.db;
  }
  side_.append(scratch_, db);
}

std::optional<aof::StreamPosition> Replication::position() const {
  if (!side_.backlog()) return std::nullopt;
  return aof::StreamPosition{side_.id(), offset(), stream_db()};
}

void Replication::resume(const aof::StreamPosition& position, PrimarySide::Role role) {
  if (role == PrimarySide::Role::kReplica)
    log::notice("The data stands at {}:{}: a partial resynchronization will be tried.", position.id,
                position.offset);
  perform(side_.resume(ports_.clock->mono_now(), position.id, position.offset, position.db, role));
}

// Every reply waits for a confirmation: replicas are asked for one with what is new.
void Replication::ask_for_what_is_awaited() {
  if (settings().min_replicas_to_ack > 0 && !side_.is_following() && offset() > asked_offset_)
    side_.ask_for_acks();
}

bool Replication::owes_replicas() const {
  const config::Settings& s = settings();
  const bool is_on_disk = s.appendonly && s.appendfsync == config::AppendFsync::kAlways;
  return s.min_replicas_to_ack > 0 && !is_on_disk;
}

void Replication::tell_barrier() {
  asked_offset_ = offset();
  const int wanted = settings().min_replicas_to_ack;
  engine_->sessions().set_replica_barrier(
      wanted == 0 || side_.is_following() ? Sessions::kNoBarrier
                                          : side_.confirmed_by(static_cast<std::size_t>(wanted)));
}

void Replication::end_turn() {
  ask_for_what_is_awaited();
  give_replicas_their_turn();
  tell_barrier();
}

void Replication::give_replicas_their_turn() {
  if (side_.peers().empty()) return;
  outputs_.clear();
  for (const auto& [peer, replica] : side_.peers()) {
    if (replica.state == ReplicaState::kGreeting) continue;
    if (const Session* session = session_of(peer))
      outputs_.push_back({peer, session->out.size(), session->net_output});
  }
  if (!outputs_.empty()) step(replication::TurnEnded{outputs_});
}

void Replication::tick() { step(replication::Ticked{}); }

void Replication::closed(Session& session) {
  if (side_.peers().contains(session.id)) step(replication::PeerClosed{session.id});
}

// --- the conversation ---

Outcome Replication::sync(CommandContext& ctx) {
  Session& session = ctx.session();
  if (session.replica) return {};
  if (refuses_replicas_ || (side_.is_following() && !engine_->services().replica->link_is_up()))
    return refuse("NOMASTERLINK Can't SYNC while not connected with my master");
  if (ctx.args().size() > 3 && ctx.args().is(3, "FAILOVER")) {
    if (!side_.is_following()) return refuse("ERR PSYNC FAILOVER can't be sent to a master.");
    if (settings().cluster_enabled || ctx.arg(1) != engine_->reports().replication_id())
      return refuse("ERR PSYNC FAILOVER replid must match my replid.");
    log::notice("Failover request received for the stream {}: this server is the primary now.",
                ctx.arg(1));
    engine_->services().replica->take_over();
  }
  session.replica = true;
  const bool partial = ctx.args().size() > 1;
  step(replication::SyncAsked{session.id, partial, partial ? ctx.arg(1) : "",
                              partial ? ctx.arg(2) : ""});
  return {};
}

// The words are the parts that are wanted: "functions", and none for neither keys nor functions.
Result<SnapshotContent, ReplyError> Replication::content_of(std::string_view filter) {
  SnapshotContent content{false, false};
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
  Session& session = ctx.session();
  Replica& replica = side_.greet(session.id);
  for (std::size_t i = 1; i + 1 < args.size(); i += 2) {
    if (args.is(i, "ack")) {
      const auto offset = parse_int64(args[i + 1]);
      if (!session.replica || !offset || *offset < 0) return {};
      replication::Acknowledged event{session.id, static_cast<std::uint64_t>(*offset), {}};
      if (args.is(i + 2, "FACK", 1)) {
        const auto on_disk = parse_int64(args[i + 3]);
        if (on_disk && *on_disk >= 0) event.on_disk = static_cast<std::uint64_t>(*on_disk);
      }
      step(event);
      return {};  // an acknowledgement has no reply
    }
    if (args.is(i, "getack")) return {};  // for replicas only
    HEARTH_TRY_VOID(configure_word(ctx, i, replica));
  }
  ctx.reply().ok();
  return {};
}

Outcome Replication::configure_word(CommandContext& ctx, std::size_t at, Replica& replica) {
  const ArgReader& args = ctx.args();
  const std::string_view value = args[at + 1];
  if (args.is(at, "listening-port")) {
    HEARTH_TRY(const std::int64_t port, args.integer_between(at + 1, 0, 65535));
    replica.port = static_cast<int>(port);
  } else if (args.is(at, "ip-address")) {
    constexpr std::size_t kAddressMost = 255;
    if (value.size() > kAddressMost)
      return refuse("ERR REPLCONF ip-address provided by replica instance is too long: " +
                    std::to_string(value.size()) + " bytes");
    // It stands in lines of INFO and of the log.
    if (std::any_of(value.begin(), value.end(), [](char c) {
          return static_cast<unsigned char>(c) <= ' ' || c == ',' || c == '\x7f';
        }))
      return refuse("ERR REPLCONF ip-address is no address");
    replica.address = std::string(value);
  } else if (args.is(at, "capa")) {
    replica.takes_eof = replica.takes_eof || args.is(at + 1, "eof");
    replica.takes_psync2 = replica.takes_psync2 || args.is(at + 1, "psync2");
  } else if (args.is(at, "rdb-only")) {
    HEARTH_TRY(const std::int64_t on, args.integer_between(at + 1, 0, 1));
    replica.snapshot_only = on == 1;
  } else if (args.is(at, "rdb-filter-only")) {
    HEARTH_TRY(replica.content, content_of(value));
  } else if (args.is(at, "version")) {
    replica.takes_open_slots = replication::takes_open_slots(value);
  } else {
    return refuse("ERR Unrecognized REPLCONF option: " + std::string(args[at]));
  }
  return {};
}

// --- snapshots ---

rdb::FileOptions Replication::snapshot_options(const ChildLauncher::Report& report,
                                               SnapshotContent content) {
  rdb::FileOptions options = ports_.persistence->sync_options(report);
  options.with_keys = content.keys;
  // A file that is kept says nothing of slots: they move on without it.
  if (const auto& view = engine_->cluster_view(); view != nullptr) {
    if (std::string open = cluster::open_slots_text(*view); !open.empty())
      options.aux.emplace_back(cluster::kOpenSlotsField, std::move(open));
  }
  if (!content.functions) options.functions = {};
  return options;
}

std::string Replication::file_path() const { return fmt::format("temp-repl-{}.rdb", ports_.pid); }

Result<void> Replication::fork_to_file(SnapshotContent content) {
  ChildLauncher::Job job;
  job.kind = ChildLauncher::Kind::kSnapshot;
  job.run = [this, content](int, const ChildLauncher::Report& report) -> Result<void> {
    const rdb::FileOptions options = snapshot_options(report, content);
    const snapshot::SaveRequest request{"", file_path(), settings().rdb_save_incremental_fsync};
    HEARTH_TRY_VOID(snapshot::write_and_sync(*ports_.disk, request, engine_->keyspace(), options));
    return {};
  };
  job.on_progress = [this](const ChildProgress& p) { ports_.persistence->note_progress(p); };
  job.on_end = [this](const ChildOutcome& outcome) { file_written(outcome); };
  HEARTH_TRY(const int pid, ports_.children->start(std::move(job)));
  log::notice("Background saving started by pid {}", pid);
  ports_.persistence->note_child(true);
  return {};
}

void Replication::file_written(const ChildOutcome& outcome) {
  ports_.persistence->note_child(false);
  if (outcome.succeeded)
    log::notice("Background saving terminated with success");
  else
    log::warning("Background saving error: {}", outcome.error);
  step(replication::SnapshotEnded{outcome.succeeded});
}

Result<void> Replication::fork_to_sockets(SnapshotContent content) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return fail(ErrorCode::kIo, fmt::format("pipe: {}", system_text(errno)));
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
  wants_pipe_ = false;
  return {};
}

void Replication::read_pipe() {
  std::string piece(kPiece, '\0');
  const ssize_t got = ::read(pipe_, piece.data(), piece.size());
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got > 0) {
    snapshot_bytes_ = std::string_view(piece).substr(0, static_cast<std::size_t>(got));
    step(replication::SnapshotBytes{snapshot_bytes_});
    snapshot_bytes_ = {};
    return;
  }
  const auto up = std::count_if(side_.peers().begin(), side_.peers().end(), [](const auto& entry) {
    return entry.second.state == ReplicaState::kSaving && entry.second.direct &&
           !entry.second.dropped;
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
  step(replication::SnapshotEnded{outcome.succeeded});
}

// --- what others ask ---

std::vector<replication::Handover::Candidate> Replication::candidates() const {
  std::vector<replication::Handover::Candidate> all;
  for (const auto& [peer, replica] : side_.peers()) {
    const Session* session = session_of(peer);
    if (session == nullptr || replica.state != ReplicaState::kOnline || replica.dropped) continue;
    all.push_back(
        {address_of(*session, replica), static_cast<std::uint16_t>(replica.port), replica.acked});
  }
  return all;
}

void Replication::log_lagging(std::uint64_t offset) {
  for (const auto& [peer, replica] : side_.peers()) {
    if (replica.state != ReplicaState::kOnline || replica.acked >= offset) continue;
    log::warning("Lagging replica {} confirmed offset {}, {} bytes behind.", name_of(peer),
                 replica.acked, offset - replica.acked);
  }
}

bool Replication::is_on_disk_here(std::uint64_t offset) const {
  return ports_.persistence->log_is_synced() || ports_.persistence->synced_offset() >= offset;
}

std::uint64_t Replication::backlog_bytes() const {
  return side_.backlog() ? side_.backlog()->memory_bytes() : 0;
}

// The backlog beyond its capacity is there for replicas that have not taken it.
std::uint64_t Replication::unsent_bytes() const {
  std::uint64_t bytes = 0;
  if (const auto& backlog = side_.backlog())
    bytes += backlog->memory_bytes() - std::min(backlog->memory_bytes(), backlog->held());
  for (const auto& [peer, replica] : side_.peers()) {
    if (const Session* session = engine_->sessions().find(peer))
      bytes += session->out.capacity_bytes();
  }
  return bytes;
}

void Replication::write_role(ReplyWriter& out) {
  std::vector<std::array<std::string, 3>> lines;
  for (const auto& [peer, replica] : side_.peers()) {
    const Session* session = session_of(peer);
    if (replica.state != ReplicaState::kOnline || session == nullptr) continue;
    lines.push_back({address_of(*session, replica), std::to_string(replica.port),
                     std::to_string(replica.acked)});
  }
  out.array(lines.size());
  for (const auto& line : lines) {
    out.array(line.size());
    for (const std::string& word : line) out.bulk(word);
  }
}

}  // namespace hearth

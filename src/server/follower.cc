#include "src/server/follower.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cluster/model/render.h"
#include "src/base/bytes.h"
#include "src/base/log.h"
#include "src/command/cluster_control.h"
#include "src/command/context.h"
#include "src/effects/command_stream.h"

namespace hearth {
namespace {

constexpr seconds kBetweenNewlines{1};

// As ROLE calls it.
std::string_view link_state_name(replication::ReplicaSide::State state) {
  using State = replication::ReplicaSide::State;
  switch (state) {
    case State::kNone: return "none";
    case State::kConnect: return "connect";
    case State::kConnecting: return "connecting";
    case State::kHandshake: return "handshake";
    case State::kTransfer:
    case State::kLoad: return "sync";
    case State::kConnected: break;
  }
  return "connected";
}

tl::unexpected<Error> with_context(std::string_view what, const Error& error) {
  return fail(error.code, fmt::format("{}: {}", what, error.context));
}

}  // namespace

void Follower::attach(Engine& engine) {
  engine_ = &engine;
  side_.set_timeout(settings().repl_timeout);
  ports_.config->on_change({"repl-timeout"},
                           [this](const config::Settings& s) -> Result<void, std::string> {
                             side_.set_timeout(s.repl_timeout);
                             return {};
                           });
}

// --- events and actions ---

void Follower::step(const Side::Event& event) {
  bool run = false;
  for (const Side::Action& action : side_.step(ports_.clock->mono_now(), event)) {
    if (std::holds_alternative<Side::RunStream>(action)) {
      run = true;
      continue;
    }
    if (const auto done = act(action); !done) return step(Side::FileFailed{done.error().context});
  }
  if (run) run_stream();
}

Result<void> Follower::act(const Side::Action& action) {
  if (std::holds_alternative<Side::Connect>(action)) {
    ports_.link->connect({side_.host(), side_.port(), settings().bind_source_addr,
                          !settings().repl_disable_tcp_nodelay});
  } else if (std::holds_alternative<Side::CloseLink>(action)) {
    ports_.link->close();
    owes_synced_ = false;
  } else if (const auto* bytes = std::get_if<Side::SendLink>(&action)) {
    ports_.link->send(bytes->bytes);
  } else if (const auto* reading = std::get_if<Side::SetReading>(&action)) {
    ports_.link->set_reading(reading->on);
  } else if (std::holds_alternative<Side::OpenFile>(action)) {
    path_ = fmt::format("temp-{}.{}.rdb", ports_.clock->unix_now().unix_seconds(), ports_.pid);
    auto file = ports_.disk->open(path_, io::OpenMode::kCreate);
    if (!file) {
      return with_context("Opening the temp file needed for PRIMARY <-> REPLICA synchronization",
                          file.error());
    }
    file_ = std::move(*file);
  } else if (const auto* piece = std::get_if<Side::WriteFile>(&action)) {
    if (const auto done = file_->append(piece->bytes); !done) {
      return with_context(
          "Write error or short write writing to the DB dump file needed for PRIMARY <-> REPLICA "
          "synchronization",
          done.error());
    }
  } else if (const auto* cut = std::get_if<Side::CutFile>(&action)) {
    if (const auto done = file_->truncate(cut->bytes); !done)
      return with_context("The snapshot's end mark could not be cut off", done.error());
  } else if (std::holds_alternative<Side::SyncFile>(action)) {
    if (const auto done = file_->sync(); !done)
      return with_context("Failed trying to sync the temp DB to disk", done.error());
  } else if (std::holds_alternative<Side::DiscardFile>(action)) {
    file_.reset();
    static_cast<void>(ports_.disk->remove(path_));
  } else if (std::holds_alternative<Side::LoadDue>(action)) {
    ports_.load_due();
  } else if (std::holds_alternative<Side::Acknowledge>(action)) {
    acknowledge();
  } else if (std::holds_alternative<Side::DiscardTransaction>(action)) {
    if (session_ != nullptr && session_->in_multi) engine_->transactions().discard(*session_);
  } else if (std::holds_alternative<Side::RelayComplete>(action)) {
    relay_complete();
  } else if (const auto* name = std::get_if<Side::ContinueAs>(&action)) {
    ports_.replication->continue_as(name->id);
  } else if (std::holds_alternative<Side::DropReplicas>(action)) {
    ports_.replication->drop_replicas();
  } else if (const auto* answered = std::get_if<Side::TakeoverAnswered>(&action)) {
    asks_takeover_ = false;
    answer_ = answered->accepted;
  } else if (std::holds_alternative<Side::Online>(action)) {
    open_session();
  } else if (const auto* note = std::get_if<Side::Note>(&action)) {
    using Level = Side::Note::Level;
    switch (note->level) {
      case Level::kDebug: log::debug("{}", note->text); break;
      case Level::kNotice: log::notice("{}", note->text); break;
      case Level::kWarning: log::warning("{}", note->text); break;
    }
  }
  return {};
}

// --- who is followed ---

void Follower::begin(const std::string& host, std::uint16_t port) {
  const bool was_primary = !is_replica();
  step(Side::Followed{host, port});
  if (!was_primary) return;
  ports_.replication->begin_following();
  engine_->set_following(true);
  ports_.role_changed();
}

void Follower::start() {
  const config::PrimaryAddress& primary = settings().replicaof;
  if (!primary.host.empty()) begin(primary.host, primary.port);
}

Outcome Follower::follow(std::string_view host, std::uint16_t port, CommandContext& by) {
  if (settings().cluster_enabled) return refuse("ERR REPLICAOF not allowed in cluster mode.");
  if (is_replica() && host == side_.host() && port == side_.port()) {
    log::notice(
        "REPLICAOF would result into synchronization with the primary we are already "
        "connected with. No operation performed.");
    by.reply().simple("OK Already connected to specified master");
    return {};
  }
  const std::string words[] = {std::string(host), std::to_string(port)};
  if (!ports_.config->replace("replicaof", words)) return refuse("ERR Invalid master host");
  if (!is_replica()) {
    engine_->blocking().unblock_all(kDemoted);
  }
  const std::string name(host);
  begin(name, port);
  log::notice("REPLICAOF {}:{} enabled (user request from 'client id={}')", name, port,
              by.session().id);
  by.reply().ok();
  return {};
}

Outcome Follower::follow_nobody(CommandContext& by) {
  if (settings().cluster_enabled) return refuse("ERR REPLICAOF not allowed in cluster mode.");
  if (is_replica()) {
    promote();
    log::notice("PRIMARY MODE enabled (user request from 'client id={}')", by.session().id);
  }
  by.reply().ok();
  return {};
}

void Follower::follow_node(const std::string& host, std::uint16_t port, bool other_data) {
  if (other_data) has_synced_ = false;
  begin(host, port);
}

void Follower::promote() {
  static_cast<void>(ports_.config->replace("replicaof", ""));  // the default is valid
  lead();
}

void Follower::hand_over_to(const std::string& host, std::uint16_t port) {
  const std::string words[] = {host, std::to_string(port)};
  static_cast<void>(ports_.config->replace("replicaof", words));
  asks_takeover_ = true;
  answer_.reset();
  if (!is_replica()) engine_->blocking().unblock_all(kDemoted);
  begin(host, port);
}

void Follower::lead() {
  asks_takeover_ = false;
  if (!is_replica()) return;
  step(Side::Left{});
  if (session_ != nullptr) engine_->close(*std::exchange(session_, nullptr));
  has_synced_ = false;
  engine_->set_following(false);
  ports_.replication->lead();
  ports_.role_changed();
}

std::optional<milliseconds> Follower::silence() const {
  if (!has_synced_ || !ports_.replication->can_continue()) return std::nullopt;
  return std::chrono::duration_cast<milliseconds>(ports_.clock->mono_now() - side_.in_touch_at());
}

void Follower::close() {
  ports_.link->close();
  if (session_ != nullptr) engine_->close(*std::exchange(session_, nullptr));
}

// --- the link ---

void Follower::link_connected() {
  const config::Settings& s = settings();
  replication::Handshake::Hello hello;
  hello.user = s.primaryuser;
  hello.password = s.primaryauth;
  hello.port = s.replica_announce_port != 0 ? s.replica_announce_port : s.port;
  hello.address = s.replica_announce_ip;
  hello.asks_takeover = asks_takeover_;
  if (ports_.replication->can_continue()) {
    hello.replication_id = engine_->reports().replication_id();
    hello.next_offset = ports_.replication->offset() + 1;
  }
  step(Side::Connected{std::move(hello)});
}

void Follower::link_received(std::string_view bytes) {
  ports_.refresh_time();
  engine_->stats().net_input_bytes += bytes.size();
  engine_->stats().net_repl_input_bytes += bytes.size();
  step(Side::Received{bytes});
}

void Follower::link_lost(std::string_view why) { step(Side::Lost{why}); }

void Follower::tick() {
  if (link_is_up() && end_if_killed()) return;
  if (link_is_up()) engine_->warm_gate().take_over_data();
  step(Side::Ticked{must_wait()});
}

void Follower::end_turn() {
  if (!is_replica()) return;
  step(Side::TurnEnded{must_wait()});
  if (!link_is_up()) return;
  const std::uint64_t before = synced_offset_;
  const bool has_all = note_synced();
  if (synced_offset_ == before) return;
  if (owes_synced_) acknowledge();
  if (has_all) owes_synced_ = false;
}

// Whether that is everything.
bool Follower::note_synced() {
  const bool has_all = ports_.persistence->log_is_synced();
  synced_offset_ = has_all ? ports_.replication->offset() : ports_.persistence->synced_offset();
  return has_all;
}

void Follower::acknowledge() {
  side_.note_acknowledged(ports_.clock->mono_now());
  std::vector<std::string> words{"REPLCONF", "ACK", std::to_string(ports_.replication->offset())};
  if (settings().appendonly) {
    words.emplace_back("FACK");
    words.push_back(std::to_string(synced_offset_));
  }
  std::string out;
  append_command(std::span<const std::string>(words), out);
  ports_.link->send(out);
}

// In the middle of a script, which lets the server run on, and while clients are paused.
// And while the disk can't keep up, or takes nothing.
bool Follower::must_wait() const {
  const bool disk_refuses =
      !settings().replica_ignore_disk_write_errors && !ports_.persistence->write_refusal().empty();
  return frozen_ || disk_refuses || engine_->holds().is_paused() ||
         engine_->script_runs().running_script() || ports_.persistence->log_is_slow();
}

// --- the snapshot ---

// Old data is worth more than none: the snapshot is read as a whole before it takes the place.
Result<DbIndex> Follower::load_file(const std::function<bool()>& turn) {
  const auto checked = ports_.persistence->check_snapshot(path_, turn);
  ports_.refresh_time();
  if (!checked)
    return with_context("The PRIMARY's snapshot can't be loaded, the data stays as it was",
                        checked.error());
  ports_.replication->forget_stream();
  log::notice("PRIMARY <-> REPLICA sync: Flushing old data");
  log::notice("PRIMARY <-> REPLICA sync: Loading DB in memory");
  auto loaded = ports_.persistence->replace_data(path_, turn);
  ports_.refresh_time();
  if (!loaded)
    return with_context("Failed trying to load the PRIMARY synchronization DB from disk",
                        loaded.error());
  return loaded;
}

void Follower::adopt_open_slots() {
  ClusterControl* const cluster = engine_->services().cluster;
  if (cluster == nullptr) return;
  auto open = cluster::parse_open_slots(ports_.persistence->loaded_open_slots());
  if (!open) log::warning("The PRIMARY's snapshot tells of open slots in a form that is unknown.");
  if (open)
    static_cast<void>(
        cluster->administer(cluster::admin::AdoptOpenSlots{*std::move(open)}, nullptr));
}

void Follower::load(const std::function<bool()>& serve) {
  const std::uint64_t attempt = side_.attempt();
  const std::string id = side_.handshake().id();
  const std::uint64_t offset = side_.handshake().offset();
  // A user may choose another primary, or none, meanwhile.
  const auto loaded = load_file([&] {
    const MonoTime now = ports_.clock->mono_now();
    if (now - newline_at_ >= kBetweenNewlines) {
      newline_at_ = now;
      ports_.link->send("\n");
    }
    return serve() && attempt == side_.attempt();
  });
  if (attempt != side_.attempt()) return;
  if (!loaded) return step(Side::Loaded{false, loaded.error().context});
  // A restart begins with it.
  file_.reset();
  if (const config::Settings& s = settings();
      s.rdb_del_sync_files && s.save.empty() && !s.appendonly) {
    static_cast<void>(ports_.disk->remove(path_));
  } else if (const auto kept = ports_.disk->rename(path_, s.dbfilename); !kept) {
    log::warning("Failed trying to rename the temp DB into {}: {}", s.dbfilename,
                 kept.error().context);
  } else if (const auto synced = ports_.disk->sync_dir("."); !synced) {
    log::warning("{}", synced.error().context);
  }
  adopt_open_slots();
  ports_.replication->adopt(id, offset);
  ports_.replication->relay({}, *loaded);  // the stream begins in that database
  step(Side::Loaded{true, ""});
}

void Follower::open_session() {
  has_synced_ = true;
  if (session_ == nullptr) {
    session_ = &engine_->open(
        {fmt::format("{}:{}", side_.host(), side_.port()), "", -1, false, false, false});
    session_->primary = session_->replaying = session_->authenticated = true;
  }
  session_->db = ports_.replication->stream_db();
}

// --- the stream ---

void Follower::relay_complete() {
  const std::string bytes = side_.take_complete();
  if (!bytes.empty()) ports_.replication->relay(bytes, session_->db);
}

void Follower::run_command(std::span<const std::string_view> words) {
  Session& s = *session_;
  engine_->begin_replay();
  engine_->execute(s, words);
  engine_->end_replay();
  if (s.out.size() > 0) {
    const std::string said = s.out.str();
    if (said.front() == '-') {
      log::warning(
          "== CRITICAL == This replica is sending an error to its primary: '{}' after processing "
          "the command '{}'",
          replication::shown(std::string_view(said).substr(1, said.find('\r') - 1)), words[0]);
      if (settings().propagation_error_behavior != config::PropagationError::kIgnore) std::abort();
    }
    s.out.clear();
    s.output_pending = false;
  }
}

// CLIENT KILL: a session without a connection ends with its link. Nothing is run in it before that:
// it would be refused, and counted as done.
bool Follower::end_if_killed() {
  if (session_ == nullptr || (!session_->close_now && !session_->close_after_reply)) return false;
  session_->close_now = session_->close_after_reply = false;
  step(Side::Killed{});
  return true;
}

void Follower::note_refusal() {
  const std::string_view refusal = ports_.persistence->write_refusal();
  const bool refused = !refusal.empty() && !settings().replica_ignore_disk_write_errors;
  if (std::exchange(told_refusal_, refused) || !refused) return;
  log::warning(
      "Replica is unable to write commands to disk, and waits until it can "
      "(replica-ignore-disk-write-errors lets it go on): {}",
      refusal);
}

void Follower::run_stream() {
  if (!link_is_up() || end_if_killed()) return;
  if (must_wait()) {
    note_refusal();
    if (side_.has_enough_input()) ports_.link->set_reading(false);
    return;
  }
  const std::uint64_t attempt = side_.attempt();
  while (const auto command = side_.next_command()) {
    if (command->asks_for_ack) {
      relay_complete();
      owes_synced_ = settings().appendonly && !note_synced();
      acknowledge();
    } else {
      run_command(command->words);
    }
    if (attempt != side_.attempt()) return;
    side_.command_done(session_->in_multi);
  }
  side_.end_run();
  relay_complete();
  if (side_.is_broken()) step(Side::Lost{"protocol error"});
}

// --- what others ask ---

void Follower::write_role(ReplyWriter& out) {
  out.array(5);
  out.bulk("slave");
  out.bulk(side_.host());
  out.integer(side_.port());
  out.bulk(link_state_name(side_.state()));
  out.integer(link_is_up() ? as_signed(ports_.replication->offset()) : -1);
}

}  // namespace hearth

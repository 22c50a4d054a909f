#include "tests/sim/whole/whole_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "src/base/check.h"
#include "src/commands/all.h"
#include "src/proto/request_parser.h"

namespace hearth::sim {
namespace {

// Replication links are to be given up within a test's time, and full syncs go through files, since
// there are no pipes.
const std::vector<std::vector<std::string>> kConfig = {
    {"cluster-enabled", "yes"},      {"save", ""},
    {"appendonly", "yes"},           {"appendfsync", "always"},
    {"repl-timeout", "4"},           {"repl-ping-replica-period", "1"},
    {"repl-diskless-sync", "no"},    {"auto-aof-rewrite-percentage", "0"},
    {"enable-debug-command", "yes"},
};

}  // namespace

WholeNode::WholeNode(World& world, int index, test::MemFileSystem& disk, std::uint64_t seed,
                     const std::vector<std::vector<std::string>>& config)
    : world_(world),
      index_(index),
      clock_(*this),
      specs_(all_commands()),
      table_(specs_),
      streams_(world, *this),
      requests_(streams_, [this] { refresh_time(); }) {
  uv_loop_init(&loop_);
  std::vector<std::vector<std::string>> directives = kConfig;
  directives.insert(directives.end(), config.begin(), config.end());
  for (const auto& words : directives) HEARTH_CHECK(config_.apply_directive(words).has_value());
  const std::vector<std::string> port{"port", "6000"};
  HEARTH_CHECK(config_.apply_directive(port).has_value());
  const auto wants_changed = [this] {
    engine_->want_commands(persistence_->wants_commands() || replication_->wants_commands() ||
                           (slot_moves_ != nullptr && slot_moves_->wants_commands()));
  };
  Persistence::Ports ports;
  ports.config = &config_;
  ports.disk = &disk;
  ports.children = &children_;
  ports.disk_thread = &disk_thread_;
  ports.clock = &clock_;
  ports.sleep = [](microseconds) {};
  ports.pid = 1000 + index;
  ports.stream_position = [this] { return replication_->position(); };
  ports.wants_changed = wants_changed;
  ports.give_up = [this] { world_.give_up(*this); };
  persistence_ = std::make_unique<Persistence>(std::move(ports));
  replication_ = std::make_unique<Replication>(
      Replication::Ports{&loop_, &config_, &disk, &children_, &clock_, persistence_.get(),
                         1000 + index, wants_changed});
  Follower::Ports to_follow;
  to_follow.link = &link_;
  to_follow.config = &config_;
  to_follow.disk = &disk;
  to_follow.clock = &clock_;
  to_follow.persistence = persistence_.get();
  to_follow.replication = replication_.get();
  to_follow.pid = 1000 + index;
  to_follow.refresh_time = [this] { refresh_time(); };
  to_follow.load_due = [] {};
  to_follow.role_changed = [] {};
  follower_ = std::make_unique<Follower>(std::move(to_follow));

  Engine::Options o;
  o.seed = seed;
  o.config = &config_;
  o.commands = &table_;
  o.host = this;
  o.ticks = [] { return std::uint64_t{0}; };
  o.persistence = persistence_.get();
  o.replication = replication_.get();
  o.replica = follower_.get();
  o.cluster = &bus_;
  o.now = clock_.unix_now();
  o.mono = clock_.mono_now();
  engine_ = std::make_unique<Engine>(std::move(o));
  persistence_->attach(*engine_);
  replication_->attach(*engine_);
  follower_->attach(*engine_);
  engine_->services().progress = replication_.get();
  engine_->add_sink(*replication_);
  engine_->add_sink(persistence_->sink());
  data_ = std::make_unique<ClusterData>(ClusterData::Parts{
      engine_.get(), replication_.get(), follower_.get(), [this] { refresh_time(); }});
  make_slot_moves(seed + 1);
  HEARTH_CHECK(persistence_->load_at_start([] { return true; }));
  refresh_time();
}

void WholeNode::make_slot_moves(std::uint64_t seed) {
  SlotMoves::Parts parts;
  parts.loop = &loop_;
  parts.engine = engine_.get();
  parts.cluster = &bus_;
  parts.requests = &requests_;
  parts.streams = &streams_;
  parts.drops = &data_->drops();
  parts.clock = &clock_;
  parts.published = [this] { return shown_; };
  parts.refresh_time = [this] { refresh_time(); };
  parts.wants_changed = [this] {
    engine_->want_commands(persistence_->wants_commands() || replication_->wants_commands() ||
                           slot_moves_->wants_commands());
  };
  parts.seed = seed;
  slot_moves_ = std::make_unique<SlotMoves>(std::move(parts));
  engine_->services().slot_migrations = slot_moves_.get();
  engine_->add_sink(*slot_moves_);
}

WholeNode::~WholeNode() {
  children_.stop_and_forget();
  requests_.stop();
  slot_moves_->stop();
  data_.reset();
  follower_->close();
  replication_->close();
  uv_run(&loop_, UV_RUN_NOWAIT);
  engine_.reset();
  uv_loop_close(&loop_);
}

void WholeNode::begin(const cluster::View& view) {
  if (const auto& position = persistence_->loaded_position()) {
    using Role = replication::PrimarySide::Role;
    replication_->resume(*position, view.me().is_replica() ? Role::kReplica : Role::kPrimary);
  }
  data_->loaded(view);
  is_begun_ = true;
}

void WholeNode::turn(const std::function<void()>& work) {
  ++depth_;
  refresh_time();
  work();
  if (--depth_ == 0) end_turn();
}

void WholeNode::tick() {
  turn([this] {
    children_.finish();
    streams_.tick();
    engine_->tick();
    persistence_->tick();
    replication_->tick();
    follower_->tick();
    if (is_begun_) slot_moves_->tick();
    engine_->blocking().run_due();
  });
}

void WholeNode::end_turn() {
  // Sessions that go on make replies, and these may let others go on.
  for (int rounds = 0; rounds < 3; ++rounds) {
    for (const ConnId id : std::exchange(to_resume_, {})) {
      if (Session* session = engine_->sessions().find(id)) run_input(*session);
    }
    disk_thread_.poll();
    persistence_->end_turn();
    disk_thread_.poll();
    persistence_->end_turn();
    replication_->end_turn();
    follower_->end_turn();
    if (is_begun_) slot_moves_->end_turn();
    if (follower_->is_load_due()) follower_->load([] { return true; });
    if (reads_stream_ && !unread_stream_.empty()) {
      const std::string piece = std::exchange(unread_stream_, {});
      follower_->link_received(piece);
    }
  }
  Sessions& sessions = engine_->sessions();
  std::erase_if(awaits_disk_, [&](ConnId id) {
    Session* session = sessions.find(id);
    if (session == nullptr) return true;
    if (sessions.must_hold_replies(*session) && !sessions.give_up_on_replicas(*session))
      return false;
    session->awaits_disk = false;
    to_flush_.push_back(id);
    to_resume_.push_back(id);
    return true;
  });
  for (const ConnId id : std::exchange(to_flush_, {})) {
    Session* session = sessions.find(id);
    if (session == nullptr || session->close_now || session->out.size() == 0) continue;
    if (sessions.must_hold_replies(*session)) {
      if (std::exchange(session->awaits_disk, true)) continue;
      session->held_since = engine_->mono_now();
      awaits_disk_.push_back(id);
      continue;
    }
    std::string bytes = session->out.str();
    session->out.clear();
    session->output_pending = false;
    session->net_output += bytes.size();
    world_.deliver(*this, id, std::move(bytes));
  }
  for (const ConnId id : std::exchange(to_close_, {})) {
    if (engine_->sessions().find(id) != nullptr) close_session(id);
  }
  if (slot_moves_->is_busy() || !to_resume_.empty()) world_.turn_soon(*this);
}

void WholeNode::show(cluster::ViewPtr view) {
  shown_ = view;
  data_->show(std::move(view));
}

void WholeNode::hold_disk(bool on) {
  turn([&] {
    disk_thread_.hold(on);
    while (!on && disk_thread_.step()) {
    }
  });
}

ConnId WholeNode::open_session() {
  Session& session = engine_->open({"10.0.0.99:1", "10.0.0.1:6000", 1, false, false, false});
  session.connection = this;  // somebody reads what it is told
  return session.id;
}

void WholeNode::close_session(ConnId id) {
  unread_.erase(id);
  Session* session = engine_->sessions().find(id);
  if (session == nullptr) return;
  engine_->close(*session);
  world_.session_ended(*this, id);
}

void WholeNode::receive(ConnId id, const std::string& bytes) {
  Session* session = engine_->sessions().find(id);
  if (session == nullptr) return;
  unread_[id] += bytes;
  turn([&] { run_input(*session); });
}

void WholeNode::run_input(Session& session) {
  const ConnId id = session.id;
  std::string& input = unread_[id];
  std::size_t at = 0;
  while (at < input.size() && session.run_state() == RunState::kIdle && !session.awaits_disk &&
         !session.close_now) {
    RequestParser parser;
    std::vector<std::string_view> words;
    std::size_t used = 0;
    const auto status = parser.next(std::string_view(input).substr(at), {}, words, used);
    if (status != RequestParser::Status::kRequest) break;
    if (!words.empty()) engine_->execute(session, words);
    // A request that is held has not run, and comes again.
    if (session.run_state() == RunState::kHeld) break;
    at += used;
  }
  input.erase(0, at);
}

std::string WholeNode::ask(const std::vector<std::string>& words) {
  Session& session = engine_->open({"10.0.0.98:1", "10.0.0.1:6000", 1, false, true, false});
  session.readonly = true;
  const std::vector<std::string_view> argv(words.begin(), words.end());
  refresh_time();
  engine_->execute(session, argv);
  std::string reply = session.out.str();
  engine_->close(session);
  return reply;
}

// --- the link

void WholeNode::Link::connect(const Target& target) {
  node_.reads_stream_ = true;
  node_.unread_stream_.clear();
  node_.world_.connect(node_, target.host, target.port);
}

void WholeNode::Link::send(std::string_view bytes) {
  node_.world_.send_to_primary(node_, std::string(bytes));
}

void WholeNode::Link::set_reading(bool on) { node_.reads_stream_ = on; }

void WholeNode::Link::close() {
  node_.unread_stream_.clear();
  node_.world_.close_link(node_);
}

void WholeNode::link_connected() {
  turn([this] { follower_->link_connected(); });
}

void WholeNode::link_received(const std::string& bytes) {
  unread_stream_ += bytes;
  if (!reads_stream_) return;
  turn([this] {
    const std::string piece = std::exchange(unread_stream_, {});
    if (!piece.empty()) follower_->link_received(piece);
  });
}

void WholeNode::link_lost() {
  turn([this] { follower_->link_lost("the connection broke"); });
}

}  // namespace hearth::sim

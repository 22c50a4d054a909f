#include "src/net/network.h"

#include <arpa/inet.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "src/base/log.h"
#include "src/base/socket_mark.h"
#include "src/base/system_text.h"
#include "src/net/connection.h"

namespace hearth::net {
namespace {

std::string address_text(const sockaddr_storage& a) {
  char ip[INET6_ADDRSTRLEN] = "?";
  if (a.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &a, sizeof in);
    inet_ntop(AF_INET, &in.sin_addr, ip, sizeof ip);
    return std::string(ip) + ":" + std::to_string(ntohs(in.sin_port));
  }
  sockaddr_in6 in6{};
  std::memcpy(&in6, &a, sizeof in6);
  inet_ntop(AF_INET6, &in6.sin6_addr, ip, sizeof ip);
  return "[" + std::string(ip) + "]:" + std::to_string(ntohs(in6.sin6_port));
}

bool is_loopback(const std::string& address) {
  return address.starts_with("127.") || address.starts_with("[::1]") ||
         address.starts_with("[::ffff:127.");
}

// libuv cuts a path that is too long, and says "permission denied" where a folder does not exist:
// the socket is made here.
int bind_unix(const std::string& path, std::string& why) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    why = "the path has " + std::to_string(path.size()) + " bytes, the most are " +
          std::to_string(sizeof address.sun_path - 1);
    return -1;
  }
  path.copy(address.sun_path, path.size());
  // A socket that a server left behind; anything else in its place stays.
  struct stat found {};
  if (lstat(path.c_str(), &found) == 0 && S_ISSOCK(found.st_mode)) unlink(path.c_str());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  why = system_text(errno);
  if (fd >= 0) ::close(fd);
  return -1;
}

std::optional<gid_t> group_named(const std::string& name) {
  constexpr std::size_t kLargest = 1 << 20;  // the names of all members stand in it too
  group entry{};
  for (std::size_t size = 1024; size <= kLargest; size *= 4) {
    std::vector<char> text(size);
    group* found = nullptr;
    const int rc = getgrnam_r(name.c_str(), &entry, text.data(), text.size(), &found);
    if (rc == ERANGE) continue;
    return found == nullptr ? std::nullopt : std::optional<gid_t>(entry.gr_gid);
  }
  return std::nullopt;
}

constexpr std::string_view kDenied =
    "-DENIED Redis is running in protected mode because protected mode is enabled and no password "
    "is set for the "
    "default user. In this mode connections are only accepted from the loopback interface. If you "
    "want to connect from "
    "external computers, you may adopt one of the following solutions: 1) Disable protected mode "
    "by sending 'CONFIG SET "
    "protected-mode no' from the loopback interface. 2) Set protected-mode to no in the "
    "configuration file and restart "
    "the server. 3) Set a password for the default user with requirepass. NOTE: You only need to "
    "do one of the above "
    "things in order for the server to start accepting connections from the outside.\r\n";

}  // namespace

struct Network::Listener {
  explicit Listener(Network& owner) : network(owner) {}
  Network& network;
  bool unix_socket = false;
  bool postponed = false;  // a connection waits for the next turn
  std::string path;
  union {
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } handle{};
  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&handle); }
  // Gives the handle back to libuv; the memory goes when that is done.
  static void close(std::unique_ptr<Listener> listener) {
    Listener* l = listener.release();
    if (l->unix_socket && !l->path.empty()) unlink(l->path.c_str());
    l->stream()->data = l;
    uv_close(reinterpret_cast<uv_handle_t*>(&l->handle),
             [](uv_handle_t* h) { delete static_cast<Listener*>(h->data); });
  }
};

Network::Network(const Options& options)
    : loop_(options.loop), config_(options.config), clock_(options.clock), cpu_us_(options.cpu_us) {
  uv_check_init(loop_, &check_);
  uv_prepare_init(loop_, &prepare_);
  uv_timer_init(loop_, &tick_);
  uv_timer_init(loop_, &wake_);
  uv_idle_init(loop_, &busy_);
  check_.data = prepare_.data = tick_.data = wake_.data = this;
  if (!config_->settings().io_uring) return;
  std::string why;
  ring_ = Ring::open(why);
  if (ring_ == nullptr) log::verbose("No io_uring, epoll serves the clients: {}", why);
}

Network::~Network() = default;

void Network::attach(Engine& engine) {
  engine_ = &engine;
  config_->on_change({"port", "bind", "unixsocket", "unixsocketperm"},
                     [this](const config::Settings& s) -> Result<void, std::string> {
                       // Close before opening, since both plans may contain the same address; if
                       // the new plan fails, reopen the old one.
                       const ListenPlan before = plan_;
                       close_listeners();
                       if (auto opened = open_listeners(plan_of(s)); !opened) {
                         log::warning("{}", opened.error().context);
                         if (auto again = open_listeners(before); !again) {
                           log::warning("Could not listen again: {}", again.error().context);
                         }
                         return tl::unexpected<std::string>(
                             before.port != s.port
                                 ? "Unable to listen on this port. Check server logs."
                                 : "Failed to bind to specified addresses.");
                       }
                       return {};
                     });
}

// --- listening ---

Result<std::unique_ptr<Network::Listener>> Network::open_tcp(const std::string& address,
                                                             std::uint16_t port, bool optional) {
  auto listener = std::make_unique<Listener>(*this);
  sockaddr_storage sa{};
  const std::string host = address == "*" ? "0.0.0.0" : address;
  const bool v6 = host.find(':') != std::string::npos;
  auto* sa4 = reinterpret_cast<sockaddr_in*>(&sa);
  auto* sa6 = reinterpret_cast<sockaddr_in6*>(&sa);
  std::string shown = host == "::*" ? "::" : host;
  const int parsed =
      v6 ? uv_ip6_addr(shown.c_str(), port, sa6) : uv_ip4_addr(shown.c_str(), port, sa4);
  if (parsed != 0)
    return fail(ErrorCode::kInvalid, "bind address '" + address + "' is no IP address");
  uv_tcp_init(loop_, &listener->handle.tcp);
  int rc = uv_tcp_bind(&listener->handle.tcp, reinterpret_cast<sockaddr*>(&sa),
                       v6 ? UV_TCP_IPV6ONLY : 0);
  listener->stream()->data = listener.get();
  uv_os_fd_t fd = -1;
  if (rc == 0) rc = uv_fileno(reinterpret_cast<uv_handle_t*>(listener->stream()), &fd);
  if (rc == 0) mark_socket(fd, config_->settings().socket_mark_id);
  if (rc == 0) rc = uv_listen(listener->stream(), config_->settings().tcp_backlog, on_accept);
  if (rc == 0) return listener;
  const bool may_lack = rc == UV_EADDRNOTAVAIL || rc == UV_EAFNOSUPPORT || rc == UV_EPROTONOSUPPORT;
  Listener::close(std::move(listener));
  if (optional && may_lack) return std::unique_ptr<Listener>();
  log::warning("Could not create server TCP listening socket {}:{}: bind: {}", address, port,
               uv_strerror(rc));
  return fail(ErrorCode::kIo, "Failed listening on port " + std::to_string(port) + " (tcp) of " +
                                  address + ": " + uv_strerror(rc));
}

Result<std::unique_ptr<Network::Listener>> Network::open_unix(const std::string& path) {
  const auto failed = [&](const std::string& why) {
    return fail(ErrorCode::kIo, "Failed opening Unix socket " + path + ": " + why);
  };
  std::string why;
  const int fd = bind_unix(path, why);
  if (fd < 0) return failed(why);
  auto listener = std::make_unique<Listener>(*this);
  listener->unix_socket = true;
  listener->path = path;
  uv_pipe_init(loop_, &listener->handle.pipe, 0);
  listener->stream()->data = listener.get();
  int rc = uv_pipe_open(&listener->handle.pipe, fd);
  if (rc != 0) ::close(fd);
  if (rc == 0) rc = uv_listen(listener->stream(), config_->settings().tcp_backlog, on_accept);
  if (rc != 0) {
    Listener::close(std::move(listener));
    return failed(uv_strerror(rc));
  }
  const config::Settings& s = config_->settings();
  if (s.unixsocketperm != 0) chmod(path.c_str(), static_cast<mode_t>(s.unixsocketperm));
  if (!s.unixsocketgroup.empty()) {
    const std::optional<gid_t> group = group_named(s.unixsocketgroup);
    if (!group || chown(path.c_str(), static_cast<uid_t>(-1), *group) != 0) {
      log::warning("Can't give unix socket {} to group {}", path, s.unixsocketgroup);
    }
  }
  return listener;
}

Network::ListenPlan Network::plan_of(const config::Settings& s) {
  return {s.bind, s.port, s.unixsocket};
}

Result<void> Network::open_listeners(const ListenPlan& plan) {
  std::vector<std::unique_ptr<Listener>> opened;
  const auto give_up = [&](Error error) {
    for (auto& l : opened) Listener::close(std::move(l));
    return tl::unexpected<Error>(std::move(error));
  };
  if (plan.port != 0) {
    for (const std::string& address : plan.bind) {
      const bool optional = address.starts_with("-");
      auto listener = open_tcp(optional ? address.substr(1) : address, plan.port, optional);
      if (!listener) return give_up(listener.error());
      if (*listener != nullptr) opened.push_back(std::move(*listener));
    }
    // An empty `bind` means no TCP at all.
    if (opened.empty() && !plan.bind.empty()) {
      return give_up({ErrorCode::kIo, "none of the addresses of 'bind' is there"});
    }
  }
  if (!plan.unixsocket.empty()) {
    auto listener = open_unix(plan.unixsocket);
    if (!listener) return give_up(listener.error());
    opened.push_back(std::move(*listener));
  }
  listeners_ = std::move(opened);
  plan_ = plan;
  return {};
}

Result<void> Network::listen() {
  const ListenPlan plan = plan_of(config_->settings());
  HEARTH_TRY_VOID(open_listeners(plan));
  if (!listeners_.empty()) return {};
  return fail(ErrorCode::kInvalid, std::string("No client could connect: ") +
                                       (plan.port == 0 ? "'port' is 0" : "'bind' is empty") +
                                       " and there is no 'unixsocket'");
}

void Network::close_listeners() {
  for (auto& l : listeners_) Listener::close(std::move(l));
  listeners_.clear();
}

// --- accepting ---

void Network::on_accept(uv_stream_t* server, int status) {
  auto* listener = static_cast<Listener*>(server->data);
  if (status < 0) {
    log::warning("Accepting client connection: {}", uv_strerror(status));
    return;
  }
  listener->network.accept(*listener);
}

void Network::accept(Listener& listener) {
  // libuv accepts nothing else from this listener until uv_accept() is called.
  listener.postponed = accepted_ >= config_->settings().max_new_connections_per_cycle;
  if (listener.postponed) return;
  ++accepted_;
  accept(listener.stream(),
         listener.unix_socket ? SocketStream::Kind::kUnix : SocketStream::Kind::kTcp);
}

void Network::accept_postponed() {
  accepted_ = 0;
  for (const auto& listener : listeners_) {
    if (listener->postponed) accept(*listener);
  }
}

void Network::accept(uv_stream_t* server, SocketStream::Kind kind) {
  auto* connection = new Connection(*this);
  auto stream =
      std::make_unique<SocketStream>(loop_, ring_.get(), gathering_, connection->owner(), kind);
  SocketStream& socket = *stream;
  connection->adopt(std::move(stream));
  if (uv_accept(server, socket.stream()) != 0) return connection->close();
  if (kind == SocketStream::Kind::kTcp) {
    auto* tcp = reinterpret_cast<uv_tcp_t*>(socket.stream());
    uv_tcp_nodelay(tcp, 1);
    const auto keepalive = static_cast<unsigned>(config_->settings().tcp_keepalive.count());
    if (keepalive > 0) uv_tcp_keepalive(tcp, 1, keepalive);
  }
  admit(*connection, socket, kind);
}

ClientAddress Network::address_of(SocketStream& socket, SocketStream::Kind kind) const {
  ClientAddress from;
  uv_os_fd_t fd = -1;
  uv_fileno(socket.handle(), &fd);
  from.fd = fd;
  if (kind == SocketStream::Kind::kUnix) {
    from.address = from.local_address = config_->settings().unixsocket + ":0";
    from.unix_socket = from.on_this_host = true;
    return from;
  }
  auto* tcp = reinterpret_cast<uv_tcp_t*>(socket.stream());
  sockaddr_storage name{};
  int length = sizeof name;
  if (uv_tcp_getpeername(tcp, reinterpret_cast<sockaddr*>(&name), &length) == 0)
    from.address = address_text(name);
  from.ipv6 = name.ss_family == AF_INET6;
  length = sizeof name;
  if (uv_tcp_getsockname(tcp, reinterpret_cast<sockaddr*>(&name), &length) == 0)
    from.local_address = address_text(name);
  from.on_this_host = is_loopback(from.address);
  return from;
}

void Network::admit(Connection& connection, SocketStream& socket, SocketStream::Kind kind) {
  refresh_time();
  const config::Settings& s = config_->settings();
  const ClientAddress from = address_of(socket, kind);
  if (connection_count_ >= s.maxclients) {
    ++engine_->stats().rejected_connections;
    return connection.refuse("-ERR max number of clients reached\r\n");
  }
  if (s.protected_mode && !from.on_this_host &&
      engine_->accounts().users().default_user().needs_no_password()) {
    ++engine_->stats().rejected_connections;
    return connection.refuse(kDenied);
  }
  log::verbose("Accepted {}", from.address);
  ++connection_count_;
  Session& session = engine_->open(from);
  connection.bind_session(session);
  socket.start(session.out);
  connection.start_reading();
}

// --- the turn ---

void Network::start(Hooks hooks) {
  hooks_ = std::move(hooks);
  uv_check_start(&check_, on_turn_end);
  uv_prepare_start(&prepare_, on_before_poll);
  arm_tick();
}

std::string_view Network::multiplexing_api() const {
  return ring_ != nullptr ? "io_uring" : "epoll";
}

void Network::run() {
  leaving_ = false;
  if (ring_ == nullptr) {
    uv_run(loop_, UV_RUN_DEFAULT);
    return;
  }
  while (!leaving_ && (uv_loop_alive(loop_) != 0 || ring_->is_busy())) ring_turn(true);
}

void Network::run_once() {
  if (ring_ != nullptr)
    ring_turn(false);
  else
    uv_run(loop_, UV_RUN_NOWAIT);
}

void Network::leave() {
  leaving_ = true;
  if (ring_ == nullptr) uv_stop(loop_);
}

// With io-uring-wait: batch input only above 40 % CPU; below 25 % latency matters more. Two
// thresholds, because batching itself lowers the load.
void Network::note_load() {
  constexpr std::uint64_t kWindowMs = 20;
  const std::uint64_t now = uv_now(loop_);
  const std::uint64_t passed_ms = now - load_at_ms_;
  if (passed_ms < kWindowMs) return;
  const std::int64_t cpu = cpu_us_();
  const auto used =
      static_cast<double>(cpu - load_cpu_us_) / (static_cast<double>(passed_ms) * 1e3);
  if (used > 0.4) ring_->set_patience(std::chrono::microseconds(config_->settings().io_uring_wait));
  if (used < 0.25) ring_->set_patience(std::chrono::microseconds(0));
  load_at_ms_ = now;
  load_cpu_us_ = cpu;
}

void Network::ring_turn(bool may_wait) {
  accept_postponed();
  ring_->watch(uv_backend_fd(loop_));
  uv_update_time(loop_);
  note_load();
  may_wait = may_wait && to_continue_.empty();
  ring_->wait(std::chrono::milliseconds(may_wait ? uv_backend_timeout(loop_) : 0));
  uv_update_time(loop_);
  ring_->dispatch();
  continue_waiting();
  finish_turn();
  // finish_turn() itself can mark clients to be closed: those that exceed maxmemory-clients.
  if (!to_close_.empty() || !to_flush_.empty() || !to_resume_.empty()) finish_turn();
  // libuv runs only when it has work: due timers, closing handles, sockets that are no clients.
  if (!ring_->take_readable() && uv_backend_timeout(loop_) != 0) return;
  ring_->submit();
  uv_run(loop_, UV_RUN_NOWAIT);
}

void Network::arm_tick() {
  tick_rate_ = engine_->tick_rate();
  const auto period = static_cast<std::uint64_t>(1000 / tick_rate_);
  uv_timer_start(&tick_, on_tick, period, period);
}

// A timer for the next blocked client's deadline: the tick is too coarse for short timeouts.
void Network::arm_wake() {
  const MonoTime next = engine_->blocking().next_deadline();
  if (next == wake_at_) return;
  wake_at_ = next;
  if (next.us == 0) {
    uv_timer_stop(&wake_);
    return;
  }
  const std::int64_t us = std::max<std::int64_t>(0, (next - clock_->mono_now()).count());
  uv_timer_start(&wake_, on_wake, static_cast<std::uint64_t>(us + 999) / 1000, 0);
}

void Network::on_wake(uv_timer_t* handle) {
  auto* self = static_cast<Network*>(handle->data);
  self->wake_at_ = MonoTime{};  // a timer that fired too early is started again
  self->time_is_fresh_ = false;
  self->refresh_time();
  self->engine_->blocking().run_due();
}

void Network::refresh_time() {
  if (time_is_fresh_) return;
  time_is_fresh_ = true;
  const MonoTime before = std::exchange(turn_start_, clock_->mono_now());
  engine_->set_time(clock_->unix_now(), turn_start_);
  // Longer than between two ticks: the process stood still, or a command ran for so long.
  constexpr milliseconds kGap{150};
  if (turn_start_ - before > kGap && before.us != 0 && hooks_.after_gap) [[unlikely]]
    hooks_.after_gap();
}

void Network::on_tick(uv_timer_t* handle) {
  auto* self = static_cast<Network*>(handle->data);
  self->time_is_fresh_ = false;
  self->refresh_time();
  self->engine_->tick();
  if (self->engine_->tick_rate() != self->tick_rate_) self->arm_tick();
  if (self->hooks_.each_tick) self->hooks_.each_tick();
}

void Network::on_turn_end(uv_check_t* handle) {
  auto* self = static_cast<Network*>(handle->data);
  self->continue_waiting();
  self->finish_turn();
}
void Network::on_before_poll(uv_prepare_t* handle) {
  auto* self = static_cast<Network*>(handle->data);
  self->accept_postponed();
  self->finish_turn();
}

// Called outside of libuv's callbacks, so that a request may close any connection, also in a nested
// turn.
void Network::run_gathered() {
  std::array<SessionBatch, Gathering::kTogether> together;
  while (gathering_.next < gathering_.count) {
    std::size_t end = gathering_.next;
    std::size_t batches = 0;
    for (std::size_t requests = 0; end < gathering_.count && requests < Gathering::kTogether;
         ++end) {
      Gathering::Part& part = gathering_.parts[end];
      if (part.connection == nullptr || part.batch.requests.empty()) continue;
      requests += part.batch.requests.size();
      together[batches++] = {part.connection->session(), &part.batch};
    }
    engine_->fetch({together.data(), batches});
    while (gathering_.next < std::min(end, gathering_.count)) {
      Gathering::Part& part = gathering_.parts[gathering_.next++];
      if (part.connection != nullptr) part.connection->run(part);
    }
  }
  gathering_.clear();
}

// Once a turn, when the others were heard.
void Network::continue_waiting() {
  run_gathered();
  ++turn_;
  busy_clients_ = to_continue_.size();
  if (!to_continue_.empty()) {
    refresh_time();
    working_.swap(to_continue_);
    for (const ConnId id : working_) {
      if (Session* s = engine_->sessions().find(id))
        static_cast<Connection*>(s->connection)->take_turn();
    }
    working_.clear();
  }
  if (ring_ != nullptr) return;
  if (to_continue_.empty())
    uv_idle_stop(&busy_);
  else
    uv_idle_start(&busy_, [](uv_idle_t*) {});
}

void Network::put_gathered_back() {
  for (std::size_t i = gathering_.next; i < gathering_.count; ++i) {
    Connection* connection = gathering_.parts[i].connection;
    if (connection == nullptr) continue;
    connection->take_back();
    resume_soon(*connection->session());
  }
  gathering_.count = gathering_.next;
}

// Called before and after polling, since timers (before) and sockets (in it) both produce output.
// The order matters: resuming can add output and closes, flushing can add closes.
void Network::finish_turn() {
  run_gathered();
  // A resumed session can wake others (CLIENT UNPAUSE): at most 8 rounds in one turn.
  for (int round = 0; round < 8 && !to_resume_.empty(); ++round) {
    refresh_time();
    working_.swap(to_resume_);
    for (const ConnId id : working_) {
      if (Session* s = engine_->sessions().find(id))
        static_cast<Connection*>(s->connection)->resume();
    }
    working_.clear();
  }
  if (!to_finish_.empty()) {
    working_.swap(to_finish_);
    for (const ConnId id : working_) {
      if (Session* s = engine_->sessions().find(id))
        static_cast<Connection*>(s->connection)->finish_held_write();
    }
    working_.clear();
  }
  if (hooks_.before_replies) hooks_.before_replies();
  if (!awaiting_disk_.empty()) [[unlikely]]
    release_written();
  if (!to_flush_.empty()) {
    working_.swap(to_flush_);
    for (const ConnId id : working_) {
      Session* s = engine_->sessions().find(id);
      if (s == nullptr || s->close_now) continue;
      if (engine_->sessions().must_hold_replies(*s)) [[unlikely]] {
        if (!std::exchange(s->awaits_disk, true)) {
          s->held_since = engine_->mono_now();
          awaiting_disk_.push_back(id);
        }
        continue;
      }
      auto* connection = static_cast<Connection*>(s->connection);
      if (connection->held())
        to_flush_.push_back(id);
      else
        connection->flush();
    }
    working_.clear();
  }
  if (!to_close_.empty()) {
    working_.swap(to_close_);
    for (const ConnId id : working_) {
      Session* s = engine_->sessions().find(id);
      if (s == nullptr) continue;
      if (static_cast<Connection*>(s->connection)->held()) {
        to_close_.push_back(id);
        continue;
      }
      // A close_after_reply session stays until its replies are written; finish_write() calls
      // close_soon() again.
      if (s->close_now || (s->close_after_reply && s->out.empty()))
        static_cast<Connection*>(s->connection)->close();
    }
    working_.clear();
  }
  // Client memory is compared with maxmemory-clients after the replies of this turn were sent.
  const config::ClientMemoryLimit& limit = config_->settings().maxmemory_clients;
  if (ring_ != nullptr && (limit.bytes != 0 || limit.percent != 0)) ring_->finish_sends();
  if (time_is_fresh_) engine_->end_turn(clock_->mono_now() - turn_start_);
  time_is_fresh_ = false;
  arm_wake();
}

// The log, or replicas, have come further: whose writes it has now is answered, and goes on.
void Network::release_written() {
  std::erase_if(awaiting_disk_, [this](ConnId id) {
    Session* s = engine_->sessions().find(id);
    if (s == nullptr) return true;
    Sessions& sessions = engine_->sessions();
    if (sessions.must_hold_replies(*s) && !sessions.give_up_on_replicas(*s)) return false;
    s->awaits_disk = false;
    to_flush_.push_back(id);
    to_resume_.push_back(id);
    if (s->close_after_reply) to_close_.push_back(id);
    return true;
  });
}

void Network::flush_soon(Session& session) {
  if (session.connection != nullptr) to_flush_.push_back(session.id);
}
void Network::close_soon(Session& session) {
  if (session.connection != nullptr) to_close_.push_back(session.id);
}
void Network::trim_buffers(Session& session, bool idle) {
  if (session.connection != nullptr) static_cast<Connection*>(session.connection)->trim_input(idle);
}
void Network::resume_soon(Session& session) {
  if (session.connection != nullptr) to_resume_.push_back(session.id);
}

// A loop turn inside a loop turn. libuv allows that: it moves each list that it walks out of the
// loop first. The state that this class keeps for one turn is saved around it, because the callers
// below are in the middle of using it.
void Network::poll_while_busy(Session& session) {
  if (auto* connection = static_cast<Connection*>(session.connection)) connection->hold();
  put_gathered_back();
  RequestBatch batch;
  std::vector<ConnId> working;
  if (spare_ == nullptr) spare_ = std::make_unique<Gathering>();
  std::swap(batch, batch_);
  std::swap(working, working_);
  std::swap(gathering_, *spare_);
  run_once();
  std::swap(batch, batch_);
  std::swap(working, working_);
  std::swap(gathering_, *spare_);
}

void Network::script_ended(Session& session) {
  spare_.reset();
  if (auto* connection = static_cast<Connection*>(session.connection)) connection->release();
}

bool Network::exchange_blocking(Session& session, std::string_view out, std::string& in) {
  auto* connection = static_cast<Connection*>(session.connection);
  return connection != nullptr && connection->exchange_blocking(out, in);
}

void Network::stop() {
  if (stopping_) return;
  stopping_ = true;
  put_gathered_back();  // it may be one of them that stops the server
  finish_turn();
  close_listeners();
  engine_->sessions().for_each([](Session& s) {
    if (s.connection != nullptr) static_cast<Connection*>(s.connection)->close();
  });
  for (uv_handle_t* h :
       {reinterpret_cast<uv_handle_t*>(&check_), reinterpret_cast<uv_handle_t*>(&prepare_),
        reinterpret_cast<uv_handle_t*>(&tick_), reinterpret_cast<uv_handle_t*>(&wake_),
        reinterpret_cast<uv_handle_t*>(&busy_)}) {
    uv_close(h, nullptr);
  }
}

}  // namespace hearth::net

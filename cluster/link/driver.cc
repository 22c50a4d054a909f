#include "cluster/link/driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "cluster/bus/limits.h"
#include "cluster/bus/machine.h"
#include "cluster/link/complaints.h"
#include "cluster/link/connection.h"
#include "cluster/nodes_file/nodes_file.h"
#include "cluster/nodes_file/nodes_store.h"
#include "cluster/wire/codec.h"
#include "src/base/log.h"
#include "src/base/socket_mark.h"

namespace hearth::cluster {
namespace {

using Later = Driver::Later;

constexpr int kListenBacklog = 511;
constexpr std::size_t kInboundMax = limits::kUnknownLinksMax + limits::kNodesMax;

bool is_heartbeat(MessageType type) {
  return type == MessageType::kPing || type == MessageType::kPong || type == MessageType::kMeet ||
         type == MessageType::kUpdate;
}

// A handle of its own life: freed when libuv has closed it.
template <typename Handle>
struct Closer {
  void operator()(Handle* handle) const {
    uv_close(reinterpret_cast<uv_handle_t*>(handle),
             [](uv_handle_t* closed) { delete reinterpret_cast<Handle*>(closed); });
  }
};
template <typename Handle>
using HandlePtr = std::unique_ptr<Handle, Closer<Handle>>;

Error uv_error(std::string_view what, int status) {
  return Error{ErrorCode::kIo, fmt::format("{}: {}", what, uv_strerror(status))};
}

}  // namespace

class Driver::Impl final : public ConnectionEvents {
 public:
  Impl(uv_loop_t* loop, DriverOptions options)
      : loop_(loop),
        options_(std::move(options)),
        store_(std::make_shared<NodesStore>(*options_.disk)) {}
  ~Impl() override { close_all(); }

  Result<void> start();
  std::optional<AdminReply> admin(AdminRequest request, Later later);
  void feed(Input input);
  [[nodiscard]] std::vector<LinkInfo> links() const;
  bool cut_links(const NodeId& node, LinkSide side);

  void on_connected(LinkId link) override;
  void on_frame(LinkId link, std::string_view frame) override;
  void on_broken(LinkId link, const std::string& why) override;
  void begin_turn() override { ++turn_depth_; }
  void end_turn() override;
  [[nodiscard]] bool may_send_long(LinkId link) const override { return machine_->is_member(link); }

  [[nodiscard]] Now now() const {
    return {options_.clock->mono_now(), options_.clock->unix_now(),
            options_.data ? options_.data() : DataState{}};
  }

  uv_loop_t* loop_;
  DriverOptions options_;
  std::optional<Machine> machine_;
  ViewPtr published_;
  BusDisturbance disturbance_;

 private:
  struct Resolve {
    Impl* driver = nullptr;  // null once the driver is gone
    std::size_t seed = 0;
    uv_getaddrinfo_t request{};
  };

  // A write of nodes.conf on a worker thread. The views stay alive, and are let go, on the thread
  // of the loop: their sets of slots are shared with the machine's.
  struct Save {
    Impl* driver = nullptr;  // null once the driver is gone
    std::shared_ptr<NodesStore> store;
    ViewPtr view;
    ViewPtr last;  // what an orderly end writes after it
    Result<void> done;
    uv_work_t request{};
  };
  struct Waiting {  // an answer that waits for the disk
    std::uint64_t save = 0;
    AdminReply reply;
    Later later;
  };

  Result<std::optional<View>> load();
  Result<void> listen();
  Result<void> listen_on(const std::string& ip);
  void accept(uv_stream_t* listener);
  void close_all();

  void step(const Input& input);
  void on_saved(const Result<void>& done);
  void answer_waiting();
  void run(action::Persist& action);
  void run(action::OpenLink& action);
  void run(action::CloseLink& action);
  void run(action::Send& action);
  void run(action::DropKeys& action);
  void run(action::Follow& action);
  void run(action::Lead& action);
  void run(action::HoldWrites& action);
  void run(action::Deliver& action);
  void run(action::ResolveSeed& action);
  void run(action::Log& action);

  std::shared_ptr<NodesStore> store_;
  Save* save_ = nullptr;  // under way
  std::vector<Waiting> waiting_;
  bool starting_ = true;
  HandlePtr<uv_timer_t> timer_;
  std::vector<HandlePtr<uv_tcp_t>> listeners_;
  std::map<LinkId, Connection*> connections_;
  std::map<LinkId, UnixMillis> created_;
  Complaints complaints_;  // about peers whose bytes were refused
  std::set<Resolve*> resolving_;
  LinkId next_inbound_ = 1;
  std::size_t inbound_ = 0;

  // Inputs that arise while a step's actions run wait for its end.
  std::deque<Input> inputs_;
  bool stepping_ = false;
  int turn_depth_ = 0;
  std::string persist_error_;  // of the last failure, until a write succeeds
  std::optional<AdminReply> reply_;
  std::uint64_t reply_after_save_ = 0;
  // A broadcast is one message on many links: its bytes are made once.
  std::shared_ptr<const Message> encoded_message_;
  std::shared_ptr<const std::string> encoded_;
};

// --- starting and stopping

Result<std::optional<View>> Driver::Impl::load() {
  HEARTH_TRY_VOID(store_->open(options_.nodes_path));
  HEARTH_TRY(const std::string text, store_->load());
  if (text.empty()) return std::optional<View>{};
  auto view = parse_nodes_file(text);
  if (!view) {
    return fail(view.error().code, fmt::format("Unrecoverable error: corrupted cluster config file "
                                               "{}: {}",
                                               options_.nodes_path, view.error().context));
  }
  return std::optional<View>{std::move(*view)};
}

Result<void> Driver::Impl::listen_on(const std::string& ip) {
  sockaddr_storage address{};
  if (!parse_ip(ip, options_.listen_port, address)) {
    return fail(ErrorCode::kInvalid, fmt::format("'{}' is no address to bind", ip));
  }
  HandlePtr<uv_tcp_t> handle(new uv_tcp_t);
  uv_tcp_init(loop_, handle.get());
  handle->data = this;
  const unsigned flags = ip.find(':') != std::string::npos ? UV_TCP_IPV6ONLY : 0;
  int status = uv_tcp_bind(handle.get(), reinterpret_cast<const sockaddr*>(&address), flags);
  uv_os_fd_t fd = -1;
  if (status == 0) status = uv_fileno(reinterpret_cast<const uv_handle_t*>(handle.get()), &fd);
  if (status == 0) mark_socket(fd, options_.listen_mark);
  if (status == 0) {
    status = uv_listen(reinterpret_cast<uv_stream_t*>(handle.get()), kListenBacklog,
                       [](uv_stream_t* listener, int failed) {
                         if (failed == 0) static_cast<Impl*>(listener->data)->accept(listener);
                       });
  }
  if (status != 0) {
    return unexpected(uv_error(
        fmt::format("Failed listening on port {} (cluster bus) of {}", options_.listen_port, ip),
        status));
  }
  listeners_.push_back(std::move(handle));
  return {};
}

Result<void> Driver::Impl::listen() {
  std::vector<std::string> addresses = options_.bind;
  // Every address of both families; a machine without IPv6 is no failure.
  if (addresses.empty()) addresses = {"*", "-::*"};
  for (std::string ip : addresses) {
    const bool optional = ip.starts_with('-');
    if (optional) ip.erase(0, 1);
    if (ip == "*") ip = "0.0.0.0";
    if (ip == "::*") ip = "::";
    auto listening = listen_on(ip);
    if (!listening && !optional) return unexpected(std::move(listening).error());
  }
  if (listeners_.empty()) {
    return fail(ErrorCode::kIo,
                fmt::format("Failed listening on cluster bus port {}", options_.listen_port));
  }
  return {};
}

Result<void> Driver::Impl::start() {
  HEARTH_TRY(const std::optional<View> saved, load());
  HEARTH_TRY_VOID(listen());
  machine_.emplace(options_.settings, saved, options_.seed, now());
  timer_.reset(new uv_timer_t);
  uv_timer_init(loop_, timer_.get());
  timer_->data = this;
  constexpr auto kPeriod = static_cast<std::uint64_t>(kTickPeriod.count());
  uv_timer_start(
      timer_.get(), [](uv_timer_t* timer) { static_cast<Impl*>(timer->data)->feed(input::Tick{}); },
      kPeriod, kPeriod);
  if (options_.loading) feed(input::Loading{true});
  feed(input::Tick{});
  starting_ = false;
  if (!persist_error_.empty()) return fail(ErrorCode::kIo, persist_error_);
  return {};
}

void Driver::Impl::close_all() {
  // Facts learnt since the last write save the next start some questions.
  ViewPtr last = machine_ ? machine_->unsaved(now()) : nullptr;
  if (save_ != nullptr) {
    save_->driver = nullptr;
    save_->last = std::move(last);
  } else if (last != nullptr) {
    static_cast<void>(store_->save(nodes_file_text(*last)));
  }
  for (auto* resolve : resolving_) {
    resolve->driver = nullptr;
    uv_cancel(reinterpret_cast<uv_req_t*>(&resolve->request));
  }
  for (auto& [id, connection] : connections_) connection->close();
  connections_.clear();
}

// --- events of the network

void Driver::Impl::accept(uv_stream_t* listener) {
  const LinkId id = next_inbound_;
  next_inbound_ += 2;
  Connection* connection = Connection::accept(listener, id, *this);
  if (connection == nullptr) return;
  if (inbound_ >= kInboundMax) {
    connection->close();
    return;
  }
  ++inbound_;
  connections_[id] = connection;
  created_[id] = options_.clock->unix_now();
  feed(input::LinkAccepted{id, connection->peer_ip(), connection->local_ip()});
}

void Driver::Impl::on_connected(LinkId link) {
  feed(input::LinkConnected{link, connections_.at(link)->local_ip()});
}

void Driver::Impl::on_frame(LinkId link, std::string_view frame) {
  auto message = wire::decode(frame);
  if (!message) {
    on_broken(link, message.error().context);
    return;
  }
  const int dropped = disturbance_.dropped_type;
  if (dropped == BusDisturbance::kEverything || dropped == static_cast<int>(message->type)) {
    feed(input::MessageDropped{message->type});
    if (disturbance_.close_on_drop) on_broken(link, "a message was dropped by DEBUG");
    return;
  }
  feed(input::MessageReceived{link, std::make_shared<const Message>(std::move(*message))});
}

void Driver::Impl::on_broken(LinkId link, const std::string& why) {
  const auto at = connections_.find(link);
  if (at == connections_.end()) return;
  const std::string& peer = at->second->peer_ip();
  if (complaints_.is_due(peer, options_.clock->mono_now()))
    log::verbose("Cluster bus link with {} broke: {}", peer, why);
  action::CloseLink close{link};
  run(close);
  feed(input::LinkClosed{link, false});
}

// --- stepping

void Driver::Impl::end_turn() {
  if (--turn_depth_ > 0) return;
  ViewPtr view = machine_->end_turn(now());
  if (view == nullptr) return;
  published_ = std::move(view);
  if (options_.on_view) options_.on_view(published_);
}

void Driver::Impl::feed(Input input) {
  inputs_.push_back(std::move(input));
  if (stepping_) return;
  begin_turn();
  stepping_ = true;
  while (!inputs_.empty()) {
    const Input next = std::move(inputs_.front());
    inputs_.pop_front();
    step(next);
  }
  stepping_ = false;
  end_turn();
}

void Driver::Impl::step(const Input& input) {
  Actions actions = machine_->step(input, now());
  if (actions.reply) {
    reply_ = std::move(actions.reply);
    reply_after_save_ = actions.reply_after_save;
  }
  for (auto& action : actions.list) {
    std::visit([this](auto& a) { run(a); }, action);
  }
}

std::optional<AdminReply> Driver::Impl::admin(AdminRequest request, Later later) {
  reply_.reset();
  feed(input::Admin{std::move(request)});
  if (!reply_) return AdminReply{AdminReply::Kind::kError, "ERR the cluster bus is busy", 0};
  if (later == nullptr || reply_->is_error() || reply_after_save_ <= machine_->saved()) {
    return std::move(*reply_);
  }
  waiting_.push_back({reply_after_save_, std::move(*reply_), std::move(later)});
  return std::nullopt;
}

void Driver::Impl::answer_waiting() {
  std::vector<Waiting> due;
  std::vector<Waiting> rest;
  for (auto& one : std::exchange(waiting_, {})) {
    const bool is_due = one.save <= machine_->saved() || !persist_error_.empty();
    (is_due ? due : rest).push_back(std::move(one));
  }
  waiting_ = std::move(rest);
  for (auto& one : due) {
    if (one.save > machine_->saved()) {
      one.reply = {AdminReply::Kind::kError,
                   fmt::format("ERR error saving the cluster node config: {}", persist_error_), 0};
    }
    one.later(one.reply);
  }
}

void Driver::Impl::on_saved(const Result<void>& done) {
  if (done) {
    persist_error_.clear();
  } else {
    if (persist_error_.empty()) {
      log::warning("Cluster state is not saved, the bus is silent until it is: {}",
                   done.error().context);
    }
    persist_error_ = done.error().context;
  }
  feed(input::Persisted{done.has_value()});
}

void Driver::Impl::run(action::Persist& action) {
  if (starting_) {  // nobody waits yet, and a failure ends the start
    const auto done = store_->save(nodes_file_text(*action.view));
    if (!done) persist_error_ = done.error().context;
    inputs_.emplace_back(input::Persisted{done.has_value()});
    return;
  }
  save_ = new Save;
  save_->driver = this;
  save_->store = store_;
  save_->view = action.view;
  save_->request.data = save_;
  uv_queue_work(
      loop_, &save_->request,
      [](uv_work_t* request) {
        auto* save = static_cast<Save*>(request->data);
        save->done = save->store->save(nodes_file_text(*save->view));
      },
      [](uv_work_t* request, int) {
        const std::unique_ptr<Save> save(static_cast<Save*>(request->data));
        if (save->driver == nullptr) {
          if (save->last != nullptr) {
            static_cast<void>(save->store->save(nodes_file_text(*save->last)));
          }
          return;
        }
        Impl& driver = *save->driver;
        driver.save_ = nullptr;
        driver.on_saved(save->done);
        driver.answer_waiting();
      });
}

void Driver::Impl::run(action::OpenLink& action) {
  Connection* connection = Connection::connect(loop_, action.link, *this,
                                               {action.ip, action.cport, options_.source_address});
  if (connection == nullptr) {
    inputs_.emplace_back(input::LinkClosed{action.link, false});
    return;
  }
  connections_[action.link] = connection;
  created_[action.link] = options_.clock->unix_now();
}

void Driver::Impl::run(action::CloseLink& action) {
  const auto at = connections_.find(action.link);
  if (at == connections_.end()) return;
  at->second->close();
  connections_.erase(at);
  created_.erase(action.link);
  if (action.link % 2 == 1) --inbound_;
}

void Driver::Impl::run(action::Send& action) {
  const auto at = connections_.find(action.link);
  if (at == connections_.end()) return;
  const std::size_t waiting = at->second->unsent_bytes();
  if (waiting > limits::kUnknownUnsentMax && !machine_->is_member(action.link)) {
    on_broken(action.link, "it does not read what it asked for");
    return;
  }
  if (waiting > limits::kHeartbeatUnsentMax && is_heartbeat(action.message->type)) return;
  if (encoded_message_ != action.message) {
    encoded_message_ = action.message;
    encoded_ = std::make_shared<const std::string>(wire::encode(*action.message));
  }
  at->second->send(encoded_);
  const std::size_t unsent = at->second->unsent_bytes();
  if (options_.link_buffer_limit == 0 || unsent <= options_.link_buffer_limit) return;
  log::warning("Freeing cluster link with {}: {} bytes unsent, more than {}", at->second->peer_ip(),
               unsent, options_.link_buffer_limit);
  action::CloseLink close{action.link};
  run(close);
  inputs_.emplace_back(input::LinkClosed{action.link, true});
}

void Driver::Impl::run(action::DropKeys& action) {
  if (options_.on_drop_keys) options_.on_drop_keys(action.slots);
}

void Driver::Impl::run(action::Follow& action) {
  if (options_.on_follow) options_.on_follow(action);
}

void Driver::Impl::run(action::Lead&) {
  if (options_.on_lead) options_.on_lead();
}

void Driver::Impl::run(action::HoldWrites& action) {
  if (options_.on_hold_writes) options_.on_hold_writes(action.on);
}

void Driver::Impl::run(action::Deliver& action) {
  if (options_.on_deliver) options_.on_deliver(action.channel, action.message, action.sharded);
}

void Driver::Impl::run(action::ResolveSeed& action) {
  sockaddr_storage unused{};
  if (parse_ip(action.host, 0, unused)) {
    inputs_.emplace_back(input::SeedResolved{action.seed, {action.host}});
    return;
  }
  auto* resolve = new Resolve;
  resolve->driver = this;
  resolve->seed = action.seed;
  resolve->request.data = resolve;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  const int started = uv_getaddrinfo(
      loop_, &resolve->request,
      [](uv_getaddrinfo_t* request, int status, addrinfo* found) {
        const std::unique_ptr<Resolve> done(static_cast<Resolve*>(request->data));
        std::vector<std::string> ips;
        for (const addrinfo* at = found; status == 0 && at != nullptr; at = at->ai_next) {
          sockaddr_storage address{};
          std::copy_n(reinterpret_cast<const char*>(at->ai_addr), at->ai_addrlen,
                      reinterpret_cast<char*>(&address));
          ips.push_back(ip_text(address));
        }
        uv_freeaddrinfo(found);
        if (done->driver == nullptr) return;
        done->driver->resolving_.erase(done.get());
        done->driver->feed(input::SeedResolved{done->seed, std::move(ips)});
      },
      action.host.c_str(), nullptr, &hints);
  if (started != 0) {
    delete resolve;
    return;
  }
  resolving_.insert(resolve);
}

void Driver::Impl::run(action::Log& action) {
  if (log::level() <= action.level) log::write(action.level, action.text);
}

std::vector<LinkInfo> Driver::Impl::links() const {
  std::vector<LinkInfo> out;
  for (const auto& link : machine_->links()) {
    const auto at = connections_.find(link.id);
    if (at == connections_.end()) continue;
    LinkInfo info;
    info.outgoing = !link.inbound;
    info.node = link.node;
    info.created = created_.at(link.id);
    info.send_buffer_bytes = at->second->unsent_bytes();
    out.push_back(info);
  }
  return out;
}

bool Driver::Impl::cut_links(const NodeId& node, LinkSide side) {
  if (published_->find(node) == kNoNode) return false;
  for (const auto& link : machine_->links()) {
    const auto own_side = link.inbound ? LinkSide::kFrom : LinkSide::kTo;
    if (link.node == node && (side == LinkSide::kBoth || side == own_side)) {
      on_broken(link.id, "cut by DEBUG");
    }
  }
  return true;
}

// --- the public face

Driver::Driver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Driver::~Driver() = default;

Result<std::unique_ptr<Driver>> Driver::start(uv_loop_t* loop, DriverOptions options) {
  auto impl = std::make_unique<Impl>(loop, std::move(options));
  HEARTH_TRY_VOID(impl->start());
  return std::unique_ptr<Driver>(new Driver(std::move(impl)));
}

std::optional<AdminReply> Driver::admin(AdminRequest request, Later later) {
  return impl_->admin(std::move(request), std::move(later));
}
void Driver::set_loading(bool loading) { impl_->feed(input::Loading{loading}); }
void Driver::tick() { impl_->feed(input::Tick{}); }
void Driver::note_data_moved() {
  if (impl_->machine_->watches_data()) impl_->feed(input::DataMoved{});
}
ViewPtr Driver::published() const { return impl_->published_; }
ViewPtr Driver::view() const { return impl_->machine_->view(impl_->now()); }
std::vector<LinkInfo> Driver::links() const { return impl_->links(); }

void Driver::publish(std::string_view channel, std::string_view message, bool sharded) {
  // proto-max-bulk-len may be above what a frame of the bus takes.
  constexpr std::size_t kOverhead = wire::kFullHeaderBytes + 8;
  if (channel.size() + message.size() > wire::kFrameBytesMax - kOverhead) {
    log::warning("A message of {} bytes is too large to be published to the other nodes",
                 message.size());
    return;
  }
  impl_->feed(input::Publish{std::string(channel), std::string(message), sharded});
}

void Driver::change_settings(const BusSettings& settings) {
  impl_->options_.settings = settings;
  impl_->feed(input::SettingsChanged{settings});
}

void Driver::disturb(const BusDisturbance& how) { impl_->disturbance_ = how; }

bool Driver::cut_links(const NodeId& node, LinkSide side) { return impl_->cut_links(node, side); }

void Driver::set_link_buffer_limit(std::size_t bytes) { impl_->options_.link_buffer_limit = bytes; }

}  // namespace hearth::cluster

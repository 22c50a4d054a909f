// Network: the sockets of the server, on one libuv loop.
//
// It turns bytes into requests and replies into bytes, nothing else. One loop turn: time is read
// once, every readable connection's requests are parsed, then run, then all output of the turn is
// written (one writev per connection), then connections that are to end are closed.
//
// Where the kernel has it, the bytes of clients go through a Ring. Then the turn is its: it waits
// for sockets and for libuv's own poll, and libuv runs when it has something to do.
//
// Bounds: a connection parses at most 64 requests at a time and runs a few hundred, or half
// a millisecond, in a turn, less where others have as much to do, so that a client that sends
// without end does not hold up the others; its unread input is bounded by client-query-buffer-limit
// (and 1 MiB while it is parked); reading stops while kOutputHighWater bytes of replies wait for a
// client that does not read.
#pragma once

#include <uv.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/base/result.h"
#include "src/base/time.h"
#include "src/engine/engine.h"
#include "src/net/client_stream.h"
#include "src/net/gathering.h"
#include "src/net/ring.h"

namespace hearth::net {

class Connection;

class Network final : public EngineHost {
 public:
  struct Options {
    uv_loop_t* loop = nullptr;
    config::Registry* config = nullptr;
    const Clock* clock = nullptr;
    // Time that this thread has used of its core, in microseconds.
    std::int64_t (*cpu_us)() = nullptr;
  };
  explicit Network(const Options& options);
  ~Network() override;

  // The engine is made after the network, since it needs its host.
  void attach(Engine& engine);

  // Opens what port, bind and unixsocket say. On failure nothing stays open.
  [[nodiscard]] Result<void> listen();
  // The work of others in a turn of the loop.
  struct Hooks {
    std::function<void()> each_tick;       // after that of the engine
    std::function<void()> before_replies;  // the turn's commands ran, no reply of it has left
    std::function<void()> after_gap;       // nothing ran for a while; no request of the turn has
  };
  // Starts serving: the tick and the end-of-turn work.
  void start(Hooks hooks);
  // Turns of the loop until nothing is left to do, or leave().
  void run();
  // One turn, without waiting.
  void run_once();
  void leave();
  // Closes every handle: listeners, connections, timers. The loop then runs out.
  void stop();
  // The name that INFO gives to the way sockets are waited for.
  [[nodiscard]] std::string_view multiplexing_api() const;

  // --- EngineHost ---
  void flush_soon(Session& session) override;
  void close_soon(Session& session) override;
  void resume_soon(Session& session) override;
  void trim_buffers(Session& session, bool idle) override;
  void poll_while_busy(Session& session) override;
  void script_ended(Session& session) override;
  [[nodiscard]] bool exchange_blocking(Session& session, std::string_view out,
                                       std::string& in) override;

  // Brings the engine's time up to date, once a loop turn.
  void refresh_time();
  [[nodiscard]] std::size_t connection_count() const { return connection_count_; }

 private:
  friend class Connection;
  struct Listener;

  static void on_accept(uv_stream_t* server, int status);
  static void on_turn_end(uv_check_t* handle);
  static void on_before_poll(uv_prepare_t* handle);
  static void on_tick(uv_timer_t* handle);
  static void on_wake(uv_timer_t* handle);
  struct ListenPlan {
    std::vector<std::string> bind;
    std::uint16_t port = 0;
    std::string unixsocket;
  };
  static ListenPlan plan_of(const config::Settings& settings);
  [[nodiscard]] Result<void> open_listeners(const ListenPlan& plan);
  [[nodiscard]] Result<std::unique_ptr<Listener>> open_tcp(const std::string& address,
                                                           std::uint16_t port, bool optional);
  [[nodiscard]] Result<std::unique_ptr<Listener>> open_unix(const std::string& path);
  void close_listeners();
  void accept(Listener& listener);
  void accept(uv_stream_t* server, SocketStream::Kind kind);
  [[nodiscard]] ClientAddress address_of(SocketStream& socket, SocketStream::Kind kind) const;
  void accept_postponed();
  void admit(Connection& connection, SocketStream& socket, SocketStream::Kind kind);
  void finish_turn();
  void ring_turn(bool may_wait);
  void note_load();
  void run_gathered();
  void release_written();
  // Requests that have not run yet go back to their connections, as unread.
  void put_gathered_back();
  // In the next turn the connection goes on with what it has unread.
  void continue_soon(Session& session) { to_continue_.push_back(session.id); }
  // The time that one client has in a turn before others are served. Clients that have more to do
  // than that share a turn, so that one with a single request waits for no more than a turn.
  [[nodiscard]] std::uint64_t share_ns() const {
    constexpr std::uint64_t kTurn = 1'000'000;
    return std::clamp<std::uint64_t>(kTurn / (busy_clients_ + 1), kTurn / 20, kTurn / 2);
  }
  void continue_waiting();
  void finish_write_soon(Session& session) { to_finish_.push_back(session.id); }
  void arm_tick();
  void arm_wake();

  uv_loop_t* loop_;
  config::Registry* config_;
  const Clock* clock_;
  Engine* engine_ = nullptr;
  std::unique_ptr<Ring> ring_;  // null: libuv reads and writes
  bool leaving_ = false;
  std::int64_t (*cpu_us_)();
  // When the load was looked at last: libuv's time in milliseconds, and what was used by then.
  std::uint64_t load_at_ms_ = 0;
  std::int64_t load_cpu_us_ = 0;
  uv_check_t check_{};
  uv_prepare_t prepare_{};
  uv_timer_t tick_{};
  int tick_rate_ = 0;
  uv_idle_t busy_{};  // keeps libuv from waiting while connections are to continue
  std::uint64_t turn_ = 1;
  std::size_t busy_clients_ = 0;  // used up their share of the last turn
  uv_timer_t wake_{};             // fires when the first client that waits gives up
  MonoTime wake_at_{};
  Hooks hooks_;
  bool time_is_fresh_ = false;
  MonoTime turn_start_{};
  bool stopping_ = false;
  int accepted_ = 0;  // in this turn
  std::vector<std::unique_ptr<Listener>> listeners_;
  ListenPlan plan_;
  std::size_t connection_count_ = 0;
  // Sessions by id, since one may end while it stands in a list.
  std::vector<ConnId> to_flush_, to_close_, to_resume_, to_finish_, to_continue_;
  std::vector<ConnId> awaiting_disk_;  // their output stays until the log has their last write
  std::vector<ConnId> working_;  // the list being walked, so that callbacks may add to the others
  Gathering gathering_;
  std::unique_ptr<Gathering> spare_;  // stands in for it while a busy script holds views of it
  RequestBatch batch_;                // of a connection whose requests are not gathered
};

}  // namespace hearth::net

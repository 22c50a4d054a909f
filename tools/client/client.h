// A blocking client for one server or a whole cluster, made for moving many operations.
//
//   Client client(options, clock, sink);
//   HEARTH_TRY_VOID(client.connect());
//   for (...) HEARTH_TRY_VOID(client.submit(operation));   // blocks while the window is full
//   HEARTH_TRY_VOID(client.drain());                       // every operation is done or refused
//
// An operation that was not acknowledged is sent again (see dispatcher.h); so operations must be
// repeatable. Operations on one key keep their order, also when one of them is tried again.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "src/base/time.h"
#include "tools/client/dispatcher.h"
#include "tools/client/poll_transport.h"

namespace hearth::client {

class Client {
 public:
  // `interrupt`, when given, makes blocking calls return kBusy soon after it turned true. All
  // references must outlive the client.
  Client(DispatcherOptions options, const Clock& clock, CompletionSink& sink,
         const std::atomic<bool>* interrupt = nullptr);

  // Waits until the slot map is known. Errors: kIo (no server answered within retry_for),
  // kInvalid (credentials or database refused), kBusy (interrupted).
  Result<void> connect();

  // Errors: the client as a whole failed (kIo, kInvalid), or kBusy (interrupted).
  Result<void> submit(const Operation& operation);

  // Sends what is not sent and waits until nothing is outstanding, at most `limit` long (kIo then).
  // Does not look at the interrupt: it is how an interrupted load ends in a known state.
  Result<void> drain(std::optional<milliseconds> limit = std::nullopt);

  // Sends batches that are not full yet.
  void flush() { dispatcher_.flush(now_); }

  // Reads and writes sockets for at most `wait`: keeps answers coming while the caller is idle.
  Result<void> turn(milliseconds wait);

  // Asks for the slot map anew; the answer comes in a later turn, and counters().map_updates tells.
  void renew_map() { dispatcher_.renew_map(clock_.mono_now()); }

  // One command and its reply; an error reply is a value as well. `key` says where it goes; without
  // one, any node. Not to be mixed with a window full of submitted operations: it waits behind
  // them.
  Result<RespValue> call(std::span<const std::string_view> args, std::string_view key = {});
  Result<RespValue> call(std::initializer_list<std::string_view> args, std::string_view key = {}) {
    return call(std::span<const std::string_view>(args.begin(), args.size()), key);
  }

  [[nodiscard]] bool is_cluster() const { return dispatcher_.is_cluster(); }
  // As Dispatcher::holders().
  [[nodiscard]] std::vector<Endpoint> nodes() const { return dispatcher_.holders(); }
  [[nodiscard]] std::bitset<kSlotCount> slots_of(std::span<const Endpoint> nodes) const {
    return dispatcher_.slots_of(nodes);
  }
  [[nodiscard]] const DispatcherCounters& counters() const { return dispatcher_.counters(); }
  [[nodiscard]] std::uint64_t outstanding() const { return dispatcher_.outstanding(); }
  // Calls back a few times a second from blocking calls: with what is waited for, or with nothing
  // when all goes well again.
  using WaitingCallback = std::function<void(const std::optional<Dispatcher::Waiting>&)>;
  void on_waiting(WaitingCallback callback) { on_waiting_ = std::move(callback); }

 private:
  // Keeps the reply of `call` apart from the caller's operations.
  class CallSink final : public CompletionSink {
   public:
    explicit CallSink(CompletionSink& user) : user_(user) {}
    void on_done(std::uint64_t tag) override { user_.on_done(tag); }
    void on_kept(std::uint64_t tag) override { user_.on_kept(tag); }
    void on_reply(std::uint64_t tag, RespValue reply) override;
    void on_refused(std::uint64_t tag, std::string_view key, std::string_view error) override;
    std::optional<RespValue> answer;

   private:
    CompletionSink& user_;
  };

  [[nodiscard]] Result<void> check(bool heed_interrupt) const;
  void tell_waiting();

  const Clock& clock_;
  const std::atomic<bool>* interrupt_;
  CallSink sink_;
  PollTransport transport_;
  Dispatcher dispatcher_;
  MonoTime now_{};
  WaitingCallback on_waiting_;
  MonoTime told_at_{};
  bool told_waiting_ = false;
};

}  // namespace hearth::client

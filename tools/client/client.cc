#include "tools/client/client.h"

#include <fmt/core.h>

#include "cluster/model/slot.h"

namespace hearth::client {
namespace {

constexpr std::uint64_t kCallTag = ~std::uint64_t{0};
// Pauses and timeouts are looked at this often while nothing happens on the sockets.
constexpr milliseconds kTickEvery{5};
constexpr milliseconds kTellEvery{200};

}  // namespace

Client::Client(DispatcherOptions options, const Clock& clock, CompletionSink& sink,
               const std::atomic<bool>* interrupt)
    : clock_(clock),
      interrupt_(interrupt),
      sink_(sink),
      dispatcher_(std::move(options), transport_, sink_) {}

void Client::CallSink::on_reply(std::uint64_t tag, RespValue reply) {
  if (tag == kCallTag) {
    answer = std::move(reply);
  } else {
    user_.on_reply(tag, std::move(reply));
  }
}

void Client::CallSink::on_refused(std::uint64_t tag, std::string_view key, std::string_view error) {
  if (tag == kCallTag) {
    answer = RespValue{RespKind::kError, std::string(error), {}};
  } else {
    user_.on_refused(tag, key, error);
  }
}

Result<void> Client::check(bool heed_interrupt) const {
  if (dispatcher_.failure()) return unexpected<Error>(*dispatcher_.failure());
  if (heed_interrupt && interrupt_ != nullptr && interrupt_->load(std::memory_order_relaxed)) {
    return fail(ErrorCode::kBusy, "interrupted");
  }
  return {};
}

Result<void> Client::connect() {
  now_ = clock_.mono_now();
  dispatcher_.start(now_);
  while (!dispatcher_.knows_slots()) {
    HEARTH_TRY_VOID(check(true));
    HEARTH_TRY_VOID(turn(kTickEvery));
  }
  return check(true);
}

Result<void> Client::turn(milliseconds wait) {
  transport_.turn(dispatcher_, clock_, wait);
  now_ = clock_.mono_now();
  if (on_waiting_ && now_ - told_at_ >= kTellEvery) tell_waiting();
  return check(false);
}

void Client::tell_waiting() {
  told_at_ = now_;
  const auto waiting = dispatcher_.waiting_for(now_);
  if (!waiting && !told_waiting_) return;
  told_waiting_ = waiting.has_value();
  on_waiting_(waiting);
}

Result<void> Client::submit(const Operation& operation) {
  if (!dispatcher_.has_room(operation.slot)) {
    dispatcher_.flush(now_);
    while (!dispatcher_.has_room(operation.slot)) {
      HEARTH_TRY_VOID(check(true));
      HEARTH_TRY_VOID(turn(kTickEvery));
    }
  }
  if (dispatcher_.submit(operation, now_)) return turn(milliseconds{0});
  return {};
}

Result<void> Client::drain(std::optional<milliseconds> limit) {
  const MonoTime begun = clock_.mono_now();
  dispatcher_.flush(begun);
  while (dispatcher_.outstanding() > 0) {
    HEARTH_TRY_VOID(turn(kTickEvery));
    if (limit && now_ - begun > *limit) {
      return fail(ErrorCode::kIo, fmt::format("{} operations were not answered within {} ms",
                                              dispatcher_.outstanding(), limit->count()));
    }
  }
  return check(false);
}

Result<RespValue> Client::call(std::span<const std::string_view> args, std::string_view key) {
  std::string bytes;
  append_command(bytes, args);
  Operation operation;
  operation.bytes = bytes;
  operation.tag = kCallTag;
  operation.slot = cluster::slot_of(key);
  operation.capture = true;
  sink_.answer.reset();
  HEARTH_TRY_VOID(submit(operation));
  dispatcher_.flush(now_);
  while (!sink_.answer) {
    HEARTH_TRY_VOID(check(true));
    HEARTH_TRY_VOID(turn(kTickEvery));
  }
  return *std::move(sink_.answer);
}

}  // namespace hearth::client

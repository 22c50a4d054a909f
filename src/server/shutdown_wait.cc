#include "src/server/shutdown_wait.h"

#include <algorithm>
#include <utility>

#include "src/base/log.h"
#include "src/proto/reply_writer.h"

namespace hearth {

bool ShutdownWait::all_caught_up() const {
  return replication_.replicas_at(offset_, false) == replication_.online_replicas();
}

bool ShutdownWait::begin(const ShutdownRequest& request, Session* asker, seconds limit) {
  limit_ = limit;
  if (!begin_handover(request, limit) && !begin_catching_up(request, limit)) return false;
  if (asker != nullptr) join(*asker);
  return true;
}

bool ShutdownWait::begin_handover(const ShutdownRequest& request, seconds limit) {
  if (!request.failover || limit.count() == 0) return false;
  if (!handover_.begin()) {
    log::notice("There is no replica to hand over to before shutting down.");
    return false;
  }
  log::notice("Handing over to a replica before shutting down, for {} seconds at most.",
              limit.count());
  hands_over_ = true;
  request_ = request;
  deadline_ = engine_.mono_now() + limit;
  return true;
}

bool ShutdownWait::begin_catching_up(const ShutdownRequest& request, seconds limit) {
  offset_ = replication_.offset();
  if (limit.count() == 0 || all_caught_up()) return false;
  log::notice("{} of {} replicas are in sync: waiting for the others before shutting down.",
              replication_.replicas_at(offset_, false), replication_.online_replicas());
  log::notice("That takes {} seconds at most (shutdown-timeout); SHUTDOWN NOW does not wait.",
              limit.count());
  request_ = request;
  deadline_ = engine_.mono_now() + limit;
  engine_.holds().hold_writes(WriteHolder::kShutdown, true);
  replication_.ask_replicas();
  return true;
}

void ShutdownWait::join(Session& asker) {
  askers_.push_back(asker.id);
  engine_.sessions().wait(asker);
}

std::optional<ShutdownRequest> ShutdownWait::poll_handover() {
  const bool done = handover_.is_done();
  if (!done && engine_.mono_now() < *deadline_) return std::nullopt;
  hands_over_ = false;
  deadline_.reset();
  if (done) {
    log::notice("A replica has taken over: shutting down.");
    return request_;
  }
  log::warning("No replica took over in time.");
  handover_.give_up();
  if (begin_catching_up(request_, limit_)) return std::nullopt;
  return request_;
}

std::optional<ShutdownRequest> ShutdownWait::poll() {
  if (hands_over_) return poll_handover();
  if (!deadline_ || (!all_caught_up() && engine_.mono_now() < *deadline_)) return std::nullopt;
  replication_.log_lagging(offset_);
  log::notice("{} of {} replicas are in sync when shutting down.",
              replication_.replicas_at(offset_, false), replication_.online_replicas());
  deadline_.reset();
  return request_;
}

void ShutdownWait::give_up(std::string_view error) {
  deadline_.reset();
  if (std::exchange(hands_over_, false)) handover_.give_up();
  for (const ConnId id : std::exchange(askers_, {})) {
    Session* asker = engine_.sessions().find(id);
    if (asker == nullptr) continue;
    const std::size_t reply_from = asker->out.size();
    ReplyWriter(asker->out, asker->resp).error(error);
    engine_.sessions().resume(*asker, reply_from);
  }
  engine_.holds().hold_writes(WriteHolder::kShutdown, false);
}

std::optional<milliseconds> ShutdownWait::left() const {
  if (!deadline_) return std::nullopt;
  return std::max(milliseconds{0}, std::chrono::duration_cast<milliseconds>(
                                       microseconds((*deadline_ - engine_.mono_now()).count())));
}

}  // namespace hearth

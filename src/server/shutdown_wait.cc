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
  offset_ = replication_.offset();
  if (limit.count() == 0 || all_caught_up()) return false;
  log::notice("{} of {} replicas are in sync: waiting for the others before shutting down.",
              replication_.replicas_at(offset_, false), replication_.online_replicas());
  log::notice("That takes {} seconds at most (shutdown-timeout); SHUTDOWN NOW does not wait.",
              limit.count());
  request_ = request;
  deadline_ = engine_.mono_now() + limit;
  engine_.hold_writes(true);
  replication_.ask_replicas();
  if (asker != nullptr) join(*asker);
  return true;
}

void ShutdownWait::join(Session& asker) {
  askers_.push_back(asker.id);
  engine_.wait(asker);
}

std::optional<ShutdownRequest> ShutdownWait::poll() {
  if (!deadline_ || (!all_caught_up() && engine_.mono_now() < *deadline_)) return std::nullopt;
  replication_.log_lagging(offset_);
  log::notice("{} of {} replicas are in sync when shutting down.",
              replication_.replicas_at(offset_, false), replication_.online_replicas());
  deadline_.reset();
  return request_;
}

void ShutdownWait::give_up(std::string_view error) {
  deadline_.reset();
  for (const ConnId id : std::exchange(askers_, {})) {
    Session* asker = engine_.find(id);
    if (asker == nullptr) continue;
    const std::size_t reply_from = asker->out.size();
    ReplyWriter(asker->out, asker->resp).error(error);
    engine_.resume(*asker, reply_from);
  }
  engine_.hold_writes(false);
}

std::optional<milliseconds> ShutdownWait::left() const {
  if (!deadline_) return std::nullopt;
  return std::max(milliseconds{0}, std::chrono::duration_cast<milliseconds>(
                                       microseconds((*deadline_ - engine_.mono_now()).count())));
}

}  // namespace hearth

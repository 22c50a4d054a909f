// ClientControl: all sessions. Implemented by the engine.
#pragma once

#include <cstddef>
#include <functional>

#include "src/base/ids.h"
#include "src/base/time.h"

namespace hearth {

struct Session;

class ClientControl {
 public:
  virtual ~ClientControl() = default;
  // In the order of their ids.
  virtual void for_each(const std::function<void(Session&)>& fn) = 0;
  [[nodiscard]] virtual Session* find(ConnId id) = 0;
  [[nodiscard]] virtual std::size_t count() const = 0;
  // The time of this loop turn, for ages and idle times.
  [[nodiscard]] virtual MonoTime mono_now() const = 0;
  // The session's replies so far still go out when it kills itself; another's don't.
  virtual void kill(Session& victim, const Session& by) = 0;
  // Something was written to another session's buffer: it will be flushed in this loop turn.
  virtual void wrote_to(Session& session) = 0;
  // Has the reply grown past the client's limit, so that it will never be sent? To be asked now and
  // then by commands whose reply has no bound.
  [[nodiscard]] virtual bool is_over_output_limit(Session& session) = 0;
  // Parks the session: its command answers later, through `resume`.
  virtual void wait(Session& session) = 0;
  // Lets a waiting session go on, after its reply was written to session.out. reply_from: the size
  // of session.out before that; CLIENT REPLY may take the reply back.
  virtual void resume(Session& session, std::size_t reply_from) = 0;
};

}  // namespace hearth

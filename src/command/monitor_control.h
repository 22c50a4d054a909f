// MonitorControl: MONITOR. Implemented by the engine.
#pragma once

namespace hearth {

struct Session;

class MonitorControl {
 public:
  virtual ~MonitorControl() = default;
  // From now on the session is told of every command.
  virtual void start(Session& session) = 0;
  virtual void stop(Session& session) = 0;
};

}  // namespace hearth

// UnitControl: changes outside of a command's own run (when MIGRATE completes). Implemented by the
// engine.
#pragma once

namespace hearth {

struct KeyEnvironment;

class UnitControl {
 public:
  virtual ~UnitControl() = default;
  // Commits what was recorded.
  virtual void commit() = 0;
  // The environment for Keys.
  [[nodiscard]] virtual KeyEnvironment& environment() = 0;
};

}  // namespace hearth

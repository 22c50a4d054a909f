// ExpiryControl: the background expiry, for DEBUG SET-ACTIVE-EXPIRE. Implemented by the engine.
#pragma once

namespace hearth {

class ExpiryControl {
 public:
  virtual ~ExpiryControl() = default;
  virtual void set_active(bool on) = 0;
};

}  // namespace hearth

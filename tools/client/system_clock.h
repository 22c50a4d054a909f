// The clock of the tools' main programs.
#pragma once

#include "src/base/time.h"

namespace hearth::client {

class SystemClock final : public Clock {
 public:
  [[nodiscard]] UnixMillis unix_now() const override;
  [[nodiscard]] MonoTime mono_now() const override;
};

}  // namespace hearth::client

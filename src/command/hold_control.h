// HoldControl: pauses and locks, which make requests wait that could run otherwise. Implemented by
// the engine.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "src/base/ids.h"
#include "src/base/time.h"

namespace hearth {

// CLIENT PAUSE.
enum class PauseKind : std::uint8_t { kWrite, kAll };

class HoldControl {
 public:
  virtual ~HoldControl() = default;
  virtual void pause(PauseKind kind, UnixMillis until) = 0;
  virtual void unpause() = 0;
  // While locked, commands that name one of these keys are held (MIGRATE under way).
  virtual void lock_keys(DbIndex db, std::span<const std::string> names) = 0;
  virtual void unlock_keys(DbIndex db, std::span<const std::string> names) = 0;
};

}  // namespace hearth

// Reclaimer: frees what would take long, on another thread if there is one. Implemented by the
// composition root.
#pragma once

#include <cstdint>

namespace hearth {

struct Garbage;

class Reclaimer {
 public:
  virtual ~Reclaimer() = default;
  virtual void reclaim(Garbage garbage) = 0;
  [[nodiscard]] virtual std::uint64_t pending_objects() const = 0;
  [[nodiscard]] virtual std::uint64_t freed_objects() const = 0;
  virtual void reset_freed() = 0;
};

}  // namespace hearth

// HotListControl: the most used keys of this node, which are remembered over a restart. Implemented
// by the engine.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "src/base/ids.h"

namespace hearth {

class HotListControl {
 public:
  virtual ~HotListControl() = default;
  // Names of keys of the database, the most used first, at most so many. They may be gone, and of
  // an earlier life of the node.
  [[nodiscard]] virtual std::vector<std::string> hottest(DbIndex db, std::size_t most) const = 0;
};

}  // namespace hearth

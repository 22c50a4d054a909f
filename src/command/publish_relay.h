// PublishRelay: takes published messages to the other nodes of a cluster. Implemented by the
// composition root.
#pragma once

#include <string_view>

namespace hearth {

class PublishRelay {
 public:
  virtual ~PublishRelay() = default;
  virtual void publish(std::string_view channel, std::string_view payload, bool shard) = 0;
};

}  // namespace hearth

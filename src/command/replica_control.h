// ReplicaControl: this server as the replica of another. Implemented by the composition root.
#pragma once

#include <cstdint>
#include <string_view>

#include "src/command/outcome.h"

namespace hearth {

class CommandContext;
class FigureView;
class ReplyWriter;

// Clients that wait hear this when their server becomes a replica.
inline constexpr std::string_view kDemoted =
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";
inline constexpr std::string_view kReadOnlyReplica =
    "READONLY You can't write against a read only replica.";

class ReplicaControl {
 public:
  virtual ~ReplicaControl() = default;
  // REPLICAOF; `by` is who asks. Errors: as for the client.
  [[nodiscard]] virtual Outcome follow(std::string_view host, std::uint16_t port,
                                       CommandContext& by) = 0;
  [[nodiscard]] virtual Outcome follow_nobody(CommandContext& by) = 0;
  [[nodiscard]] virtual bool is_replica() const = 0;
  // Everything that the primary had to tell up to now has arrived and more comes.
  [[nodiscard]] virtual bool link_is_up() const = 0;
  // PSYNC FAILOVER: the primary itself asks this server to take its place.
  virtual void take_over() = 0;
  // ROLE and the figures of INFO replication, as a replica.
  virtual void write_role(ReplyWriter& out) = 0;
  virtual void write_figures(FigureView& view) = 0;
};

}  // namespace hearth

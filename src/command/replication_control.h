// ReplicationControl: the stream of effects to replicas. Implemented by the composition root.
#pragma once

#include <cstddef>
#include <cstdint>

#include "src/command/outcome.h"

namespace hearth {

class CommandContext;
class FigureView;
class ReplyWriter;
struct Session;

class ReplicationControl {
 public:
  virtual ~ReplicationControl() = default;
  // SYNC, PSYNC and REPLCONF, by the session of a replica to be.
  [[nodiscard]] virtual Outcome sync(CommandContext& ctx) = 0;
  [[nodiscard]] virtual Outcome configure(CommandContext& ctx) = 0;
  // The replicas' part of ROLE.
  virtual void write_role(ReplyWriter& out) = 0;
  // The figures of INFO replication, and those of INFO stats about synchronisation.
  virtual void write_figures(FigureView& view) = 0;
  virtual void write_sync_figures(FigureView& view) = 0;
  // A session that may be a replica's ends.
  virtual void closed(Session& session) = 0;
  [[nodiscard]] virtual std::uint64_t offset() const = 0;
  // Bytes of the backlog and of what waits for replicas.
  [[nodiscard]] virtual std::uint64_t backlog_bytes() const = 0;
  // Memory that holds what replicas have not taken yet: no reason to evict keys, since telling them
  // of each eviction would make it more.
  [[nodiscard]] virtual std::uint64_t unsent_bytes() const = 0;
  // Replicas that get the stream of this server.
  [[nodiscard]] virtual std::size_t fed_replicas() const = 0;
  virtual void id_changed() = 0;
};

}  // namespace hearth

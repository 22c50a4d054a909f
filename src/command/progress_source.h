// ProgressSource: how far others hold what this node has done, as offsets of its stream of effects.
// Implemented by replication and the log; null: there is neither.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hearth {

class ProgressSource {
 public:
  virtual ~ProgressSource() = default;
  // Replicas that get the stream.
  [[nodiscard]] virtual std::size_t online_replicas() const = 0;
  // All of them take SETSLOT from their primary; servers before Valkey 8 take it from nobody.
  [[nodiscard]] virtual bool replicas_take_open_slots() const = 0;
  // Replicas that have confirmed everything up to the offset; `on_disk`: in their logs.
  [[nodiscard]] virtual std::size_t replicas_at(std::uint64_t offset, bool on_disk) const = 0;
  [[nodiscard]] virtual bool is_on_disk_here(std::uint64_t offset) const = 0;
  [[nodiscard]] virtual bool has_log() const = 0;
  [[nodiscard]] virtual bool is_replica() const = 0;
  // Replicas should confirm soon: somebody waits.
  virtual void ask_replicas() = 0;
};

}  // namespace hearth

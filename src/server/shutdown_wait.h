// A shutdown that waits: with FAILOVER until a replica has taken this primary's place; and until
// the replicas hold everything that was written. Each for shutdown-timeout at most. Writes are held
// meanwhile, so what there is to wait for does not grow.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/time.h"
#include "src/command/server_control.h"
#include "src/engine/engine.h"
#include "src/server/replication.h"

namespace hearth {

class ShutdownWait {
 public:
  struct Handover {
    std::function<bool()> begin;  // false: to nobody
    std::function<bool()> is_done;
    std::function<void()> give_up;
  };
  ShutdownWait(Engine& engine, Replication& replication, Handover handover)
      : engine_(engine), replication_(replication), handover_(std::move(handover)) {}

  // False: no replica lags, or there is no time to wait for it. `asker`, if any, hears nothing
  // before the wait ends.
  [[nodiscard]] bool begin(const ShutdownRequest& request, Session* asker, seconds limit);
  [[nodiscard]] bool is_under_way() const { return deadline_.has_value(); }
  // Another client asks for what is under way.
  void join(Session& asker);
  // Once all replicas have caught up or time is up: what was asked for. Writes stay held.
  [[nodiscard]] std::optional<ShutdownRequest> poll();
  // The server goes on: writes too, and who asked hears `error`.
  void give_up(std::string_view error);
  // Time that the replicas still have; nothing while no shutdown waits.
  [[nodiscard]] std::optional<milliseconds> left() const;

 private:
  [[nodiscard]] bool all_caught_up() const;
  [[nodiscard]] bool begin_handover(const ShutdownRequest& request, seconds limit);
  [[nodiscard]] bool begin_catching_up(const ShutdownRequest& request, seconds limit);
  [[nodiscard]] std::optional<ShutdownRequest> poll_handover();

  Engine& engine_;
  Replication& replication_;
  Handover handover_;
  bool hands_over_ = false;
  seconds limit_{0};
  ShutdownRequest request_;
  std::optional<MonoTime> deadline_;
  std::uint64_t offset_ = 0;  // where the stream stood when writes were held
  std::vector<ConnId> askers_;
};

}  // namespace hearth

// WarmGate: the warm gate of this engine. WarmReadiness decides; this hands it the time and the
// settings, tells the gate of requests (gate.h), the log and the replicas, and calls whoever waits
// for the node to be ready.
#pragma once

#include <functional>

#include "src/engine/core.h"
#include "src/engine/warm_readiness.h"

namespace hearth {

class WarmGate final : public WarmGateControl {
 public:
  // `changed`: the gate of requests is to look again.
  WarmGate(EngineCore& core, std::function<void()> changed);

  void follow_settings();
  // The data set is loaded, and the node begins to serve.
  void serve(bool has_data);
  void tick();
  // Called once, when the gate opens; at once if it is open.
  void when_open(std::function<void()> call);
  // Snapshots say that they are of a node that is not ready, by a field of this name.
  static constexpr std::string_view kField = "hearth-warming";
  // The data that is being loaded says so; or (false) a load begins, of which nothing is known yet.
  void set_partial(bool on) { is_partial_ = on; }
  // The data set is the primary's from now on, and as complete as it says.
  void take_over_data();
  // How the server's own loader does: a word that lives on.
  void tell_loader(std::string_view state, std::uint64_t runs) {
    loader_ = state;
    loader_runs_ = runs;
  }

  // WarmGateControl
  [[nodiscard]] bool is_closed() const override { return !readiness_.is_ready(); }
  [[nodiscard]] bool report(std::string_view name, std::uint64_t done,
                            std::optional<std::uint64_t> total) override;
  [[nodiscard]] bool finish(std::string_view name) override;
  void finish_all() override;
  [[nodiscard]] bool open_by_hand() override;
  void hear(bool is_ready) override;
  [[nodiscard]] WarmGateStatus status() const override;

 private:
  [[nodiscard]] WarmReadiness::Rule rule() const;
  // Replicas, and a log that is read later, learn whether the node is ready.
  void tell_others();
  // After everything that may have opened it.
  void settle();

  EngineCore& core_;
  std::function<void()> changed_;
  WarmReadiness readiness_;
  bool was_closed_;
  bool is_partial_ = false;
  std::string_view loader_ = "off";
  std::uint64_t loader_runs_ = 0;
  std::function<void()> when_open_;
};

}  // namespace hearth

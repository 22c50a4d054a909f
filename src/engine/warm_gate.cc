#include "src/engine/warm_gate.h"

#include <utility>

#include "src/base/log.h"
#include "src/command/unit_control.h"
#include "src/command/write_guard.h"

namespace hearth {

WarmGate::WarmGate(EngineCore& core, std::function<void()> changed)
    : core_(core),
      changed_(std::move(changed)),
      readiness_(rule(), core.mono),
      was_closed_(!readiness_.is_ready()) {
  core_.warming = was_closed_;
}

WarmReadiness::Rule WarmGate::rule() const {
  const config::Settings& s = core_.settings();
  return {s.warm_gate == config::WarmGateMode::kLoading, s.warm_gate_fraction,
          s.warm_gate_deadline};
}

void WarmGate::follow_settings() {
  readiness_.set_rule(rule());
  settle();
}

void WarmGate::serve(bool has_data) {
  readiness_.serve(has_data && !is_partial_, core_.mono);
  settle();
  if (!is_closed()) return;
  log::notice(
      "The warm gate is closed: clients hear LOADING until a loader has filled this node, for {} s "
      "at most",
      readiness_.left(core_.mono).count());
  tell_others();
}

void WarmGate::tick() {
  if (!is_closed()) return;
  readiness_.pass_time(core_.mono);
  settle();
}

void WarmGate::when_open(std::function<void()> call) {
  if (!is_closed()) return call();
  when_open_ = std::move(call);
}

void WarmGate::take_over_data() {
  if (!is_closed() || is_partial_) return;
  readiness_.become_ready(WarmReadiness::Reason::kPrimary);
  settle();
}

void WarmGate::hear(bool is_ready) {
  is_partial_ = !is_ready;
  if (core_.following) take_over_data();
}

void WarmGate::tell_others() {
  if (core_.following || !core_.effects.wants_commands()) return;
  relay_warm_state(core_.effects, !is_closed());
  core_.services.units->commit();
}

void WarmGate::settle() {
  if (!was_closed_ || is_closed()) return;
  was_closed_ = core_.warming = false;
  const std::size_t mappings = readiness_.mappings().size();
  if (mappings == 0)
    log::notice("The warm gate is open: {}", reason_text(readiness_.reason()));
  else
    log::notice("The warm gate is open: {} ({:.1f} % of the rows of {} mappings)",
                reason_text(readiness_.reason()), readiness_.fraction() * 100, mappings);
  changed_();
  tell_others();
  if (when_open_) std::exchange(when_open_, nullptr)();
}

bool WarmGate::report(std::string_view name, std::uint64_t done,
                      std::optional<std::uint64_t> total) {
  const bool is_taken = readiness_.report(name, done, total);
  settle();
  return is_taken;
}

bool WarmGate::finish(std::string_view name) {
  const bool is_taken = readiness_.finish(name);
  settle();
  return is_taken;
}

void WarmGate::finish_all() {
  readiness_.finish_all();
  settle();
}

bool WarmGate::open_by_hand() {
  if (!is_closed()) return false;
  readiness_.become_ready(WarmReadiness::Reason::kOperator);
  settle();
  return true;
}

WarmGateStatus WarmGate::status() const {
  WarmGateStatus status;
  status.state = readiness_.state();
  status.gate = is_closed() ? "closed" : rule().is_on ? "open" : "off";
  status.opened_by = reason_word(readiness_.reason());
  status.fraction = readiness_.fraction();
  if (is_closed()) status.left = readiness_.left(core_.mono);
  status.loader = loader_;
  status.loader_runs = loader_runs_;
  status.mappings = readiness_.mappings();
  return status;
}

}  // namespace hearth

// ScriptRuns: the engine's side of scripts. Their commands run in a session of the script's own,
// inside the unit of the command that started the script.
//
// A script that runs past busy-reply-threshold does not stop the server: every now and then it asks
// `must_stop_script`, which lets the host serve the other sessions for a turn. Those hear BUSY,
// except for the few commands that may end the script. Time stands still meanwhile, nothing expires
// and nothing is evicted, so the script sees no change that it did not make.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "src/command/key_extract.h"
#include "src/command/script_host.h"
#include "src/engine/accounts.h"
#include "src/engine/core.h"
#include "src/engine/eviction.h"

namespace hearth {

class ScriptRuns final : public ScriptHost {
 public:
  struct Parts {
    EngineCore& core;
    Executor& executor;
    Accounts& accounts;
    Eviction& eviction;
    std::function<std::string_view()> write_refusal;  // why no change may be made now, if so
    std::function<void()> on_busy_end;
  };
  explicit ScriptRuns(Parts parts) : parts_(std::move(parts)) {}

  // The client that a session runs for: the commands of a script are those of its caller.
  [[nodiscard]] Session& client_of(Session& session) {
    return session.in_script ? *run_->caller : session;
  }

  // ScriptHost
  [[nodiscard]] Outcome begin_script(const ScriptStart& start, Session& caller) override;
  void end_script() override;
  OutBuffer& call(std::span<const std::string_view> argv) override;
  void set_script_resp(int resp) override { run_->session.resp = resp; }
  [[nodiscard]] int script_resp() const override { return run_->session.resp; }
  void set_script_targets(std::uint8_t targets) override {
    parts_.core.effects.set_targets(targets);
  }
  [[nodiscard]] std::optional<bool> script_may_call(
      std::span<const std::string_view> argv) override;
  [[nodiscard]] bool must_stop_script() override;
  [[nodiscard]] bool has_deprecated_api() const override {
    return parts_.core.settings().lua_enable_deprecated_api;
  }
  [[nodiscard]] std::uint64_t script_ticks() const override { return parts_.core.ticks(); }
  [[nodiscard]] std::uint64_t script_random() override { return parts_.core.rng.next(); }
  [[nodiscard]] std::uint64_t name_seed() const override { return parts_.core.keyspace.seed(); }
  void count_script_error(std::string_view text) override { parts_.core.stats.count_error(text); }
  [[nodiscard]] bool exchange_blocking(std::string_view out, std::string& in) override;
  [[nodiscard]] Outcome kill_script(ScriptKind kind) override;
  void abandon_script() override;
  [[nodiscard]] std::optional<Running> running_script() const override;
  [[nodiscard]] std::string_view busy_script_text() const override;

 private:
  // The first refusal of a script's command, or nothing.
  std::string refusal_of(const Command* command, std::span<const std::string_view> argv,
                         const KeyRef& first_key);
  std::string slot_refusal_of(const Command& command, std::span<const std::string_view> argv);

  // The state of the script that runs; made for the first one, then kept.
  struct Run {
    Session session;  // runs the script's commands
    Session* caller = nullptr;
    ScriptStart start;
    std::uint64_t started_ticks = 0;
    bool active = false;
    bool wrote = false;      // a write command was let through
    bool killed = false;     // is to end as soon as it can be told
    bool no_memory = false;  // the server was above its limit at the start
    bool read_only = false;
    bool allow_oom = false;
    bool one_slot = false;  // keys of one slot alone
    std::optional<Slot> slot;
  };

  Parts parts_;
  std::unique_ptr<Run> run_;
  std::vector<KeyPosition> positions_;
};

}  // namespace hearth

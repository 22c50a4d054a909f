// EngineFixture: an engine without sockets, with a clock that moves only when told.
//
//   EngineFixture server;
//   CHECK(server.run("SET", "k", "v") == "+OK\r\n");
//   server.advance(milliseconds(10));
//
// Replies are the bytes on the wire. `effects()` and `events()` are what the last run() committed.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/command/script_control.h"
#include "src/command/table.h"
#include "src/commands/all.h"
#include "src/config/registry.h"
#include "src/engine/engine.h"
#include "src/script/runtime.h"

namespace hearth::test {

class EngineFixture : public EngineHost, public EffectSink {
 public:
  struct Options {
    UnixMillis now{1'000'000'000'000};
    std::uint64_t seed = 1;
    int resp = 2;
    // Directives, as in a configuration file: {"maxmemory", "100mb"}.
    std::vector<std::vector<std::string>> config;
    NanoTicks ticks = [] { return std::uint64_t{0}; };
    ProcessFacts facts{};
    std::size_t output_most = OutBuffer::kMost;
  };
  EngineFixture() : EngineFixture(Options{}) {}
  explicit EngineFixture(const Options& options) : table_(specs_), now_(options.now) {
    // The order of SORT ALPHA is not to depend on who runs the tests.
    const std::vector<std::string> by_bytes{"locale-collate", "C"};
    if (!config_.apply_directive(by_bytes)) std::abort();
    for (const auto& words : options.config) {
      if (!config_.apply_directive(words)) std::abort();
    }
    Engine::Options o;
    o.seed = options.seed;
    o.output_most = options.output_most;
    o.config = &config_;
    o.commands = &table_;
    o.host = this;
    o.ticks = options.ticks;
    o.facts = options.facts;
    o.now = now_;
    o.mono = MonoTime{1};
    engine_ = std::make_unique<Engine>(o);
    scripts_ = std::make_unique<script::Runtime>(engine_->script_runs(),
                                                 script::Identity{"7.4.0", "hearth", "0.1.0"});
    engine_->services().scripts = scripts_.get();
    engine_->add_sink(*this);
    engine_->want_commands(true);
    engine_->want_events(true);
    session_ = &open();
    session_->resp = options.resp;
  }
  ~EngineFixture() override = default;

  Session& open() {
    return engine_->open({"127.0.0.1:1", "127.0.0.1:6379", 1, false, true, false});
  }

  // One command by the fixture's own session.
  template <typename... A>
  std::string run(const A&... words) {
    return run_as(*session_, words...);
  }
  template <typename... A>
  std::string run_as(Session& session, const A&... words) {
    const std::vector<std::string> owned{std::string(words)...};
    return run_words(session, owned);
  }
  std::string run_words(Session& session, const std::vector<std::string>& words) {
    effects_.clear();
    events_.clear();
    const std::vector<std::string_view> argv(words.begin(), words.end());
    engine_->execute(session, argv);
    return take(session);
  }
  // The replies to a session since this was called last.
  static std::string take(Session& session) {
    std::string reply = session.out.str();
    session.out.clear();
    session.output_pending = false;
    return reply;
  }

  void advance(milliseconds by) {
    now_ = now_ + by;
    mono_ = mono_ + by;
    engine_->set_time(now_, mono_);
  }
  void tick() { engine_->tick(); }

  [[nodiscard]] Engine& engine() { return *engine_; }
  [[nodiscard]] Session& session() { return *session_; }
  [[nodiscard]] config::Registry& config() { return config_; }
  [[nodiscard]] const CommandTable& table() const { return table_; }
  [[nodiscard]] UnixMillis now() const { return now_; }
  // Commands replicated by the last run(), each as its words joined by blanks.
  [[nodiscard]] const std::vector<std::string>& effects() const { return effects_; }
  // The last unit is to be repeated as a whole.
  [[nodiscard]] bool together() const { return together_; }
  // Events of the last run(), as "name key".
  [[nodiscard]] const std::vector<std::string>& events() const { return events_; }

  // EngineHost
  void flush_soon(Session&) override {}
  void close_soon(Session&) override {}
  void resume_soon(Session& session) override { resumed_.push_back(session.id); }
  void poll_while_busy(Session&) override {
    if (while_busy) while_busy();
  }
  bool exchange_blocking(Session&, std::string_view out, std::string& in) override {
    debugged += out;
    if (debugger_commands.empty()) return false;
    in += debugger_commands.front();
    debugger_commands.erase(debugger_commands.begin());
    return true;
  }
  // Words of the client of SCRIPT DEBUG, a piece for each time it is asked, and the answers.
  std::vector<std::string> debugger_commands;
  std::string debugged;
  // The work of other clients while a script is past the busy threshold.
  std::function<void()> while_busy;
  [[nodiscard]] const std::vector<ConnId>& resumed() const { return resumed_; }

  // EffectSink
  void on_commit(const CommittedUnit& unit) override {
    together_ = unit.together;
    for (const Effect& e : unit.effects) {
      std::string line;
      for (const auto& word : e.argv) line += (line.empty() ? "" : " ") + word;
      effects_.push_back(line);
    }
    for (const KeyEvent& e : unit.events) events_.push_back(std::string(e.name) + " " + e.key);
  }

 private:
  std::vector<const CommandSpec*> specs_ = all_commands();
  CommandTable table_;
  config::Registry config_;
  UnixMillis now_;
  MonoTime mono_{1};
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<script::Runtime> scripts_;
  Session* session_ = nullptr;
  std::vector<std::string> effects_, events_;
  bool together_ = true;
  std::vector<ConnId> resumed_;
};

}  // namespace hearth::test

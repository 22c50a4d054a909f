// Mirror: two engines, of which the second is fed with the effects that the first commits, as a
// replica or a reader of the log would be. Whatever is run on the first, both must hold equal data.
// Their hash tables have different seeds, so that an effect that depends on an order shows.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "src/command/blocking_control.h"
#include "tests/support/engine_fixture.h"

namespace hearth::test {

class Mirror final : private EffectSink {
 public:
  using Words = std::vector<std::string>;

  Mirror() : first_(options(1)), second_(options(2)) {
    first_.engine().add_sink(*this);
    reset_sessions();
  }

  // Runs a request on the first engine, and its effects on the second. A request that waits is
  // unblocked at once. Returns the reply; see failure().
  std::string run(const Words& words) {
    effects_.clear();
    std::string reply = first_.run_words(*session_, words);
    if (session_->is_blocked()) {
      static_cast<void>(first_.engine().services().blocking->unblock(
          session_->id, BlockingControl::Unblock::kTimeout));
      reply += EngineFixture::take(*session_);
    }
    for (const Effect& effect : effects_) repeat(effect);
    return reply;
  }

  void advance(milliseconds by) {
    first_.advance(by);
    second_.advance(by);
  }
  // Background expiry of the first engine.
  void tick() {
    effects_.clear();
    first_.tick();
    for (const Effect& effect : effects_) repeat(effect);
  }
  void flush() {
    reset_sessions();
    run({"FLUSHALL"});
    failure_.clear();
  }

  // The error of an effect that was refused, "" if none was.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  [[nodiscard]] bool is_equal() { return digest(first_) == digest(second_); }
  // The keys of these that differ, with the effects of the last request.
  [[nodiscard]] std::string difference(const std::vector<std::string>& keys) {
    std::string text = "effects:";
    for (const Effect& effect : effects_) text += "\n  " + joined(effect.argv);
    text += "\ndifferent keys:";
    for (const std::string& key : keys) {
      for (const char* db : {"0", "1", "2"}) {
        first_.run("SELECT", db);
        second_.run("SELECT", db);
        if (first_.run("DEBUG", "DIGEST-VALUE", key) != second_.run("DEBUG", "DIGEST-VALUE", key))
          text += std::string(" ") + key + "@" + db;
      }
    }
    first_.run("SELECT", "0");
    second_.run("SELECT", "0");
    return text;
  }
  [[nodiscard]] EngineFixture& first() { return first_; }
  [[nodiscard]] EngineFixture& second() { return second_; }
  [[nodiscard]] Session& session() { return *session_; }
  [[nodiscard]] UnixMillis now() const { return first_.now(); }

  static std::string joined(const Words& words) {
    std::string line;
    for (const std::string& word : words) {
      if (!line.empty()) line += ' ';
      for (const char c : word)
        line += c >= ' ' && c <= '~' ? std::string(1, c) : "\\x" + std::to_string(c & 0xff);
      if (word.empty()) line += "\"\"";
    }
    return line;
  }

 private:
  static EngineFixture::Options options(std::uint64_t seed) {
    EngineFixture::Options o;
    o.seed = seed;
    o.config = {{"enable-debug-command", "yes"}};
    return o;
  }
  static std::string digest(EngineFixture& engine) { return engine.run("DEBUG", "DIGEST"); }

  void on_commit(const CommittedUnit& unit) override {
    effects_.insert(effects_.end(), unit.effects.begin(), unit.effects.end());
  }
  void repeat(const Effect& effect) {
    if (replay_->db != effect.db)
      second_.run_words(*replay_, {"SELECT", std::to_string(effect.db)});
    const std::string reply = second_.run_words(*replay_, effect.argv);
    if (reply.starts_with("-") && failure_.empty()) failure_ = joined(effect.argv) + " -> " + reply;
  }
  void reset_sessions() {
    if (session_ != nullptr) first_.engine().close(*session_);
    if (replay_ != nullptr) second_.engine().close(*replay_);
    session_ = &first_.open();
    replay_ = &second_.open();
  }

  EngineFixture first_, second_;
  Session* session_ = nullptr;
  Session* replay_ = nullptr;
  std::vector<Effect> effects_;
  std::string failure_;
};

}  // namespace hearth::test

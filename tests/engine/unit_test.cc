// A unit reaches the sinks once and whole: one command, all of one EXEC or script, and whatever
// is recorded and committed in the middle of it.
#include <doctest/doctest.h>

#include "tests/support/engine_fixture.h"

using namespace hearth;
using hearth::test::EngineFixture;

namespace {

// The units that a sink was told of, as text: "SET a 1; DEL b | INCR c". In front of effects that
// have nothing to do with each other stands "apart: ".
class Units final : public EffectSink {
 public:
  void on_commit(const CommittedUnit& unit) override {
    text_ += text_.empty() ? "" : " | ";
    text_ += unit.together ? "" : "apart: ";
    bool first = true;
    for (const Effect& effect : unit.effects) {
      text_ += std::exchange(first, false) ? "" : "; ";
      for (std::size_t i = 0; i < effect.argv.size(); ++i)
        text_ += (i == 0 ? "" : " ") + effect.argv[i];
    }
  }
  std::string take() { return std::exchange(text_, {}); }

 private:
  std::string text_;
};

std::uint64_t slow_ticks() {
  static std::uint64_t ticks = 0;
  return ticks += 1'000'000;
}

struct Recorded {
  explicit Recorded(const EngineFixture::Options& options = {}) : server(options) {
    server.engine().add_sink(units);
  }
  void transaction(std::initializer_list<std::vector<std::string>> requests) {
    server.run("MULTI");
    for (const auto& words : requests) server.run_words(server.session(), words);
    server.run("EXEC");
  }
  EngineFixture server;
  Units units;
};

}  // namespace

TEST_CASE("a transaction arrives as one unit, its commits in the middle included") {
  Recorded r;
  r.server.run("SET", "stale", "v", "PX", "10");
  r.server.run("SET", "also", "v", "PX", "10");
  r.server.advance(milliseconds(20));
  static_cast<void>(r.units.take());
  r.transaction({{"SET", "a", "1"},
                 {"GET", "stale"},
                 {"LPUSH", "l", "x"},
                 {"MGET", "a", "also"},
                 {"INCR", "a"}});
  CHECK(r.units.take() == "SET a 1; UNLINK stale; LPUSH l x; UNLINK also; INCR a");
}

TEST_CASE("a script arrives as one unit, with what others commit while it lets them run") {
  EngineFixture::Options options;
  options.ticks = slow_ticks;
  options.config = {{"busy-reply-threshold", "1"}};
  Recorded r(options);
  r.server.run("SET", "stale", "v", "PX", "10");
  r.server.advance(milliseconds(20));
  static_cast<void>(r.units.take());
  int commits = 0;
  r.server.while_busy = [&] {
    if (commits++ > 0) return;
    // As the cluster drops the keys of a slot.
    r.server.engine().effects().replicate_as({0, 0}, "DEL", "dropped");
    r.server.engine().commit();
    CHECK(r.units.take().empty());
  };
  r.server.run("EVAL",
               "redis.call('set', 'a', '1') redis.call('get', 'stale') "
               "for i = 1, 3000000 do end redis.call('incr', 'a')",
               "2", "a", "stale");
  CHECK(commits > 0);
  CHECK(r.units.take() == "set a 1; UNLINK stale; DEL dropped; incr a");
}

TEST_CASE("expired keys that a command removes go in one unit, before what it does") {
  Recorded r;
  for (const char* key : {"a", "b", "c"}) r.server.run("SET", key, "v", "PX", "10");
  r.server.advance(milliseconds(20));
  static_cast<void>(r.units.take());
  r.server.run("MSET", "a", "1", "b", "2");
  CHECK(r.units.take() == "UNLINK a; UNLINK b; MSET a 1 b 2");
  // Those that SCAN comes across have nothing to do with each other.
  r.server.run("SCAN", "0");
  CHECK(r.units.take() == "apart: UNLINK c");
}

TEST_CASE("a client that a transaction serves is served by a unit of its own, behind it") {
  Recorded r;
  Session& waiting = r.server.open();
  r.server.run_as(waiting, "BLPOP", "l", "0");
  static_cast<void>(r.units.take());
  r.transaction({{"RPUSH", "l", "x"}, {"SET", "a", "1"}});
  CHECK(r.units.take() == "RPUSH l x; SET a 1 | LPOP l");
}

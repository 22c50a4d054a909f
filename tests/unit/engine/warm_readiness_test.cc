#include "src/engine/warm_readiness.h"

#include <doctest/doctest.h>

using namespace hearth;
using Reason = WarmReadiness::Reason;

namespace {

constexpr WarmReadiness::Rule kOn{true, 1, seconds{300}};
constexpr MonoTime kStart{5'000'000};

}  // namespace

TEST_CASE("a gate that is off, or whose node has data, is open at once") {
  CHECK(WarmReadiness({}, kStart).reason() == Reason::kGateOff);
  WarmReadiness off_later(kOn, kStart);
  CHECK(off_later.state() == WarmState::kCold);
  off_later.set_rule({});
  CHECK(off_later.reason() == Reason::kGateOff);
  // It does not close a node that serves.
  off_later.set_rule(kOn);
  CHECK(off_later.is_ready());
  WarmReadiness loaded(kOn, kStart);
  loaded.serve(true, kStart);
  CHECK(loaded.reason() == Reason::kOwnData);
  WarmReadiness empty(kOn, kStart);
  empty.serve(false, kStart);
  CHECK_FALSE(empty.is_ready());
}

TEST_CASE("the gate opens when every mapping was said to be done") {
  WarmReadiness gate(kOn, kStart);
  gate.serve(false, kStart);
  CHECK(gate.report("users", 0, 1000));
  CHECK(gate.report("orders", 0, std::nullopt));
  CHECK(gate.state() == WarmState::kWarming);
  CHECK(gate.fraction() == 0);
  // Totals are estimates: as many rows as expected are not yet all.
  CHECK(gate.report("users", 5000, 1000));
  CHECK_FALSE(gate.is_ready());
  CHECK(gate.finish("users"));
  CHECK(gate.mappings()[0].state == WarmState::kReady);
  CHECK(gate.fraction() == doctest::Approx(0.5));
  CHECK_FALSE(gate.is_ready());
  CHECK(gate.finish("orders"));
  CHECK(gate.reason() == Reason::kRows);
  CHECK(gate.fraction() == 1);
  // A later load of the same rows changes nothing for clients.
  CHECK(gate.report("users", 1, 1000));
  CHECK(gate.mappings()[0].state == WarmState::kWarming);
  CHECK(gate.state() == WarmState::kReady);
}

TEST_CASE("with a fraction below 1 the rows of all mappings count together") {
  WarmReadiness gate({true, 0.9, seconds{300}}, kStart);
  CHECK(gate.report("large", 0, 900));
  CHECK(gate.report("small", 0, 100));
  CHECK(gate.report("large", 850, 900));
  CHECK_FALSE(gate.is_ready());
  CHECK(gate.report("large", 899, 900));
  CHECK_FALSE(gate.is_ready());
  CHECK(gate.report("small", 1, 100));
  CHECK(gate.reason() == Reason::kRows);
  // Without an estimate a mapping counts as not begun.
  WarmReadiness unknown({true, 0.9, seconds{300}}, kStart);
  CHECK(unknown.report("a", 1000, 1000));
  CHECK(unknown.fraction() == doctest::Approx(0.9999));
  WarmReadiness half({true, 0.9, seconds{300}}, kStart);
  CHECK(half.report("b", 0, std::nullopt));
  CHECK(half.report("a", 1000, 1000));
  CHECK(half.fraction() == doctest::Approx(0.5));
  CHECK_FALSE(half.is_ready());
}

TEST_CASE("the gate never blocks for longer than its deadline, from the start of serving on") {
  WarmReadiness gate(kOn, kStart);
  // The data was loaded for ten minutes.
  const MonoTime serving = kStart + seconds{600};
  gate.serve(false, serving);
  CHECK(gate.left(serving) == seconds{300});
  gate.pass_time(serving + microseconds{299'999'999});
  CHECK_FALSE(gate.is_ready());
  CHECK(gate.left(serving + seconds{299}) == seconds{1});
  gate.pass_time(serving + seconds{300});
  CHECK(gate.reason() == Reason::kDeadline);
  CHECK(gate.left(serving + seconds{400}) == seconds{0});
  // The first reason stays.
  gate.become_ready(Reason::kOperator);
  CHECK(gate.reason() == Reason::kDeadline);
}

TEST_CASE("names of mappings are bounded in number") {
  WarmReadiness gate(kOn, kStart);
  for (std::size_t i = 0; i < WarmGateControl::kMappingsMost; ++i)
    REQUIRE(gate.report(std::to_string(i), 0, 1));
  CHECK_FALSE(gate.report("one more", 0, 1));
  CHECK_FALSE(gate.finish("one more"));
  CHECK(gate.report("0", 1, 1));
  CHECK(gate.mappings().size() == WarmGateControl::kMappingsMost);
  gate.finish_all();
  CHECK(gate.reason() == Reason::kRows);
}

TEST_CASE("an empty load is done as soon as it says so") {
  WarmReadiness gate(kOn, kStart);
  CHECK(gate.report("nothing", 0, 0));
  CHECK_FALSE(gate.is_ready());
  CHECK(gate.finish("nothing"));
  CHECK(gate.is_ready());
  for (const Reason reason : {Reason::kGateOff, Reason::kOwnData, Reason::kPrimary, Reason::kRows,
                              Reason::kDeadline, Reason::kOperator}) {
    CHECK_FALSE(reason_text(reason).empty());
    CHECK_FALSE(reason_word(reason).empty());
  }
}

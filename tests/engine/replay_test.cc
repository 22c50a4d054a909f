// The effect log tells all: whoever repeats it holds the same data. Random traffic of every family,
// made from the specs, runs on one engine; its effects run on another.
#include <doctest/doctest.h>

#include <map>
#include <optional>
#include <string>

#include "tests/support/random_traffic.h"

using namespace hearth;
using namespace hearth::test;

namespace {

// Runs `steps` steps and compares after every few. Stops at the first difference.
void check_traffic(std::uint64_t seed, std::optional<Group> group, int steps,
                   std::map<std::string, int>& answers) {
  CAPTURE(seed);
  Mirror mirror;
  SeededChoices choices(seed);
  RandomTraffic traffic(mirror, choices);
  if (group) traffic.generator().prefer(*group);
  constexpr int kCompareEvery = 20;
  for (int i = 1; i <= steps; ++i) {
    traffic.step();
    const bool good = mirror.failure().empty() && traffic.replies_are_whole() &&
                      (i % kCompareEvery != 0 || mirror.is_equal());
    if (good) continue;
    CAPTURE(i);
    INFO("request: ", traffic.last());
    INFO(mirror.difference(RandomTraffic::keys()));
    CHECK(mirror.failure() == "");
    CHECK(traffic.replies_are_whole());
    CHECK(mirror.is_equal());
    return;
  }
  for (const auto& [name, count] : traffic.answers()) answers[name] += count;
}

// Traffic that is refused proves nothing.
void check_answered(const std::map<std::string, int>& answers) {
  const std::vector<const CommandSpec*> specs = all_commands();
  const CommandTable table(specs);
  SeededChoices choices(1);
  std::string never;
  const CommandGenerator generator(table, choices, {});
  for (const Command* command : generator.commands()) {
    // Chance names no entry that XIDMPRECORD could; it is run as an effect of XADD IDMP.
    // CLUSTERSCAN needs cluster mode.
    const bool is_left_out =
        command->full_name == "xidmprecord" || command->full_name == "clusterscan";
    if (!is_left_out && !answers.contains(command->full_name)) never += " " + command->full_name;
  }
  CHECK(never == "");
}

}  // namespace

TEST_CASE("replaying the effects of one family or of all rebuilds an equal data set") {
  constexpr int kSteps = 700;
  std::map<std::string, int> answers;
  for (const Group group :
       {Group::kString, Group::kHash, Group::kList, Group::kSet, Group::kSortedSet, Group::kStream,
        Group::kBitmap, Group::kHyperLogLog, Group::kGeo, Group::kGeneric}) {
    const int number = static_cast<int>(group);
    CAPTURE(number);
    for (std::uint64_t seed = 1; seed <= 6; ++seed) check_traffic(seed, group, kSteps, answers);
  }
  // Some commands need what other families make.
  constexpr int kMixedSteps = 1500;
  for (std::uint64_t seed = 100; seed < 106; ++seed)
    check_traffic(seed, std::nullopt, kMixedSteps, answers);
  check_answered(answers);
}

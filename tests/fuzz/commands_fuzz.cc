// Any sequence of commands, made from the specs as the input says, leaves the engine whole: replies
// are values of the protocol, effects repeat on another engine without an error, and both hold the
// same data. The first byte chooses a family to keep to, or all.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>

#include "src/base/check.h"
#include "tests/support/random_traffic.h"

namespace {

constexpr int kStepsMost = 64;
constexpr int kInputsPerMirror = 200;

void prefer(hearth::test::CommandGenerator& generator, std::uint64_t choice) {
  using hearth::Group;
  constexpr Group kGroups[] = {Group::kString,      Group::kHash,   Group::kList,   Group::kSet,
                               Group::kSortedSet,   Group::kStream, Group::kBitmap, Group::kGeo,
                               Group::kHyperLogLog, Group::kGeneric};
  if (choice < std::size(kGroups)) generator.prefer(kGroups[choice]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::test;
  // Making engines takes longer than most inputs do: they are kept for some.
  static std::unique_ptr<Mirror> mirror;
  static int inputs = 0;
  if (!mirror || ++inputs % kInputsPerMirror == 0) mirror = std::make_unique<Mirror>();
  mirror->flush();

  ByteChoices choices(std::span(data, size));
  RandomTraffic traffic(*mirror, choices);
  prefer(traffic.generator(), choices.below(16));
  for (int i = 0; i < kStepsMost && !choices.exhausted(); ++i) {
    traffic.step();
    HEARTH_CHECK(traffic.replies_are_whole());
    if (!mirror->failure().empty()) {
      std::fprintf(stderr, "%s\n%s\n", traffic.last().c_str(), mirror->failure().c_str());
      HEARTH_CHECK(mirror->failure().empty());
    }
  }
  if (!mirror->is_equal()) {
    std::fprintf(stderr, "%s\n%s\n", traffic.last().c_str(),
                 mirror->difference(RandomTraffic::keys()).c_str());
    HEARTH_CHECK(mirror->is_equal());
  }
  return 0;
}

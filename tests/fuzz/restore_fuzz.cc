// A payload that RESTORE takes is a value that every command can work with: whatever runs on it,
// effects repeat on another engine without an error, both hold the same data, and what it has
// become can be written and restored again. The checksum is not verified.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

#include "src/base/check.h"
#include "tests/support/random_traffic.h"

namespace {

using namespace hearth;
using namespace hearth::test;

constexpr int kSteps = 24;
constexpr int kInputsPerMirror = 200;

std::uint64_t seed_of(std::string_view bytes) {
  std::uint64_t h = 1469598103934665603ULL;
  for (const char c : bytes) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return h;
}

std::string bulk_text(const std::string& reply) {
  ReplyParser parser;
  parser.feed(reply);
  const auto value = parser.next();
  return value && value->has_value() ? std::string((*value)->text()) : std::string();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static std::unique_ptr<Mirror> mirror;
  static int inputs = 0;
  if (!mirror || ++inputs % kInputsPerMirror == 0) {
    mirror = std::make_unique<Mirror>();
    for (EngineFixture* engine : {&mirror->first(), &mirror->second()})
      engine->run("CONFIG", "SET", "skip-checksum-validation", "yes");
  }
  mirror->flush();
  const std::string payload(reinterpret_cast<const char*>(data),
                            std::min<std::size_t>(size, 1 << 16));
  SeededChoices choices(seed_of(payload));
  bool taken = false;
  for (const std::string key : CommandGenerator::kKeys)
    taken = mirror->run({"RESTORE", key, "0", payload}) == "+OK\r\n" || taken;
  if (!taken) return 0;
  GeneratorScope scope;
  scope.displaces_one_of = 8;
  CommandGenerator generator(mirror->first().table(), choices, mirror->now(), scope);
  for (int i = 0; i < kSteps; ++i) {
    const CommandGenerator::Words words = generator.next();
    mirror->run(words);
    if (!mirror->failure().empty())
      std::fprintf(stderr, "%s\n%s\n", Mirror::joined(words).c_str(), mirror->failure().c_str());
    HEARTH_CHECK(mirror->failure().empty());
  }
  if (!mirror->is_equal())
    std::fprintf(stderr, "%s\n", mirror->difference(RandomTraffic::keys()).c_str());
  HEARTH_CHECK(mirror->is_equal());
  EngineFixture& engine = mirror->first();
  for (const std::string key : CommandGenerator::kKeys) {
    engine.run("PERSIST", key);  // a digest tells whether there is a deadline
    const std::string dumped = bulk_text(engine.run("DUMP", key));
    if (dumped.empty()) continue;
    HEARTH_CHECK(engine.run("RESTORE", "again", "0", dumped, "REPLACE") == "+OK\r\n");
    HEARTH_CHECK(engine.run("DEBUG", "DIGEST-VALUE", "again") ==
                 engine.run("DEBUG", "DIGEST-VALUE", key));
  }
  return 0;
}

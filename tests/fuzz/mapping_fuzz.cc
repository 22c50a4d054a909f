// Any text is a mapping or is refused with the file's name in front.
#include <cstdint>
#include <string_view>

#include "src/base/check.h"
#include "tools/cache_warm/plan.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto plan =
      hearth::warm::parse_plan({reinterpret_cast<const char*>(data), size}, "mapping.toml");
  if (plan)
    HEARTH_CHECK(!plan->mappings.empty());
  else
    HEARTH_CHECK(plan.error().context.starts_with("mapping.toml"));
  return 0;
}

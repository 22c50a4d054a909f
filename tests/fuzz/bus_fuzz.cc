// A frame that decodes must encode to a frame that decodes to the same bytes again.
#include <cstdint>
#include <string_view>

#include "cluster/wire/codec.h"
#include "src/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace wire = hearth::cluster::wire;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto length = wire::frame_length(input);
  if (!length || *length == 0 || *length > input.size()) return 0;
  const auto message = wire::decode(input.substr(0, *length));
  if (!message) return 0;
  const std::string once = wire::encode(*message);
  const auto again = wire::decode(once);
  HEARTH_CHECK(again.has_value());
  HEARTH_CHECK(wire::encode(*again) == once);
  return 0;
}

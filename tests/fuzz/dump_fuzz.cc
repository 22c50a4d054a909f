// A payload of unknown origin is refused or decodes to a value that survives its own round trip.
// The checksum is not verified: it would hide the decoder from the fuzzer.
#include <cstdint>
#include <string_view>

#include "persistence/rdb/dump.h"
#include "src/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  rdb::DecodeLimits limits;
  limits.string_bytes = 1 << 20;
  const auto decode = [&](std::string_view bytes) {
    return rdb::parse_dump_payload(bytes, limits, rdb::Checksum::kSkip);
  };
  auto object = decode({reinterpret_cast<const char*>(data), size});
  if (!object) return 0;
  const Type type = object->type();
  const std::string text = object->is_string() ? object->text() : std::string();
  Entry* entry = rdb::make_entry("key", std::move(*object), kNoDeadline, 0);
  const std::string payload = rdb::dump_payload(*entry, {});
  const auto again = decode(payload);
  HEARTH_CHECK(again.has_value());
  HEARTH_CHECK(entry->type() == type && again->type() == type);
  if (again->is_string()) HEARTH_CHECK(again->text() == text);
  Entry::free(entry);
  return 0;
}

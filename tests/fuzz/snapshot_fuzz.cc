// A file of unknown origin is refused or loads to data that survives its own round trip: saved and
// loaded again it is the same, and the second save is the first one, byte for byte. The checksum is
// not verified: it would hide the reader from the fuzzer.
#include <cstdint>
#include <string>

#include "persistence/rdb/file_writer.h"
#include "persistence/snapshot/loader.h"
#include "src/base/check.h"
#include "src/base/hash.h"
#include "src/store/digest.h"
#include "tests/fuzz/text_file.h"

namespace {

using namespace hearth;
using hearth::test::TextFile;
using hearth::test::TextSink;

constexpr DbIndex kDatabases = 16;

bool load(std::string_view bytes, Keyspace& keyspace) {
  TextFile file(bytes);
  io::InputWindow window(file, "input");
  snapshot::LoadOptions options;
  options.read.verify_checksum = false;
  options.read.databases = kDatabases;
  options.read.limits.string_bytes = 1 << 20;
  options.skip_expired = false;
  options.ref = [&](std::string_view name) {
    return KeyRef{name, hash_bytes(name, keyspace.seed()), 0};
  };
  snapshot::LoadFigures figures;
  return static_cast<bool>(snapshot::load(window, keyspace, options, figures));
}

std::string saved(const Keyspace& keyspace) {
  TextSink sink;
  HEARTH_CHECK(rdb::write_file(keyspace, {}, sink).has_value());
  return sink.text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Keyspace first(1, kDatabases, false);
  if (!load({reinterpret_cast<const char*>(data), size}, first)) return 0;
  const std::string once = saved(first);
  Keyspace second(1, kDatabases, false);
  HEARTH_CHECK(load(once, second));
  HEARTH_CHECK(first.total_keys() == second.total_keys());
  HEARTH_CHECK(digest_of(first, UnixMillis{0}).hex() == digest_of(second, UnixMillis{0}).hex());
  return 0;
}

// Any text loads or is refused with a reason; what loads is rewritten to a text that loads to the
// same values.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/check.h"
#include "src/config/load.h"
#include "src/config/rewrite.h"

namespace {

using namespace hearth;

class NoFiles final : public config::ConfigFiles {
 public:
  Result<std::string> read(const std::string& path) override {
    return fail(ErrorCode::kNotFound, path);
  }
  std::vector<std::string> matching(const std::string&) override { return {}; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  NoFiles files;
  config::Registry first;
  const auto loaded = config::load_text(first, {reinterpret_cast<const char*>(data), size}, files);
  if (!loaded) {
    HEARTH_CHECK(!loaded.error().reason.empty());
    return 0;
  }
  config::Registry second;
  HEARTH_CHECK(config::load_text(second, config::rewritten(first, "", {}), files).has_value());
  const std::vector<std::string_view> all{"*"};
  const auto a = first.get(all), b = second.get(all);
  HEARTH_CHECK(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    HEARTH_CHECK(std::string(a[i].second) == std::string(b[i].second));
  return 0;
}

#include "tools/cache_warm/source.h"

#include <fmt/core.h>

#include "tools/cache_warm/source_sqlite.h"

namespace hearth::warm {

Result<std::unique_ptr<Source>> open_source(std::string_view url) {
  const auto colon = url.find(':');
  const std::string_view kind = url.substr(0, colon);
  if (colon == std::string_view::npos || kind != "sqlite") {
    return fail(ErrorCode::kUnsupported,
                fmt::format("source '{}': the kinds of source are: sqlite", url));
  }
  std::string_view path = url.substr(colon + 1);
  if (path.starts_with("//")) {
    path.remove_prefix(2);
    if (!path.starts_with('/')) {
      return fail(
          ErrorCode::kInvalid,
          fmt::format("source '{}': write sqlite:///absolute/path or sqlite:relative/path", url));
    }
  }
  if (path.empty()) return fail(ErrorCode::kInvalid, fmt::format("source '{}' names no file", url));
  return open_sqlite(std::string(path));
}

}  // namespace hearth::warm

#include "tools/warm_source/change_stream.h"

#include <fmt/core.h>

#include "tools/warm_source/mysql_changes.h"
#include "tools/warm_source/no_changes.h"
#include "tools/warm_source/postgres_changes.h"
#include "tools/warm_source/source_url.h"

namespace hearth::warm {

Result<std::unique_ptr<ChangeStream>> open_change_stream(const FollowOptions& options) {
  HEARTH_TRY(const SourceUrl url, parse_source_url(options.source.url));
  if (options.tables.empty()) return make_no_changes(options);
  if (url.kind == "postgresql") return open_postgres_changes(options);
  if (url.kind == "mysql") return open_mysql_changes(url, options);
  return fail(ErrorCode::kUnsupported,
              "this database has no change stream that could be followed: name a column that "
              "grows with every change, follow = { poll = \"updated_at\" }");
}

}  // namespace hearth::warm

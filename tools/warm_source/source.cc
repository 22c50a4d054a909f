#include "tools/warm_source/source.h"

#include "tools/warm_source/mysql_source.h"
#include "tools/warm_source/postgres_source.h"
#include "tools/warm_source/source_url.h"
#include "tools/warm_source/sqlite_source.h"

namespace hearth::warm {

Result<std::unique_ptr<Source>> open_source(const SourceOptions& options) {
  HEARTH_TRY(const SourceUrl url, parse_source_url(options.url));
  if (url.kind == "sqlite") return open_sqlite(url, options);
  if (url.kind == "postgresql") return open_postgres(options);
  return open_mysql(url, options);
}

}  // namespace hearth::warm

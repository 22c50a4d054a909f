// Rows of a SQLite database.
#pragma once

#include <memory>

#include "tools/warm_source/source.h"
#include "tools/warm_source/source_url.h"

namespace hearth::warm {

// Opens the file read-only. A consistent source has one reader, inside one read transaction: a
// writer in WAL mode is not held up, but its log grows until the source is closed; one with a
// rollback journal waits. Otherwise each chunk is a transaction of its own. Values keep the type
// that each row gives them. Tables are split by ranges of rowid; queries, views and WITHOUT ROWID
// tables are not. Errors: kIo, naming the file.
Result<std::unique_ptr<Source>> open_sqlite(const SourceUrl& url, const SourceOptions& options);

}  // namespace hearth::warm

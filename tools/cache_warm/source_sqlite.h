// Rows of a SQLite database.
#pragma once

#include <memory>
#include <string>

#include "tools/cache_warm/source.h"

namespace hearth::warm {

// Opens the file read-only and begins a read transaction, so that every stream sees one snapshot;
// a writer in WAL mode is not held up, but its log grows until the source is closed. Values keep
// the type that each row gives them. Tables are split by ranges of rowid; queries, views and
// WITHOUT ROWID tables are not. Errors: kIo, naming the file.
Result<std::unique_ptr<Source>> open_sqlite(const std::string& path);

}  // namespace hearth::warm

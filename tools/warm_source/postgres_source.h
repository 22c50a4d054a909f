// Rows of a PostgreSQL database, by COPY (FORMAT binary).
#pragma once

#include <memory>

#include "tools/warm_source/source.h"

namespace hearth::warm {

// Connects by a URL as libpq reads it, with libpq's own ways to give a password (PGPASSWORD,
// .pgpass, service files) and TLS (sslmode and the like). A consistent source exports a snapshot
// that all readers import; otherwise each COPY is a transaction of its own. Tables are split by
// blocks (ctid, from PostgreSQL 14 on), partitioned ones by their leaves too, or by ranges of the
// primary key where chunks must be stable. Queries and views are read as a whole. Row security that
// would hide rows is an error.
Result<std::unique_ptr<Source>> open_postgres(const SourceOptions& options);

}  // namespace hearth::warm

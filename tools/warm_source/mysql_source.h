// Rows of a MySQL or MariaDB database, by prepared statements with binary rows.
#pragma once

#include <memory>

#include "tools/warm_source/source.h"
#include "tools/warm_source/source_url.h"

namespace hearth::warm {

// Connects with what the URL says and what the option files say ([client] and [cache-warm] of
// my.cnf), where the URL is silent. Options of the URL: socket, ssl-mode (DISABLED, PREFERRED,
// REQUIRED, VERIFY_CA, VERIFY_IDENTITY), ssl-ca, ssl-cert, ssl-key. A consistent source has several
// readers only where the server's binary log tells that their snapshots are one (MariaDB with
// log_bin); else one. Tables are split by the first column of their primary key: integers by
// bisection with the optimizer's estimates, others, if there is more than one reader, by walking
// the index. Queries and views are read as a whole. A zero date is NULL. Times with a zone are UTC.
Result<std::unique_ptr<Source>> open_mysql(const SourceUrl& url, const SourceOptions& options);

}  // namespace hearth::warm

// Changes of MariaDB and MySQL tables: the binary log, read as a replica does.
#pragma once

#include <memory>

#include "tools/warm_source/change_stream.h"
#include "tools/warm_source/source_url.h"

namespace hearth::warm {

// MariaDB 10.5 or later, MySQL 5.6 or later, with binlog_format = ROW and binlog_row_image = FULL.
// Positions are files of the log and offsets in them. Values that the log stores in another form
// than a query tells (UUID, INET, JSON of MySQL, character sets beyond UTF-8, compressed columns,
// virtual columns) are not readable (TableShape::readable). A change that was made before the table
// was altered, and read after it, may end the stream with kNotFound: only a load mends that. XA
// transactions count as committed when they are prepared. Errors: kIo, kInvalid, kBusy.
Result<std::unique_ptr<ChangeStream>> open_mysql_changes(const SourceUrl& url,
                                                         const FollowOptions& options);

}  // namespace hearth::warm

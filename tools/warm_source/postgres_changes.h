// Changes of PostgreSQL tables: a logical replication slot with pgoutput, binary values.
#pragma once

#include <memory>

#include "tools/warm_source/change_stream.h"

namespace hearth::warm {

// `FollowOptions::name` is that of the slot and of the publication, which are made where they are
// missing. PostgreSQL 14 or later. Values of types without a binary form of their own, and stored
// generated columns, are not readable (TableShape::readable). Errors: kIo, kInvalid, kBusy.
Result<std::unique_ptr<ChangeStream>> open_postgres_changes(const FollowOptions& options);

}  // namespace hearth::warm

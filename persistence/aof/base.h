// The base of a log as commands: what makes the data set anew, for readers that want no snapshot in
// a log. Strings as SET, all else as RESTORE, so that every value comes back as it was.
#pragma once

#include "persistence/rdb/file_writer.h"

namespace hearth::aof {

struct BaseOptions {
  rdb::FileOptions file;
  bool timestamp = false;  // note the time in front
};

[[nodiscard]] Result<void> write_base(const Keyspace& keyspace, const BaseOptions& options,
                                      rdb::ByteSink& sink);

}  // namespace hearth::aof

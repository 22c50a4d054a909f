// The base of a log as commands that make the data set anew, for readers that want no snapshot in a
// log. A string is a SET, a small value a RESTORE, so that it comes back as it was. A large value
// is written in pieces (RPUSH, SADD, ZADD, HSET, XADD): neither side needs memory for all of it as
// one word, and no reader's limit on the length of a word is met.
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

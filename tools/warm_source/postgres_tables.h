// The tables that are followed, as PostgreSQL's catalogue describes them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tools/warm_source/change_stream.h"
#include "tools/warm_source/postgres_binary.h"
#include "tools/warm_source/postgres_connection.h"

namespace hearth::warm {

struct PgTable {
  std::uint32_t oid = 0;
  std::string schema;
  std::string name;
  std::string quoted;   // schema and name, as SQL takes them
  char kind = 'r';      // as pg_class.relkind
  char identity = 'd';  // as pg_class.relreplident
  TableShape shape;     // by the catalogue, generated columns included
  // How the values of a type travel in binary; nothing for one that cannot be read so.
  std::map<std::uint32_t, std::optional<PgType>> types;
  std::vector<std::string> generated;  // columns that the stream does not bring
  std::vector<std::string> key;        // the primary key
  bool is_owner = false;
};

// Errors: kInvalid (no such table), kIo, kBusy.
Result<PgTable> describe_pg_table(PgConnection& connection, const std::string& table);

// The statements, with their reasons, that are missing to follow the tables by a publication and a
// slot of that name. Errors: kInvalid (a view, a foreign table), kUnsupported (a version before
// 14), kIo.
Result<std::vector<std::string>> missing_for_pg_follow(PgConnection& connection,
                                                       const std::string& name,
                                                       const std::vector<PgTable>& tables);

// Makes the publication, or adds what it lacks. Errors: kInvalid (not allowed), kIo.
Result<void> ensure_pg_publication(PgConnection& connection, const std::string& name,
                                   const std::vector<PgTable>& tables);

}  // namespace hearth::warm

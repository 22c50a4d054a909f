// A connection of libmariadb.
#pragma once

#include <mysql.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/base/result.h"
#include "tools/warm_source/source.h"
#include "tools/warm_source/source_url.h"

namespace hearth::warm {

class MyConnection {
 public:
  // Errors: kIo, with the server's words.
  static Result<MyConnection> open(const SourceUrl& url, const SourceOptions& options);

  // Runs one statement; the rows of its answer as texts, NULL as nothing. For answers of a few
  // rows. Errors: kInvalid (the statement is wrong, or not allowed), kIo, kBusy.
  using Texts = std::vector<std::vector<std::optional<std::string>>>;
  Result<Texts> run(const std::string& sql);

  // MariaDB, or else MySQL.
  [[nodiscard]] bool is_mariadb() const { return mariadb_connection(connection_.get()) != 0; }
  // The connection has ended.
  [[nodiscard]] bool is_lost();
  [[nodiscard]] MYSQL* get() const { return connection_.get(); }
  [[nodiscard]] unsigned long thread_id() const { return mysql_thread_id(connection_.get()); }

 private:
  struct Close {
    void operator()(MYSQL* connection) const { mysql_close(connection); }
  };
  Result<void> connect(const SourceUrl& url, const SourceOptions& options);
  Result<void> connect_with(const SourceUrl& url, const SourceOptions& options,
                            std::string_view tls_mode);
  std::unique_ptr<MYSQL, Close> connection_;
};

// The failure that a call of the library left behind, as an error of ours.
[[nodiscard]] unexpected<Error> my_failure(unsigned code, const char* message);

// Bytes as a literal that needs no escapes: X'...'.
[[nodiscard]] std::string my_bytes(std::string_view bytes);
// Text as such a literal, to be compared under the collation of a column.
[[nodiscard]] std::string my_text(std::string_view text);

}  // namespace hearth::warm

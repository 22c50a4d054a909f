// A connection of libpq whose waiting ends when the user interrupts.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "tools/warm_source/source.h"

namespace hearth::warm {

class PgConnection {
 public:
  // Errors: kIo, with the server's or libpq's words; kBusy.
  static Result<PgConnection> open(const SourceOptions& options) {
    return open(options, Use::kQueries);
  }
  // A connection for replication also takes the commands of the replication protocol.
  enum class Use : std::uint8_t { kQueries, kReplication };
  static Result<PgConnection> open(const SourceOptions& options, Use use);

  struct ClearResult {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  using Answer = std::unique_ptr<PGresult, ClearResult>;

  // Runs one statement. Errors: kInvalid (the statement is wrong, or not allowed), kIo, kBusy.
  Result<Answer> run(const std::string& sql);
  // The columns that a query would return. Errors as above.
  Result<Answer> describe(const std::string& sql);
  // The next message of a COPY that `run` began, valid until the next call; nothing at the end.
  Result<std::optional<std::string_view>> next_copy_data();

  // The same for a copy in both directions, which START_REPLICATION begins; nothing when nothing
  // came within `wait`. Its end is an error, with the server's words.
  Result<std::optional<std::string_view>> poll_copy_data(milliseconds wait);
  Result<void> put_copy_data(std::string_view bytes);

  // The connection has ended, or the server has said that it ends it.
  [[nodiscard]] bool is_lost() const {
    return was_ended_ || PQstatus(connection_.get()) == CONNECTION_BAD;
  }
  [[nodiscard]] int version() const { return PQserverVersion(connection_.get()); }

 private:
  struct Finish {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  struct FreeMemory {
    void operator()(char* memory) const { PQfreemem(memory); }
  };

  Result<void> connect(const SourceOptions& options, Use use);
  Result<Answer> await_answer();
  // Waits until the socket has something for libpq.
  Result<void> wait(short events);
  [[nodiscard]] bool is_interrupted() const;
  // Asks the server to stop what it does; the wait goes on until it has.
  void cancel();

  std::unique_ptr<PGconn, Finish> connection_;
  std::unique_ptr<char, FreeMemory> data_;
  const std::atomic<bool>* interrupt_ = nullptr;
  int turns_since_cancel_ = -1;  // -1: not cancelled
  bool was_ended_ = false;
};

// The field of a result, "" for NULL.
[[nodiscard]] std::string pg_text(const PgConnection::Answer& answer, int row, int column);

}  // namespace hearth::warm

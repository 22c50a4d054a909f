#include "tools/warm_source/postgres_connection.h"

#include <fmt/core.h>
#include <poll.h>

#include <algorithm>
#include <array>

#include "tools/warm_source/source_url.h"

namespace hearth::warm {
namespace {

// The interrupt flag is looked at this often while a server is silent.
constexpr int kWaitMs = 50;
// A server that does not answer a cancellation is left after so many waits.
constexpr int kTurnsAfterCancel = 40;

std::string trimmed_message(const char* message) {
  std::string text = message == nullptr ? "" : message;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

unexpected<Error> pg_failure(const PGresult* result, const PGconn* connection) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string code = state == nullptr ? "" : state;
  if (code == "57014") return fail(ErrorCode::kBusy, "interrupted");
  std::string text = trimmed_message(result == nullptr ? PQerrorMessage(connection)
                                                       : PQresultErrorMessage(result));
  if (text.empty()) text = "the connection is lost";
  // Class 42: the statement is wrong or not allowed.
  return fail(code.starts_with("42") ? ErrorCode::kInvalid : ErrorCode::kIo,
              fmt::format("PostgreSQL: {}", text));
}

// Texts and times come in one form; limits of the server that are meant for applications do not
// end a load; hidden rows are an error; nothing is written.
constexpr const char* kSession =
    "SET statement_timeout = 0; SET lock_timeout = 0; "
    "SET idle_in_transaction_session_timeout = 0; SET synchronize_seqscans = off; SET jit = off; "
    "SET row_security = off; SET default_transaction_read_only = on; SET datestyle = 'ISO'; "
    "SET intervalstyle = 'iso_8601'; SET extra_float_digits = 1; SET timezone = 'UTC'; "
    "SET bytea_output = 'hex'";

}  // namespace

std::string pg_text(const PgConnection::Answer& answer, int row, int column) {
  const char* value = PQgetvalue(answer.get(), row, column);
  return {value, static_cast<std::size_t>(PQgetlength(answer.get(), row, column))};
}

bool PgConnection::is_interrupted() const {
  return interrupt_ != nullptr && interrupt_->load(std::memory_order_relaxed);
}

void PgConnection::cancel() {
  turns_since_cancel_ = 0;
  if (PGcancel* cancel = PQgetCancel(connection_.get())) {
    std::array<char, 256> error{};
    PQcancel(cancel, error.data(), static_cast<int>(error.size()));
    PQfreeCancel(cancel);
  }
}

Result<void> PgConnection::wait(short events) {
  pollfd polled{PQsocket(connection_.get()), events, 0};
  ::poll(&polled, 1, kWaitMs);
  if (!is_interrupted()) return {};
  if (turns_since_cancel_ < 0) cancel();
  if (++turns_since_cancel_ > kTurnsAfterCancel) return fail(ErrorCode::kBusy, "interrupted");
  return {};
}

Result<PgConnection> PgConnection::open(const SourceOptions& options, Use use) {
  PgConnection connection;
  connection.interrupt_ = options.interrupt;
  HEARTH_TRY_VOID(connection.connect(options, use));
  HEARTH_TRY_VOID(connection.run(kSession));
  return connection;
}

Result<void> PgConnection::connect(const SourceOptions& options, Use use) {
  char* message = nullptr;
  std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(options.url.c_str(), &message), &PQconninfoFree);
  std::unique_ptr<char, FreeMemory> words(message);
  // The words of libpq may hold parts of the URL, and so of the password.
  if (!parsed) {
    return fail(ErrorCode::kInvalid,
                fmt::format("source '{}' is no URL of PostgreSQL", without_password(options.url)));
  }
  const std::string timeout =
      std::to_string(std::max<std::int64_t>(2, (options.connect_timeout.count() + 999) / 1000));
  std::vector<const char*> names;
  std::vector<const char*> values;
  const auto add = [&](const char* name, const char* value) {
    names.push_back(name);
    values.push_back(value);
  };
  // Defaults come first: a later value of the same name replaces an earlier one.
  add("connect_timeout", timeout.c_str());
  add("keepalives_idle", "30");
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) add(option->keyword, option->val);
  }
  if (!options.password.empty()) add("password", options.password.c_str());
  add("application_name", "cache-warm");
  add("client_encoding", "UTF8");
  if (use == Use::kReplication) add("replication", "database");
  add(nullptr, nullptr);
  connection_.reset(PQconnectStartParams(names.data(), values.data(), 0));
  const auto failed = [&] {
    return fail(ErrorCode::kIo, fmt::format("{}: {}", without_password(options.url),
                                            trimmed_message(PQerrorMessage(connection_.get()))));
  };
  if (!connection_ || PQstatus(connection_.get()) == CONNECTION_BAD) return failed();
  const auto turns_max = options.connect_timeout.count() / kWaitMs + 1;
  std::int64_t silent_turns = 0;
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK) {
    if (is_interrupted()) return fail(ErrorCode::kBusy, "interrupted");
    pollfd polled{PQsocket(connection_.get()),
                  static_cast<short>(status == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    if (::poll(&polled, 1, kWaitMs) == 0) {
      if (++silent_turns <= turns_max) continue;
      return fail(ErrorCode::kIo,
                  fmt::format("{}: no answer within {} ms", without_password(options.url),
                              options.connect_timeout.count()));
    }
    status = PQconnectPoll(connection_.get());
    if (status == PGRES_POLLING_FAILED) return failed();
  }
  return {};
}

Result<PgConnection::Answer> PgConnection::await_answer() {
  Answer last;
  for (;;) {
    while (PQisBusy(connection_.get()) != 0) {
      HEARTH_TRY_VOID(wait(POLLIN));
      if (PQconsumeInput(connection_.get()) == 0) return pg_failure(nullptr, connection_.get());
    }
    Answer next(PQgetResult(connection_.get()));
    if (!next) break;
    last = std::move(next);
    const auto status = PQresultStatus(last.get());
    if (status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) return last;
    if (status == PGRES_FATAL_ERROR) {
      const char* state = PQresultErrorField(last.get(), PG_DIAG_SQLSTATE);
      const std::string_view code = state == nullptr ? "" : state;
      // Classes 57P (the server stops or starts) and 08 (connections).
      was_ended_ = was_ended_ || code.starts_with("57P") || code.starts_with("08");
      while (Answer rest{PQgetResult(connection_.get())}) continue;
      return pg_failure(last.get(), connection_.get());
    }
  }
  if (!last) return pg_failure(nullptr, connection_.get());
  return last;
}

Result<PgConnection::Answer> PgConnection::run(const std::string& sql) {
  if (PQsendQuery(connection_.get(), sql.c_str()) == 0)
    return pg_failure(nullptr, connection_.get());
  return await_answer();
}

Result<PgConnection::Answer> PgConnection::describe(const std::string& sql) {
  if (PQsendPrepare(connection_.get(), "", sql.c_str(), 0, nullptr) == 0)
    return pg_failure(nullptr, connection_.get());
  HEARTH_TRY_VOID(await_answer());
  if (PQsendDescribePrepared(connection_.get(), "") == 0)
    return pg_failure(nullptr, connection_.get());
  return await_answer();
}

Result<std::optional<std::string_view>> PgConnection::next_copy_data() {
  for (;;) {
    char* bytes = nullptr;
    const int size = PQgetCopyData(connection_.get(), &bytes, 1);
    data_.reset(bytes);
    if (size > 0) {
      if (is_interrupted() && turns_since_cancel_ < 0)
        return cancel(), fail(ErrorCode::kBusy, "interrupted");
      return std::optional(std::string_view(bytes, static_cast<std::size_t>(size)));
    }
    if (size == -1) {
      HEARTH_TRY_VOID(await_answer());
      return std::optional<std::string_view>{};
    }
    if (size == -2) return pg_failure(nullptr, connection_.get());
    HEARTH_TRY_VOID(wait(POLLIN));
    if (PQconsumeInput(connection_.get()) == 0) return pg_failure(nullptr, connection_.get());
  }
}

Result<std::optional<std::string_view>> PgConnection::poll_copy_data(milliseconds wait) {
  for (int turn = 0;; ++turn) {
    char* bytes = nullptr;
    const int size = PQgetCopyData(connection_.get(), &bytes, 1);
    data_.reset(bytes);
    if (size > 0) return std::optional(std::string_view(bytes, static_cast<std::size_t>(size)));
    if (size == -1) {
      HEARTH_TRY_VOID(await_answer());
      return fail(ErrorCode::kIo, "PostgreSQL: the server ended the change stream");
    }
    if (size == -2) return pg_failure(nullptr, connection_.get());
    if (is_interrupted()) return fail(ErrorCode::kBusy, "interrupted");
    if (turn > 0) return std::optional<std::string_view>{};
    pollfd polled{PQsocket(connection_.get()), POLLIN, 0};
    ::poll(&polled, 1, static_cast<int>(wait.count()));
    if (PQconsumeInput(connection_.get()) == 0) return pg_failure(nullptr, connection_.get());
  }
}

Result<void> PgConnection::put_copy_data(std::string_view bytes) {
  if (PQputCopyData(connection_.get(), bytes.data(), static_cast<int>(bytes.size())) != 1 ||
      PQflush(connection_.get()) < 0)
    return pg_failure(nullptr, connection_.get());
  return {};
}

}  // namespace hearth::warm

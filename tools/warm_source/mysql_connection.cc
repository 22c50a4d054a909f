#include "tools/warm_source/mysql_connection.h"

#include <errmsg.h>
#include <fmt/core.h>
#include <mysqld_error.h>

#include <algorithm>

#include "src/base/parse_number.h"

namespace hearth::warm {
namespace {

const char* text_or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

std::string option_of(const SourceUrl& url, const char* name) {
  const auto found = url.options.find(name);
  return found == url.options.end() ? std::string() : found->second;
}

constexpr std::string_view kPreferred = "PREFERRED";
constexpr std::string_view kDisabled = "DISABLED";

Result<void> set_tls(MYSQL* connection, const SourceUrl& url, std::string_view mode) {
  const std::string ca = option_of(url, "ssl-ca");
  const std::string cert = option_of(url, "ssl-cert");
  const std::string key = option_of(url, "ssl-key");
  const bool verifies = mode == "VERIFY_CA" || mode == "VERIFY_IDENTITY";
  // The library tries TLS only if it must. Where that fails without it, `connect` tries again.
  const bool requires_tls = verifies || mode == "REQUIRED" || mode == kPreferred;
  if (!mode.empty() && !requires_tls && mode != kDisabled) {
    return fail(ErrorCode::kInvalid,
                fmt::format("ssl-mode '{}' is none of: DISABLED, PREFERRED, REQUIRED, VERIFY_CA, "
                            "VERIFY_IDENTITY",
                            mode));
  }
  if (mode == kDisabled) return {};
  if (!ca.empty() || !cert.empty() || !key.empty()) {
    mysql_ssl_set(connection, text_or_null(key), text_or_null(cert), text_or_null(ca), nullptr,
                  nullptr);
  }
  my_bool on = requires_tls ? 1 : 0;
  mysql_optionsv(connection, MYSQL_OPT_SSL_ENFORCE, &on);
  // The library checks the name with the certificate or neither, so VERIFY_CA is as strict.
  on = verifies ? 1 : 0;
  mysql_optionsv(connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
  return {};
}

}  // namespace

unexpected<Error> my_failure(unsigned code, const char* message) {
  const std::string text = message == nullptr || *message == 0 ? "the connection is lost" : message;
  switch (code) {
    case ER_QUERY_INTERRUPTED: return fail(ErrorCode::kBusy, "interrupted");
    case ER_PARSE_ERROR:
    case ER_BAD_FIELD_ERROR:
    case ER_NO_SUCH_TABLE:
    case ER_BAD_DB_ERROR:
    case ER_NO_DB_ERROR:
    case ER_NON_UNIQ_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR:
    case ER_COLUMNACCESS_DENIED_ERROR:
    case ER_DBACCESS_DENIED_ERROR:
    case ER_WRONG_FIELD_WITH_GROUP:
    case ER_SP_DOES_NOT_EXIST:
    case ER_UNSUPPORTED_PS: return fail(ErrorCode::kInvalid, fmt::format("MySQL: {}", text));
    default: return fail(ErrorCode::kIo, fmt::format("MySQL: {}", text));
  }
}

std::string my_bytes(std::string_view bytes) {
  std::string out = "X'";
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out + "'";
}

std::string my_text(std::string_view text) { return "_utf8mb4 " + my_bytes(text); }

Result<MyConnection> MyConnection::open(const SourceUrl& url, const SourceOptions& options) {
  MyConnection connection;
  HEARTH_TRY_VOID(connection.connect(url, options));
  // Limits that are meant for applications do not end a load, and a slow cache does not end the
  // connection; times come in UTC.
  HEARTH_TRY_VOID(connection.run(
      "SET SESSION time_zone = '+00:00', net_write_timeout = 31536000, net_read_timeout = "
      "31536000"));
  HEARTH_TRY_VOID(connection.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"));
  for (const char* limit :
       {"SET SESSION max_statement_time = 0", "SET SESSION max_execution_time = 0"}) {
    // Each of the two servers knows one of them.
    static_cast<void>(connection.run(limit));
  }
  return connection;
}

Result<void> MyConnection::connect(const SourceUrl& url, const SourceOptions& options) {
  const std::string mode = option_of(url, "ssl-mode");
  auto connected = connect_with(url, options, mode);
  if (connected || mode != kPreferred || !connection_ ||
      mysql_errno(connection_.get()) != CR_SSL_CONNECTION_ERROR)
    return connected;
  return connect_with(url, options, kDisabled);
}

Result<void> MyConnection::connect_with(const SourceUrl& url, const SourceOptions& options,
                                        std::string_view tls_mode) {
  connection_.reset(mysql_init(nullptr));
  if (!connection_) return fail(ErrorCode::kIo, "MySQL: out of memory");
  MYSQL* const my = connection_.get();
  const unsigned timeout = static_cast<unsigned>(
      std::max<std::int64_t>(1, (options.connect_timeout.count() + 999) / 1000));
  const unsigned off = 0;
  mysql_optionsv(my, MYSQL_OPT_CONNECT_TIMEOUT, &timeout);
  // A server must not ask for files of this machine.
  mysql_optionsv(my, MYSQL_OPT_LOCAL_INFILE, &off);
  mysql_optionsv(my, MYSQL_READ_DEFAULT_GROUP, "cache-warm");
  mysql_optionsv(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  HEARTH_TRY_VOID(set_tls(my, url, tls_mode));
  const auto socket = url.options.find("socket");
  const std::string password =
      !options.password.empty() ? options.password : url.password.value_or("");
  const MYSQL* connected = mysql_real_connect(
      my, text_or_null(url.host), text_or_null(url.user),
      password.empty() ? nullptr : password.c_str(), text_or_null(url.path), url.port,
      socket == url.options.end() ? nullptr : socket->second.c_str(), 0);
  if (connected == nullptr) {
    return fail(ErrorCode::kIo,
                fmt::format("{}: {}", without_password(options.url), mysql_error(my)));
  }
  // The library goes on without encryption where the server, or somebody in between, says that it
  // has none.
  const bool may_be_plain = tls_mode.empty() || tls_mode == kDisabled || tls_mode == kPreferred;
  if (!may_be_plain && mysql_get_ssl_cipher(my) == nullptr) {
    return fail(ErrorCode::kIo, fmt::format("{}: the server has no TLS, which ssl-mode={} demands",
                                            without_password(options.url), tls_mode));
  }
  return {};
}

bool MyConnection::is_lost() {
  const auto says_so = [this] {
    switch (mysql_errno(connection_.get())) {
      case CR_SERVER_GONE_ERROR:
      case CR_SERVER_LOST:
      case CR_CONNECTION_ERROR:
      case ER_SERVER_SHUTDOWN:
      case ER_CONNECTION_KILLED: return true;
      default: return false;
    }
  };
  // The error may be a statement's only; the library asks the server then.
  return says_so() || (mysql_ping(connection_.get()) != 0 && says_so());
}

Result<MyConnection::Texts> MyConnection::run(const std::string& sql) {
  MYSQL* const my = connection_.get();
  if (mysql_real_query(my, sql.data(), sql.size()) != 0)
    return my_failure(mysql_errno(my), mysql_error(my));
  const std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)> result(mysql_store_result(my),
                                                                        &mysql_free_result);
  Texts rows;
  if (!result) {
    if (mysql_errno(my) != 0) return my_failure(mysql_errno(my), mysql_error(my));
    return rows;
  }
  const unsigned count = mysql_num_fields(result.get());
  while (MYSQL_ROW row = mysql_fetch_row(result.get())) {
    const unsigned long* sizes = mysql_fetch_lengths(result.get());
    auto& out = rows.emplace_back();
    for (unsigned i = 0; i < count; ++i) {
      out.push_back(row[i] == nullptr ? std::nullopt
                                      : std::optional(std::string(row[i], sizes[i])));
    }
  }
  return rows;
}

}  // namespace hearth::warm

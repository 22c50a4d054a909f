// PostgreSQL, MariaDB and MySQL servers of a test's own: in a directory of their own, on a free
// port, not as root, without anything that makes them durable.
#pragma once

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/child_process.h"
#include "tests/support/server_process.h"
#include "tests/support/temp_dir.h"

namespace hearth::test {

// The words in front of a command that must not run as root: it becomes `user` then, in the same
// process. Nothing when this is not root.
inline std::vector<std::string> as_user(const std::string& user) {
  if (::geteuid() != 0) return {};
  return {"setpriv", "--reuid=" + user, "--regid=" + user, "--clear-groups", "--pdeathsig=KILL"};
}

inline void give_to_user(const TempDir& dir, const std::string& user) {
  const passwd* entry = ::getpwnam(user.c_str());
  if (::geteuid() == 0 && entry != nullptr)
    static_cast<void>(::chown(dir.path().c_str(), entry->pw_uid, entry->pw_gid));
}

// The commands, one after the other in one list.
inline std::vector<std::string> joined(std::vector<std::string> first,
                                       const std::vector<std::string>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

class PostgresProcess {
 public:
  // Nothing where PostgreSQL is not installed, or does not start. `settings` are of its
  // configuration, "name=value".
  static std::unique_ptr<PostgresProcess> start(std::vector<std::string> settings = {}) {
    auto server = std::unique_ptr<PostgresProcess>(new PostgresProcess());
    for (auto& setting : settings) {
      server->settings_.emplace_back("-c");
      server->settings_.push_back(std::move(setting));
    }
    server->programs_ = find_programs();
    if (server->programs_.empty() || !find_program("psql")) return nullptr;
    give_to_user(server->dir_, kUser);
    const auto made = run_command(joined(
        as_user(kUser), {server->programs_ + "/initdb", "-D", server->dir_.file("data"), "-U",
                         "tester", "--auth=trust", "-N", "-E", "UTF8", "--locale=C.UTF-8"}));
    if (made.exit_code != 0) {
      std::fprintf(stderr, "initdb: %s\n", made.err.c_str());
      return nullptr;
    }
    return server->run_server() ? std::move(server) : nullptr;
  }
  ~PostgresProcess() { stop(SIGINT); }
  PostgresProcess(const PostgresProcess&) = delete;
  PostgresProcess& operator=(const PostgresProcess&) = delete;

  // Starts it again on the same data and port, after `stop`.
  bool run_server() {
    if (port_ == 0) port_ = free_port();
    process_ =
        std::make_unique<ChildProcess>(joined(joined(as_user(kUser), {programs_ + "/postgres",
                                                                      "-D",
                                                                      dir_.file("data"),
                                                                      "-k",
                                                                      dir_.path(),
                                                                      "-p",
                                                                      std::to_string(port_),
                                                                      "-c",
                                                                      "listen_addresses=127.0.0.1",
                                                                      "-c",
                                                                      "fsync=off",
                                                                      "-c",
                                                                      "full_page_writes=off",
                                                                      "-c",
                                                                      "shared_buffers=32MB",
                                                                      "-c",
                                                                      "autovacuum=off",
                                                                      "-c",
                                                                      "wal_level=minimal",
                                                                      "-c",
                                                                      "max_wal_senders=0"}),
                                              settings_),
                                       dir_.file("log"), dir_.file("log"));
    return eventually([&] { return !process_->is_running() || run("SELECT 1").exit_code == 0; }) &&
           process_->is_running();
  }
  void stop(int signal) {
    if (process_) process_->stop(signal);
    process_.reset();
  }

  // Runs SQL as the superuser.
  CommandResult run(const std::string& sql, const std::string& user = "tester") const {
    return run_command({"psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", dir_.path(),
                        "-p", std::to_string(port_), "-U", user, "-d", "postgres", "-c", sql});
  }
  [[nodiscard]] std::string url(const std::string& user = "tester") const {
    return "postgresql://" + user + "@127.0.0.1:" + std::to_string(port_) + "/postgres";
  }

 private:
  static constexpr const char* kUser = "postgres";
  PostgresProcess() = default;

  // The newest installed version's folder; nothing when there is none.
  static std::string find_programs() {
    std::string newest;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
      const std::string folder = entry.path().string() + "/bin";
      if (std::filesystem::exists(folder + "/initdb")) newest = std::max(newest, folder);
    }
    return newest;
  }

  TempDir dir_;
  std::vector<std::string> settings_;
  std::string programs_;
  int port_ = 0;
  std::unique_ptr<ChildProcess> process_;
};

// The part that MariaDB and MySQL have in common.
class MyServerProcess {
 public:
  virtual ~MyServerProcess() = default;
  MyServerProcess(const MyServerProcess&) = delete;
  MyServerProcess& operator=(const MyServerProcess&) = delete;

  // Starts it again on the same data and port, after `stop`.
  bool run_server() {
    if (port_ == 0) port_ = free_port();
    auto words = joined(
        server_words(),
        {"--datadir=" + dir_.file("data"), "--port=" + std::to_string(port_),
         "--bind-address=127.0.0.1", "--socket=" + dir_.file("socket"),
         "--pid-file=" + dir_.file("pid"), "--innodb-flush-log-at-trx-commit=0",
         "--innodb-buffer-pool-size=48M", "--innodb-flush-method=nosync", "--skip-name-resolve",
         "--max-allowed-packet=64M", "--log-bin=log", "--server-id=1", "--sync-binlog=0"});
    process_ = std::make_unique<ChildProcess>(joined(joined(as_own_user(), words), options_),
                                              dir_.file("log"), dir_.file("log"));
    return eventually([&] { return !process_->is_running() || run("SELECT 1").exit_code == 0; },
                      milliseconds{30'000}) &&
           process_->is_running();
  }
  void stop(int signal) {
    if (process_) process_->stop(signal);
    process_.reset();
  }

  // Runs SQL as root; the tables of the tests are in `shop`.
  CommandResult run(const std::string& sql) const { return run_command(command(sql)); }
  // The command that does so, for a process of its own.
  [[nodiscard]] std::vector<std::string> command(const std::string& sql) const {
    return {"mariadb",
            "--no-defaults",
            "-uroot",
            "--socket=" + dir_.file("socket"),
            "--default-character-set=utf8mb4",
            "-N",
            "-e",
            "USE mysql; " + sql};
  }
  [[nodiscard]] std::string url(const std::string& login = "tester:secret") const {
    return "mysql://" + login + "@127.0.0.1:" + std::to_string(port_) + "/shop";
  }

 protected:
  static constexpr const char* kUser = "mysql";
  explicit MyServerProcess(std::vector<std::string> options) : options_(std::move(options)) {
    give_to_user(dir_, kUser);
  }

  // The program, and what it is always given.
  [[nodiscard]] virtual std::vector<std::string> server_words() const = 0;

  // A server that starts removes the temporary tables of all others from the folder that they
  // share.
  [[nodiscard]] std::vector<std::string> as_own_user() const {
    return joined(as_user(kUser), {"env", "TMPDIR=" + dir_.file(".")});
  }
  // The first start, on data that `command` makes.
  bool begin_on(const std::vector<std::string>& command) {
    const auto made = run_command(joined(as_own_user(), command));
    if (made.exit_code != 0) {
      std::fprintf(stderr, "%s: %s %s\n", command[0].c_str(), made.out.c_str(), made.err.c_str());
      return false;
    }
    if (!run_server()) return false;
    run("CREATE DATABASE shop CHARACTER SET utf8mb4");
    run("CREATE USER tester@'%' IDENTIFIED BY 'secret'; GRANT ALL ON shop.* TO tester@'%'");
    return true;
  }

  TempDir dir_;

 private:
  std::vector<std::string> options_;
  int port_ = 0;
  std::unique_ptr<ChildProcess> process_;
};

class MariaDbProcess final : public MyServerProcess {
 public:
  static constexpr const char* kName = "MariaDB";
  static constexpr const char* kRightToLog = "BINLOG MONITOR";

  // Nothing where MariaDB is not installed, or does not start. `options` are of the server's
  // command line.
  static std::unique_ptr<MariaDbProcess> start(std::vector<std::string> options = {}) {
    if (!find_program("mariadb-install-db") || !find_server()) return nullptr;
    auto server = std::unique_ptr<MariaDbProcess>(new MariaDbProcess(std::move(options)));
    const bool runs = server->begin_on({"mariadb-install-db", "--no-defaults",
                                        "--datadir=" + server->dir_.file("data"),
                                        "--auth-root-authentication-method=normal",
                                        "--skip-test-db", "--innodb-flush-log-at-trx-commit=0"});
    return runs ? std::move(server) : nullptr;
  }
  ~MariaDbProcess() override { stop(SIGTERM); }

 private:
  using MyServerProcess::MyServerProcess;
  [[nodiscard]] std::vector<std::string> server_words() const override {
    return {*find_server(), "--no-defaults"};
  }
  static std::optional<std::string> find_server() {
    if (auto found = find_program("mariadbd")) return found;
    const std::string usual = "/usr/sbin/mariadbd";
    return ::access(usual.c_str(), X_OK) == 0 ? std::optional(usual) : std::nullopt;
  }
};

// The MySQL that npm has: Debian has none.
class MySqlProcess final : public MyServerProcess {
 public:
  static constexpr const char* kName = "MySQL";
  static constexpr const char* kRightToLog = "REPLICATION CLIENT";

  // Nothing where `folder`, that of the package, has no server, or the client is not installed, or
  // the server does not start.
  static std::unique_ptr<MySqlProcess> start(std::string folder,
                                             std::vector<std::string> options = {}) {
    if (::access((folder + "/mysqld").c_str(), X_OK) != 0 || !find_program("mariadb"))
      return nullptr;
    auto server = std::unique_ptr<MySqlProcess>(new MySqlProcess(std::move(options)));
    server->folder_ = std::move(folder);
    const std::string data = server->dir_.file("data");
    const std::string tables = server->folder_ + "/share/mysql_system_tables";
    const std::string make = "mkdir -p \"$0/mysql\" && (echo 'USE mysql;'; cat " + tables +
                             ".sql " + tables + "_data.sql) | \"$@\" --bootstrap --datadir=\"$0\"";
    const bool runs = server->begin_on(joined({"sh", "-c", make, data}, server->server_words()));
    // With it a user without a name, from this machine, comes before `tester`.
    if (runs) server->run("DELETE FROM mysql.user WHERE user = ''; FLUSH PRIVILEGES");
    return runs ? std::move(server) : nullptr;
  }
  ~MySqlProcess() override { stop(SIGTERM); }

 private:
  using MyServerProcess::MyServerProcess;
  [[nodiscard]] std::vector<std::string> server_words() const override {
    return {"env",
            "LD_LIBRARY_PATH=" + folder_,
            folder_ + "/mysqld",
            "--no-defaults",
            "--lc-messages-dir=" + folder_ + "/share",
            "--character-sets-dir=" + folder_ + "/share/charsets"};
  }

  std::string folder_;
};

}  // namespace hearth::test

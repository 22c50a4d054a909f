// Accounts: the server's users, who is which, and what was denied. The engine's AccountControl.
#pragma once

#include "src/acl/log.h"
#include "src/acl/users.h"
#include "src/command/account_control.h"
#include "src/command/keys.h"
#include "src/command/rights.h"
#include "src/config/registry.h"
#include "src/metrics/stats.h"

namespace hearth {

class ClientControl;
class CommandTable;
struct Services;

class Accounts final : public AccountControl {
 public:
  struct Parts {
    config::Registry& config;
    const CommandTable& commands;
    ClientControl& clients;
    Stats& stats;
    const Services& services;  // its server may be null: then there are no files
    const KeyEnvironment& environment;
  };
  explicit Accounts(const Parts& parts);

  // The users of the configuration: `user` directives or `aclfile`. For the start, before there
  // are sessions.
  [[nodiscard]] Result<void, std::string> load_configured();

  [[nodiscard]] const acl::Users& users() const override { return users_; }
  [[nodiscard]] acl::Log& log() override { return log_; }
  [[nodiscard]] bool authenticate(Session& session, std::string_view user,
                                  std::string_view password, std::string_view object) override;
  void become_default(Session& session) override;
  [[nodiscard]] std::optional<std::string> denied(Session& session, const Command& command,
                                                  std::span<const std::string_view> argv,
                                                  acl::Context context) override;
  [[nodiscard]] Result<void, std::string> set_user(std::string_view name,
                                                   std::span<const std::string_view> rules,
                                                   const Session& by) override;
  bool delete_user(std::string_view name, const Session& by) override;
  [[nodiscard]] Result<void, std::string> load_file(const Session* by) override;
  [[nodiscard]] Result<void> save_file() override;
  [[nodiscard]] std::optional<std::vector<std::vector<std::string>>> directives() const override;

  // A denial of a request, counted and logged. Returns its text, without a code.
  std::string note(Session& session, const acl::Denial& denial, const Command& command,
                   std::span<const std::string_view> argv, acl::Context context);

 private:
  void log_denial(Session& session, acl::Reason reason, acl::Context context, std::string object,
                  std::string_view user);
  void replace_user(acl::User user, const Session* by);
  void replace_all(acl::Users::Map&& users, const Session* by);
  void close_sessions_of(const acl::User& user, const Session* by);
  void close(Session& victim, const Session* by);

  Parts parts_;
  acl::Users users_;
  acl::Log log_;
};

}  // namespace hearth

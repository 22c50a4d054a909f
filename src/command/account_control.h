// AccountControl: users and what they may do. Implemented by the engine.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"

namespace hearth {

struct Command;
struct Session;
namespace acl {
class Log;
class Users;
enum class Context : std::uint8_t;
}  // namespace acl

class AccountControl {
 public:
  virtual ~AccountControl() = default;
  [[nodiscard]] virtual const acl::Users& users() const = 0;
  [[nodiscard]] virtual acl::Log& log() = 0;
  // Makes the session the user's if the password is right. A failure is logged.
  //   object  what ACL LOG shows as tried: the command's word
  [[nodiscard]] virtual bool authenticate(Session& session, std::string_view user,
                                          std::string_view password, std::string_view object) = 0;
  // The state of a new connection: the default user's, if that needs no password.
  virtual void become_default(Session& session) = 0;
  // Nothing if the session's user may run this, else the error for the client ("NOPERM ..."). A
  // denial is counted and logged, as one of `context`.
  [[nodiscard]] virtual std::optional<std::string> denied(Session& session, const Command& command,
                                                          std::span<const std::string_view> argv,
                                                          acl::Context context) = 0;
  // ACL SETUSER. Sessions of the user that listen to channels it may no longer hear are closed.
  //   error  the client's text, without a code
  [[nodiscard]] virtual Result<void, std::string> set_user(std::string_view name,
                                                           std::span<const std::string_view> rules,
                                                           const Session& by) = 0;
  // ACL DELUSER. Sessions of the user are closed. False if there is none.
  virtual bool delete_user(std::string_view name, const Session& by) = 0;
  // ACL LOAD and SAVE: `aclfile`.
  [[nodiscard]] virtual Result<void, std::string> load_file(const Session* by) = 0;
  [[nodiscard]] virtual Result<void> save_file() = 0;
  // The words of `user` directives that make the present users; nothing if they live in a file.
  [[nodiscard]] virtual std::optional<std::vector<std::vector<std::string>>> directives() const = 0;
};

}  // namespace hearth

// Users: all users of a server, and the texts they are loaded from and saved to.
//
// A User stays at its address as long as it exists, so that sessions may point to theirs; who
// removes a user sees to its sessions first. There is always a user "default".
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/acl/catalog.h"
#include "src/acl/user.h"
#include "src/base/result.h"

namespace hearth::acl {

class Users {
 public:
  using Map = std::map<std::string, User, std::less<>>;

  explicit Users(Catalog catalog);

  [[nodiscard]] const Catalog& catalog() const { return catalog_; }
  [[nodiscard]] User& default_user() { return *default_user_; }
  [[nodiscard]] const User& default_user() const { return *default_user_; }
  [[nodiscard]] const User* find(std::string_view name) const;
  // By name.
  [[nodiscard]] const Map& all() const { return users_; }
  // acl-pubsub-default: what new users may hear.
  void set_new_channels(Selector::Channels channels) { new_channels_ = channels; }

  // The user as it would be with these rules, new if there is none of that name; nothing changes.
  // A selector may be spread over several rules: "(+get", "~a)".
  //   error  the client's text, without a code
  [[nodiscard]] Result<User, std::string> with_rules(std::string_view name,
                                                     std::span<const std::string_view> rules) const;
  // Creates or replaces the user of this name.
  void put(User user);
  // False if there is none, or it is the default one.
  bool erase(std::string_view name);

  // Users of a file: lines "user <name> <rule> ...", empty lines. All mistakes are told, with file
  // and line; then nothing is to be used. A file without a default user has the usual one.
  [[nodiscard]] Result<Map, std::string> parse(std::string_view text,
                                               std::string_view file_name) const;
  // Users of `user` directives, each name and rules; the default user starts without rights.
  [[nodiscard]] Result<Map, std::string> from_directives(
      std::span<const std::vector<std::string>> lines) const;
  // The text of a file that parse() reads back.
  [[nodiscard]] std::string file_text() const;

 private:
  [[nodiscard]] User usual_default_user() const;

  Catalog catalog_;
  Selector::Channels new_channels_ = Selector::Channels::kNone;
  Map users_;
  User* default_user_ = nullptr;
};

}  // namespace hearth::acl

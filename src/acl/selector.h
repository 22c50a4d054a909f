// Selector: one set of permissions. A user has a root selector and any number of others; a command
// must be allowed by one of them as a whole.
//
// The command rules are kept as they were given, less what later rules make void, so that a
// description reads back as the same permissions, future commands included.
// Source: the public documentation of ACL rules; the order of a description is observed behaviour.
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "src/acl/catalog.h"
#include "src/base/ids.h"
#include "src/base/result.h"

namespace hearth::acl {

// A user's description is its rules with blanks between them, and a selector is rules in
// parentheses. A text with one of these in it would read back as other rules.
[[nodiscard]] bool has_separators(std::string_view text);

// Why a rule was refused.
struct RuleError {
  std::string_view why;       // a sentence for the client
  bool unknown_name = false;  // it names a command or category that does not exist
};

// Passwords of a user, selectors of a user, and first arguments of a command: each new one is
// compared with all that are there.
inline constexpr std::size_t kEntriesMost = 1024;

// The rights to a key.
using KeyRights = std::uint8_t;
inline constexpr KeyRights kReadKey = 1, kWriteKey = 2, kAnyKeyUse = 3;

class Selector {
 public:
  enum class Channels : std::uint8_t { kNone, kAll };
  // No command, no key, every database.
  explicit Selector(Channels channels) : all_channels_(channels == Channels::kAll) {}

  // Applies one rule: +cmd -cmd +@cat ~pattern %R~pattern &pattern db=0,1 allkeys ... Unchanged on
  // error. Whatever is accepted, text() makes the same permissions again.
  Result<void, RuleError> apply(const Catalog& catalog, std::string_view rule);

  // first_arg: the word behind the command's name, empty if there is none.
  [[nodiscard]] bool allows_command(std::uint32_t id, std::string_view first_arg) const;
  [[nodiscard]] bool allows_key(std::string_view key, KeyRights rights) const;
  // May every key be used so?
  [[nodiscard]] bool allows_every_key(KeyRights rights) const;
  [[nodiscard]] bool allows_channel(std::string_view channel) const;
  // A pattern to subscribe to must be one of the rules' own, letter for letter.
  [[nodiscard]] bool allows_channel_pattern(std::string_view pattern) const;
  [[nodiscard]] bool allows_database(std::int64_t db) const;

  [[nodiscard]] bool all_commands() const { return all_commands_; }
  [[nodiscard]] bool all_keys() const { return all_keys_; }
  [[nodiscard]] bool all_channels() const { return all_channels_; }
  [[nodiscard]] bool all_databases() const { return all_databases_; }
  [[nodiscard]] const std::vector<std::string>& channels() const { return channels_; }

  // Rules that make the same permissions, by topic and all together.
  [[nodiscard]] std::string commands_text() const;   // "-@all +get"
  [[nodiscard]] std::string keys_text() const;       // "~a %R~b"
  [[nodiscard]] std::string channels_text() const;   // "&a &b"
  [[nodiscard]] std::string databases_text() const;  // "alldbs", "db=0,1" or "resetdbs"
  [[nodiscard]] std::string text() const;

 private:
  struct KeyPattern {
    std::string text;
    KeyRights rights = 0;
  };
  using Bits = std::bitset<kCommandsMost + 1>;

  Result<void, RuleError> apply_keys(std::string_view rule);
  Result<void, RuleError> apply_channel(std::string_view rule);
  Result<void, RuleError> apply_databases(std::string_view rule);
  Result<void, RuleError> apply_command(const Catalog& catalog, std::string_view rule);
  Result<void, RuleError> apply_first_arg(const Catalog& catalog, std::string_view rule);
  Result<void, RuleError> apply_category(const Catalog& catalog, std::string_view rule);
  void set_all_keys(bool all);
  void set_all_channels(bool all);
  void set_all_databases(bool all);
  void allow_all_commands(bool allow);
  void change_command(const CatalogCommand& command, bool allow);
  void note_rule(std::string_view name, bool allow);

  Bits allowed_;  // by id; the last: commands that will exist one day
  std::map<std::uint32_t, std::vector<std::string>> first_args_;
  std::vector<std::string> rules_;  // "+get", "-@slow", in order
  // In the order of their rules; beside them what finds one, since a user may have many.
  std::vector<KeyPattern> keys_;
  std::map<std::string, std::size_t, std::less<>> key_at_;
  std::vector<std::string> channels_;
  std::set<std::string, std::less<>> channel_names_;
  std::vector<std::int64_t> databases_;
  std::set<std::int64_t> database_ids_;
  bool all_commands_ = false;  // no bit was ever taken away since +@all
  bool all_keys_ = false;
  bool all_channels_;
  bool all_databases_ = true;
};

}  // namespace hearth::acl

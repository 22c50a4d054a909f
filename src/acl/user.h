// User: a name, how to prove to be it, and what it may do.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/acl/selector.h"

namespace hearth::acl {

inline constexpr std::string_view kDefaultUser = "default";

// Why a command may not run. The later a kind stands, the further the check had come.
enum class Reason : std::uint8_t { kCommand, kDatabase, kKey, kChannel, kAuth };

struct Denial {
  Reason reason = Reason::kCommand;
  std::uint32_t word = 0;  // kKey, kChannel: which word of the request
};

class User {
 public:
  // A new user: off, without passwords, without rights but those to `channels`.
  User(std::string name, Selector::Channels channels);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool enabled() const { return enabled_; }
  [[nodiscard]] bool needs_no_password() const { return no_password_; }
  [[nodiscard]] bool sanitizes_payloads() const { return sanitizes_; }
  // May do everything: one look for the hot path.
  [[nodiscard]] bool unrestricted() const { return unrestricted_; }
  [[nodiscard]] const std::vector<std::string>& password_hashes() const { return passwords_; }
  [[nodiscard]] const Selector& root() const { return selectors_.front(); }
  // The root first.
  [[nodiscard]] std::span<const Selector> selectors() const { return selectors_; }

  // Applies one rule. new_channels: acl-pubsub-default, for "reset". Unchanged on error.
  Result<void, RuleError> apply(const Catalog& catalog, Selector::Channels new_channels,
                                std::string_view rule);
  // The password of `requirepass`; empty: none is needed.
  void set_only_password(std::string_view password);

  // Takes the same time for each password that is wrong. O(number of passwords).
  [[nodiscard]] bool accepts(std::string_view password) const;
  // True unless the old user may hear channels that this one may not.
  [[nodiscard]] bool keeps_channels_of(const User& old) const;
  [[nodiscard]] bool allows_channel(std::string_view channel) const;
  [[nodiscard]] bool allows_channel_pattern(std::string_view pattern) const;
  [[nodiscard]] bool allows_key(std::string_view key, KeyRights rights) const;

  // "on", "nopass", "sanitize-payload": the words in the order of a description.
  [[nodiscard]] std::vector<std::string_view> flags() const;
  // All rules, as ACL LIST and the files have them, without "user <name>".
  [[nodiscard]] std::string text() const;

 private:
  Result<void, RuleError> apply_password(std::string_view rule);
  Result<void, RuleError> add_selector(const Catalog& catalog, std::string_view rule);
  void refresh();

  std::string name_;
  bool enabled_ = false;
  bool no_password_ = false;
  bool sanitizes_ = true;
  bool unrestricted_ = false;
  std::vector<std::string> passwords_;  // SHA-256, 64 hex digits
  std::vector<Selector> selectors_;
};

// 64 lower-case hex digits.
[[nodiscard]] std::string sha256_hex(std::string_view text);
// Not empty, no blanks and no NUL.
[[nodiscard]] bool is_user_name(std::string_view name);

}  // namespace hearth::acl

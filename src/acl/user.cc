#include "src/acl/user.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "src/base/check.h"
#include "src/base/parse_number.h"

namespace hearth::acl {
namespace {

constexpr std::size_t kHashDigits = 64;

bool is_hash(std::string_view text) {
  return text.size() == kHashDigits && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

bool equals_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i] ^ b[i]));
  return difference == 0;
}

tl::unexpected<RuleError> refuse_entry(std::string_view why) {
  return tl::unexpected<RuleError>(RuleError{why, false});
}

}  // namespace

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(kHashDigits);
  for (const unsigned char byte : digest) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

bool is_user_name(std::string_view name) { return !name.empty() && !has_separators(name); }

User::User(std::string name, Selector::Channels channels) : name_(std::move(name)) {
  selectors_.emplace_back(channels);
}

void User::refresh() {
  const auto may_all = [](const Selector& s) {
    return s.all_commands() && s.all_keys() && s.all_channels() && s.all_databases();
  };
  unrestricted_ = std::any_of(selectors_.begin(), selectors_.end(), may_all);
}

Result<void, RuleError> User::apply(const Catalog& catalog, Selector::Channels new_channels,
                                    std::string_view rule) {
  if (rule.empty()) return {};
  const auto is = [&](std::string_view word) { return equals_ignore_case(rule, word); };
  if (is("on") || is("off")) {
    enabled_ = is("on");
  } else if (is("sanitize-payload") || is("skip-sanitize-payload")) {
    sanitizes_ = is("sanitize-payload");
  } else if (is("nopass") || is("resetpass")) {
    no_password_ = is("nopass");
    passwords_.clear();
  } else if (rule.find_first_of("><#!") == 0) {
    return apply_password(rule);
  } else if (rule.front() == '(' && rule.back() == ')') {
    return add_selector(catalog, rule);
  } else if (is("clearselectors")) {
    selectors_.erase(selectors_.begin() + 1, selectors_.end());
    refresh();
  } else if (is("reset")) {
    *this = User(std::move(name_), new_channels);
  } else {
    HEARTH_TRY_VOID(selectors_.front().apply(catalog, rule));
    refresh();
  }
  return {};
}

Result<void, RuleError> User::apply_password(std::string_view rule) {
  const bool is_clear = rule[0] == '>' || rule[0] == '<';
  const bool adds = rule[0] == '>' || rule[0] == '#';
  if (!is_clear && !is_hash(rule.substr(1))) {
    return refuse_entry(
        "The password hash must be exactly 64 characters and contain only lowercase hexadecimal "
        "characters");
  }
  const std::string hash = is_clear ? sha256_hex(rule.substr(1)) : std::string(rule.substr(1));
  const auto at = std::find(passwords_.begin(), passwords_.end(), hash);
  if (adds) {
    if (at == passwords_.end() && passwords_.size() >= kEntriesMost)
      return refuse_entry("A user can have at most 1024 passwords");
    if (at == passwords_.end()) passwords_.push_back(hash);
    no_password_ = false;
  } else {
    if (at == passwords_.end())
      return refuse_entry("The password you are trying to remove from the user does not exist");
    passwords_.erase(at);
  }
  return {};
}

Result<void, RuleError> User::add_selector(const Catalog& catalog, std::string_view rule) {
  if (selectors_.size() > kEntriesMost)
    return refuse_entry("A user can have at most 1024 selectors");
  Selector selector(Selector::Channels::kNone);
  std::string_view rest = rule.substr(1, rule.size() - 2);
  for (;;) {
    const std::size_t first = rest.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) break;
    const std::size_t end = rest.find_first_of(" \t\r\n", first);
    const std::string_view one = rest.substr(first, end - first);
    // Where a selector ends is told by the word that ends with ')'.
    if (one.ends_with(')')) {
      return refuse_entry(
          "A rule in a selector may not end with ')'. In a pattern write '[)]' instead");
    }
    HEARTH_TRY_VOID(selector.apply(catalog, one));
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end);
  }
  selectors_.push_back(std::move(selector));
  refresh();
  return {};
}

void User::set_only_password(std::string_view password) {
  passwords_.clear();
  no_password_ = password.empty();
  if (!password.empty()) passwords_.push_back(sha256_hex(password));
}

bool User::accepts(std::string_view password) const {
  if (!enabled_) return false;
  if (no_password_) return true;
  const std::string hash = sha256_hex(password);
  return std::any_of(passwords_.begin(), passwords_.end(), [&](const std::string& known) {
    return equals_in_constant_time(known, hash);
  });
}

bool User::keeps_channels_of(const User& old) const {
  const auto all = [](const Selector& s) { return s.all_channels(); };
  if (std::any_of(selectors_.begin(), selectors_.end(), all)) return true;
  if (std::any_of(old.selectors_.begin(), old.selectors_.end(), all)) return false;
  return std::all_of(old.selectors_.begin(), old.selectors_.end(), [&](const Selector& s) {
    return std::all_of(s.channels().begin(), s.channels().end(),
                       [&](const std::string& pattern) { return allows_channel_pattern(pattern); });
  });
}

bool User::allows_channel(std::string_view channel) const {
  return std::any_of(selectors_.begin(), selectors_.end(),
                     [&](const Selector& s) { return s.allows_channel(channel); });
}

bool User::allows_channel_pattern(std::string_view pattern) const {
  return std::any_of(selectors_.begin(), selectors_.end(),
                     [&](const Selector& s) { return s.allows_channel_pattern(pattern); });
}

bool User::allows_key(std::string_view key, KeyRights rights) const {
  return std::any_of(selectors_.begin(), selectors_.end(),
                     [&](const Selector& s) { return s.allows_key(key, rights); });
}

std::vector<std::string_view> User::flags() const {
  std::vector<std::string_view> words{enabled_ ? "on" : "off"};
  if (no_password_) words.emplace_back("nopass");
  words.emplace_back(sanitizes_ ? "sanitize-payload" : "skip-sanitize-payload");
  return words;
}

std::string User::text() const {
  std::string text;
  for (const std::string_view word : flags()) text += std::string(word) + " ";
  for (const std::string& hash : passwords_) text += "#" + hash + " ";
  text += selectors_.front().text();
  for (std::size_t i = 1; i < selectors_.size(); ++i) text += " (" + selectors_[i].text() + ")";
  return text;
}

}  // namespace hearth::acl

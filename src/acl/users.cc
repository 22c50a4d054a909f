#include "src/acl/users.h"

#include <fmt/format.h>

#include "src/base/check.h"

namespace hearth::acl {
namespace {

// Rules with the parts of a selector joined; the error is the rule that opens one without an end.
Result<std::vector<std::string>, std::string> join_selectors(
    std::span<const std::string_view> rules) {
  std::vector<std::string> joined;
  const std::string_view* open = nullptr;
  for (const std::string_view& rule : rules) {
    if (open != nullptr) {
      joined.back() += ' ';
      joined.back() += rule;
      if (rule.ends_with(')')) open = nullptr;
      continue;
    }
    joined.emplace_back(rule);
    if (rule.starts_with('(') && !rule.ends_with(')')) open = &rule;
  }
  if (open != nullptr) {
    return tl::unexpected<std::string>(
        fmt::format("Unmatched parenthesis in acl selector starting at '{}'.", *open));
  }
  return joined;
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return words;
    line.remove_prefix(first);
    const std::size_t end = line.find_first_of(" \t\r");
    words.push_back(line.substr(0, end));
    if (end == std::string_view::npos) return words;
    line.remove_prefix(end);
  }
}

}  // namespace

Users::Users(Catalog catalog) : catalog_(std::move(catalog)) { put(usual_default_user()); }

User Users::usual_default_user() const {
  User user{std::string(kDefaultUser), Selector::Channels::kAll};
  for (const std::string_view rule : {"+@all", "~*", "&*", "on", "nopass"}) {
    const auto applied = user.apply(catalog_, new_channels_, rule);
    HEARTH_CHECK(applied.has_value());
  }
  return user;
}

const User* Users::find(std::string_view name) const {
  const auto at = users_.find(name);
  return at == users_.end() ? nullptr : &at->second;
}

void Users::put(User user) {
  const auto at = users_.find(user.name());
  if (at != users_.end()) {
    at->second = std::move(user);
    return;
  }
  std::string name = user.name();
  const auto added = users_.emplace(std::move(name), std::move(user)).first;
  if (added->first == kDefaultUser) default_user_ = &added->second;
}

bool Users::erase(std::string_view name) {
  const auto at = users_.find(name);
  if (at == users_.end() || name == kDefaultUser) return false;
  users_.erase(at);
  return true;
}

Result<User, std::string> Users::with_rules(std::string_view name,
                                            std::span<const std::string_view> rules) const {
  HEARTH_TRY(const std::vector<std::string> joined, join_selectors(rules));
  const User* old = find(name);
  User user = old != nullptr ? *old : User(std::string(name), new_channels_);
  for (const std::string& rule : joined) {
    if (const auto applied = user.apply(catalog_, new_channels_, rule); !applied) {
      return tl::unexpected<std::string>(
          fmt::format("Error in ACL SETUSER modifier '{}': {}", rule, applied.error().why));
    }
  }
  return user;
}

Result<Users::Map, std::string> Users::parse(std::string_view text,
                                             std::string_view file_name) const {
  Map users;
  std::string mistakes;
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::vector<std::string_view> words = split(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++number;
    if (words.empty()) continue;
    if (words[0] != "user" || words.size() < 2) {
      mistakes += fmt::format("{}:{} should start with user keyword followed by the username. ",
                              file_name, number);
      continue;
    }
    if (!is_user_name(words[1])) {
      mistakes += fmt::format("{}:{}: username '{}' contains invalid characters. ", file_name,
                              number, words[1]);
      continue;
    }
    if (users.contains(words[1])) {
      mistakes += fmt::format("WARNING: Duplicate user '{}' found on line {}. ", words[1], number);
      continue;
    }
    User user{std::string(words[1]), new_channels_};
    const auto rules = join_selectors(std::span(words).subspan(2));
    if (!rules) {
      mistakes += fmt::format("{}:{}: {} ", file_name, number, rules.error());
      continue;
    }
    for (const std::string& rule : *rules) {
      const auto applied = user.apply(catalog_, new_channels_, rule);
      if (applied) continue;
      // Other rules may hold a password: only names are repeated.
      if (applied.error().unknown_name) {
        mistakes += fmt::format("{}:{}: Error in applying operation '{}': {}. ", file_name, number,
                                rule, applied.error().why);
        continue;
      }
      mistakes += fmt::format("{}:{}: {}. ", file_name, number, applied.error().why);
      break;
    }
    users.emplace(words[1], std::move(user));
  }
  if (!mistakes.empty()) {
    return tl::unexpected<std::string>(
        mistakes +
        "WARNING: ACL errors detected, no change to the previously active ACL rules was performed");
  }
  if (!users.contains(kDefaultUser)) users.emplace(kDefaultUser, usual_default_user());
  return users;
}

Result<Users::Map, std::string> Users::from_directives(
    std::span<const std::vector<std::string>> lines) const {
  Map users;
  for (const std::vector<std::string>& line : lines) {
    const std::string& name = line[0];
    if (!is_user_name(name))
      return tl::unexpected<std::string>("Spaces not allowed in ACL usernames");
    if (users.contains(name)) {
      return tl::unexpected<std::string>(fmt::format(
          "Duplicate user '{}' found. A user can only be defined once in config files", name));
    }
    const std::vector<std::string_view> words(line.begin() + 1, line.end());
    HEARTH_TRY(const std::vector<std::string> rules, join_selectors(words));
    User user{name, new_channels_};
    for (const std::string& rule : rules) {
      if (const auto applied = user.apply(catalog_, new_channels_, rule); !applied) {
        return tl::unexpected<std::string>(
            fmt::format("Error loading ACL rule '{}' for the user named '{}': {}", rule, name,
                        applied.error().why));
      }
    }
    users.emplace(name, std::move(user));
  }
  return users;
}

std::string Users::file_text() const {
  std::string text;
  for (const auto& [name, user] : users_) text += "user " + name + " " + user.text() + "\n";
  return text;
}

}  // namespace hearth::acl

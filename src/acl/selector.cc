#include "src/acl/selector.h"

#include <algorithm>

#include "src/base/glob.h"
#include "src/base/parse_number.h"

namespace hearth::acl {
namespace {

constexpr std::string_view kSyntax = "Syntax error";
constexpr std::string_view kUnknownName = "Unknown command or category name in ACL";

tl::unexpected<RuleError> refuse_rule(std::string_view why, bool unknown_name = false) {
  return tl::unexpected<RuleError>(RuleError{why, unknown_name});
}

bool is_one_of(std::string_view rule, std::string_view a, std::string_view b) {
  return equals_ignore_case(rule, a) || equals_ignore_case(rule, b);
}

void add_word(std::string& text, std::string_view word) {
  if (!text.empty()) text += ' ';
  text += word;
}

}  // namespace

bool has_separators(std::string_view text) {
  return text.find_first_of(std::string_view(" \t\n\v\f\r\0", 7)) != std::string_view::npos;
}

Result<void, RuleError> Selector::apply(const Catalog& catalog, std::string_view rule) {
  if (rule.empty() || has_separators(rule)) return refuse_rule(kSyntax);
  if (is_one_of(rule, "allkeys", "~*")) {
    set_all_keys(true);
  } else if (equals_ignore_case(rule, "resetkeys")) {
    set_all_keys(false);
  } else if (is_one_of(rule, "allchannels", "&*")) {
    set_all_channels(true);
  } else if (equals_ignore_case(rule, "resetchannels")) {
    set_all_channels(false);
  } else if (equals_ignore_case(rule, "alldbs")) {
    set_all_databases(true);
  } else if (equals_ignore_case(rule, "resetdbs")) {
    set_all_databases(false);
  } else if (is_one_of(rule, "allcommands", "+@all")) {
    allow_all_commands(true);
  } else if (is_one_of(rule, "nocommands", "-@all")) {
    allow_all_commands(false);
  } else if (rule[0] == '~' || rule[0] == '%') {
    return apply_keys(rule);
  } else if (rule[0] == '&') {
    return apply_channel(rule);
  } else if (rule.size() > 3 && equals_ignore_case(rule.substr(0, 3), "db=")) {
    return apply_databases(rule);
  } else if ((rule[0] == '+' || rule[0] == '-') && rule.size() > 1 && rule[1] == '@') {
    return apply_category(catalog, rule);
  } else if (rule[0] == '+' && rule.find('|') != std::string_view::npos) {
    return apply_first_arg(catalog, rule);
  } else if (rule[0] == '+' || rule[0] == '-') {
    return apply_command(catalog, rule);
  } else {
    return refuse_rule(kSyntax);
  }
  return {};
}

void Selector::set_all_keys(bool all) {
  all_keys_ = all;
  keys_.clear();
  key_at_.clear();
}

void Selector::set_all_channels(bool all) {
  all_channels_ = all;
  channels_.clear();
  channel_names_.clear();
}

void Selector::set_all_databases(bool all) {
  all_databases_ = all;
  databases_.clear();
  database_ids_.clear();
}

Result<void, RuleError> Selector::apply_keys(std::string_view rule) {
  if (all_keys_) {
    return refuse_rule(
        "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not "
        "have any effect. Try 'resetkeys' to start with an empty list of patterns");
  }
  KeyRights rights = kAnyKeyUse;
  std::string_view pattern = rule.substr(1);
  if (rule[0] == '%') {
    rights = 0;
    const std::size_t tilde = pattern.find('~');
    if (tilde == std::string_view::npos || tilde == 0) return refuse_rule(kSyntax);
    for (const char c : pattern.substr(0, tilde)) {
      const KeyRights one = ascii_lower(c) == 'r'   ? kReadKey
                            : ascii_lower(c) == 'w' ? kWriteKey
                                                    : KeyRights{0};
      if (one == 0 || (rights & one) != 0) return refuse_rule(kSyntax);
      rights |= one;
    }
    pattern.remove_prefix(tilde + 1);
  }
  const auto [place, is_new] = key_at_.emplace(pattern, keys_.size());
  if (is_new) keys_.push_back({std::string(pattern), KeyRights{0}});
  KeyPattern& known = keys_[place->second];
  known.rights |= rights;
  // "%RW~*", or "%R~*" and "%W~*": the description is "~*", which no pattern may follow.
  if (pattern == "*" && known.rights == kAnyKeyUse) {
    set_all_keys(true);
  }
  return {};
}

Result<void, RuleError> Selector::apply_channel(std::string_view rule) {
  if (all_channels_) {
    return refuse_rule(
        "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does "
        "not have any effect. Try 'resetchannels' to start with an empty list of channels");
  }
  const std::string_view pattern = rule.substr(1);
  if (channel_names_.emplace(pattern).second) channels_.emplace_back(pattern);
  return {};
}

Result<void, RuleError> Selector::apply_databases(std::string_view rule) {
  std::vector<std::int64_t> databases;
  std::set<std::int64_t> ids;
  std::string_view rest = rule.substr(3);
  for (;;) {
    const std::size_t comma = rest.find(',');
    const auto id = parse_int64(rest.substr(0, comma));
    if (!id || *id < 0 || *id > INT32_MAX) return refuse_rule(kSyntax);
    if (ids.insert(*id).second) databases.push_back(*id);
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  all_databases_ = false;
  databases_ = std::move(databases);
  database_ids_ = std::move(ids);
  return {};
}

Result<void, RuleError> Selector::apply_command(const Catalog& catalog, std::string_view rule) {
  const CatalogCommand* command = catalog.find(rule.substr(1));
  if (command == nullptr) return refuse_rule(kUnknownName, true);
  change_command(*command, rule[0] == '+');
  note_rule(command->name, rule[0] == '+');
  return {};
}

// "+config|get" names a subcommand; "+select|0" a first argument of a command that has none.
Result<void, RuleError> Selector::apply_first_arg(const Catalog& catalog, std::string_view rule) {
  const std::size_t bar = rule.rfind('|');
  const CatalogCommand* command = catalog.find(rule.substr(1, bar - 1));
  if (command == nullptr) return refuse_rule(kUnknownName, true);
  if (command->is_subcommand)
    return refuse_rule("Allowing first-arg of a subcommand is not supported");
  const std::string_view argument = rule.substr(bar + 1);
  if (argument.empty()) return refuse_rule(kSyntax);
  if (!command->subcommands.empty()) {
    const CatalogCommand* sub = catalog.find(rule.substr(1));
    if (sub == nullptr) return refuse_rule(kUnknownName, true);
    change_command(*sub, true);
  } else {
    auto& allowed = first_args_[command->id];
    if (std::none_of(allowed.begin(), allowed.end(),
                     [&](const std::string& a) { return equals_ignore_case(a, argument); })) {
      if (allowed.size() >= kEntriesMost)
        return refuse_rule("A command can have at most 1024 allowed first arguments");
      allowed.emplace_back(argument);
    }
  }
  note_rule(lower_case(rule.substr(1)), true);
  return {};
}

Result<void, RuleError> Selector::apply_category(const Catalog& catalog, std::string_view rule) {
  const auto bits = catalog.category(rule.substr(2));
  if (!bits) return refuse_rule(kUnknownName, true);
  const bool allow = rule[0] == '+';
  for (const CatalogCommand& command : catalog.commands()) {
    if ((command.categories & *bits) != 0) change_command(command, allow);
  }
  note_rule(lower_case(rule.substr(1)), allow);
  return {};
}

void Selector::allow_all_commands(bool allow) {
  all_commands_ = allow;
  if (allow)
    allowed_.set();
  else
    allowed_.reset();
  rules_.clear();
  first_args_.clear();
}

void Selector::change_command(const CatalogCommand& command, bool allow) {
  allowed_.set(command.id, allow);
  first_args_.erase(command.id);
  for (const std::uint32_t id : command.subcommands) allowed_.set(id, allow);
  if (!allow) all_commands_ = false;
}

// A rule makes void what was said before of the same name or, for a container, of its parts.
void Selector::note_rule(std::string_view name, bool allow) {
  std::erase_if(rules_, [&](const std::string& rule) {
    const std::string_view old = std::string_view(rule).substr(1);
    return old == name ||
           (old.size() > name.size() && old.starts_with(name) && old[name.size()] == '|');
  });
  rules_.push_back((allow ? "+" : "-") + std::string(name));
}

bool Selector::allows_command(std::uint32_t id, std::string_view first_arg) const {
  if (all_commands_ || allowed_.test(id)) return true;
  const auto at = first_args_.find(id);
  return at != first_args_.end() && !first_arg.empty() &&
         std::any_of(at->second.begin(), at->second.end(), [&](const std::string& allowed) {
           return equals_ignore_case(allowed, first_arg);
         });
}

bool Selector::allows_key(std::string_view key, KeyRights rights) const {
  return all_keys_ || std::any_of(keys_.begin(), keys_.end(), [&](const KeyPattern& p) {
           return (p.rights & rights) == rights && glob_match(p.text, key);
         });
}

bool Selector::allows_every_key(KeyRights rights) const {
  return all_keys_ || std::any_of(keys_.begin(), keys_.end(), [&](const KeyPattern& p) {
           return (p.rights & rights) == rights && p.text == "*";
         });
}

bool Selector::allows_channel(std::string_view channel) const {
  return all_channels_ ||
         std::any_of(channels_.begin(), channels_.end(),
                     [&](const std::string& pattern) { return glob_match(pattern, channel); });
}

bool Selector::allows_channel_pattern(std::string_view pattern) const {
  return all_channels_ || channel_names_.contains(pattern);
}

bool Selector::allows_database(std::int64_t db) const {
  return all_databases_ || database_ids_.contains(db);
}

std::string Selector::commands_text() const {
  std::string text = allowed_.test(kCommandsMost) ? "+@all" : "-@all";
  for (const std::string& rule : rules_) add_word(text, rule);
  return text;
}

std::string Selector::keys_text() const {
  if (all_keys_) return "~*";
  std::string text;
  for (const KeyPattern& p : keys_) {
    const std::string_view prefix = p.rights == kAnyKeyUse ? "~"
                                    : p.rights == kReadKey ? "%R~"
                                                           : "%W~";
    add_word(text, std::string(prefix) + p.text);
  }
  return text;
}

std::string Selector::channels_text() const {
  if (all_channels_) return "&*";
  std::string text;
  for (const std::string& pattern : channels_) add_word(text, "&" + pattern);
  return text;
}

std::string Selector::databases_text() const {
  if (all_databases_) return "alldbs";
  if (databases_.empty()) return "resetdbs";
  std::string text;
  for (const std::int64_t id : databases_)
    text += (text.empty() ? "db=" : ",") + std::to_string(id);
  return text;
}

std::string Selector::text() const {
  std::string text = keys_text();
  if (!all_channels_) add_word(text, "resetchannels");
  if (const std::string channels = channels_text(); !channels.empty()) add_word(text, channels);
  if (!all_databases_) add_word(text, databases_text());
  add_word(text, commands_text());
  return text;
}

}  // namespace hearth::acl

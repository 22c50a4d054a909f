#include "src/command/rights.h"

#include <algorithm>

#include "src/base/parse_number.h"
#include "src/command/docs.h"
#include "src/command/key_extract.h"

namespace hearth {
namespace {

using acl::Denial;
using acl::Reason;
using acl::Selector;
using Argv = std::span<const std::string_view>;

// One request, its keys found when the first selector asks for them.
struct Request {
  const Command& command;
  Argv argv;
  DbIndex db;
  bool keys_known = false;
  std::vector<KeyPosition> keys{};

  const std::vector<KeyPosition>& the_keys() {
    // Words that don't fit the specs have no keys: the handler will refuse them.
    if (!std::exchange(keys_known, true) && !extract_keys(command, argv, keys)) keys.clear();
    return keys;
  }
};

bool touches_selected(const Command& command) {
  return !command.spec->keys.empty() || has(command.flags, Flag::kWrite) ||
         has(command.flags, Flag::kReadonly);
}

// A word that is no number names no database; the handler will say so.
bool allows_word(const Selector& selector, Argv argv, std::size_t at) {
  if (at >= argv.size()) return true;
  const auto db = parse_int64(argv[at]);
  return !db || selector.allows_database(*db);
}

bool allows_databases(const Selector& selector, const Request& request) {
  if (selector.all_databases()) return true;
  const auto argv = request.argv;
  const bool own = selector.allows_database(request.db);
  switch (request.command.spec->databases) {
    case DatabaseUse::kSelected: return own || !touches_selected(request.command);
    case DatabaseUse::kFirstArgument: return allows_word(selector, argv, 1);
    case DatabaseUse::kFirstTwo:
      return allows_word(selector, argv, 1) && allows_word(selector, argv, 2);
    case DatabaseUse::kSecondAndOwn: return own && allows_word(selector, argv, 2);
    case DatabaseUse::kOptional: {
      const std::size_t word = request.command.spec->database_word(argv);
      return own && (word == 0 || allows_word(selector, argv, word));
    }
    case DatabaseUse::kAll: return false;
  }
  return false;
}

std::optional<Denial> channel_denial(const Selector& selector, const Request& request) {
  const ChannelUse use = request.command.spec->channels;
  if (use == ChannelUse::kNone || selector.all_channels()) return std::nullopt;
  const std::size_t end = use == ChannelUse::kFirstArgument ? 2 : request.argv.size();
  for (std::size_t i = 1; i < std::min(end, request.argv.size()); ++i) {
    const bool allowed = use == ChannelUse::kPatterns
                             ? selector.allows_channel_pattern(request.argv[i])
                             : selector.allows_channel(request.argv[i]);
    if (!allowed) return Denial{Reason::kChannel, static_cast<std::uint32_t>(i)};
  }
  return std::nullopt;
}

std::optional<Denial> selector_denial(const Selector& selector, Request& request) {
  const Command& command = request.command;
  if (!selector.all_commands() && !has(command.flags, Flag::kNoAuth)) {
    const std::size_t first = command.parent != nullptr ? 2 : 1;
    const std::string_view argument = first < request.argv.size() ? request.argv[first] : "";
    if (!selector.allows_command(command.id, argument)) return Denial{Reason::kCommand, 0};
  }
  if (!allows_databases(selector, request)) return Denial{Reason::kDatabase, 0};
  if (!selector.all_keys() && !command.spec->keys.empty()) {
    for (const KeyPosition& key : request.the_keys()) {
      if ((key.access & access::kNotKey) != 0) continue;
      if (!selector.allows_key(request.argv[key.index], key_rights(key.access)))
        return Denial{Reason::kKey, key.index};
    }
  }
  return channel_denial(selector, request);
}

}  // namespace

acl::Catalog acl_catalog(const CommandTable& commands) {
  std::vector<acl::CatalogCommand> all;
  for (const auto& command : commands.all()) {
    acl::CatalogCommand entry{
        command->full_name, command->id, static_cast<std::uint32_t>(command->acl), false, {}};
    for (const auto& sub : command->subcommands) entry.subcommands.push_back(sub->id);
    all.push_back(std::move(entry));
    for (const auto& sub : command->subcommands) {
      all.push_back({sub->full_name, sub->id, static_cast<std::uint32_t>(sub->acl), true, {}});
    }
  }
  std::vector<acl::Category> categories;
  for (unsigned bit = 0; bit < 32; ++bit) {
    const auto one = static_cast<Acl>(1U << bit);
    for (const std::string_view name : acl_category_names(one))
      categories.push_back({name, static_cast<std::uint32_t>(one)});
  }
  return {std::move(all), std::move(categories)};
}

acl::KeyRights key_rights(std::uint16_t bits) {
  constexpr std::uint16_t kWrites = access::kInsert | access::kDelete | access::kUpdate;
  acl::KeyRights rights = 0;
  if ((bits & access::kAccess) != 0) rights |= acl::kReadKey;
  if ((bits & kWrites) != 0) rights |= acl::kWriteKey;
  return rights;
}

std::optional<Denial> find_denial(const acl::User& user, const Command& command, Argv argv,
                                  DbIndex db) {
  if (user.unrestricted()) return std::nullopt;
  Request request{command, argv, db};
  Denial worst;
  for (const Selector& selector : user.selectors()) {
    const auto denial = selector_denial(selector, request);
    if (!denial) return std::nullopt;
    if (denial->reason > worst.reason ||
        (denial->reason == worst.reason && denial->word > worst.word)) {
      worst = *denial;
    }
  }
  return worst;
}

bool may_read_every_key(const acl::User& user, const Command& command, Argv argv, DbIndex db) {
  if (user.unrestricted()) return true;
  Request request{command, argv, db};
  return std::any_of(user.selectors().begin(), user.selectors().end(), [&](const Selector& s) {
    return s.allows_every_key(acl::kReadKey) && !selector_denial(s, request);
  });
}

std::string denied_object(const Denial& denial, const Command& command, Argv argv, DbIndex db) {
  switch (denial.reason) {
    case Reason::kKey:
    case Reason::kChannel: return std::string(argv[denial.word]);
    case Reason::kDatabase:
      if (command.spec->databases == DatabaseUse::kFirstArgument) return std::string(argv[1]);
      if (command.spec->databases == DatabaseUse::kSelected) return std::to_string(db);
      return command.full_name;
    case Reason::kCommand:
    case Reason::kAuth: break;
  }
  return command.full_name;
}

std::string denial_text(const Denial& denial, const acl::User& user, const Command& command,
                        std::string_view object, DenialText form) {
  const auto access_to = [&](std::string_view what, std::string_view article) {
    if (form == DenialText::kPlain)
      return "No permissions to access " + std::string(article) + " " + std::string(what);
    return "User " + user.name() + " has no permissions to access the '" + std::string(object) +
           "' " + std::string(what);
  };
  switch (denial.reason) {
    case Reason::kKey: return access_to("key", "a");
    case Reason::kChannel: return access_to("channel", "a");
    case Reason::kDatabase: return access_to("database", "a");
    case Reason::kCommand:
    case Reason::kAuth: break;
  }
  return "User " + user.name() + " has no permissions to run the '" + command.full_name +
         "' command";
}

}  // namespace hearth

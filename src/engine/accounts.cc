#include "src/engine/accounts.h"

#include <algorithm>

#include "src/base/log.h"
#include "src/command/client_control.h"
#include "src/command/client_text.h"
#include "src/command/context.h"
#include "src/command/server_control.h"
#include "src/command/session.h"

namespace hearth {
namespace {

using acl::Reason;

acl::Selector::Channels new_channels(const config::Settings& s) {
  return s.acl_pubsub_default == config::AclPubsubDefault::kAllChannels
             ? acl::Selector::Channels::kAll
             : acl::Selector::Channels::kNone;
}

// Does it listen to what the user may not hear?
bool hears_too_much(const Session& session, const acl::User& user) {
  const Subscriptions& s = session.subscriptions;
  const auto denied = [&](const auto& entry) { return !user.allows_channel(entry.first); };
  return std::any_of(
             s.patterns.begin(), s.patterns.end(),
             [&](const auto& entry) { return !user.allows_channel_pattern(entry.first); }) ||
         std::any_of(s.channels.begin(), s.channels.end(), denied) ||
         std::any_of(s.shard_channels.begin(), s.shard_channels.end(), denied);
}

}  // namespace

Accounts::Accounts(const Parts& parts) : parts_(parts), users_(acl_catalog(parts.commands)) {
  const config::Settings& settings = parts_.config.settings();
  users_.set_new_channels(new_channels(settings));
  users_.default_user().set_only_password(settings.requirepass);
  parts_.config.on_change({"acl-pubsub-default"},
                          [this](const config::Settings& s) -> Result<void, std::string> {
                            users_.set_new_channels(new_channels(s));
                            return {};
                          });
  parts_.config.on_change({"requirepass"},
                          [this](const config::Settings& s) -> Result<void, std::string> {
                            users_.default_user().set_only_password(s.requirepass);
                            return {};
                          });
}

Result<void, std::string> Accounts::load_configured() {
  const config::Settings& settings = parts_.config.settings();
  HEARTH_TRY(acl::Users::Map users, users_.from_directives(settings.user_lines));
  for (auto& [name, user] : users) {
    if (!user.enabled()) {
      log::notice(
          "The user '{}' is disabled: its definition has no 'on'. Make sure that this is meant.",
          name);
    }
    users_.put(std::move(user));
  }
  if (settings.aclfile.empty()) return {};
  return load_file(nullptr);
}

bool Accounts::authenticate(Session& session, std::string_view user, std::string_view password,
                            std::string_view object) {
  const acl::User* found = users_.find(user);
  if (found == nullptr || !found->accepts(password)) {
    log_denial(session, Reason::kAuth,
               session.in_multi ? acl::Context::kMulti : acl::Context::kTopLevel,
               std::string(object), user);
    return false;
  }
  session.account = found;
  session.authenticated = true;
  return true;
}

void Accounts::become_default(Session& session) {
  const acl::User& user = users_.default_user();
  session.account = &user;
  session.authenticated = user.enabled() && user.needs_no_password();
}

std::optional<std::string> Accounts::denied(Session& session, const Command& command,
                                            std::span<const std::string_view> argv,
                                            acl::Context context) {
  const auto denial = find_denial(*session.account, command, argv, session.db);
  if (!denial) return std::nullopt;
  return "NOPERM " + note(session, *denial, command, argv, context);
}

std::string Accounts::note(Session& session, const acl::Denial& denial, const Command& command,
                           std::span<const std::string_view> argv, acl::Context context) {
  std::string object = denied_object(denial, command, argv, session.db);
  std::string text = denial_text(denial, *session.account, command, object, DenialText::kPlain);
  log_denial(session, denial.reason, context, std::move(object), session.user_name());
  return text;
}

void Accounts::log_denial(Session& session, Reason reason, acl::Context context, std::string object,
                          std::string_view user) {
  Stats& stats = parts_.stats;
  switch (reason) {
    case Reason::kAuth: ++stats.acl_denied_auth; break;
    case Reason::kCommand: ++stats.acl_denied_cmd; break;
    case Reason::kKey: ++stats.acl_denied_key; break;
    case Reason::kChannel: ++stats.acl_denied_channel; break;
    case Reason::kDatabase: ++stats.acl_denied_database; break;
  }
  acl::Log::Entry entry;
  entry.reason = reason;
  entry.context = context;
  entry.object = std::move(object);
  entry.user = user;
  const std::size_t most = parts_.config.settings().acllog_max_len;
  if (most > 0) entry.client = client_line(session, parts_.clients.mono_now());
  log_.add(std::move(entry), parts_.environment.now, most);
}

Result<void, std::string> Accounts::set_user(std::string_view name,
                                             std::span<const std::string_view> rules,
                                             const Session& by) {
  HEARTH_TRY(acl::User user, users_.with_rules(name, rules));
  replace_user(std::move(user), &by);
  return {};
}

void Accounts::replace_user(acl::User user, const Session* by) {
  const acl::User* old = users_.find(user.name());
  if (old != nullptr && !user.keeps_channels_of(*old)) {
    parts_.clients.for_each([&](Session& s) {
      if (s.account == old && hears_too_much(s, user)) close(s, by);
    });
  }
  users_.put(std::move(user));
}

bool Accounts::delete_user(std::string_view name, const Session& by) {
  const acl::User* user = users_.find(name);
  if (user == nullptr) return false;
  close_sessions_of(*user, &by);
  return users_.erase(name);
}

void Accounts::close_sessions_of(const acl::User& user, const Session* by) {
  parts_.clients.for_each([&](Session& s) {
    if (s.account == &user) close(s, by);
  });
}

void Accounts::close(Session& victim, const Session* by) {
  // It may still run to the end of its command: by then as nobody.
  victim.account = &users_.default_user();
  victim.authenticated = false;
  parts_.clients.kill(victim, by != nullptr ? *by : victim);
}

Result<void, std::string> Accounts::load_file(const Session* by) {
  if (parts_.services.server == nullptr) return tl::unexpected<std::string>("there are no files");
  const std::string& path = parts_.config.settings().aclfile;
  const auto text = parts_.services.server->read_text(path);
  if (!text) {
    return tl::unexpected<std::string>("Error loading ACLs, opening file '" + path +
                                       "': " + text.error().context);
  }
  HEARTH_TRY(acl::Users::Map users, users_.parse(*text, path));
  replace_all(std::move(users), by);
  return {};
}

void Accounts::replace_all(acl::Users::Map&& users, const Session* by) {
  std::vector<std::string> gone;
  for (const auto& [name, user] : users_.all()) {
    if (users.contains(name)) continue;
    gone.push_back(name);
    close_sessions_of(user, by);
  }
  for (const std::string& name : gone) users_.erase(name);
  for (auto& [name, user] : users) replace_user(std::move(user), by);
}

Result<void> Accounts::save_file() {
  if (parts_.services.server == nullptr) return fail(ErrorCode::kInvalid, "there are no files");
  return parts_.services.server->replace_text(parts_.config.settings().aclfile, users_.file_text());
}

std::optional<std::vector<std::vector<std::string>>> Accounts::directives() const {
  const config::Settings& settings = parts_.config.settings();
  if (!settings.aclfile.empty()) return std::nullopt;
  std::vector<std::vector<std::string>> lines;
  // The usual default user needs no line: `requirepass` makes it.
  acl::Users usual(acl_catalog(parts_.commands));
  usual.default_user().set_only_password(settings.requirepass);
  for (const auto& [name, user] : users_.all()) {
    if (users_.all().size() == 1 && user.text() == usual.default_user().text()) continue;
    std::vector<std::string>& line = lines.emplace_back();
    line.push_back(name);
    std::string text = user.text();
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find(' ', at), text.size());
      line.push_back(text.substr(at, end - at));
      at = end + 1;
    }
  }
  return lines;
}

}  // namespace hearth

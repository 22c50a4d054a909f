#include "src/commands/connection/client_filter.h"

#include <algorithm>

#include "src/acl/users.h"
#include "src/command/account_control.h"

namespace hearth::commands {
namespace {

using Traits = ClientFilter::Traits;

std::string_view ip_of(std::string_view address) { return address.substr(0, address.rfind(':')); }

bool has_all(std::string_view letters, std::string_view wanted) {
  return std::all_of(wanted.begin(), wanted.end(),
                     [&](char c) { return letters.find(c) != std::string_view::npos; });
}

// Matches a client that has all, or any, of the traits that are given.
template <typename F>
void for_each_given(const Traits& t, const Session& s, F&& fn) {
  const auto text = [&](const std::optional<std::string_view>& wanted, std::string_view value) {
    if (wanted) fn(*wanted == value);
  };
  if (!t.ids.empty()) fn(std::binary_search(t.ids.begin(), t.ids.end(), s.id));
  if (t.type) fn(type_of(s) == *t.type);
  text(t.address, s.address);
  text(t.local_address, s.local_address);
  text(t.ip, ip_of(s.address));
  text(t.user, s.user_name());
  text(t.name, s.name);
  text(t.lib_name, s.lib_name);
  text(t.lib_version, s.lib_version);
  if (t.flags) fn(has_all(client_flags(s), *t.flags));
  if (t.capabilities) fn(has_all(s.understands_redirects ? "r" : "", *t.capabilities));
  if (t.db) fn(s.db == static_cast<DbIndex>(*t.db));
}

Outcome check_letters(std::string_view letters, std::string_view known, std::string_view what) {
  if (!letters.empty() && has_all(known, letters)) return {};
  return refuse("ERR Unknown " + std::string(what) +
                " found in the provided filter: " + std::string(letters));
}

// ID takes as many numbers as follow it.
Outcome parse_ids(const ArgReader& args, std::size_t& i, std::vector<ConnId>& ids,
                  std::string_view id_error) {
  do {
    const auto id = parse_int64(args[++i]);
    if (!id || *id < 1) return refuse(std::string(id_error));
    ids.push_back(static_cast<ConnId>(*id));
  } while (i + 1 < args.size() && parse_int64(args[i + 1]));
  return {};
}

// One option that has a NOT- form. i stands at it, with a word behind it; false: it is none.
Result<bool, ReplyError> parse_trait(const CommandContext& ctx, std::string_view option,
                                     std::size_t& i, Traits& t, std::string_view id_error) {
  const ArgReader& args = ctx.args();
  const std::string_view value = args[i + 1];
  const auto is = [&](std::string_view word) { return equals_ignore_case(option, word); };
  struct Text {
    std::string_view option;
    std::optional<std::string_view>* place;
  };
  const Text texts[] = {
      {"ADDR", &t.address},        {"LADDR", &t.local_address}, {"IP", &t.ip},
      {"USER", &t.user},           {"NAME", &t.name},           {"LIB-NAME", &t.lib_name},
      {"LIB-VER", &t.lib_version}, {"FLAGS", &t.flags},         {"CAPA", &t.capabilities}};
  if (is("ID")) {
    HEARTH_TRY_VOID(parse_ids(args, i, t.ids, id_error));
    return true;
  }
  if (is("TYPE")) {
    t.type = client_type(value);
    if (!t.type) return refuse(unknown_client_type(value));
  } else if (is("DB")) {
    HEARTH_TRY(t.db, args.integer(i + 1, "ERR DB is not an integer or out of range"));
    if (*t.db < 0 || *t.db >= ctx.settings().databases)
      return refuse("ERR DB number should be between 0 and " +
                    std::to_string(ctx.settings().databases - 1));
  } else {
    const auto* text = std::find_if(std::begin(texts), std::end(texts),
                                    [&](const Text& x) { return is(x.option); });
    if (text == std::end(texts)) return false;
    *text->place = value;
    if (is("USER") && ctx.services().accounts->users().find(value) == nullptr)
      return refuse("ERR No such user '" + std::string(value) + "'");
    if (is("FLAGS")) {
      HEARTH_TRY_VOID(check_letters(value, kClientFlagLetters, "flags"));
    } else if (is("CAPA")) {
      HEARTH_TRY_VOID(check_letters(value, "r", "capa"));
    }
  }
  ++i;
  return true;
}

Result<std::int64_t, ReplyError> parse_seconds(const ArgReader& args, std::size_t i,
                                               const std::string& what) {
  HEARTH_TRY(const std::int64_t n,
             args.integer(i, "ERR " + what + " is not an integer or out of range"));
  if (n <= 0) return refuse("ERR " + what + " should be greater than 0");
  return n;
}

}  // namespace

bool ClientFilter::fits(const Session& session, MonoTime now) const {
  bool all = true;
  for_each_given(is, session, [&](bool given) { all = all && given; });
  for_each_given(is_not, session, [&](bool given) { all = all && !given; });
  return all && (now - session.created_at).count() / 1'000'000 >= age_at_least &&
         (now - session.last_active).count() / 1'000'000 >= idle_at_least;
}

Result<ClientFilter, ReplyError> parse_client_filter(const CommandContext& ctx, std::size_t first,
                                                     std::string_view id_error) {
  const ArgReader& args = ctx.args();
  ClientFilter f;
  for (std::size_t i = first; i < args.size(); ++i) {
    if (i + 1 >= args.size()) return syntax_error();
    std::string_view option = args[i];
    if (args.is(i, "MAXAGE")) {
      HEARTH_TRY(f.age_at_least, parse_seconds(args, ++i, "maxage"));
    } else if (args.is(i, "IDLE")) {
      HEARTH_TRY(f.idle_at_least, parse_seconds(args, ++i, "idle"));
    } else if (args.is(i, "SKIPME")) {
      if (!args.is(i + 1, "YES") && !args.is(i + 1, "NO")) return syntax_error();
      f.spare_me = args.is(++i, "YES");
    } else {
      const bool inverted = option.size() > 4 && equals_ignore_case(option.substr(0, 4), "NOT-");
      if (inverted) option.remove_prefix(4);
      HEARTH_TRY(const bool known,
                 parse_trait(ctx, option, i, inverted ? f.is_not : f.is, id_error));
      if (!known) return syntax_error();
    }
  }
  std::sort(f.is.ids.begin(), f.is.ids.end());
  std::sort(f.is_not.ids.begin(), f.is_not.ids.end());
  return f;
}

}  // namespace hearth::commands

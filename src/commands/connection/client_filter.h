// The filters of CLIENT LIST and CLIENT KILL: all that are given must fit. Each but SKIPME, MAXAGE
// and IDLE has a NOT- form, which must not fit.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/command/client_text.h"
#include "src/command/context.h"

namespace hearth::commands {

struct ClientFilter {
  // The traits that a client must have, or must not have. Views are of the request.
  struct Traits {
    std::vector<ConnId> ids;
    std::optional<ClientType> type;
    std::optional<std::string_view> address, local_address, ip, user, name, lib_name, lib_version,
        flags, capabilities;
    std::optional<std::int64_t> db;
  };
  Traits is, is_not;
  std::int64_t age_at_least = 0, idle_at_least = 0;  // seconds; 0: any
  std::optional<bool> spare_me;                      // nothing: as the command has it

  [[nodiscard]] bool fits(const Session& session, MonoTime now) const;
};

// The words from `first` on. id_error: for an id that is none.
[[nodiscard]] Result<ClientFilter, ReplyError> parse_client_filter(const CommandContext& ctx,
                                                                   std::size_t first,
                                                                   std::string_view id_error);

// Documentation of the filters, for both commands.
inline constexpr ArgDoc kClientTypeDocs[] = {
    args::token("normal", "NORMAL"), args::token("master", "MASTER").from("3.2.0"),
    args::token("slave", "SLAVE"), args::token("replica", "REPLICA").from("5.0.0"),
    args::token("pubsub", "PUBSUB")};
inline constexpr ArgDoc kYesNoDocs[] = {args::token("yes", "YES"), args::token("no", "NO")};
inline constexpr ArgDoc kClientFilterDocs[] = {
    args::integer("client-id", "ID").many().opt().from("2.8.12"),
    args::one_of("client-type", kClientTypeDocs, "TYPE").opt().from("2.8.12"),
    args::string("username", "USER").opt(),
    args::string("addr", "ADDR").opt(),
    args::string("laddr", "LADDR").opt().from("6.2.0"),
    args::one_of("skipme", kYesNoDocs, "SKIPME").opt(),
    args::integer("maxage", "MAXAGE").opt().from("7.4.0"),
    args::string("name", "NAME").opt(),
    args::integer("idle", "IDLE").opt(),
    args::string("flags", "FLAGS").opt(),
    args::string("lib-name", "LIB-NAME").opt(),
    args::string("lib-ver", "LIB-VER").opt(),
    args::integer("db", "DB").opt(),
    args::string("capa", "CAPA").opt(),
    args::string("ip", "IP").opt(),
    args::integer("not-client-id", "NOT-ID").many().opt(),
    args::one_of("not-client-type", kClientTypeDocs, "NOT-TYPE").opt(),
    args::string("not-username", "NOT-USER").opt(),
    args::string("not-addr", "NOT-ADDR").opt(),
    args::string("not-laddr", "NOT-LADDR").opt(),
    args::string("not-name", "NOT-NAME").opt(),
    args::string("not-flags", "NOT-FLAGS").opt(),
    args::string("not-lib-name", "NOT-LIB-NAME").opt(),
    args::string("not-lib-ver", "NOT-LIB-VER").opt(),
    args::integer("not-db", "NOT-DB").opt(),
    args::string("not-capa", "NOT-CAPA").opt(),
    args::string("not-ip", "NOT-IP").opt(),
};

}  // namespace hearth::commands

// Sessions as CLIENT LIST and its relatives tell them: the line, the types, the rules for names.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "src/base/time.h"
#include "src/command/session.h"
#include "src/command/spec.h"

namespace hearth {

enum class ClientType : std::uint8_t { kNormal, kPrimary, kReplica, kPubsub };

// "normal", "master" or "primary", "slave" or "replica", "pubsub"; any case.
[[nodiscard]] std::optional<ClientType> client_type(std::string_view word);
[[nodiscard]] ClientType type_of(const Session& session);
[[nodiscard]] std::string unknown_client_type(std::string_view word);

// The kinds that a client is of, one letter each, 'N' if of none; and all letters there are.
[[nodiscard]] std::string client_flags(const Session& session);
inline constexpr std::string_view kClientFlagLetters = "AbBcdeIiMNOPrRStTuUx";

// The line of one client, without the line's end. For tools that read "field=value" pairs: the
// fields and their order are the documented ones.
[[nodiscard]] std::string client_line(const Session& session, MonoTime now);

// A name of a client, a library or a version: printable, no blanks.
[[nodiscard]] bool is_plain_name(std::string_view name);
// CLIENT SETNAME and HELLO's SETNAME.
Outcome set_client_name(Session& session, std::string_view name);

}  // namespace hearth

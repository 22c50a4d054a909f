// Holds a request against what a user may do: the command, the databases, keys and channels that
// its spec says it works on.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "src/acl/catalog.h"
#include "src/acl/user.h"
#include "src/base/ids.h"
#include "src/command/table.h"

namespace hearth {

// All commands with their categories, as ACL rules may name them.
[[nodiscard]] acl::Catalog acl_catalog(const CommandTable& commands);

// Nothing if one of the user's selectors allows all of it. Else the denial of the selector that
// came furthest. Words must have passed the arity check. db: the one selected.
[[nodiscard]] std::optional<acl::Denial> find_denial(const acl::User& user, const Command& command,
                                                     std::span<const std::string_view> argv,
                                                     DbIndex db);

// May the user run this and, by the same selector, read every key (SORT by patterns)?
[[nodiscard]] bool may_read_every_key(const acl::User& user, const Command& command,
                                      std::span<const std::string_view> argv, DbIndex db);

// The object of the denial: the command's name, the key, the channel or the database.
[[nodiscard]] std::string denied_object(const acl::Denial& denial, const Command& command,
                                        std::span<const std::string_view> argv, DbIndex db);

// The sentence for the client, without a code. kNamed tells the key or channel (ACL DRYRUN).
enum class DenialText : std::uint8_t { kPlain, kNamed };
[[nodiscard]] std::string denial_text(const acl::Denial& denial, const acl::User& user,
                                      const Command& command, std::string_view object,
                                      DenialText form);

// The rights that a key's access bits ask for.
[[nodiscard]] acl::KeyRights key_rights(std::uint16_t access);

}  // namespace hearth

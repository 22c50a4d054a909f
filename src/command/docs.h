// How commands describe themselves to clients: COMMAND INFO, COMMAND DOCS and HELP, all out of
// specs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/command/context.h"
#include "src/command/spec.h"
#include "src/command/table.h"
#include "src/proto/reply_writer.h"

namespace hearth {

// Names as clients know them, in a fixed order. Flags that clients are not told of have none.
[[nodiscard]] std::vector<std::string_view> flag_names(Flag flags);
[[nodiscard]] std::vector<std::string_view> acl_category_names(Acl acl);  // without '@'
[[nodiscard]] std::optional<Acl> acl_category(std::string_view name);     // any case
[[nodiscard]] std::vector<std::string_view> key_access_names(std::uint16_t access);

// One element of COMMAND INFO: ten fields, the last the subcommands in the same form.
void write_command_info(ReplyWriter& reply, const Command& command);
// The map that COMMAND DOCS gives for a command, with its subcommands.
void write_command_docs(ReplyWriter& reply, const Command& command);

// The arguments of a command as a line of syntax: "key [EX seconds | PX milliseconds] [field ...]".
[[nodiscard]] std::string syntax_of(std::span<const ArgDoc> args);

// The error of a container for a second word that it does not know.
[[nodiscard]] std::string unknown_subcommand(std::string_view container, std::string_view word);

// HELP of any container: its subcommands with syntax and summary.
Outcome container_help(CommandContext& ctx);
// The spec of a container's HELP.
[[nodiscard]] constexpr CommandSpec help_spec(std::string_view since, Group group,
                                              Acl acl = Acl::kNone) {
  return {
      .name = "HELP",
      .summary = "Lists the subcommands with their arguments.",
      .complexity = "O(1)",
      .since = since,
      .arity = Arity::exactly(2),
      .flags = Flag::kLoading | Flag::kStale,
      .acl = acl,
      .group = group,
      .reply = Shape::kArray,
      .handler = container_help,
  };
}

}  // namespace hearth

// The subcommands of DEBUG. They are no commands of their own: no ACL, statistics or documentation
// of theirs, and only HELP lists them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "src/command/context.h"

namespace hearth::commands {

struct DebugVerb {
  std::string_view name;
  std::string_view syntax;  // of what follows the name
  std::string_view summary;
  std::size_t words_least = 2, words_most = 2;  // DEBUG and the name included
  Handler handler = nullptr;
};

[[nodiscard]] std::span<const DebugVerb> debug_data_verbs();    // looks at and makes data
[[nodiscard]] std::span<const DebugVerb> debug_switch_verbs();  // changes how the server runs

[[nodiscard]] std::span<const DebugVerb> debug_cluster_verbs();  // disturbs the cluster bus

[[nodiscard]] inline tl::unexpected<ReplyError> unknown_debug_verb(std::string_view word) {
  return refuse("ERR unknown subcommand or wrong number of arguments for '" + std::string(word) +
                "'. Try DEBUG HELP.");
}

}  // namespace hearth::commands

// CommandTable: names -> commands, with what is derived from the specs.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/command/spec.h"

namespace hearth {

// A spec as the server uses it: with its full name and the shortcuts of the hot path.
struct Command {
  const CommandSpec* spec = nullptr;
  const Command* parent = nullptr;  // the container of a subcommand
  std::string full_name;            // lower case: "get", "client|kill"
  Flag flags = Flag::kNone;         // spec's, with derived ones
  Acl acl = Acl::kNone;             // with implied ones
  bool renamed = false;             // rename-command gave it another name, or none
  std::uint32_t id = 0;             // index for per-command statistics
  // Legacy key positions, as COMMAND INFO has them; also the fast path of key extraction.
  std::int16_t first_key = 0, last_key = 0, key_step = 0;
  bool opens_value = false;  // looks into the list, set, sorted set or hash of its first key
  std::vector<std::unique_ptr<Command>> subcommands;

  [[nodiscard]] bool is_container() const { return !subcommands.empty(); }
  [[nodiscard]] bool writes() const { return has(flags, Flag::kWrite); }
};

class CommandTable {
 public:
  // Checks every spec; a malformed one stops the process, since it is our bug.
  explicit CommandTable(std::span<const CommandSpec* const> specs);
  CommandTable(const CommandTable&) = delete;
  CommandTable& operator=(const CommandTable&) = delete;

  // Any case. nullptr if there is no such command. No allocation.
  [[nodiscard]] const Command* find(std::string_view name) const;
  // The command that `argv` runs: a subcommand where the first word is a container and the second
  // names one. A container with an unknown second word gives the container itself.
  [[nodiscard]] const Command* resolve(std::span<const std::string_view> argv) const;
  // "client|kill" or "client kill"-less names as ACLs and COMMAND INFO write them.
  [[nodiscard]] const Command* find_full(std::string_view name) const;
  [[nodiscard]] static const Command* find_sub(const Command& container, std::string_view word);

  // rename-command: an empty new name removes. False if `from` does not exist or `to` does.
  bool rename(std::string_view from, std::string_view to);

  [[nodiscard]] const std::vector<std::unique_ptr<Command>>& all() const { return commands_; }
  // Commands and subcommands together: the size of per-command arrays.
  [[nodiscard]] std::uint32_t id_count() const { return next_id_; }

 private:
  struct Name {
    std::string text;  // lower case
    const Command* command = nullptr;
  };
  std::unique_ptr<Command> build(const CommandSpec& spec, const Command* parent);
  void rebuild_index();

  std::vector<std::unique_ptr<Command>> commands_;
  std::vector<Name> names_;
  std::vector<Name> index_;  // open addressing, a power of two, at most half full
  std::uint32_t next_id_ = 0;
};

inline constexpr std::size_t kCommandNameMax = 40;

}  // namespace hearth

// Catalog: the commands and categories that ACL rules may name, as plain data.
//
// Filled once from the command table. Names are the commands' own: rename-command changes how a
// command is called, not what rules say of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::acl {

// Ids are below this; one more bit stands for "commands that don't exist yet".
inline constexpr std::uint32_t kCommandsMost = 1023;

struct CatalogCommand {
  std::string name;              // lower case, "get" or "config|get"
  std::uint32_t id = 0;          // < kCommandsMost
  std::uint32_t categories = 0;  // bits
  bool is_subcommand = false;
  std::vector<std::uint32_t> subcommands;  // ids
};

struct Category {
  std::string_view name;  // without '@'
  std::uint32_t bits = 0;
};

class Catalog {
 public:
  Catalog(std::vector<CatalogCommand> commands, std::vector<Category> categories);

  // Any case. nullptr if there is none.
  [[nodiscard]] const CatalogCommand* find(std::string_view name) const;
  [[nodiscard]] std::optional<std::uint32_t> category(std::string_view name) const;
  [[nodiscard]] std::span<const CatalogCommand> commands() const { return commands_; }
  [[nodiscard]] std::span<const Category> categories() const { return categories_; }

 private:
  std::vector<CatalogCommand> commands_;
  std::vector<Category> categories_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
};

}  // namespace hearth::acl

#include "src/acl/catalog.h"

#include "src/base/check.h"
#include "src/base/parse_number.h"

namespace hearth::acl {

Catalog::Catalog(std::vector<CatalogCommand> commands, std::vector<Category> categories)
    : commands_(std::move(commands)), categories_(std::move(categories)) {
  for (std::size_t i = 0; i < commands_.size(); ++i) {
    HEARTH_CHECK(commands_[i].id < kCommandsMost);
    by_name_.emplace(commands_[i].name, i);
  }
}

const CatalogCommand* Catalog::find(std::string_view name) const {
  std::string lower(name);
  for (char& c : lower) c = ascii_lower(c);
  const auto at = by_name_.find(lower);
  return at == by_name_.end() ? nullptr : &commands_[at->second];
}

std::optional<std::uint32_t> Catalog::category(std::string_view name) const {
  for (const Category& c : categories_) {
    if (equals_ignore_case(c.name, name)) return c.bits;
  }
  return std::nullopt;
}

}  // namespace hearth::acl

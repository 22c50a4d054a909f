// The needs of SORT of types whose values are made of elements. A type plugs in by its functions
// in kSortTypes (sort.cc); SORT refuses the types that have none.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "src/command/context.h"

namespace hearth::commands {

struct SortTypes {
  // Appends the elements in the value's own order.
  using Collect = void (*)(const Entry& value, std::vector<std::string>& out);
  // Makes `key` hold a list of `values`, which are not empty, in place of what `at` is.
  using StoreList = void (*)(CommandContext& ctx, const KeyRef& key, Found at,
                             std::span<const std::string> values);

  Collect collect[kTypeCount] = {};
  StoreList store_list = nullptr;
};

}  // namespace hearth::commands

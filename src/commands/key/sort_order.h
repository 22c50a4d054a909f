// The ordering part of SORT: elements and options in, values out. Knows no database; what the
// patterns of BY and GET stand for is asked through a function.
//
// Numbers are compared as doubles, texts by the collation that is given or else byte by byte.
// Elements of equal weight stand in the order of their own bytes (numeric) or of the value they
// came from (ALPHA), so that a result that is stored, which no collation may order, is the same
// wherever the command is repeated.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/collation.h"
#include "src/command/spec.h"

namespace hearth::commands {

struct SortOptions {
  bool alpha = false;
  bool descending = false;
  // BY: a pattern with '*'; a pattern without one means "leave the order as it is" (unsorted).
  std::optional<std::string_view> by{};
  bool unsorted = false;
  std::vector<std::string_view> get{};  // "#" is the element itself
  std::int64_t offset = 0;              // LIMIT; negative: 0
  std::int64_t count = -1;              // negative: all
  std::optional<std::string_view> store{};
  const Collation* collation = nullptr;  // ALPHA; null: by bytes
};

// The value that a pattern stands for with '*' replaced by the element; nothing if there is none.
using SortLookup =
    std::function<std::optional<std::string>(std::string_view pattern, std::string_view element)>;

// One value per GET pattern and element, or the elements themselves. nullopt is a missing value.
// Errors: a weight that is no number, when not alpha.
// O(N + M log M), N elements of which M are within the limit, and a lookup per element and pattern.
[[nodiscard]] Result<std::vector<std::optional<std::string>>, ReplyError> sort_elements(
    std::vector<std::string> elements, const SortOptions& options, const SortLookup& lookup);

// A pattern with its first '*' replaced by `element`, split at "->field" behind it. A pattern
// without '*' names nothing; "->" at the very end belongs to the key.
struct SortTarget {
  std::string key;
  std::optional<std::string_view> field;  // borrowed from the pattern
};
[[nodiscard]] std::optional<SortTarget> sort_target(std::string_view pattern,
                                                    std::string_view element);

}  // namespace hearth::commands

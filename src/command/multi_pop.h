// The arguments of LMPOP, ZMPOP and their waiting variants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "src/command/args.h"

namespace hearth {

// numkeys key [key ...] LEFT|RIGHT [COUNT count], or with two other words for the ends.
struct MultiPop {
  std::size_t first_key = 0;  // word
  std::size_t key_count = 0;
  bool at_second_end = false;
  std::uint64_t count = 1;
};

// From word `at` on, to the last one.
[[nodiscard]] Result<MultiPop, ReplyError> parse_multi_pop(const ArgReader& args, std::size_t at,
                                                           std::string_view first_end,
                                                           std::string_view second_end);

}  // namespace hearth

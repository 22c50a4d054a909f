#include "src/command/multi_pop.h"

namespace hearth {

Result<MultiPop, ReplyError> parse_multi_pop(const ArgReader& args, std::size_t at,
                                             std::string_view first_end,
                                             std::string_view second_end) {
  constexpr std::string_view kKeysError = "ERR numkeys should be greater than 0";
  constexpr std::string_view kCountError = "ERR count should be greater than 0";
  MultiPop pop;
  HEARTH_TRY(const std::int64_t keys, args.integer_between(at, 1, INT64_MAX, kKeysError));
  pop.first_key = at + 1;
  pop.key_count = static_cast<std::size_t>(keys);
  if (pop.key_count >= args.size() - pop.first_key) return syntax_error();
  const std::size_t where = pop.first_key + pop.key_count;
  pop.at_second_end = args.is(where, second_end);
  if (!pop.at_second_end && !args.is(where, first_end)) return syntax_error();
  bool counted = false;
  for (std::size_t i = where + 1; i < args.size(); i += 2) {
    if (counted || !args.is(i, "COUNT", 1)) return syntax_error();
    counted = true;
    HEARTH_TRY(const std::int64_t count, args.integer_between(i + 1, 1, INT64_MAX, kCountError));
    pop.count = static_cast<std::uint64_t>(count);
  }
  return pop;
}

}  // namespace hearth

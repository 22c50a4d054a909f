// Optional words of commands whose keys depend on them. One table and one loop tell them apart, for
// the handler and for key extraction: what is no option to one is none to the other.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "src/command/args.h"

namespace hearth {

// An option, and how many words behind it are its values whatever they look like.
template <typename Id>
struct OptionWord {
  Id id;
  std::string_view word;
  std::size_t values = 0;
  bool takes_rest = false;  // at least `values` words, up to the end of the request
};

// The option at word i with all its values behind it; nullptr if none stands there.
template <typename Id>
[[nodiscard]] const OptionWord<Id>* option_at(const ArgReader& args, std::size_t i,
                                              std::span<const OptionWord<Id>> table) {
  for (const OptionWord<Id>& option : table) {
    if (args.is(i, option.word, option.values)) return &option;
  }
  return nullptr;
}

// fn(id, i) for the options from word i on, i being the option's own word. Ends with the first
// error: of fn, or a syntax error where no option stands.
template <typename Id, std::size_t N, typename F>
Outcome walk_options(const ArgReader& args, std::size_t i, const OptionWord<Id> (&table)[N],
                     F&& fn) {
  while (i < args.size()) {
    const OptionWord<Id>* option = option_at(args, i, std::span<const OptionWord<Id>>(table));
    if (option == nullptr) return syntax_error();
    HEARTH_TRY_VOID(fn(option->id, i));
    if (option->takes_rest) break;
    i += 1 + option->values;
  }
  return {};
}

}  // namespace hearth

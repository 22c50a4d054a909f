#include "src/command/key_extract.h"

#include "cluster/model/slot.h"
#include "src/base/parse_number.h"
#include "src/command/write_guard.h"

namespace hearth {
namespace {

using Argv = std::span<const std::string_view>;

bool add_range(std::int64_t first, std::int64_t last, std::int64_t step, const KeySpec& spec,
               Argv argv, std::vector<KeyPosition>& out) {
  if (first <= 0 || last >= static_cast<std::int64_t>(argv.size())) return false;
  for (std::int64_t i = first; i <= last; i += step) {
    out.push_back({static_cast<std::uint32_t>(i), spec.access});
  }
  return true;
}

}  // namespace

bool extract_keys(const Command& command, Argv argv, std::vector<KeyPosition>& out) {
  out.clear();
  if (command.spec->find_keys != nullptr) return command.spec->find_keys(argv, out);
  const auto count = static_cast<std::int64_t>(argv.size());
  for (const KeySpec& spec : command.spec->keys) {
    const std::int64_t begin = spec.index;
    if (begin >= count) continue;
    if (spec.find == KeySpec::Find::kRange) {
      const std::int64_t last = spec.last >= 0 ? begin + spec.last : count + spec.last;
      if (!add_range(begin, last, spec.step, spec, argv, out)) return false;
    } else {
      const std::int64_t at = begin + spec.key_num_index;
      if (at >= count) return false;
      const auto keys = parse_int64(argv[static_cast<std::size_t>(at)]);
      if (!keys || *keys < 0 || *keys > count) return false;
      const std::int64_t first = begin + spec.first_key;
      if (*keys > 0 &&
          !add_range(first, first + (*keys - 1) * spec.step, spec.step, spec, argv, out))
        return false;
    }
  }
  return true;
}

// Commands without keys stand in slot 0, and so do some whose keys have no fixed place.
std::optional<Slot> slot_of_effect(const CommandTable& commands, const Effect& effect,
                                   std::vector<KeyPosition>& positions) {
  if (effect.slot != 0) return effect.slot;
  const std::vector<std::string_view> words(effect.argv.begin(), effect.argv.end());
  if (const auto key = key_of_version_echo(words)) return cluster::slot_of(*key);
  const Command* command = commands.resolve(words);
  if (command == nullptr || !extract_keys(*command, words, positions) || positions.empty())
    return std::nullopt;
  return cluster::slot_of(words[positions.front().index]);
}

bool reaches_other_database(const Command& command, std::span<const std::string_view> argv) {
  const CommandSpec& spec = *command.spec;
  return spec.databases == DatabaseUse::kSecondAndOwn ||
         (spec.databases == DatabaseUse::kOptional && spec.database_word(argv) != 0);
}

}  // namespace hearth

#include "src/command/key_extract.h"

#include "src/base/parse_number.h"

namespace hearth {
namespace {

using Argv = std::span<const std::string_view>;

// Words that always stand behind an option's own: values may look like keywords.
std::int64_t words_behind(const ArgDoc& arg) {
  if (arg.kind == ArgDoc::Kind::kToken || arg.multiple) return 0;
  if (arg.kind != ArgDoc::Kind::kBlock) return 1;
  return static_cast<std::int64_t>(arg.parts.size());
}
std::int64_t words_behind(std::span<const ArgDoc> args, std::string_view word) {
  for (const ArgDoc& arg : args) {
    if (!arg.token.empty() && equals_ignore_case(arg.token, word)) return words_behind(arg);
    if (const std::int64_t inside = words_behind(arg.parts, word); inside > 0) return inside;
  }
  return 0;
}

// Where a spec begins; 0 when its keyword is not there.
std::int64_t begin_of(const KeySpec& spec, const CommandSpec& command, Argv argv) {
  const auto count = static_cast<std::int64_t>(argv.size());
  if (spec.begin == KeySpec::Begin::kIndex) return spec.index;
  if (spec.begin != KeySpec::Begin::kKeyword) return 0;
  // A search from the end looks for the last such word, one from the front for the first.
  const bool backwards = spec.index < 0;
  std::int64_t at = backwards ? count + spec.index : spec.index;
  for (; at > 0 && at < count; at += backwards ? -1 : 1) {
    const std::string_view word = argv[static_cast<std::size_t>(at)];
    if (equals_ignore_case(word, spec.keyword)) return at + 1;
    if (!backwards) at += words_behind(command.args, word);
  }
  return 0;
}

bool add_range(std::int64_t first, std::int64_t last, std::int64_t step, const KeySpec& spec,
               Argv argv, std::vector<KeyPosition>& out) {
  if (first <= 0 || last >= static_cast<std::int64_t>(argv.size())) return false;
  for (std::int64_t i = first; i <= last; i += step) {
    if (spec.empty_is_none && argv[static_cast<std::size_t>(i)].empty()) continue;
    out.push_back({static_cast<std::uint32_t>(i), spec.access});
  }
  return true;
}

}  // namespace

bool extract_keys(const Command& command, Argv argv, std::vector<KeyPosition>& out) {
  out.clear();
  const auto count = static_cast<std::int64_t>(argv.size());
  for (const KeySpec& spec : command.spec->keys) {
    const std::int64_t begin = begin_of(spec, *command.spec, argv);
    if (begin <= 0 || begin >= count) {
      // An optional keyword that is absent has no keys; an index past the end has none either.
      continue;
    }
    if (spec.find == KeySpec::Find::kRange) {
      std::int64_t last = spec.last >= 0 ? begin + spec.last : count + spec.last;
      if (spec.last < 0 && spec.limit > 1) last = begin + (count - begin) / spec.limit + spec.last;
      if (!add_range(begin, last, spec.step, spec, argv, out)) return false;
    } else if (spec.find == KeySpec::Find::kKeyNum) {
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
  if (command.spec->key_access != nullptr) {
    for (KeyPosition& p : out) {
      if ((p.access & access::kVariableFlags) != 0) p.access = command.spec->key_access(argv);
    }
  }
  return true;
}

}  // namespace hearth

#include "src/commands/stream/trim_options.h"

#include <algorithm>

#include "src/commands/stream/ids.h"

namespace hearth::commands {
namespace {

// MAXLEN or MINID at word i, with what follows it; moves i to the threshold.
Outcome parse_strategy(const ArgReader& args, std::size_t& i, StreamTrim::By by,
                       TrimOptions& options) {
  if (options.given) {
    return refuse("ERR syntax error, MAXLEN and MINID options at the same time are not compatible");
  }
  options.given = true;
  options.trim.by = by;
  ++i;
  if (i + 1 < args.size() && (args[i] == "~" || args[i] == "=")) {
    options.trim.approximate = args[i] == "~";
    ++i;
  }
  if (by == StreamTrim::By::kId) {
    HEARTH_TRY(options.trim.id, strict_id(args[i]));
    return {};
  }
  HEARTH_TRY(const std::int64_t length, args.integer(i));
  if (length < 0) return refuse("ERR The MAXLEN argument must be >= 0.");
  options.trim.length = static_cast<std::uint64_t>(length);
  return {};
}

}  // namespace

std::optional<StreamReferences> references_option(std::string_view word) {
  if (equals_ignore_case(word, "KEEPREF")) return StreamReferences::kKeep;
  if (equals_ignore_case(word, "DELREF")) return StreamReferences::kDrop;
  if (equals_ignore_case(word, "ACKED")) return StreamReferences::kAcked;
  return std::nullopt;
}

std::string_view references_word(StreamReferences references) {
  switch (references) {
    case StreamReferences::kKeep: return "KEEPREF";
    case StreamReferences::kDrop: return "DELREF";
    case StreamReferences::kAcked: break;
  }
  return "ACKED";
}

Result<bool, ReplyError> parse_trim_option(const ArgReader& args, std::size_t& i,
                                           TrimOptions& options) {
  if (args.is(i, "MAXLEN", 1)) {
    HEARTH_TRY_VOID(parse_strategy(args, i, StreamTrim::By::kLength, options));
    return true;
  }
  if (args.is(i, "MINID", 1)) {
    HEARTH_TRY_VOID(parse_strategy(args, i, StreamTrim::By::kId, options));
    return true;
  }
  if (args.is(i, "LIMIT", 1)) {
    HEARTH_TRY(const std::int64_t limit, args.integer(++i));
    if (limit < 0) return refuse("ERR The LIMIT argument must be >= 0.");
    options.trim.limit = static_cast<std::uint64_t>(limit);
    options.limit_given = true;
    return true;
  }
  const auto references = references_option(args[i]);
  if (!references) return false;
  if (options.references_given) return syntax_error();
  options.trim.references = *references;
  options.references_given = true;
  return true;
}

Outcome finish_trim_options(const CommandContext& ctx, TrimOptions& options) {
  if (!options.given && options.trim.limit != 0) {
    return refuse("ERR syntax error, LIMIT cannot be used without specifying a trimming strategy");
  }
  if (options.limit_given && !options.trim.approximate) {
    return refuse("ERR syntax error, LIMIT cannot be used without the special ~ option");
  }
  if (options.trim.approximate && !options.limit_given) {
    // A hundred nodes at a time; what is left goes with the next entries.
    constexpr std::uint64_t kNodes = 100, kWithoutNodeLimit = 10'000, kMost = 1'000'000;
    const auto entries = static_cast<std::uint64_t>(ctx.settings().stream_node_max_entries);
    options.trim.limit =
        entries == 0 ? kWithoutNodeLimit : std::min(kMost, kNodes * std::min(entries, kMost));
  }
  return {};
}

void append_exact_trim(const TrimOptions& options, const Stream& trimmed,
                       std::vector<std::string>& words) {
  if (!options.given) return;
  if (options.trim.references != StreamReferences::kKeep)
    words.emplace_back(references_word(options.trim.references));
  words.insert(words.end(), {"MAXLEN", "=", std::to_string(trimmed.length())});
}

}  // namespace hearth::commands

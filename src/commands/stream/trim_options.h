// The trimming options of XADD and XTRIM.
#pragma once

#include "src/command/context.h"
#include "src/store/stream.h"

namespace hearth::commands {

struct TrimOptions {
  StreamTrim trim;
  bool given = false;             // MAXLEN or MINID
  bool limit_given = false;       // LIMIT
  bool references_given = false;  // KEEPREF, DELREF or ACKED
};

// Reads the option at word i, if it is one of these, and moves i to its last word.
//   returns  whether it was one
[[nodiscard]] Result<bool, ReplyError> parse_trim_option(const ArgReader& args, std::size_t& i,
                                                         TrimOptions& options);
// KEEPREF, DELREF or ACKED.
[[nodiscard]] std::optional<StreamReferences> references_option(std::string_view word);
[[nodiscard]] std::string_view references_word(StreamReferences references);

// Checks that the options go together, and sets the limit of an approximate trimming.
[[nodiscard]] Outcome finish_trim_options(const CommandContext& ctx, TrimOptions& options);

// Words that trim a copy of the stream, as it was before, to the length it has now.
void append_exact_trim(const TrimOptions& options, const Stream& trimmed,
                       std::vector<std::string>& words);

}  // namespace hearth::commands

#include "src/command/element_scan.h"

#include "src/base/format_number.h"

namespace hearth {

Result<std::uint64_t, ReplyError> parse_cursor(std::string_view word) {
  if (const auto cursor = parse_uint64(word)) return *cursor;
  return refuse("ERR invalid cursor");
}

Result<ElementScan, ReplyError> ElementScan::begin(const CommandContext& ctx) {
  ElementScan scan;
  HEARTH_TRY(scan.cursor_, parse_cursor(ctx.arg(2)));
  return scan;
}

Outcome ElementScan::read_options(const CommandContext& ctx, std::string_view bare_word) {
  const ArgReader& args = ctx.args();
  for (std::size_t i = 3; i < args.size(); ++i) {
    if (args.is(i, "COUNT", 1)) {
      HEARTH_TRY(const std::int64_t count, args.integer(++i));
      if (count < 1) return syntax_error();
      count_ = static_cast<std::uint64_t>(count);
    } else if (args.is(i, "MATCH", 1)) {
      pattern_ = args[++i];
    } else if (!bare_word.empty() && args.is(i, bare_word)) {
      bare_ = true;
    } else {
      return syntax_error();
    }
  }
  return {};
}

Outcome ElementScan::finish(CommandContext& ctx) const {
  char text[kInt64TextMax];
  ctx.reply().array(2);
  ctx.reply().bulk({text, format_uint64(next_, text)});
  ctx.reply().array(found_.size());
  for (const std::string& word : found_) ctx.reply().bulk(word);
  return {};
}

}  // namespace hearth

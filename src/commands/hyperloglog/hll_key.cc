#include "src/commands/hyperloglog/hll_key.h"

namespace hearth::commands {

Result<hll::Encoding, ReplyError> checked_hll(const Entry& entry) {
  if (entry.type() != Type::kString) return refuse(std::string(kWrongType));
  char scratch[kInt64TextMax];
  const auto encoding = hll::validate(entry.string_value(scratch));
  if (encoding) return *encoding;
  if (encoding.error() == hll::Flaw::kCorrupt)
    return refuse("INVALIDOBJ Corrupted HLL object detected");
  return refuse("WRONGTYPE Key is not a valid HyperLogLog string value.");
}

char* hll_bytes(Entry& entry) {
  return entry.is_inline() ? entry.mutable_inline_value() : entry.raw()->data();
}

void put_hll(CommandContext& ctx, const KeyRef& key, Found at, std::string_view value) {
  ctx.keys().put_string(key, at, value, at ? at->deadline() : kNoDeadline);
}

}  // namespace hearth::commands

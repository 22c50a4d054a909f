// Parts of strings: APPEND, GETRANGE, SETRANGE, SUBSTR.
#include <algorithm>

#include "src/command/common_specs.h"
#include "src/command/context.h"
#include "src/commands/string/family.h"
#include "src/commands/string/spec_parts.h"
#include "src/store/string.h"

namespace hearth::commands {
namespace {

Result<void, ReplyError> check_length(const CommandContext& ctx, std::uint64_t length) {
  const auto most = std::max<std::uint64_t>(ctx.string_bytes_most(), 1);
  if (length > most) return refuse("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
  return {};
}

Outcome append(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  const std::string_view suffix = ctx.arg(2);
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kString));
  std::uint64_t length = suffix.size();
  if (!at) {
    ctx.keys().put_string(key, at, suffix, kNoDeadline);
  } else {
    HEARTH_TRY_VOID(check_length(ctx, at->string_length() + suffix.size()));
    length = ctx.keys().append(key, at, suffix);
  }
  ctx.effects().replicate_verbatim();
  ctx.effects().event(Notify::kString, "append", key.name);
  ctx.reply().integer(static_cast<std::int64_t>(length));
  return {};
}

Outcome setrange(CommandContext& ctx) {
  const KeyRef key = ctx.key(1);
  const std::string_view value = ctx.arg(3);
  HEARTH_TRY(const std::int64_t offset, ctx.args().integer(2));
  if (offset < 0) return refuse("ERR offset is out of range");
  HEARTH_TRY(const Found at, ctx.keys().write(key, Type::kString));
  if (value.empty()) {
    // Nothing to write: the key is neither made nor changed.
    ctx.reply().integer(at ? static_cast<std::int64_t>(at->string_length()) : 0);
    return {};
  }
  const std::uint64_t end = static_cast<std::uint64_t>(offset) + value.size();
  HEARTH_TRY_VOID(check_length(ctx, end));
  const std::uint64_t length = std::max<std::uint64_t>(end, at ? at->string_length() : 0);
  char* room = ctx.keys().writable_range(key, at, static_cast<std::uint64_t>(offset), value.size());
  std::copy(value.begin(), value.end(), room);
  ctx.effects().replicate_verbatim();
  ctx.effects().event(Notify::kString, "setrange", key.name);
  ctx.reply().integer(static_cast<std::int64_t>(length));
  return {};
}

Outcome getrange(CommandContext& ctx) {
  HEARTH_TRY(std::int64_t start, ctx.args().integer(2));
  HEARTH_TRY(std::int64_t end, ctx.args().integer(3));
  HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kString));
  if (!at) {
    ctx.reply().bulk("");
    return {};
  }
  char scratch[kInt64TextMax];
  const std::string_view value = at->string_value(scratch);
  const auto length = static_cast<std::int64_t>(value.size());
  if (start < 0 && end < 0 && start > end) {
    ctx.reply().bulk("");
    return {};
  }
  if (start < 0) start = std::max<std::int64_t>(0, start + length);
  if (end < 0) end = std::max<std::int64_t>(0, end + length);
  end = std::min(end, length - 1);
  if (start > end || length == 0)
    ctx.reply().bulk("");
  else
    ctx.reply().bulk(
        value.substr(static_cast<std::size_t>(start), static_cast<std::size_t>(end - start + 1)));
  return {};
}

constexpr ArgDoc kSetRangeArgs[] = {args::key(), args::integer("offset"), args::string("value")};
constexpr ArgDoc kRangeArgs[] = {args::key(), args::integer("start"), args::integer("end")};
constexpr KeySpec kRangeInsertKey[] = {KeySpec::one(1, access::kRW | access::kInsert)};

}  // namespace

constexpr CommandSpec kAppend{
    .name = "APPEND",
    .summary = "Adds bytes to the end of a string; an absent key counts as empty.",
    .complexity = "O(1) amortised for values that grow by small steps",
    .since = "2.0.0",
    .arity = Arity::exactly(3),
    .flags = Flag::kWrite | Flag::kDenyOom | Flag::kFast,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kRangeInsertKey,
    .args = kKeyValue,
    .reply = Shape::kInteger,
    .handler = append,
};
constexpr CommandSpec kSetRange{
    .name = "SETRANGE",
    .summary =
        "Overwrites a part of a string; what lies before it is filled with zero bytes if need be.",
    .complexity = "O(M) with M the length of the value",
    .since = "2.2.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kWrite | Flag::kDenyOom,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kUpdateKey,
    .args = kSetRangeArgs,
    .reply = Shape::kInteger,
    .handler = setrange,
};
constexpr CommandSpec kGetRange{
    .name = "GETRANGE",
    .summary = "Returns a part of a string; negative offsets count from its end.",
    .complexity = "O(N) with N the length of the part",
    .since = "2.4.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kReadonly,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kReadKey,
    .args = kRangeArgs,
    .reply = Shape::kBulk,
    .handler = getrange,
};
constexpr CommandSpec kSubStr{
    .name = "SUBSTR",
    .summary = "Returns a part of a string.",
    .complexity = "O(N) with N the length of the part",
    .since = "1.0.0",
    .arity = Arity::exactly(4),
    .flags = Flag::kReadonly,
    .acl = Acl::kString,
    .group = Group::kString,
    .keys = kReadKey,
    .args = kRangeArgs,
    .reply = Shape::kBulk,
    .handler = getrange,
    .deprecated_since = "2.0.0",
    .replaced_by = "`GETRANGE`",
};

}  // namespace hearth::commands

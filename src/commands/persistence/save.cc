// SAVE, BGSAVE and BGREWRITEAOF.
#include "src/command/context.h"
#include "src/command/persistence_control.h"
#include "src/commands/persistence/family.h"

namespace hearth::commands {
namespace {

Result<PersistenceControl*, ReplyError> persistence_of(const CommandContext& ctx) {
  if (ctx.services().persistence == nullptr) return refuse("ERR this server keeps nothing on disk");
  return ctx.services().persistence;
}

Outcome save(CommandContext& ctx) {
  HEARTH_TRY(PersistenceControl* const persistence, persistence_of(ctx));
  HEARTH_TRY_VOID(persistence->save());
  ctx.reply().ok();
  return {};
}

Outcome bgsave(CommandContext& ctx) {
  HEARTH_TRY(PersistenceControl* const persistence, persistence_of(ctx));
  const ArgReader& args = ctx.args();
  if (args.size() > 2) return syntax_error();
  if (args.is(1, "CANCEL")) {
    HEARTH_TRY(const std::string_view cancelled, persistence->cancel_background_save());
    ctx.reply().simple(cancelled);
    return {};
  }
  const bool schedule = args.is(1, "SCHEDULE");
  if (args.size() == 2 && !schedule) return syntax_error();
  HEARTH_TRY(const std::string_view status,
             persistence->save_in_background(schedule ? PersistenceControl::WhenBusy::kSchedule
                                                      : PersistenceControl::WhenBusy::kRefuse));
  ctx.reply().simple(status);
  return {};
}

Outcome bgrewriteaof(CommandContext& ctx) {
  HEARTH_TRY(PersistenceControl* const persistence, persistence_of(ctx));
  HEARTH_TRY(const std::string_view status, persistence->rewrite_log());
  ctx.reply().simple(status);
  return {};
}

constexpr ArgDoc kBgSaveModes[] = {args::token("schedule", "SCHEDULE").from("3.2.2"),
                                   args::token("cancel", "CANCEL").from("8.1.0")};
constexpr ArgDoc kBgSaveArgs[] = {args::one_of("operation", kBgSaveModes).opt()};
constexpr HistoryNote kBgSaveHistory[] = {{"3.2.2", "SCHEDULE."}, {"8.1.0", "CANCEL."}};

}  // namespace

constexpr CommandSpec kSave{
    .name = "SAVE",
    .summary = "Writes a snapshot of all data to the disk; everybody waits for it.",
    .complexity = "O(N) with N the number of keys",
    .since = "1.0.0",
    .arity = Arity::exactly(1),
    .flags = Flag::kAdmin | Flag::kNoScript | Flag::kNoAsyncLoading | Flag::kNoMulti,
    .group = Group::kServer,
    .reply = Shape::kOk,
    .handler = save,
};

constexpr CommandSpec kBgSave{
    .name = "BGSAVE",
    .summary = "Has a child process write a snapshot of all data to the disk.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::at_least(1),
    .flags = Flag::kAdmin | Flag::kNoScript | Flag::kNoAsyncLoading,
    .group = Group::kServer,
    .args = kBgSaveArgs,
    .reply = Shape::kSimple,
    .handler = bgsave,
    .history = kBgSaveHistory,
};

constexpr CommandSpec kBgRewriteAof{
    .name = "BGREWRITEAOF",
    .summary = "Has a child process write the append-only file anew, as short as it can be.",
    .complexity = "O(1)",
    .since = "1.0.0",
    .arity = Arity::exactly(1),
    .flags = Flag::kAdmin | Flag::kNoScript | Flag::kNoAsyncLoading,
    .group = Group::kServer,
    .reply = Shape::kSimple,
    .handler = bgrewriteaof,
};

}  // namespace hearth::commands

// LOLWUT: a fire, different each time, and the server's version.
#include <algorithm>
#include <array>

#include "src/command/common_specs.h"
#include "src/command/context.h"
#include "src/command/info_control.h"
#include "src/commands/server/family.h"

namespace hearth::commands {
namespace {

constexpr int kColumnsDefault = 48, kRowsDefault = 14;
constexpr int kColumnsMost = 200, kRowsMost = 60;

// Heat rises from a glowing row at the bottom and cools at random on its way up.
std::string fire(int columns, int rows, Rng& rng) {
  constexpr std::string_view kShades = " .:-=+*#%@";
  const auto at = [&](int row, int column) {
    return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
           static_cast<std::size_t>(column);
  };
  std::vector<int> heat(static_cast<std::size_t>(columns * rows), 0);
  for (int c = 0; c < columns; ++c) heat[at(rows - 1, c)] = 5 + static_cast<int>(rng.below(5));
  for (int r = rows - 2; r >= 0; --r) {
    for (int c = 0; c < columns; ++c) {
      const int from = std::clamp(c + static_cast<int>(rng.below(3)) - 1, 0, columns - 1);
      const int cooling = static_cast<int>(rng.below(3)) == 0 ? 2 : static_cast<int>(rng.below(2));
      heat[at(r, c)] = std::max(0, heat[at(r + 1, from)] - cooling);
    }
  }
  std::string text;
  for (int r = 0; r < rows; ++r) {
    std::string line;
    for (int c = 0; c < columns; ++c) line += kShades[static_cast<std::size_t>(heat[at(r, c)])];
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

Outcome lolwut(CommandContext& ctx) {
  const ArgReader& args = ctx.args();
  std::size_t next = 1;
  if (args.is(1, "VERSION", 1)) {
    // There is one drawing; older ones of other servers are not told apart.
    HEARTH_TRY_VOID(args.integer(2));
    next = 3;
  }
  std::array<int, 2> size{kColumnsDefault, kRowsDefault};
  constexpr std::array<int, 2> kMost{kColumnsMost, kRowsMost};
  for (std::size_t i = 0; i < size.size() && next < args.size(); ++i, ++next) {
    HEARTH_TRY(const std::int64_t n, args.integer(next));
    size[i] = static_cast<int>(std::clamp<std::int64_t>(n, 2, kMost[i]));
  }
  ctx.reply().verbatim("txt", fire(size[0], size[1], ctx.rng()) +
                                  "\nhearth, speaking as Redis ver. " +
                                  std::string(ctx.services().info->version()) + "\n");
  return {};
}

constexpr ArgDoc kLolwutArgs[] = {args::integer("version", "VERSION").opt(),
                                  args::integer("columns").opt(), args::integer("rows").opt()};

}  // namespace

constexpr CommandSpec kLolwut{
    .name = "LOLWUT",
    .summary = "Draws a fire and tells the server's version.",
    .complexity = "O(N) with N the number of characters drawn",
    .since = "5.0.0",
    .arity = Arity::at_least(1),
    .flags = Flag::kReadonly | Flag::kFast,
    .group = Group::kServer,
    .args = kLolwutArgs,
    .reply = Shape::kVerbatim | Shape::kBulk,
    .handler = lolwut,
    .tips = kNondeterministic,
};

}  // namespace hearth::commands

// The walk over keys that SCAN and CLUSTERSCAN share: which keys are wanted, and the reply.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/glob.h"
#include "src/command/context.h"
#include "src/commands/key/pattern_slot.h"

namespace hearth::commands {

// A pattern, with the two cases told apart that need no matching at all.
class Matcher {
 public:
  Matcher() = default;
  explicit Matcher(std::string_view pattern) : pattern_(pattern), all_(pattern == "*") {}
  [[nodiscard]] bool matches(std::string_view key) const {
    return all_ || glob_match(pattern_, key);
  }
  [[nodiscard]] std::optional<Slot> slot(const CommandContext& ctx) const {
    return ctx.settings().cluster_enabled && !all_ ? fixed_slot(pattern_) : std::nullopt;
  }

 private:
  std::string_view pattern_;
  bool all_ = true;
};

struct KeyFilter {
  std::uint64_t count = 10;
  Matcher pattern;
  std::optional<Type> type;
};

[[nodiscard]] Result<Type, ReplyError> parse_type(std::string_view word);
// COUNT, MATCH or TYPE at word i, with the word behind it. False: it is none of them.
[[nodiscard]] Result<bool, ReplyError> take_filter(const ArgReader& args, std::size_t i,
                                                   KeyFilter& filter);

// The keys of one call. Names stay where they are: nothing is removed before write().
class KeyHarvest {
 public:
  KeyHarvest(CommandContext& ctx, const KeyFilter& filter) : ctx_(ctx), filter_(filter) {}

  void look_at(const Entry& entry);
  // Steps from cursor to cursor, each with the next one for its result. Work is bounded by keys
  // looked at, and where buckets are empty by buckets: ten for each key asked for.
  [[nodiscard]] std::uint64_t walk(std::uint64_t cursor,
                                   const std::function<std::uint64_t(std::uint64_t)>& step);
  // Removes what had expired, and answers.
  void write(std::string_view cursor);

 private:
  CommandContext& ctx_;
  const KeyFilter& filter_;
  std::vector<std::string_view> found_;
  std::vector<std::string> expired_;
  std::uint64_t seen_ = 0;
};

}  // namespace hearth::commands

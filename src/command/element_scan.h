// ElementScan: one call of HSCAN, SSCAN or ZSCAN.
//
//   HEARTH_TRY(ElementScan scan, ElementScan::begin(ctx));
//   HEARTH_TRY(const Found at, ctx.keys().read(ctx.key(1), Type::kSet));
//   if (!at) return scan.finish(ctx);
//   HEARTH_TRY_VOID(scan.read_options(ctx));
//   scan.walk([&](std::uint64_t cursor) { return at->set()->scan(cursor, visit); });
//   return scan.finish(ctx);
//
// The order is the peers': a value that is not there has been walked through, whatever the options.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/glob.h"
#include "src/command/context.h"

namespace hearth {

// Any cursor that a server gives; not one is refused for pointing nowhere.
[[nodiscard]] Result<std::uint64_t, ReplyError> parse_cursor(std::string_view word);

class ElementScan {
 public:
  // Reads the cursor, word 2.
  [[nodiscard]] static Result<ElementScan, ReplyError> begin(const CommandContext& ctx);
  // COUNT, MATCH, and the word that asks for names without what belongs to them, if there is one.
  [[nodiscard]] Outcome read_options(const CommandContext& ctx, std::string_view bare_word = {});

  [[nodiscard]] bool bare() const { return bare_; }
  // A visitor calls this for each element that it is shown.
  [[nodiscard]] bool takes(std::string_view element) {
    ++visited_;
    return pattern_ == "*" || glob_match(pattern_, element);
  }
  void add(std::string word) { found_.push_back(std::move(word)); }

  // Calls `step(cursor)`, which visits what belongs to a cursor and returns the next, until COUNT
  // elements were visited or there are no more. Empty buckets count too, ten for an element, so
  // that a sparse table cannot hold up the server.
  template <typename Step>
  void walk(Step step) {
    const std::uint64_t steps_most = count_ > UINT64_MAX / 10 ? UINT64_MAX : count_ * 10;
    std::uint64_t steps = 0;
    next_ = cursor_;
    do {
      next_ = step(next_);
    } while (next_ != 0 && visited_ < count_ && ++steps < steps_most);
  }
  // Replies with the next cursor and what was added.
  Outcome finish(CommandContext& ctx) const;

 private:
  std::uint64_t cursor_ = 0, next_ = 0;
  std::uint64_t count_ = 10, visited_ = 0;
  std::string_view pattern_ = "*";
  bool bare_ = false;
  std::vector<std::string> found_;
};

}  // namespace hearth

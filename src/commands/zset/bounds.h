// The three kinds of range of a sorted set (ranks, scores, members), and the window of ranks that
// each stands for.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "src/command/args.h"
#include "src/store/zset.h"

namespace hearth::commands {

// Ascending ranks first .. first + count - 1, all of which exist.
struct RankWindow {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
};

enum class RangeKind : std::uint8_t { kRank, kScore, kLex };

// A range as two words give it.
class ZsetRange {
 public:
  // `low` and `high` in ascending order. Errors: not an integer, a float or a range item.
  static Result<ZsetRange, ReplyError> parse(RangeKind kind, std::string_view low,
                                             std::string_view high);

  // Of ranks counted upwards; `down`: the range counts ranks from the greatest member.
  [[nodiscard]] RankWindow in(const Zset& zset, Zset::Direction direction) const;

 private:
  struct ScoreBound {
    double score = 0;
    bool exclusive = false;
  };
  // '-' and '+' are below and above every member.
  struct LexBound {
    enum class Kind : std::uint8_t { kLowest, kHighest, kMember } kind = Kind::kMember;
    std::string_view member;
    bool exclusive = false;
  };
  static std::optional<ScoreBound> parse_score(std::string_view word);
  static std::optional<LexBound> parse_lex(std::string_view word);
  static std::uint64_t rank_of(const Zset& zset, const LexBound& bound, bool behind);
  [[nodiscard]] RankWindow rank_window(std::uint64_t size, Zset::Direction direction) const;

  RangeKind kind_ = RangeKind::kRank;
  std::int64_t low_rank_ = 0, high_rank_ = 0;
  ScoreBound low_score_, high_score_;
  LexBound low_lex_, high_lex_;
};

// The part of a window that LIMIT offset count leaves, seen in this direction: a negative offset
// leaves nothing, a negative count everything.
[[nodiscard]] RankWindow limited(const RankWindow& window, std::int64_t offset, std::int64_t count,
                                 Zset::Direction direction);

}  // namespace hearth::commands

#include "src/commands/zset/bounds.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>

namespace hearth::commands {
namespace {

// Peers read bounds with strtod: blanks in front, nothing at all (which is 0) and numbers beyond
// the largest (which are infinite) are bounds too.
std::optional<double> parse_bound(std::string_view word) {
  if (const auto number = parse_double(word)) return number;
  const std::string copy(word);
  char* end = nullptr;
  const double number = std::strtod(copy.c_str(), &end);
  if (end != copy.data() + copy.size() || std::isnan(number)) return std::nullopt;
  return number;
}

}  // namespace

std::optional<ZsetRange::ScoreBound> ZsetRange::parse_score(std::string_view word) {
  ScoreBound bound;
  bound.exclusive = word.starts_with('(');
  const auto score = parse_bound(bound.exclusive ? word.substr(1) : word);
  if (!score) return std::nullopt;
  bound.score = *score;
  return bound;
}

std::optional<ZsetRange::LexBound> ZsetRange::parse_lex(std::string_view word) {
  if (word == "-") return LexBound{LexBound::Kind::kLowest, {}, false};
  if (word == "+") return LexBound{LexBound::Kind::kHighest, {}, false};
  if (!word.starts_with('[') && !word.starts_with('(')) return std::nullopt;
  return LexBound{LexBound::Kind::kMember, word.substr(1), word[0] == '('};
}

Result<ZsetRange, ReplyError> ZsetRange::parse(RangeKind kind, std::string_view low,
                                               std::string_view high) {
  ZsetRange range;
  range.kind_ = kind;
  switch (kind) {
    case RangeKind::kRank: {
      const auto first = parse_int64(low);
      const auto last = parse_int64(high);
      if (!first || !last) return refuse(std::string(kNotInteger));
      range.low_rank_ = *first;
      range.high_rank_ = *last;
      break;
    }
    case RangeKind::kScore: {
      const auto first = parse_score(low);
      const auto last = parse_score(high);
      if (!first || !last) return refuse("ERR min or max is not a float");
      range.low_score_ = *first;
      range.high_score_ = *last;
      break;
    }
    case RangeKind::kLex: {
      const auto first = parse_lex(low);
      const auto last = parse_lex(high);
      if (!first || !last) return refuse("ERR min or max not valid string range item");
      range.low_lex_ = *first;
      range.high_lex_ = *last;
      break;
    }
  }
  return range;
}

// The rank of the first member behind the bound (`behind`), or of the first that is not before it.
std::uint64_t ZsetRange::rank_of(const Zset& zset, const LexBound& bound, bool behind) {
  switch (bound.kind) {
    case LexBound::Kind::kLowest: return 0;
    case LexBound::Kind::kHighest: return zset.size();
    case LexBound::Kind::kMember: break;
  }
  return zset.count_below(bound.member, behind);
}

RankWindow ZsetRange::rank_window(std::uint64_t size, Zset::Direction direction) const {
  const auto all = static_cast<std::int64_t>(size);
  const std::int64_t first = std::max<std::int64_t>(low_rank_ < 0 ? low_rank_ + all : low_rank_, 0);
  const std::int64_t last = std::min(high_rank_ < 0 ? high_rank_ + all : high_rank_, all - 1);
  if (first > last) return {};
  const auto count = static_cast<std::uint64_t>(last - first + 1);
  if (direction == Zset::Direction::kUp) return {static_cast<std::uint64_t>(first), count};
  return {static_cast<std::uint64_t>(all - 1 - last), count};
}

RankWindow ZsetRange::in(const Zset& zset, Zset::Direction direction) const {
  std::uint64_t first = 0;
  std::uint64_t end = 0;
  switch (kind_) {
    case RangeKind::kRank: return rank_window(zset.size(), direction);
    case RangeKind::kScore:
      first = zset.count_below(low_score_.score, low_score_.exclusive);
      end = zset.count_below(high_score_.score, !high_score_.exclusive);
      break;
    case RangeKind::kLex:
      first = rank_of(zset, low_lex_, low_lex_.exclusive);
      end = rank_of(zset, high_lex_, !high_lex_.exclusive);
      break;
  }
  return first < end ? RankWindow{first, end - first} : RankWindow{};
}

RankWindow limited(const RankWindow& window, std::int64_t offset, std::int64_t count,
                   Zset::Direction direction) {
  if (offset < 0 || static_cast<std::uint64_t>(offset) >= window.count) return {};
  const auto skipped = static_cast<std::uint64_t>(offset);
  const std::uint64_t left = window.count - skipped;
  const std::uint64_t kept = count < 0 ? left : std::min(left, static_cast<std::uint64_t>(count));
  if (direction == Zset::Direction::kUp) return {window.first + skipped, kept};
  return {window.first + left - kept, kept};
}

}  // namespace hearth::commands

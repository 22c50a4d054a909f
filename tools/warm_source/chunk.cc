#include "tools/warm_source/chunk.h"

#include <fmt/core.h>

#include <array>

#include "src/base/parse_number.h"
#include "tools/warm_source/source_url.h"

namespace hearth::warm {
namespace {

constexpr std::array<std::string_view, 3> kKindWords{"all", "blocks", "range"};
constexpr std::string_view kBoundMarks = "iutb";

std::string bound_text(const std::optional<Bound>& bound) {
  if (!bound) return "";
  const char mark = kBoundMarks[static_cast<std::size_t>(bound->type)];
  switch (bound->type) {
    case Bound::Type::kInteger: return fmt::format("{}:{}", mark, bound->integer);
    case Bound::Type::kUnsigned:
      return fmt::format("{}:{}", mark, static_cast<std::uint64_t>(bound->integer));
    default: return fmt::format("{}:{}", mark, percent_encoded(bound->text));
  }
}

Result<std::optional<Bound>> parse_bound(std::string_view text) {
  if (text.empty()) return std::optional<Bound>{};
  const auto mark = kBoundMarks.find(text[0]);
  const auto wrong = fail(ErrorCode::kInvalid, fmt::format("'{}' is no bound of a chunk", text));
  if (mark == std::string_view::npos || text.size() < 2 || text[1] != ':') return wrong;
  Bound bound{static_cast<Bound::Type>(mark)};
  const std::string_view value = text.substr(2);
  if (bound.type == Bound::Type::kInteger) {
    const auto number = parse_int64(value);
    if (!number) return wrong;
    bound.integer = *number;
  } else if (bound.type == Bound::Type::kUnsigned) {
    const auto number = parse_uint64(value);
    if (!number) return wrong;
    bound.integer = static_cast<std::int64_t>(*number);
  } else {
    const auto decoded = percent_decoded(value);
    if (!decoded) return wrong;
    bound.text = *decoded;
  }
  return std::optional<Bound>(std::move(bound));
}

}  // namespace

std::string Chunk::id() const {
  if (kind == Kind::kAll) return "all";
  return fmt::format("{} {} {} {}", kKindWords[static_cast<std::size_t>(kind)],
                     percent_encoded(relation), bound_text(from), bound_text(to));
}

Result<Chunk> Chunk::parse(std::string_view id) {
  std::array<std::string_view, 4> words{};
  std::string_view rest = id;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto blank = i + 1 < words.size() ? rest.find(' ') : std::string_view::npos;
    words[i] = rest.substr(0, blank);
    rest = blank == std::string_view::npos ? std::string_view{} : rest.substr(blank + 1);
  }
  Chunk chunk;
  for (std::size_t i = 0; i < kKindWords.size(); ++i) {
    if (words[0] != kKindWords[i]) continue;
    chunk.kind = static_cast<Kind>(i);
    const auto relation = percent_decoded(words[1]);
    if (!relation) break;
    chunk.relation = *relation;
    HEARTH_TRY(chunk.from, parse_bound(words[2]));
    HEARTH_TRY(chunk.to, parse_bound(words[3]));
    return chunk;
  }
  return fail(ErrorCode::kInvalid, fmt::format("'{}' is no chunk", id));
}

}  // namespace hearth::warm

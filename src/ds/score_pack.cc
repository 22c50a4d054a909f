#include "src/ds/score_pack.h"

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "src/base/check.h"
#include "src/ds/raw_bytes.h"
#include "src/ds/scored_member.h"

namespace hearth::ds {
namespace {

// First bytes that element.h leaves free.
constexpr unsigned char kFloat = 0xfe;
constexpr unsigned char kDouble = 0xff;

struct EncodedScore {
  char bytes[9];
  std::size_t size;
};

EncodedScore encoded_score(double score) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  EncodedScore out{};
  if (score >= -kExact && score <= kExact && score == std::trunc(score) &&
      !(score == 0 && std::signbit(score))) {
    const EncodedElement number = encoded_number(static_cast<std::int64_t>(score));
    std::memcpy(out.bytes, number.head, number.head_size);
    out.size = number.head_size;
    return out;
  }
  const auto narrow = static_cast<float>(score);
  if (static_cast<double>(narrow) == score) {
    out.bytes[0] = static_cast<char>(kFloat);
    store_le(out.bytes + 1, narrow);
    out.size = 1 + sizeof narrow;
  } else {
    out.bytes[0] = static_cast<char>(kDouble);
    store_le(out.bytes + 1, score);
    out.size = 1 + sizeof score;
  }
  return out;
}

}  // namespace

ScorePack::Position ScorePack::score_size(const char* p) {
  const auto kind = static_cast<unsigned char>(*p);
  if (kind < 0x80) return 1;
  if (kind == kFloat) return 1 + sizeof(float);
  if (kind == kDouble) return 1 + sizeof(double);
  return static_cast<Position>(layout_at(p, 5).size());
}

double ScorePack::score_at(const char* p) {
  const auto kind = static_cast<unsigned char>(*p);
  if (kind < 0x80) return kind;
  if (kind == kFloat) return static_cast<double>(load_le<float>(p + 1));
  if (kind == kDouble) return load_le<double>(p + 1);
  return static_cast<double>(element_number(p));
}

ScorePack::ScorePack() : bytes_(allocate(kHeader)) {
  store_le(bytes_, kHeader);
  store_le(bytes_ + 4, std::uint32_t{0});
}

ScorePack::~ScorePack() { std::free(bytes_); }

ScorePack ScorePack::clone() const {
  char* copy = allocate(total_bytes());
  std::memcpy(copy, bytes_, total_bytes());
  return ScorePack(copy);
}

ScorePack::Position ScorePack::at(std::size_t index) const {
  Position p = first();
  for (std::size_t i = 0; i < index; ++i) p = next(p);
  return p;
}

ScorePack::Place ScorePack::find(std::string_view member) const {
  const ElementMatcher matcher(member);
  const auto end = static_cast<Position>(total_bytes());
  std::uint32_t index = 0;
  for (Position at = kHeader; at != end; ++index) {
    const ElementLayout layout = layout_at(bytes_ + at, 5);
    if (matcher.matches(bytes_ + at, layout)) return {at, index};
    at += static_cast<Position>(layout.size());
    at += score_size(bytes_ + at);
  }
  return {kEnd, index};
}

// Makes the gap [at, at + new_size) where [at, at + old_size) was.
void ScorePack::resize_gap(std::size_t at, std::size_t old_size, std::size_t new_size) {
  const std::size_t total = total_bytes();
  const std::size_t new_total = total - old_size + new_size;
  HEARTH_CHECK(new_total <= kBytesMax);
  const std::size_t tail = total - at - old_size;
  if (new_size < old_size) std::memmove(bytes_ + at + new_size, bytes_ + at + old_size, tail);
  if (new_total != total) {
    bytes_ = static_cast<char*>(std::realloc(bytes_, new_total));
    HEARTH_CHECK(bytes_ != nullptr);
  }
  if (new_size > old_size) std::memmove(bytes_ + at + new_size, bytes_ + at + old_size, tail);
  store_le(bytes_, static_cast<std::uint32_t>(new_total));
}

void ScorePack::insert(std::string_view member, double score) {
  const Place place = partition([&](double other_score, std::string_view other) {
    return scored_less(other_score, other, score, member);
  });
  const std::size_t at = place.at == kEnd ? total_bytes() : place.at;
  const EncodedElement element = encoded_text(member);
  const EncodedScore number = encoded_score(score + 0.0);  // -0 is stored as 0
  resize_gap(at, 0, element.size() + number.size);
  element.write(bytes_ + at);
  std::memcpy(bytes_ + at + element.size(), number.bytes, number.size);
  store_le(bytes_ + 4, static_cast<std::uint32_t>(size() + 1));
}

void ScorePack::rescore(Position at, std::string_view member, double score) {
  erase(at, 1);
  insert(member, score);
}

void ScorePack::erase(Position at, std::size_t count) {
  Position behind = at;
  for (std::size_t i = 0; i < count; ++i) {
    behind = behind_member(behind);
    behind += score_size(bytes_ + behind);
  }
  resize_gap(at, behind - at, 0);
  store_le(bytes_ + 4, static_cast<std::uint32_t>(size() - count));
}

}  // namespace hearth::ds

#include "src/ds/segment.h"

#include <doctest/doctest.h>

#include <deque>
#include <string>
#include <vector>

#include "src/base/random.h"
#include "src/ds/listpack.h"

using namespace hearth;
using hearth::ds::Segment;

namespace {

std::string text_at(const Segment& s, Segment::Position at) {
  char scratch[kInt64TextMax];
  return std::string(s.get(at).text(scratch));
}

std::deque<std::string> forwards(const Segment& s) {
  std::deque<std::string> out;
  for (auto p = s.first(); p != Segment::kEnd; p = s.next(p)) out.push_back(text_at(s, p));
  return out;
}

std::deque<std::string> backwards(const Segment& s) {
  std::deque<std::string> out;
  for (auto p = s.last(); p != Segment::kEnd; p = s.previous(p)) out.push_front(text_at(s, p));
  return out;
}

std::string random_text(Rng& rng) {
  switch (rng.below(4)) {
    case 0: return std::to_string(static_cast<std::int64_t>(rng.next()) >> rng.below(64));
    case 1: return std::string(rng.below(140), 'x');
    case 2: return std::string(rng.chance(0.1) ? 4000 + rng.below(300) : rng.below(20), 'y');
    default: return "0" + std::to_string(rng.below(10));
  }
}

}  // namespace

TEST_CASE("random edits of a segment agree with a deque of strings") {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    Segment segment;
    std::deque<std::string> model;
    for (int step = 0; step < 1500; ++step) {
      const std::string text = random_text(rng);
      const auto encoded = ds::encoded_text(text);
      const std::size_t index = model.empty() ? 0 : rng.below(model.size());
      const auto at = model.begin() + static_cast<std::ptrdiff_t>(index);
      const bool growing = step % 500 < 300 && segment.fits(text.size());
      switch (growing ? rng.below(4) : 4 + rng.below(4)) {
        case 0:
        case 1:
          segment.push_front(encoded);
          model.push_front(text);
          break;
        case 2:
          segment.push_back(encoded);
          model.push_back(text);
          break;
        case 3:
          if (model.empty()) break;
          CHECK(text_at(segment, segment.insert(segment.at(index), encoded)) == text);
          model.insert(at, text);
          break;
        case 4:
          if (model.empty() || !segment.fits(text.size())) break;
          CHECK(text_at(segment, segment.replace(segment.at(index), encoded)) == text);
          *at = text;
          break;
        case 5:
          if (model.empty()) break;
          if (rng.chance(0.5))
            segment.pop_front();
          else
            segment.erase(segment.first());
          model.pop_front();
          break;
        case 6:
          if (model.empty()) break;
          if (rng.chance(0.5))
            segment.pop_back();
          else
            segment.erase(segment.last());
          model.pop_back();
          break;
        default: {
          if (model.empty()) break;
          const std::size_t count = 1 + rng.below(std::min<std::size_t>(3, model.size() - index));
          const auto behind = segment.erase(segment.at(index), count);
          model.erase(at, at + static_cast<std::ptrdiff_t>(count));
          CHECK((behind == Segment::kEnd) == (index == model.size()));
          if (behind != Segment::kEnd) CHECK(text_at(segment, behind) == model[index]);
        }
      }
      REQUIRE(segment.size() == model.size());
      if (step % 25 == 0) {
        REQUIRE(forwards(segment) == model);
        REQUIRE(backwards(segment) == model);
        CHECK(segment.allocated_bytes() <= 300 + segment.data_bytes() * 5);
      }
    }
    const Segment copy = segment.clone();
    CHECK(forwards(copy) == model);
    if (model.size() > 1) {
      const Segment tail = segment.split(model.size() / 2);
      CHECK(segment.size() + tail.size() == model.size());
      segment.append(tail);
      CHECK(forwards(segment) == model);
    }
  }
}

TEST_CASE("the bytes of a segment are those between a listpack's header and its end mark") {
  Segment segment;
  ds::Listpack pack;
  for (const std::string text : {"one", "2", "-70000", "", "a longer text than the others"}) {
    segment.push_back(ds::encoded_text(text));
    pack.append(text);
  }
  CHECK(segment.elements() == pack.bytes().substr(6, pack.total_bytes() - 7));
  CHECK(forwards(Segment::from_elements(segment.elements(), 5)) == forwards(segment));
}

TEST_CASE("a segment that is filled at one end and emptied at the other stays small") {
  Segment segment;
  for (int i = 0; i < 20'000; ++i) {
    segment.push_back(ds::encoded_text("item:" + std::to_string(i)));
    if (segment.size() > 100) segment.erase(segment.first());
  }
  CHECK(segment.size() == 100);
  CHECK(text_at(segment, segment.first()) == "item:19900");
  CHECK(segment.allocated_bytes() < 6000);
}

TEST_CASE("ten short items take the smallest size class they fit") {
  Segment segment;
  for (int i = 0; i < 10; ++i) segment.push_back(ds::encoded_text("0123456789"));
  CHECK(segment.allocated_bytes() == 128);
}

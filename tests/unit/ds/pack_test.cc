#include "src/ds/pack.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "src/base/random.h"

using namespace hearth;
using hearth::ds::Pack;

namespace {

std::string text_at(const Pack& pack, Pack::Position at) {
  char scratch[kInt64TextMax];
  return std::string(pack.get(at).text(scratch));
}

std::vector<std::string> contents(const Pack& pack) {
  std::vector<std::string> out;
  for (auto p = pack.first(); p != Pack::kEnd; p = pack.next(p)) out.push_back(text_at(pack, p));
  return out;
}

std::string random_text(Rng& rng) {
  switch (rng.below(5)) {
    case 0: return std::to_string(static_cast<std::int64_t>(rng.next()) >> rng.below(64));
    case 1: return std::string(rng.below(70), 'x');
    case 2: return std::string(rng.chance(0.05) ? 4000 + rng.below(300) : rng.below(200), 'y');
    case 3: return "0" + std::to_string(rng.below(10));
    default: {
      std::string bytes(rng.below(20), '\0');
      for (char& c : bytes) c = static_cast<char>(rng.next());
      return bytes;
    }
  }
}

}  // namespace

TEST_CASE("random edits of a pack agree with a vector of strings") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    Pack pack;
    std::vector<std::string> model;
    for (int step = 0; step < 400; ++step) {
      const std::string text = random_text(rng);
      const std::size_t index = model.empty() ? 0 : rng.below(model.size());
      const auto at = model.begin() + static_cast<std::ptrdiff_t>(index);
      switch (rng.below(model.size() > 60 ? 6 : 4)) {
        case 0:
        case 1:
          pack.append(text);
          model.push_back(text);
          break;
        case 2:
          if (model.empty()) break;
          CHECK(text_at(pack, pack.replace(pack.at(index), text)) == text);
          *at = text;
          break;
        default: {
          if (model.empty()) break;
          const std::size_t count = 1 + rng.below(3);
          const auto behind = pack.erase(pack.at(index), count);
          const std::size_t gone = std::min(count, model.size() - index);
          model.erase(at, at + static_cast<std::ptrdiff_t>(gone));
          CHECK((behind == Pack::kEnd) == (index == model.size()));
          if (behind != Pack::kEnd) CHECK(text_at(pack, behind) == model[index]);
        }
      }
      REQUIRE(contents(pack) == model);
      CHECK(pack.size() == model.size());
      if (model.empty()) continue;
      const std::string& wanted = model[rng.below(model.size())];
      CHECK(text_at(pack, pack.find(wanted)) == wanted);
    }
    CHECK(contents(pack.clone()) == model);
  }
}

TEST_CASE("ten fields of 7 bytes with values of 12 take 216 bytes") {
  Pack pack;
  for (int i = 0; i < 10; ++i) {
    pack.append("field:" + std::to_string(i));
    pack.append("twelve bytes");
  }
  CHECK(pack.total_bytes() == 6 + 10 * (1 + 7 + 1 + 12));
}

TEST_CASE("find in a pack looks at every second element only, if told so") {
  Pack pack;
  CHECK(pack.find("a") == Pack::kEnd);
  for (const char* text : {"a", "b", "b", "12"}) pack.append(text);
  CHECK(pack.find("b", 1) == pack.at(2));
  CHECK(pack.find("12", 1) == Pack::kEnd);
  CHECK(pack.find("12") == pack.at(3));
  CHECK(pack.replace_number(pack.at(0), -7) == pack.at(0));
  CHECK(pack.find("-7") == pack.at(0));
}

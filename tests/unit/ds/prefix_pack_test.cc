#include "src/ds/prefix_pack.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "src/base/random.h"
#include "src/ds/text_node.h"

using namespace hearth;
using ds::PrefixPack;
using ds::TextNode;

namespace {

std::vector<std::string> contents(const PrefixPack& pack) {
  std::vector<std::string> out;
  std::string scratch;
  for (auto p = pack.first(); p != PrefixPack::kEnd; p = pack.next(p))
    out.emplace_back(pack.get(p, scratch));
  return out;
}

std::string some_text(Rng& rng) {
  const char* const kBeginnings[] = {"", "user:", "user:10", "x"};
  std::string text = kBeginnings[rng.below(4)];
  for (std::uint64_t i = rng.below(rng.chance(0.02) ? 700 : 6); i > 0; --i)
    text += static_cast<char>('0' + rng.below(4));
  return text;
}

}  // namespace

TEST_CASE("a prefix pack keeps distinct strings in order, whatever they begin with") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    PrefixPack pack;
    std::vector<std::string> model;
    const bool alike = seed % 2 == 0;
    for (int step = 0; step < 300; ++step) {
      const std::string text = (alike ? "member:" : "") + some_text(rng);
      const auto found = std::find(model.begin(), model.end(), text);
      const auto at = pack.find(text);
      CHECK((at != PrefixPack::kEnd) == (found != model.end()));
      if (found == model.end()) {
        REQUIRE(pack.fits(text.size()));
        pack.append(text);
        model.push_back(text);
      } else if (rng.chance(0.8)) {
        pack.erase(at);
        model.erase(found);
      }
      CHECK(pack.size() == model.size());
      if (rng.chance(0.02)) {
        while (!model.empty()) {
          pack.erase(pack.first());
          model.erase(model.begin());
        }
      }
      if (step % 20 == 0) {
        CHECK(contents(pack) == model);
        CHECK(contents(pack.clone()) == model);
      }
    }
    CHECK(contents(pack) == model);
  }
}

TEST_CASE("ten strings of 12 bytes that begin alike take 38 bytes") {
  PrefixPack pack;
  for (int i = 0; i < 10; ++i) pack.append("member:0000" + std::to_string(i));
  CHECK(pack.total_bytes() == 7 + 11 + 10 * 2);
}

TEST_CASE("text nodes hold any length, and lengths that fill an allocation without a head") {
  for (std::size_t length = 0; length < 600; ++length) {
    std::string text(length, 'a');
    for (std::size_t i = 0; i < length; ++i) text[i] = static_cast<char>(i);
    TextNode* node = TextNode::make(text);
    CHECK(node->text() == text);
    const bool exact = length == 8 || length == 16 || length == 32 || length == 48;
    CHECK(node->bytes() == (exact ? length : length + (length < 255 ? 1 : 9)));
    TextNode::free(node);
  }
}

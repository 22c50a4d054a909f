#include "src/ds/score_tree.h"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

#include "src/base/random.h"

using namespace hearth;
using namespace hearth::ds;

namespace {

struct Less {
  bool operator()(const ScoredMember* a, const ScoredMember* b) const {
    return scored_less(a->score(), a->member(), b->score(), b->member());
  }
};
using Model = std::set<ScoredMember*, Less>;

void check_equal(const ScoreTree& tree, const Model& model) {
  REQUIRE(tree.is_sound());
  REQUIRE(tree.size() == model.size());
  auto up = tree.at(0);
  std::uint64_t rank = 0;
  for (const ScoredMember* node : model) {
    REQUIRE(up.valid());
    CHECK(&up.get() == node);
    if (rank % 17 == 0) {
      CHECK(&tree.at(rank).get() == node);
      CHECK(tree.rank_of(*node) == rank);
    }
    up.next();
    ++rank;
  }
  CHECK_FALSE(up.valid());
  CHECK_FALSE(tree.at(model.size()).valid());
  if (model.empty()) return;
  auto down = tree.at(model.size() - 1);
  for (auto it = model.rbegin(); it != model.rend(); ++it) {
    REQUIRE(down.valid());
    CHECK(&down.get() == *it);
    down.previous();
  }
  CHECK_FALSE(down.valid());
}

ScoredMember* any_of(const Model& model, Rng& rng) {
  return *std::next(model.begin(), static_cast<std::ptrdiff_t>(rng.below(model.size())));
}

void free_all(ScoreTree& tree) {
  tree.clear([](ScoredMember* node) { ScoredMember::free(node); });
}

double fill(const ScoreTree& tree) {
  return static_cast<double>(tree.size()) * 16 / static_cast<double>(tree.memory_bytes());
}

}  // namespace

TEST_CASE("members of every length keep their bytes and score") {
  for (const std::size_t length : {0, 1, 23, 254, 255, 256, 70000}) {
    ScoredMember* node = ScoredMember::make(std::string(length, 'm'), -2.5);
    CHECK(node->member() == std::string(length, 'm'));
    CHECK(node->score() == -2.5);
    CHECK(node->bytes() == length + 9 + (length < 255 ? 0 : 8));
    ScoredMember::free(node);
  }
}

TEST_CASE("a score tree is a set with ranks, whatever is done to it") {
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    ScoreTree tree;
    Model model;
    const std::uint64_t scores = seed % 3 == 0 ? 1 : seed % 3 == 1 ? 50 : 1'000'000;
    int serial = 0;
    for (int phase = 0; phase < 12; ++phase) {
      const bool grow = phase % 3 != 2;
      for (int i = 0; i < 700; ++i) {
        const auto score = static_cast<double>(rng.below(scores)) / 4;
        if (model.empty() || rng.chance(grow ? 0.8 : 0.1)) {
          auto* node = ScoredMember::make(rng.hex(6) + std::to_string(serial++), score);
          tree.insert(node);
          model.insert(node);
        } else if (rng.chance(0.4)) {
          ScoredMember* node = any_of(model, rng);
          model.erase(node);
          tree.rescore(node, rng.chance(0.5) ? score : node->score() + 0.125);
          model.insert(node);
        } else {
          ScoredMember* node = any_of(model, rng);
          model.erase(node);
          tree.erase(*node);
          ScoredMember::free(node);
        }
      }
      check_equal(tree, model);
      if (!grow && !model.empty()) {
        const std::uint64_t first = rng.below(model.size());
        const std::uint64_t count = rng.below(model.size() - first + 1);
        auto at = std::next(model.begin(), static_cast<std::ptrdiff_t>(first));
        std::vector<ScoredMember*> expected;
        for (std::uint64_t i = 0; i < count; ++i) {
          expected.push_back(*at);
          at = model.erase(at);
        }
        std::vector<ScoredMember*> got;
        tree.erase_ranks(first, count, [&](ScoredMember* node) { got.push_back(node); });
        CHECK(got == expected);
        for (ScoredMember* node : got) ScoredMember::free(node);
        check_equal(tree, model);
      }
    }
    while (!model.empty()) {
      ScoredMember* node = rng.chance(0.5) ? *model.begin() : any_of(model, rng);
      model.erase(node);
      tree.erase(*node);
      ScoredMember::free(node);
      if (model.size() % 97 == 0) check_equal(tree, model);
    }
    CHECK(tree.memory_bytes() == 0);
  }
}

TEST_CASE("leaves are well filled in whatever order elements come") {
  constexpr int kCount = 40000;
  for (const int order : {0, 1, 2}) {
    CAPTURE(order);
    Rng rng(7);
    ScoreTree tree;
    for (int i = 0; i < kCount; ++i) {
      const double score = order == 0   ? i
                           : order == 1 ? -i
                                        : static_cast<double>(rng.below(1 << 30));
      tree.insert(ScoredMember::make(std::to_string(i), score));
    }
    CHECK(tree.is_sound());
    MESSAGE("fill ", fill(tree));
    CHECK(fill(tree) > 0.72);
    std::uint64_t left = kCount;
    while (left > 0) {
      tree.erase_ranks(order == 1 ? left - 1 : 0, 1,
                       [](ScoredMember* n) { ScoredMember::free(n); });
      if (--left % 5000 == 0) CHECK(tree.is_sound());
    }
    CHECK(tree.memory_bytes() == 0);
  }
}

TEST_CASE("count_before is a partition point") {
  ScoreTree tree;
  for (int i = 0; i < 5000; ++i) tree.insert(ScoredMember::make(std::to_string(i), i / 3));
  for (int s = -1; s <= 1667; s += 7) {
    const auto below =
        tree.count_before([&](double score, const ScoredMember*) { return score < s; });
    CHECK(below == static_cast<std::uint64_t>(std::clamp(s * 3, 0, 5000)));
  }
  free_all(tree);
  CHECK(tree.size() == 0);
  CHECK(tree.count_before([](double, const ScoredMember*) { return true; }) == 0);
}

#include "src/base/out_buffer.h"

#include <doctest/doctest.h>

#include <string>

#include "src/base/random.h"

using hearth::OutBuffer;
using hearth::Rng;

TEST_CASE("an empty buffer holds nothing and takes no memory") {
  OutBuffer out;
  CHECK(out.empty());
  CHECK(out.size() == 0);
  CHECK(out.capacity_bytes() == 0);
  CHECK(out.str().empty());
  out.clear();
  out.truncate(0);
  CHECK(out.empty());
}

TEST_CASE("reserved room is one piece, and only what was committed counts") {
  OutBuffer out;
  char* p = out.reserve(10);
  std::memcpy(p, "abc", 3);
  CHECK(out.size() == 0);
  out.commit(3);
  CHECK(out.str() == "abc");
  p = out.reserve(100'000);
  std::memset(p, 'x', 100'000);
  out.commit(100'000);
  CHECK(out.size() == 100'003);
  CHECK(out.segment_count() == 2);
}

TEST_CASE("consuming everything gives the memory back") {
  OutBuffer out;
  for (int i = 0; i < 100; ++i) out.append(std::string(1000, 'x'));
  CHECK(out.capacity_bytes() >= 100'000);
  out.consume(out.size());
  CHECK(out.empty());
  CHECK(out.capacity_bytes() == 0);
  out.append("more");
  CHECK(out.str() == "more");
}

TEST_CASE("gather gives at most as many pieces as asked for, in order") {
  OutBuffer out;
  std::string all;
  for (int i = 0; i < 200; ++i) {
    const std::string piece(997, static_cast<char>('a' + i % 26));
    out.append(piece);
    all += piece;
  }
  REQUIRE(out.segment_count() > 3);
  std::string first_two;
  unsigned pieces = 0;
  out.gather(2, [&](const char* data, std::size_t n) {
    first_two.append(data, n);
    ++pieces;
  });
  CHECK(pieces == 2);
  CHECK(all.starts_with(first_two));
}

TEST_CASE("appends, consumption and truncation in any order agree with a string") {
  for (const std::uint64_t seed : {1U, 2U, 3U, 4U}) {
    INFO("seed=", seed);
    Rng rng(seed);
    OutBuffer out;
    std::string model;
    for (int step = 0; step < 3000; ++step) {
      switch (rng.below(6)) {
        case 0:
        case 1:
        case 2: {
          const std::string piece(rng.below(rng.chance(0.05) ? 40'000 : 300),
                                  static_cast<char>('a' + rng.below(26)));
          out.append(piece);
          model += piece;
          break;
        }
        case 3: {
          const std::size_t n = rng.below(model.size() + 1);
          out.consume(n);
          model.erase(0, n);
          break;
        }
        case 4: {
          const std::size_t keep =
              model.size() - rng.below(std::min<std::size_t>(model.size(), 5000) + 1);
          out.truncate(keep);
          model.resize(keep);
          break;
        }
        default:
          if (rng.chance(0.02)) {
            OutBuffer moved(std::move(out));
            out = std::move(moved);
          }
      }
      REQUIRE(out.size() == model.size());
      REQUIRE(out.empty() == model.empty());
      if (step % 10 == 0) REQUIRE(out.str() == model);
    }
    CHECK(out.str() == model);
  }
}

TEST_CASE("the first segment follows what was needed lately") {
  OutBuffer out;
  CHECK(out.first_capacity() == 1024);
  const auto use = [&out](std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; i += 100) out.append(std::string(100, 'x'));
    out.consume(out.size());
  };
  use(1000);
  CHECK(out.fit_first_segment() == OutBuffer::Fit::kSame);
  use(5000);
  CHECK(out.first_capacity() == 1024);
  CHECK(out.fit_first_segment() == OutBuffer::Fit::kGrown);
  CHECK(out.first_capacity() == 16 * 1024);
  out.append("x");
  CHECK(out.capacity_bytes() == 16 * 1024);
  CHECK(out.first_size() == 1);
  out.consume(1);
  // The large one still counts.
  CHECK(out.fit_first_segment() == OutBuffer::Fit::kSame);
  out.forget_peak();
  CHECK(out.fit_first_segment() == OutBuffer::Fit::kShrunk);
  CHECK(out.first_capacity() == 1024);
}

TEST_CASE("what stands behind the first segment is told apart from it") {
  OutBuffer out;
  out.append(std::string(1000, 'x'));
  CHECK(out.first_size() == 1000);
  out.append(std::string(5000, 'y'));
  CHECK(out.first_size() == 1000);
  out.consume(600);
  CHECK(out.first_size() == 400);
  CHECK(out.size() == 5400);
}

TEST_CASE("bytes past the bound are dropped, and what stood before stays where it is") {
  OutBuffer out;
  out.set_most(100'000);
  const std::string piece(30'000, 'a');
  for (int i = 0; i < 3; ++i) out.append(piece);
  CHECK_FALSE(out.overflowed());
  const std::size_t held = out.capacity_bytes();
  for (int i = 0; i < 1000; ++i) {
    out.append(piece);
    out.reserve(piece.size())[0] = 'x';
    out.commit(piece.size());
    out.append("small");
  }
  CHECK(out.overflowed());
  CHECK(out.capacity_bytes() < held + 300'000);
  CHECK(out.str().substr(0, 90'000) == piece + piece + piece);
  out.consume(90'000);
  CHECK(out.overflowed());
  out.clear();
  CHECK_FALSE(out.overflowed());
  out.append("again");
  CHECK(out.str() == "again");
}

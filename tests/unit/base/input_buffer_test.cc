#include "src/base/input_buffer.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "src/base/random.h"

using hearth::InputBuffer;

namespace {

// Bytes that were copied to make room, counted by the changes of the buffer's capacity.
struct Watched {
  InputBuffer buffer;
  std::size_t copied = 0;

  void append(std::string_view bytes, std::size_t expected) {
    const std::size_t capacity = buffer.capacity();
    const std::size_t unread = buffer.size();
    REQUIRE(buffer.append(bytes, expected));
    if (buffer.capacity() != capacity) copied += unread;
  }
};

}  // namespace

TEST_CASE("an input buffer gives out what was put in, in order, seeded") {
  hearth::Rng rng(11);
  InputBuffer buffer;
  std::string model;
  char next = 'a';
  for (int i = 0; i < 20'000; ++i) {
    std::string piece(rng.below(300), ' ');
    for (char& c : piece) c = next = static_cast<char>(next == 'z' ? 'a' : next + 1);
    if (i % 2 == 0) {
      REQUIRE(buffer.append(piece, rng.below(1000)));
    } else {
      const auto room = buffer.room(piece.size());
      REQUIRE(room.size() >= piece.size());
      std::copy(piece.begin(), piece.end(), room.begin());
      buffer.filled(piece.size());
    }
    model += piece;
    const std::size_t done = rng.below(model.size() + 1);
    buffer.consume(done);
    model.erase(0, done);
    if (rng.below(10) == 0) buffer.trim(rng.below(400));
    REQUIRE(buffer.unread() == model);
  }
}

TEST_CASE("memory follows the bytes that came, whatever was announced") {
  InputBuffer buffer;
  REQUIRE(buffer.append("ten bytes.", std::size_t{512} << 20));
  CHECK(buffer.capacity() <= 64);
  const std::string piece(1000, 'x');
  for (int i = 0; i < 1000; ++i) REQUIRE(buffer.append(piece, std::size_t{512} << 20));
  CHECK(buffer.capacity() <= 5 * buffer.size());
}

TEST_CASE("an announced request ends where its buffer ends, give or take a size of the allocator") {
  InputBuffer buffer;
  constexpr std::size_t kWhole = 1'000'000;
  const std::string piece(1000, 'x');
  while (buffer.size() < kWhole) REQUIRE(buffer.append(piece, kWhole));
  CHECK(buffer.capacity() <= kWhole * 5 / 4 * 5 / 4);
}

TEST_CASE("receiving costs O(bytes): also when each announcement is just past what is here") {
  constexpr std::size_t kPiece = 1000;
  const std::string piece(kPiece, 'x');
  for (const std::size_t ahead : {std::size_t{0}, std::size_t{1}, kPiece, std::size_t{1} << 40}) {
    CAPTURE(ahead);
    Watched watched;
    constexpr std::size_t kPieces = 20'000;
    for (std::size_t i = 0; i < kPieces; ++i)
      watched.append(piece, ahead == 0 ? 0 : watched.buffer.size() + ahead);
    CHECK(watched.copied <= 6 * kPieces * kPiece);
  }
}

TEST_CASE("a client in the middle of a large request keeps its buffer when it is trimmed") {
  const std::string piece(1000, 'x');
  Watched watched;
  for (int i = 0; i < 10'000; ++i) {
    watched.append(piece, 0);
    const std::size_t before = watched.buffer.capacity();
    watched.buffer.trim(0);
    if (watched.buffer.capacity() != before) watched.copied += watched.buffer.size();
  }
  CHECK(watched.copied <= 6 * watched.buffer.size());
  // A buffer that stands empty for the most part is given back.
  watched.buffer.consume(watched.buffer.size() - 1000);
  watched.buffer.trim(0);
  CHECK(watched.buffer.capacity() <= 4096);
  watched.buffer.consume(1000);
  watched.buffer.trim(0);
  CHECK(watched.buffer.capacity() == 0);
}

TEST_CASE("bytes that are consumed a few at a time behind many unread ones are not moved about") {
  const std::string many(1'000'000, 'x');
  const std::string piece(1000, 'y');
  Watched watched;
  watched.append(many, 0);
  std::size_t came = many.size();
  for (int i = 0; i < 5000; ++i) {
    watched.append(piece, 0);
    came += piece.size();
    watched.buffer.consume(1000);
  }
  CHECK(watched.copied <= 3 * came);
}

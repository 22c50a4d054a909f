#include "src/base/sha1.h"

#include <doctest/doctest.h>

#include <string>

using hearth::sha1_hex;

TEST_CASE("SHA-1 gives the digests of the standard's examples") {
  CHECK(sha1_hex("") == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(sha1_hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(sha1_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
  CHECK(sha1_hex(std::string(1'000'000, 'a')) == "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
}

TEST_CASE("the padding of SHA-1 fits at every length around a block") {
  // Equal prefixes, different lengths: all digests differ, and none reads past its input.
  std::string last;
  for (std::size_t n = 50; n < 70; ++n) {
    const std::string digest = sha1_hex(std::string(n, 'x'));
    CHECK(digest.size() == 40);
    CHECK(digest != last);
    last = digest;
  }
  CHECK(sha1_hex(std::string(64, 'a')) == "0098ba824b5c16427bd7a1122a5a442a25ec644d");
}

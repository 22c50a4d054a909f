#include "src/base/bytes.h"

#include <doctest/doctest.h>

#include <string>

using hearth::same_bytes;

TEST_CASE("the same bytes are those that differ nowhere, at any length") {
  for (std::size_t n = 0; n <= 40; ++n) {
    CAPTURE(n);
    std::string text;
    for (std::size_t i = 0; i < n; ++i) text += static_cast<char>(i * 37);
    CHECK(same_bytes(text, std::string(text)));
    CHECK_FALSE(same_bytes(text, text + "x"));
    for (std::size_t i = 0; i < n; ++i) {
      CAPTURE(i);
      std::string other = text;
      other[i] = static_cast<char>(other[i] ^ 0x80);
      CHECK_FALSE(same_bytes(text, other));
    }
  }
}

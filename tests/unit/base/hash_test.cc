#include "src/base/hash.h"

#include <doctest/doctest.h>

#include <string>

using namespace hearth;

TEST_CASE("checksums give the published check values") {
  CHECK(crc16("123456789") == 0x31C3);
  CHECK(crc16("") == 0);
  CHECK(crc64("123456789") == 0xe9c6d914c4b8d9caULL);
  CHECK(crc64("") == 0);
}

TEST_CASE("crc64 over parts equals crc64 over the whole, at every cut") {
  const std::string text = "This is a text of some forty-odd bytes, cut anywhere.";
  const auto whole = crc64(text);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const std::string_view view = text;
    CHECK(crc64(view.substr(cut), crc64(view.substr(0, cut))) == whole);
  }
}

TEST_CASE("the seed changes the hash") {
  CHECK(hash_bytes("key", 1) != hash_bytes("key", 2));
  CHECK(hash_bytes("key", 1) == hash_bytes("key", 1));
}

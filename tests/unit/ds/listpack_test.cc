#include "src/ds/listpack.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "src/base/random.h"

using namespace hearth;
using hearth::ds::Listpack;

namespace {

std::string text_at(const Listpack& lp, Listpack::Position at) {
  char scratch[kInt64TextMax];
  return std::string(lp.get(at).text(scratch));
}

std::vector<std::string> forwards(const Listpack& lp) {
  std::vector<std::string> out;
  for (auto p = lp.first(); p != Listpack::kEnd; p = lp.next(p)) out.push_back(text_at(lp, p));
  return out;
}

std::vector<std::string> backwards(const Listpack& lp) {
  std::vector<std::string> out;
  for (auto p = lp.last(); p != Listpack::kEnd; p = lp.previous(p))
    out.insert(out.begin(), text_at(lp, p));
  return out;
}

std::string random_text(Rng& rng) {
  switch (rng.below(8)) {
    case 0: return std::to_string(rng.below(256));
    case 1: return std::to_string(static_cast<std::int64_t>(rng.below(20000)) - 10000);
    case 2: return std::to_string(static_cast<std::int64_t>(rng.next()) >> rng.below(64));
    case 3: return std::string(rng.below(70), 'x');
    case 4: return std::string(rng.chance(0.05) ? 4000 + rng.below(300) : rng.below(200), 'y');
    case 5: return "0" + std::to_string(rng.below(10));  // not canonical, stays a string
    default: {
      std::string bytes(rng.below(20), '\0');
      for (char& c : bytes) c = static_cast<char>(rng.next());
      return bytes;
    }
  }
}

}  // namespace

TEST_CASE("the bytes of a listpack are those of the specification") {
  Listpack lp;
  CHECK(lp.bytes() == std::string_view("\x07\0\0\0\0\0\xff", 7));
  lp.append("1024");
  lp.append("a");
  lp.append("127");
  lp.append("-1");
  lp.append("");
  const std::string expected = std::string("\x14\0\0\0\x05\0", 6) +  // 20 bytes, 5 elements
                               std::string("\xc4\0\x02", 3) +        // 1024 in 13 bits
                               "\x81"
                               "a\x02"
                               "\x7f\x01" +  // NOLINT
                               "\xdf\xff\x02"
                               "\x80\x01"
                               "\xff";  // -1, the empty string, the end
  CHECK(lp.bytes() == expected);
}

TEST_CASE("integers keep their value at the edge of every encoding") {
  for (const std::int64_t edge : {0L, 127L, 128L, 4095L, 4096L, 32767L, 32768L, 8388607L, 8388608L,
                                  2147483647L, 2147483648L, 9223372036854775807L}) {
    for (const std::int64_t v : {edge, -edge, -edge - 1}) {
      Listpack lp;
      lp.append_number(v);
      CHECK(lp.get(lp.first()).is_number());
      CHECK(lp.get(lp.first()).number == v);
      CHECK(lp.find(std::to_string(v), lp.first()) == lp.first());
      CHECK(Listpack::validate(lp.bytes()).has_value());
    }
  }
}

TEST_CASE("strings keep their bytes at the edge of every length") {
  for (const std::size_t length : {0U, 1U, 62U, 63U, 64U, 124U, 125U, 126U, 127U, 4094U, 4095U,
                                   4096U, 16380U, 16384U, 70000U}) {
    Listpack lp;
    lp.append(std::string(length, 'q'));
    lp.append("end");
    CHECK(forwards(lp) == std::vector<std::string>{std::string(length, 'q'), "end"});
    CHECK(backwards(lp) == forwards(lp));
    CHECK(Listpack::validate(lp.bytes()).has_value());
  }
}

TEST_CASE("random edits agree with a vector of strings") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    Rng rng(seed);
    Listpack lp;
    std::vector<std::string> model;
    for (int step = 0; step < 400; ++step) {
      const std::string text = random_text(rng);
      const std::size_t index = model.empty() ? 0 : rng.below(model.size());
      const auto place = model.empty() ? Listpack::kEnd : lp.at(static_cast<std::int64_t>(index));
      const auto at = model.begin() + static_cast<std::ptrdiff_t>(index);
      switch (rng.below(model.size() > 60 ? 7 : 5)) {
        case 0:
        case 1:
          lp.append(text);
          model.push_back(text);
          break;
        case 2:
          CHECK(text_at(lp, lp.insert(place, text)) == text);
          model.insert(at, text);
          break;
        case 3:
          if (model.empty()) break;
          CHECK(text_at(lp, lp.replace(place, text)) == text);
          *at = text;
          break;
        default: {
          if (model.empty()) break;
          const std::size_t count = 1 + rng.below(3);
          const auto behind = lp.erase(place, count);
          const std::size_t gone = std::min(count, model.size() - index);
          model.erase(at, at + static_cast<std::ptrdiff_t>(gone));
          CHECK((behind == Listpack::kEnd) == (index == model.size()));
          if (behind != Listpack::kEnd) CHECK(text_at(lp, behind) == model[index]);
        }
      }
      REQUIRE(forwards(lp) == model);
      REQUIRE(backwards(lp) == model);
      CHECK(lp.size() == model.size());
      CHECK(Listpack::validate(lp.bytes()).has_value());
      if (!model.empty()) {
        const std::string& wanted = model[rng.below(model.size())];
        const auto found = lp.find(wanted, lp.first());
        REQUIRE(found != Listpack::kEnd);
        CHECK(text_at(lp, found) == wanted);
      }
    }
    const auto copy = Listpack::from_bytes(lp.bytes());
    REQUIRE(copy.has_value());
    CHECK(forwards(*copy) == model);
    CHECK(forwards(lp.clone()) == model);
  }
}

TEST_CASE("find looks at every second element only, if told so") {
  Listpack lp;
  for (const char* text : {"a", "b", "b", "c"}) lp.append(text);
  CHECK(lp.find("b", lp.first(), 1) == lp.at(2));
  CHECK(lp.find("c", lp.first(), 1) == Listpack::kEnd);
  CHECK(lp.find("a", lp.first(), 1) == lp.at(0));
  CHECK(lp.at(-1) == lp.last());
  CHECK(lp.at(4) == Listpack::kEnd);
  CHECK(lp.at(-5) == Listpack::kEnd);
}

TEST_CASE("the count survives passing 65535 elements") {
  // Made as bytes: that many appends are that many allocations.
  constexpr std::size_t kElements = 65530;
  std::string bytes("\0\0\0\0\xfa\xff", 6);
  for (std::size_t i = 0; i < kElements; ++i) bytes += "\x81x\x02";
  bytes += '\xff';
  const auto total = static_cast<std::uint32_t>(bytes.size());
  for (unsigned i = 0; i < 4; ++i) bytes[i] = static_cast<char>(total >> (8 * i));
  auto made = Listpack::from_bytes(bytes);
  REQUIRE(made.has_value());
  Listpack& lp = *made;
  CHECK(lp.size() == kElements);
  for (int i = 0; i < 10; ++i) lp.append("x");
  CHECK(lp.size() == 65540);
  CHECK(Listpack::validate(lp.bytes()).has_value());
  lp.erase(lp.first(), 10);
  CHECK(lp.size() == 65530);
}

TEST_CASE("validate refuses every truncation and survives every changed byte") {
  Listpack lp;
  for (const char* text :
       {"field", "1234567", "-5", "", "99999999999", "some longer text than before"}) {
    lp.append(text);
  }
  lp.append(std::string(100, 'z'));
  lp.append(std::string(5000, 'z'));
  const std::string good(lp.bytes());
  for (std::size_t n = 0; n < good.size(); ++n) {
    // A heap copy of exactly n bytes, so that a read past the end is caught.
    const std::vector<char> cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n));
    CHECK_FALSE(Listpack::validate({cut.data(), cut.size()}).has_value());
  }
  for (std::size_t i = 0; i < 200; ++i) {
    for (const int flip : {1, 0x80, 0xff, 0x40}) {
      std::vector<char> bad(good.begin(), good.end());
      bad[i] = static_cast<char>(bad[i] ^ flip);
      const auto lax = Listpack::from_bytes({bad.data(), bad.size()});
      if (lax) CHECK(forwards(*lax) == backwards(*lax));
    }
  }
}

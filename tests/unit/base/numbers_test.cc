#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "src/base/format_number.h"
#include "src/base/parse_number.h"
#include "src/base/random.h"

using namespace hearth;

TEST_CASE("strict integers accept exactly the canonical texts") {
  CHECK(parse_int64("0") == 0);
  CHECK(parse_int64("-1") == -1);
  CHECK(parse_int64("9223372036854775807") == std::numeric_limits<std::int64_t>::max());
  CHECK(parse_int64("-9223372036854775808") == std::numeric_limits<std::int64_t>::min());
  for (const char* bad : {"", "-", "-0", "00", "01", "+1", " 1", "1 ", "1.0", "9223372036854775808",
                          "-9223372036854775809", "99999999999999999999"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_int64(bad).has_value());
  }
  CHECK(parse_uint64("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
  CHECK_FALSE(parse_uint64("18446744073709551616").has_value());
}

TEST_CASE("integers format and read back, seeded") {
  Rng rng(7);
  for (int i = 0; i < 20'000; ++i) {
    const auto value = static_cast<std::int64_t>(rng.next() >> rng.below(64));
    const std::int64_t both[] = {value, -value};
    for (const auto v : both) CHECK(parse_int64(int64_text(v)) == v);
  }
  CHECK(int64_text(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
  // Where the number of digits changes.
  char text[kInt64TextMax];
  for (std::uint64_t power = 1, digits = 1;; power *= 10, ++digits) {
    CAPTURE(power);
    CHECK(std::string(text, format_uint64(power, text)) == "1" + std::string(digits - 1, '0'));
    CHECK(std::string(text, format_uint64(power - 1, text)) ==
          (digits == 1 ? "0" : std::string(digits - 1, '9')));
    if (digits == 20) break;
  }
  CHECK(std::string(text, format_uint64(UINT64_MAX, text)) == "18446744073709551615");
}

TEST_CASE("doubles print in their shortest form and refuse what is no number") {
  CHECK(double_text(3) == "3");
  CHECK(double_text(0.1) == "0.1");
  CHECK(double_text(-0.5) == "-0.5");
  CHECK(double_text(1e20) == "1e+20");
  CHECK(double_text(std::numeric_limits<double>::infinity()) == "inf");
  CHECK(parse_double("+inf") == std::numeric_limits<double>::infinity());
  CHECK(parse_double("1e3") == 1000.0);
  CHECK(parse_double("0x10") == 16.0);
  CHECK(parse_double("-0x1.8p1") == -3.0);
  CHECK(parse_long_double("0x10") == 16.0L);
  for (const char* bad :
       {"", "nan", " 1", "1 ", "0x", "0xg", "0x1p2000", "x10", "--1", "+-1", "1e400", "abc"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_double(bad).has_value());
  }
  Rng rng(9);
  for (int i = 0; i < 20'000; ++i) {
    const double v = (rng.unit() - 0.5) * std::pow(10.0, static_cast<double>(rng.below(60)) - 30);
    CHECK(parse_double(double_text(v)) == v);
  }
}

TEST_CASE("doubles of replies are laid out as clients know them") {
  const std::pair<double, const char*> kTexts[] = {
      {0.0, "0"},
      {3.0, "3"},
      {-1e17, "-100000000000000000"},
      {1816686685456037120.0, "1816686685456037120"},
      {9223372036854775808.0, "9223372036854776000"},
      {1e20, "1e+20"},
      {59597895054470185000.0, "59597895054470185000"},
      {1.2345e25, "1.2345e+25"},
      {0.1, "0.1"},
      {-38.115556, "-38.115556"},
      {0.00001, "0.00001"},
      {1e-7, "1e-7"},
      {0.00001234, "1.234e-5"},
      {961477988.9500835, "9.614779889500835e+8"},
      {1234.1234567, "1234.1234567"},
      {0.001234567891, "0.001234567891"},
      {5e-324, "5e-324"},
      {std::numeric_limits<double>::max(), "1.7976931348623157e+308"},
      {-std::numeric_limits<double>::infinity(), "-inf"},
  };
  for (const auto& [value, text] : kTexts) CHECK(reply_double_text(value) == text);
  Rng rng(11);
  for (int i = 0; i < 20'000; ++i) {
    const double v = (rng.unit() - 0.5) * std::pow(10.0, static_cast<double>(rng.below(80)) - 40);
    CHECK(parse_double(reply_double_text(v)) == v);
  }
}

TEST_CASE("long doubles keep 17 digits and drop trailing zeros") {
  CHECK(long_double_text(10.5L) == "10.5");
  CHECK(long_double_text(5000.0L) == "5000");
  CHECK(long_double_text(-0.0L) == "0");
}

TEST_CASE("memory sizes know both kinds of unit") {
  CHECK(parse_memory_size("1k") == 1000);
  CHECK(parse_memory_size("1KB") == 1024);
  CHECK(parse_memory_size("2gb") == 2ULL << 30);
  CHECK(parse_memory_size("100") == 100);
  CHECK_FALSE(parse_memory_size("1x").has_value());
  CHECK_FALSE(parse_memory_size("").has_value());
  CHECK_FALSE(parse_memory_size("99999999999gb").has_value());
}

TEST_CASE("the greatest double may be written out in full") {
  const std::string digits = "1" + std::string(308, '0') + "." + std::string(17, '0');
  CHECK(parse_double(digits) == 1e308);
  CHECK_FALSE(parse_double("1" + std::string(400, '0')).has_value());
  CHECK_FALSE(parse_double(std::string(6000, '1')).has_value());
}

#include "tools/warm_source/postgres_binary.h"

#include <doctest/doctest.h>

#include "src/base/bytes.h"
#include "src/base/random.h"

using namespace hearth;
using namespace hearth::warm;

namespace {

template <typename T>
std::string big_endian(T number) {
  std::string out(sizeof number, 0);
  store_be(out.data(), number);
  return out;
}

std::string field(const std::string& bytes) {
  return big_endian(static_cast<std::int32_t>(bytes.size())) + bytes;
}

// The text of one field of that type.
std::string decoded(PgType type, const std::string& bytes) {
  PgDecoder decoder({type});
  const std::string sent = big_endian(std::int16_t{1}) + field(bytes);
  const auto row = decoder.decode_copy_row(sent);
  if (!row) return row.error().context;
  REQUIRE(row->has_value());
  Buffer out;
  CHECK(append_plain(out, (**row)[0]));
  return std::string(out.view());
}

std::string numeric(std::int16_t weight, std::uint16_t sign, std::uint16_t scale,
                    std::initializer_list<std::uint16_t> groups) {
  std::string out = big_endian(static_cast<std::uint16_t>(groups.size())) + big_endian(weight) +
                    big_endian(sign) + big_endian(scale);
  for (const auto group : groups) out += big_endian(group);
  return out;
}

}  // namespace

TEST_CASE("numerics are decimals with the digits that the column shows") {
  const PgType type{PgForm::kNumeric};
  CHECK(decoded(type, numeric(0, 0, 0, {})) == "0");
  CHECK(decoded(type, numeric(0, 0, 2, {})) == "0.00");
  CHECK(decoded(type, numeric(1, 0, 2, {1, 2345, 6700})) == "12345.67");
  CHECK(decoded(type, numeric(0, 0x4000, 1, {1, 5000})) == "-1.5");
  CHECK(decoded(type, numeric(-1, 0, 4, {12})) == "0.0012");
  CHECK(decoded(type, numeric(-2, 0, 8, {12})) == "0.00000012");
  CHECK(decoded(type, numeric(2, 0, 0, {1})) == "100000000");
  CHECK(decoded(type, numeric(0, 0xC000, 0, {})) == "NaN");
  CHECK(decoded(type, numeric(0, 0xF000, 0, {})) == "-Infinity");
  CHECK(decoded(type, numeric(0, 0, 0, {10'000})).find("another form") != std::string::npos);
}

TEST_CASE("times are counted from 1970, and the ends of time stay ends") {
  CHECK(decoded({PgForm::kDate}, big_endian(std::int32_t{0})) == "2000-01-01");
  CHECK(decoded({PgForm::kDate}, big_endian(std::int32_t{0x7fffffff})) == "infinity");
  CHECK(decoded({PgForm::kTimestampTz}, big_endian(std::int64_t{0})) == "2000-01-01T00:00:00Z");
  CHECK(decoded({PgForm::kTimestamp}, big_endian(std::numeric_limits<std::int64_t>::min())) ==
        "-infinity");
  CHECK(decoded({PgForm::kTime}, big_endian(std::int64_t{86'399'999'999})) == "23:59:59.999999");
}

TEST_CASE("texts, numbers, bytes and uuids keep what they are") {
  CHECK(decoded({PgForm::kBool}, std::string(1, 1)) == "true");
  CHECK(decoded({PgForm::kInt2}, big_endian(std::int16_t{-2})) == "-2");
  CHECK(decoded({PgForm::kInt8}, big_endian(std::int64_t{1} << 62)) == "4611686018427387904");
  CHECK(decoded({PgForm::kOid}, big_endian(std::uint32_t{4'000'000'000})) == "4000000000");
  CHECK(decoded({PgForm::kFloat4}, big_endian(std::uint32_t{0x3dcccccd})) == "0.1");
  CHECK(decoded({PgForm::kFloat8}, big_endian(std::uint64_t{0x3ff8000000000000})) == "1.5");
  CHECK(decoded({PgForm::kJsonb}, "\x01{\"a\":1}") == "{\"a\":1}");
  CHECK(decoded({PgForm::kJsonb}, "{}").find("another form") != std::string::npos);
  CHECK(decoded({PgForm::kUuid}, std::string("\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66"
                                             "\x14\x17\x40\x00",
                                             16)) == "123e4567-e89b-12d3-a456-426614174000");
}

TEST_CASE("arrays have their dimensions and NULLs") {
  const PgType type{PgForm::kArray, PgForm::kInt4};
  const auto header = [](std::initializer_list<std::int32_t> lengths) {
    std::string out = big_endian(static_cast<std::int32_t>(lengths.size())) +
                      big_endian(std::int32_t{1}) + big_endian(std::int32_t{23});
    for (const auto length : lengths) out += big_endian(length) + big_endian(std::int32_t{1});
    return out;
  };
  const auto number = [](std::int32_t n) { return field(big_endian(n)); };
  CHECK(decoded(type, header({})) == "[]");
  CHECK(decoded(type, header({3}) + number(1) + big_endian(std::int32_t{-1}) + number(3)) ==
        "[1,null,3]");
  CHECK(decoded(type, header({2, 2}) + number(1) + number(2) + number(3) + number(4)) ==
        "[[1,2],[3,4]]");
  CHECK(decoded(type, header({1'000'000'000}) + number(1)).find("another form") !=
        std::string::npos);
  CHECK(decoded(type, header({2}) + number(1)).find("another form") != std::string::npos);
}

TEST_CASE("rows that are cut off anywhere or changed by chance are refused or read, seeded") {
  std::vector<PgType> types;
  for (const std::uint32_t oid : {16U, 17U, 20U, 1700U, 1184U, 2950U, 1007U, 3802U, 1231U})
    types.push_back(*pg_binary_type(oid));
  const std::string array = big_endian(std::int32_t{1}) + big_endian(std::int32_t{0}) +
                            big_endian(std::int32_t{23}) + big_endian(std::int32_t{1}) +
                            big_endian(std::int32_t{1}) + field(big_endian(std::int32_t{7}));
  const std::string whole = big_endian(std::int16_t{9}) + field("\x01") + field("abc") +
                            field(std::string(8, 1)) + field(numeric(1, 0, 2, {1, 2345, 6700})) +
                            field(std::string(8, 2)) + field(std::string(16, 3)) + field(array) +
                            field("\x01{}") + big_endian(std::int32_t{-1});
  PgDecoder decoder(types);
  REQUIRE(decoder.decode_copy_row(whole).has_value());
  for (std::size_t cut = 0; cut < whole.size(); ++cut)
    CHECK_FALSE(decoder.decode_copy_row(whole.substr(0, cut)).has_value());
  Rng rng(11);
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes = whole;
    for (std::uint64_t n = 1 + rng.below(4); n > 0; --n)
      bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
    const auto row = decoder.decode_copy_row(bytes);
    if (!row || !*row) continue;
    Buffer out;
    for (const Cell& cell : **row) static_cast<void>(append_plain(out, cell));
  }
}

TEST_CASE("the header of a COPY is skipped, whatever its extension") {
  const std::string mark("PGCOPY\n\377\r\n\0", 11);
  const std::string plain = mark + std::string(8, '\0');
  CHECK(PgDecoder::copy_header_bytes(plain).value() == 19);
  const std::string extended = mark + std::string(4, '\0') + big_endian(std::uint32_t{3}) + "abc";
  CHECK(PgDecoder::copy_header_bytes(extended).value() == 22);
  CHECK_FALSE(PgDecoder::copy_header_bytes(extended.substr(0, 21)).has_value());
  CHECK_FALSE(PgDecoder::copy_header_bytes("PGCOPY").has_value());
  CHECK_FALSE(PgDecoder::copy_header_bytes(mark + std::string("\0\1\0\0\0\0\0\0", 8)).has_value());
}

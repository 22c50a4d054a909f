#include "persistence/rdb/dump.h"

#include <doctest/doctest.h>

#include <map>

#include "persistence/rdb/ziplist.h"
#include "src/base/hash.h"
#include "src/base/random.h"

using namespace hearth;
using namespace hearth::rdb;

namespace {

struct EntryOwner {
  Entry* entry;
  explicit EntryOwner(Entry* e) : entry(e) {}
  ~EntryOwner() { Entry::free(entry); }
  EntryOwner(const EntryOwner&) = delete;
  EntryOwner& operator=(const EntryOwner&) = delete;
};

Entry* string_entry(std::string_view value) {
  std::int64_t number = 0;
  if (as_stored_int(value, number)) return Entry::make_int("k", number, kNoDeadline, 0);
  if (value.size() <= kInlineValueMax) return Entry::make_string("k", value, kNoDeadline, 0);
  RawString* raw = RawString::make(value.size(), value.size());
  value.copy(raw->data(), value.size());
  return Entry::make_raw("k", raw, kNoDeadline, 0);
}

std::string dump_string(std::string_view value, const EncodeOptions& options = {}) {
  const EntryOwner owner(string_entry(value));
  return dump_payload(*owner.entry, options);
}

const Hash* hash_of(const Object& object) { return std::get_if<Hash>(&object.value); }

std::string dump_hash(const Hash& hash, const EncodeOptions& options = {}) {
  const EntryOwner owner(Entry::make("k", hash.clone(), kNoDeadline, 0));
  return dump_payload(*owner.entry, options);
}

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}
std::string unhex(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    out += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  }
  return out;
}

// A payload around a hand-made body.
std::string payload(std::uint8_t type, const std::string& body, std::uint16_t version) {
  std::string out(1, static_cast<char>(type));
  out += body;
  ByteWriter w(out);
  w.le(version);
  w.le(crc64(out));
  return out;
}

using Fields = std::map<std::string, std::pair<std::string, std::int64_t>>;

Fields fields_of(const Hash& hash) {
  Fields out;
  hash.for_each(UnixMillis{0}, [&](const Hash::Item& item) {
    out[std::string(item.field)] = {std::string(item.value), item.deadline};
  });
  return out;
}

Hash sample(const HashLimits& limits) {
  Hash hash;
  for (const auto& [field, value] : std::map<std::string, std::string>{{"a", "1"},
                                                                       {"b", "-5"},
                                                                       {"c", "hello"},
                                                                       {"d", "100000"},
                                                                       {"e", "9999999999"},
                                                                       {"f", "70000"},
                                                                       {"g", "300"}}) {
    hash.set(field, value, Hash::kNone, UnixMillis{1}, limits);
  }
  return hash;
}

constexpr EncodeOptions kOld{
    .target = Target::kRedis70, .compression = Compression::kOn, .now = UnixMillis{1}};
constexpr HashLimits kTables{.listpack_entries = 0, .listpack_value = 0, .seed = 1};

}  // namespace

TEST_CASE("payloads for 7.0 are byte for byte what redis-server 7.0.15 dumps") {
  CHECK(hex(dump_hash(sample({}), kOld)) ==
        "103f3f0000000e008161020101816202dffb028163028568656c6c6f06816402f2a0860104816502f4ffe30b54"
        "0200000009"
        "816602f270110104816702c12c02ff0a0076b34e430a3534d7");
  CHECK(hex(dump_string(std::string(43, 'a'), kOld)) ==
        "00c3092b016161e01e000161610a00d99d83cb95f390ef");
  CHECK(hex(dump_string("12345", kOld)) == "00c139300a009d94ea2793fc08b9");
  const auto table = parse_dump_payload(unhex("040201620374776f0161c0010a003159920951bccc4e"), {});
  REQUIRE(table.has_value());
  CHECK(fields_of(*hash_of(*table)) ==
        Fields{{"a", {"1", Hash::kNone}}, {"b", {"two", Hash::kNone}}});
}

TEST_CASE("strings of every form come back") {
  for (const std::string& text :
       {std::string(), std::string("x"), std::string("-128"), std::string("127"),
        std::string("128"), std::string("-32769"), std::string("2147483647"),
        std::string("2147483648"), std::string("-9223372036854775808"), std::string("007"),
        std::string(63, 'q'), std::string(64, 'z'), std::string("\0\xff\0", 3),
        std::string(16383, 'a') + "b", std::string(70000, 'c'), Rng(5).hex(5000)}) {
    for (const auto compression : {Compression::kOff, Compression::kOn}) {
      EncodeOptions options;
      options.compression = compression;
      const std::string dumped = dump_string(text, options);
      const auto back = parse_dump_payload(dumped, {});
      REQUIRE(back.has_value());
      CHECK(back->type() == Type::kString);
      CHECK(back->text() == text);
      if (compression == Compression::kOn && text.size() == 70000) CHECK(dumped.size() < 2000);
    }
  }
}

TEST_CASE("hashes of every encoding come back, with deadlines where the version has them") {
  for (const HashLimits& limits : {HashLimits{}, kTables}) {
    Hash hash = sample(limits);
    DecodeLimits decode;
    decode.hash = limits;
    const auto plain = parse_dump_payload(dump_hash(hash), decode);
    REQUIRE(plain.has_value());
    CHECK(fields_of(*hash_of(*plain)) == fields_of(hash));
    CHECK(hash_of(*plain)->encoding() == hash.encoding());
    CHECK(static_cast<std::uint8_t>(dump_hash(hash)[0]) == (limits.listpack_entries == 0 ? 4 : 16));

    CHECK(hash.set_deadline("a", 5000, UnixMillis{1}, limits));
    CHECK(hash.set_deadline("c", 7000, UnixMillis{1}, limits));
    const std::string timed = dump_hash(hash);
    CHECK(timed[0] == 24);
    CHECK(load_le<std::uint16_t>(timed.data() + timed.size() - 10) == 12);
    const auto back = parse_dump_payload(timed, decode);
    REQUIRE(back.has_value());
    CHECK(fields_of(*hash_of(*back)) == fields_of(hash));

    EncodeOptions old = kOld;
    old.now = UnixMillis{6000};
    const auto cut = parse_dump_payload(dump_hash(hash, old), decode);
    REQUIRE(cut.has_value());
    CHECK(hash_of(*cut)->size() == 6);  // "a" has expired
    CHECK(hash_of(*cut)->min_deadline() == Hash::kNone);
  }
}

TEST_CASE("the forms of other servers and of the past are read") {
  const auto fields = [](std::uint8_t type, const std::string& body, std::uint16_t version) {
    const auto read = parse_dump_payload(payload(type, body, version), {});
    INFO((read ? "" : read.error().context));
    REQUIRE(read.has_value());
    return fields_of(*hash_of(*read));
  };
  const std::string deadline("\x88\x13\0\0\0\0\0\0", 8);  // 5000
  const std::string none(8, '\xff');
  CHECK(fields(22,
               "\x02\x01"
               "a\x01"
               "1" +
                   deadline +
                   "\x01"
                   "b\x01"
                   "2" +
                   none,
               80) == Fields{{"a", {"1", 5000}}, {"b", {"2", Hash::kNone}}});
  CHECK(fields(24,
               deadline +
                   "\x02\x01\x01"
                   "a\x01"
                   "1" +
                   std::string("\0", 1) +
                   "\x01"
                   "b\x01"
                   "2",
               12) == Fields{{"a", {"1", 5000}}, {"b", {"2", Hash::kNone}}});
  ds::Listpack triples;
  for (const char* text : {"a", "1", "5000", "b", "2", "0"}) triples.append(text);
  std::string packed = deadline;
  write_string(packed, triples.bytes(), Compression::kOff);
  CHECK(fields(25, packed, 12) == Fields{{"a", {"1", 5000}}, {"b", {"2", Hash::kNone}}});

  std::string body;
  std::string zipmap =
      "\x02\x01"
      "a\x01\x02"
      "1..";  // two unused bytes behind the value
  zipmap += std::string(
                "\x02"
                "bb\x03\0",
                5) +
            "two\xff";
  body.clear();
  write_string(body, zipmap, Compression::kOff);
  CHECK(fields(9, body, 9) == Fields{{"a", {"1", Hash::kNone}}, {"bb", {"two", Hash::kNone}}});

  // field "a" -> 1, field "b" -> "xyz", as ziplist entries with the length of the one before.
  std::string entries = std::string(
                            "\0\x01"
                            "a",
                            3) +
                        "\x03\xf2" +
                        "\x02\x01"
                        "b" +
                        "\x03\x03"
                        "xyz";
  std::string ziplist;
  ByteWriter w(ziplist);
  w.le(static_cast<std::uint32_t>(10 + entries.size() + 1));
  w.le(static_cast<std::uint32_t>(10 + entries.size() - 5));
  w.le(std::uint16_t{4});
  ziplist += entries + "\xff";
  body.clear();
  write_string(body, ziplist, Compression::kOff);
  CHECK(fields(13, body, 9) == Fields{{"a", {"1", Hash::kNone}}, {"b", {"xyz", Hash::kNone}}});
}

TEST_CASE("every integer form of a ziplist is read") {
  const std::vector<std::pair<std::string, std::string>> forms = {
      {"\xf1", "0"},
      {"\xfd", "12"},
      {std::string("\xfe\x80", 2), "-128"},
      {std::string("\xc0\x00\x80", 3), "-32768"},
      {std::string("\xf0\x00\x00\x80", 4), "-8388608"},
      {std::string("\xf0\xff\xff\x7f", 4), "8388607"},
      {std::string("\xd0\x00\x00\x00\x80", 5), "-2147483648"},
      {std::string("\xe0\x00\x00\x00\x00\x00\x00\x00\x80", 9), "-9223372036854775808"},
      {std::string("\x40\x01", 2) + "x", "x"},
      {std::string("\x80\0\0\0\x01", 5) + "y", "y"}};
  for (const auto& [bytes, text] : forms) {
    const std::string entries = std::string(
                                    "\0\x01"
                                    "a\x03",
                                    4) +
                                bytes;
    std::string ziplist;
    ByteWriter w(ziplist);
    w.le(static_cast<std::uint32_t>(10 + entries.size() + 1));
    w.le(std::uint32_t{13});
    w.le(std::uint16_t{2});
    ziplist += entries + "\xff";
    std::string seen;
    CHECK(read_ziplist(ziplist, [&](std::string_view, std::string_view value) {
            seen = value;
            return true;
          }).has_value());
    CHECK(seen == text);
  }
}

TEST_CASE("rules of the type are kept: no empty hash, no field twice, deadlines in range") {
  const auto refused = [](std::uint8_t type, const std::string& body, std::uint16_t version) {
    const auto read = parse_dump_payload(payload(type, body, version), {});
    return !read && read.error().code == ErrorCode::kCorrupt;
  };
  CHECK(refused(4, std::string("\0", 1), 11));
  CHECK(refused(4,
                "\x02\x01"
                "a\x01"
                "1\x01"
                "a\x01"
                "2",
                11));
  CHECK(refused(4, "\x81\xff\xff\xff\xff\xff\xff\xff\xff", 11));  // a count beyond all bytes
  ds::Listpack odd;
  odd.append("a");
  std::string body;
  write_string(body, odd.bytes(), Compression::kOff);
  CHECK(refused(16, body, 11));
  ds::Listpack twice;
  for (const char* text : {"a", "1", "a", "2"}) twice.append(text);
  body.clear();
  write_string(body, twice.bytes(), Compression::kOff);
  CHECK(refused(16, body, 11));
  CHECK(refused(24,
                std::string(8, '\x7f') + "\x01\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x01"
                                         "a\x01"
                                         "1",
                12));
  CHECK(refused(22,
                "\x01\x01"
                "a\x01"
                "1" +
                    std::string(8, '\0'),
                11));  // 22 is another type there
  CHECK(refused(99, "", 11));
  CHECK(refused(0,
                "\xc3\x01\x81\x00\x00\x00\x0f\xff\xff\xff\xff"
                "x",
                11));  // 64 GiB out of one byte
  CHECK(refused(0,
                "\x01"
                "a"
                "b",
                11));  // a byte too many
}

TEST_CASE("version and checksum are checked first, and RESTORE can be told to skip the checksum") {
  std::string dumped = dump_string("hello");
  dumped[2] = static_cast<char>(dumped[2] ^ 1);
  CHECK(parse_dump_payload(dumped, {}).error().code == ErrorCode::kUnsupported);
  CHECK(parse_dump_payload(dumped, {}, Checksum::kSkip).has_value());
  CHECK(parse_dump_payload(payload(0,
                                   "\x01"
                                   "a",
                                   79),
                           {})
            .error()
            .code == ErrorCode::kUnsupported);
  CHECK(parse_dump_payload("", {}).error().code == ErrorCode::kUnsupported);
  CHECK(parse_dump_payload("0123456789", {}).error().code == ErrorCode::kUnsupported);
}

TEST_CASE("no cut and no changed byte of a payload does harm") {
  Hash timed = sample({});
  REQUIRE(timed.set_deadline("a", 5000, UnixMillis{1}, {}));
  for (const std::string& good :
       {dump_hash(sample({})), dump_hash(sample(kTables)), dump_hash(timed),
        dump_string(std::string(500, 'x') + "end"), dump_string("12345")}) {
    for (std::size_t n = 0; n < good.size(); ++n) {
      const std::vector<char> cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n));
      CHECK_FALSE(parse_dump_payload({cut.data(), cut.size()}, {}).has_value());
    }
    Rng rng(9);
    for (std::size_t i = 0; i < good.size() - 10; ++i) {
      for (int round = 0; round < 8; ++round) {
        std::vector<char> bad(good.begin(), good.end());
        bad[i] = static_cast<char>(rng.next());
        if (rng.chance(0.3)) bad[rng.below(bad.size() - 10)] = static_cast<char>(rng.next());
        const auto read = parse_dump_payload({bad.data(), bad.size()}, {}, Checksum::kSkip);
        if (read && hash_of(*read))
          CHECK(fields_of(*hash_of(*read)).size() == hash_of(*read)->size());
      }
    }
  }
}

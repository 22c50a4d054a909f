#include <doctest/doctest.h>

#include "persistence/rdb/file_reader.h"
#include "persistence/rdb/file_writer.h"
#include "persistence/snapshot/loader.h"
#include "persistence/snapshot/saver.h"
#include "src/base/hash.h"
#include "src/store/hash.h"
#include "tests/support/mem_file_system.h"

using namespace hearth;
using hearth::test::MemFileSystem;

namespace {

constexpr UnixMillis kNow{1'000'000'000};

KeyRef ref(const Keyspace& keyspace, std::string_view name) {
  return {name, hash_bytes(name, keyspace.seed()), 0};
}

void put(Keyspace& keyspace, DbIndex db, std::string_view name, std::string_view value,
         std::int64_t deadline = kNoDeadline) {
  keyspace.db(db).insert(ref(keyspace, name), Entry::make_string(name, value, deadline, 0));
}

void fill(Keyspace& keyspace) {
  put(keyspace, 0, "short", "v");
  put(keyspace, 0, "long", std::string(5000, 'x'));
  put(keyspace, 0, "timed", "t", kNow.ms + 5000);
  put(keyspace, 3, "other", "42");
  keyspace.db(3).insert(ref(keyspace, "number"), Entry::make_int("number", -7, kNoDeadline, 0));
}

std::string text_of(Keyspace& keyspace, DbIndex db, std::string_view name) {
  const Found at = keyspace.db(db).find(ref(keyspace, name));
  if (!at) return "(none)";
  char scratch[32];
  return std::string(at->string_value(scratch));
}

std::string saved(const Keyspace& keyspace, rdb::FileOptions options = {}) {
  MemFileSystem fs;
  options.encode.now = kNow;
  REQUIRE(snapshot::save(fs, {"dump", "temp", true}, keyspace, options));
  CHECK_FALSE(fs.exists("temp"));
  return fs.contents("dump");
}

Result<void> load(const std::string& bytes, Keyspace& keyspace, snapshot::LoadFigures& figures,
                  bool merge = false) {
  MemFileSystem fs;
  fs.put("dump", bytes);
  const auto file = fs.open("dump", io::OpenMode::kRead);
  io::InputWindow window(**file, "dump");
  snapshot::LoadOptions options;
  options.read.databases = keyspace.db_count();
  options.now = kNow;
  options.merge = merge;
  options.ref = [&](std::string_view name) { return ref(keyspace, name); };
  return snapshot::load(window, keyspace, options, figures);
}

}  // namespace

TEST_CASE("a snapshot brings back every key with its value and deadline") {
  Keyspace source(1, 16, false);
  fill(source);
  Keyspace copy(2, 16, false);
  snapshot::LoadFigures figures;
  REQUIRE(load(saved(source), copy, figures));
  CHECK(figures.loaded == 5);
  CHECK(text_of(copy, 0, "short") == "v");
  CHECK(text_of(copy, 0, "long") == std::string(5000, 'x'));
  CHECK(text_of(copy, 3, "other") == "42");
  CHECK(text_of(copy, 3, "number") == "-7");
  CHECK(copy.db(0).find(ref(copy, "timed"))->deadline() == kNow.ms + 5000);
  CHECK(copy.db(0).volatile_count() == 1);
}

TEST_CASE("the bytes of an empty snapshot are the known ones") {
  const Keyspace empty(1, 16, false);
  const std::string bytes = saved(empty);
  CHECK(bytes.substr(0, 10) == std::string("REDIS0011\xff"));
  CHECK(load_le<std::uint64_t>(bytes.data() + 10) == crc64(bytes.substr(0, 10)));
  CHECK(bytes.size() == 18);
  rdb::FileOptions old;
  old.encode.target = rdb::Target::kRedis70;
  CHECK(saved(empty, old).starts_with("REDIS0010"));
}

TEST_CASE("keys that expired while the server was down are left out and counted") {
  Keyspace source(1, 16, false);
  put(source, 0, "dead", "v", kNow.ms - 1);
  put(source, 0, "alive", "v", kNow.ms + 1);
  Keyspace copy(1, 16, false);
  snapshot::LoadFigures figures;
  REQUIRE(load(saved(source), copy, figures));
  CHECK(figures.loaded == 1);
  CHECK(figures.expired == 1);
}

TEST_CASE("a snapshot cut at any byte is refused with file and offset") {
  Keyspace source(1, 16, false);
  fill(source);
  const std::string bytes = saved(source);
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    CAPTURE(n);
    Keyspace copy(1, 16, false);
    snapshot::LoadFigures figures;
    const auto loaded = load(bytes.substr(0, n), copy, figures);
    REQUIRE_FALSE(loaded);
    CHECK(loaded.error().context.starts_with("dump: "));
  }
}

TEST_CASE("a changed byte is found by the checksum, if not before") {
  Keyspace source(1, 16, false);
  fill(source);
  const std::string bytes = saved(source);
  for (std::size_t n = 0; n + 8 < bytes.size(); ++n) {
    CAPTURE(n);
    std::string changed = bytes;
    changed[n] = static_cast<char>(changed[n] ^ 0x11);
    Keyspace copy(1, 16, false);
    snapshot::LoadFigures figures;
    CHECK_FALSE(load(changed, copy, figures));
  }
}

TEST_CASE("a key that is there already is an error, or replaced if that is asked for") {
  Keyspace source(1, 16, false);
  put(source, 0, "k", "new");
  const std::string bytes = saved(source);
  Keyspace copy(1, 16, false);
  put(copy, 0, "k", "old");
  snapshot::LoadFigures figures;
  CHECK_FALSE(load(bytes, copy, figures));
  REQUIRE(load(bytes, copy, figures, true));
  CHECK(text_of(copy, 0, "k") == "new");
}

TEST_CASE("fields in front of the data and records of others are read over") {
  std::string bytes = "REDIS0009";
  bytes += std::string(
      "\xfa\x03"
      "abc\x03"
      "def",
      9);                                                        // aux
  bytes += std::string("\xf7\x40\x01\x02\x05\x05\x01x\x00", 9);  // a module's data
  bytes += std::string("\xfe\x00\xfb\x01\x01", 5);               // database 0, its sizes
  bytes += std::string("\xf4\x01\x02\x03", 4);                   // a slot's sizes
  bytes += std::string("\xfd\xff\xff\xff\x7f\xf8\x05", 7);       // seconds, idle time
  bytes += std::string("\x00\x01k\x01v\xff", 6);
  bytes += std::string(8, '\0');  // no checksum
  Keyspace copy(1, 16, false);
  snapshot::LoadFigures figures;
  REQUIRE(load(bytes, copy, figures));
  CHECK(text_of(copy, 0, "k") == "v");
  CHECK(copy.db(0).find(ref(copy, "k"))->deadline() == 2147483647LL * 1000);
}

TEST_CASE("what old servers wrote is taken: empty values are left out, lengths are counted") {
  const std::string no_items("\x07\x00\x00\x00\x00\x00\xff", 7);            // a listpack
  const std::string one_item("\x0a\x00\x00\x00\x01\x00\x81x\x02\xff", 10);  // of "x"
  const std::string no_old_items("\x0b\0\0\0\x0a\0\0\0\0\0\xff", 11);       // a ziplist
  const std::string no_pairs("\x00\xff", 2);                                // a zipmap
  const std::string no_ints("\x02\x00\x00\x00\x00\x00\x00\x00", 8);
  const auto text = [](const std::string& t) {
    return std::string(1, static_cast<char>(t.size())) + t;
  };
  const auto key = [&](int type, const std::string& name, const std::string& body) {
    return std::string(1, static_cast<char>(type)) + text(name) + body;
  };
  const std::string zero(1, '\0');
  std::string bytes = "REDIS0009" + std::string("\xfe\x00", 2);
  bytes += key(1, "list", zero) + key(2, "set", zero) + key(4, "hash", zero) + key(5, "zset", zero);
  bytes += key(3, "old zset", zero) + key(9, "zipmap", text(no_pairs));
  bytes += key(10, "ziplist", text(no_old_items)) + key(11, "intset", text(no_ints));
  bytes +=
      key(12, "zset ziplist", text(no_old_items)) + key(13, "hash ziplist", text(no_old_items));
  bytes += key(14, "quicklist", "\x02" + text(no_old_items) + text(no_old_items));
  bytes += key(16, "hash pack", text(no_items)) + key(17, "zset pack", text(no_items));
  bytes += key(18, "nodes", "\x01\x02" + text(no_items)) + key(20, "set pack", text(no_items));
  // A list of which one node is empty has the items of the others.
  bytes += key(18, "some",
               "\x03\x02" + text(no_items) + "\x02" + text(one_item) + "\x02" + text(no_items));
  // A stream without entries that is said to have five.
  bytes += key(15, "stream", std::string("\x00\x05\x01\x01\x00", 5));
  bytes += std::string("\x00\x01k\x01v\xff", 6) + std::string(8, '\0');
  Keyspace copy(1, 16, false);
  snapshot::LoadFigures figures;
  const auto loaded = load(bytes, copy, figures);
  const std::string why = loaded ? "" : loaded.error().context;
  CAPTURE(why);
  REQUIRE(loaded);
  CHECK(figures.empty == 15);
  CHECK(figures.loaded == 3);
  CHECK(text_of(copy, 0, "k") == "v");
  CHECK(ListView(*copy.db(0).find(ref(copy, "some"))).size() == 1);
  CHECK(copy.db(0).find(ref(copy, "stream"))->stream()->length() == 0);
}

TEST_CASE("a save that fails at any step leaves the old snapshot and no temporary file") {
  Keyspace source(1, 16, false);
  fill(source);
  rdb::FileOptions options;
  for (int n = 1; n < 20; ++n) {
    CAPTURE(n);
    MemFileSystem fs;
    fs.put("dump", "old");
    fs.fail_at(n);
    const bool done =
        static_cast<bool>(snapshot::save(fs, {"dump", "temp", true}, source, options));
    fs.crash();
    const std::string left = fs.contents("dump");
    if (done)
      CHECK(left.starts_with("REDIS"));
    else
      CHECK((left == "old" || left.starts_with("REDIS")));
    if (left.starts_with("REDIS")) {
      Keyspace copy(1, 16, false);
      snapshot::LoadFigures figures;
      CHECK(load(left, copy, figures));
    }
  }
}

#include "persistence/io/file_system.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include "persistence/io/posix_fs.h"
#include "tests/support/mem_file_system.h"

using namespace hearth;
using namespace hearth::io;
using hearth::test::MemFileSystem;

TEST_CASE("an atomic write leaves the old bytes or the new ones, wherever the power goes") {
  for (const std::size_t torn : {std::size_t{0}, std::size_t{2}, std::size_t{1000}}) {
    int steps = 0;
    {
      MemFileSystem fs;
      fs.put("f", "old");
      REQUIRE(write_file_atomically(fs, "f", "the new text").has_value());
      steps = fs.operations();
      fs.crash();
      CHECK(fs.contents("f") == "the new text");
      CHECK(fs.contents("f.tmp") == "(absent)");
    }
    for (int step = 1; step <= steps; ++step) {
      MemFileSystem fs;
      fs.put("f", "old");
      fs.keep_unsynced(torn);
      fs.fail_at(step);
      CHECK_FALSE(write_file_atomically(fs, "f", "the new text").has_value());
      fs.crash();
      const std::string seen = fs.contents("f");
      CHECK((seen == "old" || seen == "the new text"));
    }
  }
}

TEST_CASE("the disk in memory loses what was not synced") {
  MemFileSystem fs;
  {
    auto file = fs.open("f", OpenMode::kAppend);
    REQUIRE(file.has_value());
    REQUIRE((*file)->append("one").has_value());
    REQUIRE((*file)->sync().has_value());
    REQUIRE(fs.sync_dir(".").has_value());
    REQUIRE((*file)->append("two").has_value());
  }
  CHECK(fs.contents("f") == "onetwo");
  fs.crash();
  CHECK(fs.contents("f") == "one");
  CHECK(fs.open("g/h", OpenMode::kCreate).error().code == ErrorCode::kNotFound);
}

TEST_CASE("the disk of this machine reads back what was written") {
  PosixFileSystem fs;
  char pattern[] = "/tmp/hearth-io-XXXXXX";
  REQUIRE(mkdtemp(pattern) != nullptr);
  const std::string dir = pattern;
  const std::string path = joined(dir, "f");
  CHECK(read_file(fs, path, 100).error().code == ErrorCode::kNotFound);
  REQUIRE(write_file_atomically(fs, path, "hello").has_value());
  CHECK(read_file(fs, path, 100).value() == "hello");
  CHECK(read_file(fs, path, 4).error().code == ErrorCode::kLimit);
  {
    auto file = fs.open(path, OpenMode::kAppend);
    REQUIRE(file.has_value());
    REQUIRE((*file)->append(" world").has_value());
    CHECK((*file)->size().value() == 11);
    REQUIRE((*file)->truncate(7).has_value());
    REQUIRE((*file)->sync().has_value());
  }
  CHECK(read_file(fs, path, 100).value() == "hello w");
  REQUIRE(fs.make_dir(joined(dir, "sub")).has_value());
  REQUIRE(fs.make_dir(joined(dir, "sub")).has_value());
  CHECK(fs.list(dir).value() == std::vector<std::string>{"f", "sub"});
  CHECK(fs.exists(path));
  REQUIRE(fs.rename(path, joined(dir, "g")).has_value());
  CHECK_FALSE(fs.exists(path));
  CHECK(fs.remove(path).error().code == ErrorCode::kNotFound);
  REQUIRE(fs.remove(joined(dir, "g")).has_value());
  rmdir(joined(dir, "sub").c_str());
  rmdir(dir.c_str());
}

TEST_CASE("paths split and join") {
  CHECK(dir_of("a") == ".");
  CHECK(dir_of("a/b/c") == "a/b");
  CHECK(dir_of("/a") == "/");
  CHECK(joined(".", "a") == "a");
  CHECK(joined("/x", "a") == "/x/a");
  CHECK(joined("/", "a") == "/a");
}

#include "persistence/aof/manifest.h"

#include <doctest/doctest.h>

#include "tests/support/mem_file_system.h"

using namespace hearth;
using aof::LogFiles;
using aof::Manifest;
using hearth::test::MemFileSystem;

namespace {

std::string error_of(const std::string& text) {
  const auto parsed = aof::parse_manifest(text);
  return parsed ? "none" : parsed.error().context;
}

void put_file(MemFileSystem& fs, const std::string& path, const std::string& bytes) {
  auto file = fs.open(path, io::OpenMode::kCreate);
  if (file && (*file)->append(bytes)) static_cast<void>((*file)->sync());
}

// The work of a server with its files over its life. Stops at the first failure.
void live(MemFileSystem& fs) {
  LogFiles files(fs, "dir", "log");
  const auto rewrite = [&](bool temp_increment) {
    put_file(fs, "temp-base", "base");
    if (temp_increment) put_file(fs, files.temp_increment_path(), "");
    LogFiles::Switch to;
    to.base_temp_path = "temp-base";
    to.take_temp_increment = temp_increment;
    if (!fs.exists("temp-base")) return false;
    if (!files.switch_base(to)) return false;
    files.remove_history(false);
    return true;
  };
  if (!files.open() || !files.make_dir() || !rewrite(true)) return;
  if (!files.add_increment() || !rewrite(false)) return;
  if (!files.add_increment() || !files.add_increment()) return;
  static_cast<void>(rewrite(false));
}

}  // namespace

TEST_CASE("a manifest is read back as it was written") {
  const std::string text =
      "file a.2.base.rdb seq 2 type b\n"
      "file a.1.base.rdb seq 1 type h\n"
      "file \" odd name\\n.incr\" seq 3 type i\n"
      "file a.7.incr.aof seq 7 type i\n";
  const auto manifest = aof::parse_manifest(text);
  REQUIRE(manifest);
  REQUIRE(manifest->base);
  CHECK(manifest->base->name == "a.2.base.rdb");
  CHECK(manifest->base_sequence == 2);
  REQUIRE(manifest->increments.size() == 2);
  CHECK(manifest->increments[0].name == " odd name\n.incr");
  CHECK(manifest->increment_sequence == 7);
  CHECK(aof::manifest_text(*manifest) == text);
}

TEST_CASE("a manifest takes comments and keys of later versions") {
  const auto manifest =
      aof::parse_manifest("# note\nfile a seq 1 type b newkey newvalue\nfile b seq 1 type i\n");
  REQUIRE(manifest);
  CHECK(manifest->base->name == "a");
  CHECK(manifest->increments.size() == 1);
}

TEST_CASE("a malformed manifest is refused with its reason and line") {
  CHECK(error_of("") == "Found an empty AOF manifest");
  CHECK(error_of("file a seq 1 type b\n\n") == "Invalid AOF manifest file format (line 2)");
  CHECK(error_of("filx a seq 1 type b\n") == "Invalid AOF manifest file format (line 1)");
  CHECK(error_of("file a seq 1\n") == "Invalid AOF manifest file format (line 1)");
  CHECK(error_of("file a seq 1 type b x\n") == "Invalid AOF manifest file format (line 1)");
  CHECK(error_of("file a seq 0 type b\n") == "Invalid AOF manifest file format (line 1)");
  CHECK(error_of("file a seq 9223372036854775807 type i\n") ==
        "Invalid AOF manifest file format (line 1)");
  CHECK(error_of("file a seq 1 type x\n") == "Unknown AOF file type (line 1)");
  CHECK(error_of("file a seq 1 type b\nfile b seq 2 type b\n") ==
        "Found duplicate base file information (line 2)");
  CHECK(error_of("file a seq 2 type i\nfile b seq 1 type i\n") ==
        "Found a non-monotonic sequence number (line 2)");
  CHECK(error_of("file ../a seq 1 type b\n") == "File can't be a path, just a filename (line 1)");
  CHECK(error_of("file a seq 1 type b") ==
        "The AOF manifest file contains an incomplete line (line 1)");
  CHECK(error_of("file " + std::string(1100, 'a') + " seq 1 type b\n") ==
        "The AOF manifest file contains too long line (line 1)");
}

TEST_CASE("a log of one file in the working directory becomes the base") {
  MemFileSystem fs;
  fs.put("log", "old");
  LogFiles files(fs, "dir", "log");
  REQUIRE(files.open());
  CHECK(fs.contents("log") == "(absent)");
  CHECK(fs.contents("dir/log") == "old");
  CHECK(fs.contents("dir/log.manifest") == "file log seq 1 type b\n");
}

TEST_CASE("after a crash at any moment the manifest names only files that are there") {
  int operations = 0;
  {
    MemFileSystem fs;
    live(fs);
    operations = fs.operations();
    LogFiles files(fs, "dir", "log");
    REQUIRE(files.open());
    CHECK(aof::manifest_text(files.manifest()) ==
          "file log.3.base.rdb seq 3 type b\nfile log.4.incr.aof seq 4 type i\n");
  }
  for (int n = 1; n <= operations; ++n) {
    CAPTURE(n);
    MemFileSystem fs;
    fs.fail_at(n);
    live(fs);
    fs.crash();
    LogFiles files(fs, "dir", "log");
    REQUIRE(files.open());
    const Manifest& m = files.manifest();
    if (m.base) CHECK(fs.exists(files.path_of(*m.base)));
    for (const auto& file : m.increments) CHECK(fs.exists(files.path_of(file)));
  }
}

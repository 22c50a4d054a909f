// Bytes as a file that is read, and as one that is written.
#pragma once

#include <string>
#include <string_view>

#include "persistence/io/file_system.h"
#include "persistence/rdb/file_writer.h"

namespace hearth::test {

class TextFile final : public io::File {
 public:
  explicit TextFile(std::string_view bytes) : bytes_(bytes) {}
  Result<void> append(std::string_view) override { return {}; }
  Result<std::size_t> read(char* out, std::size_t size) override {
    const std::size_t got = bytes_.copy(out, size);
    bytes_.remove_prefix(got);
    return got;
  }
  Result<void> sync() override { return {}; }
  Result<std::uint64_t> size() override { return bytes_.size(); }
  Result<void> truncate(std::uint64_t) override { return {}; }

 private:
  std::string_view bytes_;
};

class TextSink final : public rdb::ByteSink {
 public:
  Result<void> append(std::string_view bytes) override {
    text += bytes;
    return {};
  }
  std::string text;
};

}  // namespace hearth::test

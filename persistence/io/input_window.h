// InputWindow: a file read front to back through one buffer.
//
// A decoder looks at the bytes in the buffer; when they end too early it asks for more and looks
// again. Memory: twice the largest record that is there, and a chunk; never more for one that is
// only announced.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "persistence/io/file_system.h"

namespace hearth::io {

class InputWindow {
 public:
  // `path` is for the texts of errors only. `file` stands at offset 0.
  InputWindow(File& file, std::string path) : file_(file), path_(std::move(path)) {}

  // Bytes that were read and not yet consumed. Valid until the next call of fill().
  [[nodiscard]] std::string_view view() const {
    return std::string_view(buffer_).substr(begin_, end_ - begin_);
  }
  // Reads until view() has at least `bytes`, or the file ends.
  [[nodiscard]] Result<void> fill(std::size_t bytes);
  // n <= view().size().
  void consume(std::size_t n) {
    begin_ += n;
    offset_ += n;
  }
  // Of view() in the file.
  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  [[nodiscard]] bool at_end() const { return ended_ && begin_ == end_; }
  // All that is left of the file stands in view().
  [[nodiscard]] bool saw_end() const { return ended_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  // An error about this place of the file.
  [[nodiscard]] tl::unexpected<Error> corrupt(std::string_view what) const;

 private:
  File& file_;
  std::string path_;
  std::string buffer_;
  std::size_t begin_ = 0, end_ = 0;
  std::uint64_t offset_ = 0;
  bool ended_ = false;
};

}  // namespace hearth::io

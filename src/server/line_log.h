// LineLog: the output of another process as lines for the log, bounded in length and in number: a
// process that prints without end must not fill the disk of its server.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "src/base/time.h"

namespace hearth {

class LineLog {
 public:
  static constexpr std::size_t kLineBytesMost = 1000;
  static constexpr int kLinesPerSecond = 20;

  explicit LineLog(std::function<void(std::string_view line)> write) : write_(std::move(write)) {}

  void add(std::string_view bytes, MonoTime now);
  // The process has closed its output: the rest is a line.
  void end(MonoTime now);

 private:
  void end_line(MonoTime now);

  std::function<void(std::string_view)> write_;
  std::string line_;
  MonoTime second_{};
  int lines_ = 0;  // in that second
  std::uint64_t left_out_ = 0;
};

}  // namespace hearth

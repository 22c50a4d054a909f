#include "src/server/line_log.h"

#include <fmt/format.h>

namespace hearth {

void LineLog::add(std::string_view bytes, MonoTime now) {
  for (const char c : bytes) {
    if (c == '\n' || c == '\r') {
      end_line(now);
    } else if (line_.size() < kLineBytesMost) {
      // Control characters could forge lines, or steer a terminal.
      line_ += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    }
  }
}

void LineLog::end(MonoTime now) {
  end_line(now);
  if (left_out_ > 0) write_(fmt::format("({} more lines)", left_out_));
  left_out_ = 0;
}

void LineLog::end_line(MonoTime now) {
  if (line_.empty()) return;
  if (now - second_ >= seconds{1}) {
    second_ = now;
    lines_ = 0;
    if (left_out_ > 0) write_(fmt::format("({} more lines)", left_out_));
    left_out_ = 0;
  }
  if (++lines_ > kLinesPerSecond)
    ++left_out_;
  else
    write_(line_);
  line_.clear();
}

}  // namespace hearth

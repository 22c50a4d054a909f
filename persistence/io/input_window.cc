#include "persistence/io/input_window.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace hearth::io {
namespace {
constexpr std::size_t kChunk = 256 * 1024;
}

Result<void> InputWindow::fill(std::size_t bytes) {
  while (!ended_ && end_ - begin_ < bytes) {
    const std::size_t held = end_ - begin_;
    // However much is asked for, memory is taken for at most twice of what has been read: the wish
    // may come from a damaged length.
    const std::size_t wanted = std::max(std::min(bytes, 2 * held), held + kChunk);
    if (begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, held);
      begin_ = 0;
      end_ = held;
    }
    // A record that needed much room does not keep it for the rest of the file.
    if (buffer_.size() < wanted || buffer_.size() > 8 * wanted) {
      buffer_.resize(wanted);
      buffer_.shrink_to_fit();
    }
    HEARTH_TRY(const std::size_t got, file_.read(buffer_.data() + end_, buffer_.size() - end_));
    if (got == 0) ended_ = true;
    end_ += got;
  }
  return {};
}

tl::unexpected<Error> InputWindow::corrupt(std::string_view what) const {
  return fail(ErrorCode::kCorrupt, fmt::format("{}: offset {}: {}", path_, offset_, what));
}

}  // namespace hearth::io

// Texts that live as long as one row: memory that is given out piece by piece and used again for
// the next row.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

namespace hearth::warm {

class TextArena {
 public:
  // n bytes; valid until `clear`.
  char* take(std::size_t n) {
    if (n > size_ - used_) {
      if (block_) full_.push_back(std::move(block_));
      size_ = std::max(n, kBlockBytes);
      block_.reset(new char[size_]);  // not value-initialised, on purpose
      used_ = 0;
    }
    char* at = block_.get() + used_;
    used_ += n;
    return at;
  }
  // One block is kept, unless it was a huge one.
  void clear() {
    full_.clear();
    used_ = 0;
    if (size_ <= kBlockBytes) return;
    block_.reset();
    size_ = 0;
  }

 private:
  static constexpr std::size_t kBlockBytes = 16 * 1024;
  std::unique_ptr<char[]> block_;
  std::size_t size_ = 0;
  std::size_t used_ = 0;
  std::vector<std::unique_ptr<char[]>> full_;
};

}  // namespace hearth::warm

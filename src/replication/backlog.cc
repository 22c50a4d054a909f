#include "src/replication/backlog.h"

#include "src/base/check.h"

namespace hearth::replication {

void Backlog::append(std::string_view bytes) {
  if (blocks_.empty()) begin_ = last_ + 1;
  while (!bytes.empty()) {
    if (blocks_.empty() || blocks_.back().size() == kBlockBytes) {
      blocks_.emplace_back().reserve(kBlockBytes);
    }
    std::string& block = blocks_.back();
    const std::string_view piece = bytes.substr(0, kBlockBytes - block.size());
    block += piece;
    last_ += piece.size();
    bytes.remove_prefix(piece.size());
    trim();
  }
}

void Backlog::set_capacity(std::uint64_t capacity) {
  capacity_ = capacity;
  trim();
}

void Backlog::keep_from(std::uint64_t offset) {
  kept_from_ = offset;
  trim();
}

// The last block stays: it is the one that is written to.
void Backlog::trim() {
  const std::uint64_t capacity_from = last_ + 1 - std::min(last_ + 1, capacity_);
  const std::uint64_t needed = std::min(kept_from_, capacity_from);
  while (blocks_.size() > 1 && begin_ + kBlockBytes <= needed) {
    blocks_.pop_front();
    begin_ += kBlockBytes;
  }
}

std::string_view Backlog::piece_at(std::uint64_t offset) const {
  HEARTH_CHECK(offset >= begin() && offset <= last_);
  const std::uint64_t at = offset - begin_;
  return std::string_view(blocks_[at / kBlockBytes]).substr(at % kBlockBytes);
}

std::string Backlog::from(std::uint64_t offset) const {
  HEARTH_CHECK(can_continue_at(offset));
  std::string out;
  out.reserve(last_ + 1 - offset);
  read(offset, kNobody, [&out](std::string_view piece) { out += piece; });
  return out;
}

}  // namespace hearth::replication

// InputBuffer: bytes that came from a socket and are not consumed yet, in one piece.
//
// Memory follows the bytes that are here, never a length that the other side announced: the buffer
// at most doubles, or grows to the end of what was announced if that is at most four times as much
// as came. Room is not touched before bytes are put there. Growing copies at most as many bytes as
// came since the buffer grew last times a constant, so that receiving n bytes costs O(n), in
// whatever pieces.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace hearth {

class InputBuffer {
 public:
  InputBuffer() = default;
  InputBuffer(const InputBuffer&) = delete;
  InputBuffer& operator=(const InputBuffer&) = delete;
  InputBuffer(InputBuffer&& other) noexcept { swap(other); }
  InputBuffer& operator=(InputBuffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~InputBuffer() { release(); }

  [[nodiscard]] std::string_view unread() const { return {data_ + begin_, end_ - begin_}; }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  // Bytes that fit behind the unread ones.
  [[nodiscard]] std::size_t free_bytes() const { return capacity_ - end_; }

  // At least `least` bytes to be filled, behind the unread ones; empty if there is no memory.
  // `expected`: unread bytes at which the request that is arriving will be whole, 0 if unknown.
  // Views of the unread bytes are invalid afterwards.
  [[nodiscard]] std::span<char> room(std::size_t least, std::size_t expected = 0);
  // So many bytes of the room were filled.
  void filled(std::size_t bytes) { end_ += bytes; }
  // False if there is no memory.
  [[nodiscard]] bool append(std::string_view bytes, std::size_t expected = 0);
  // The first `bytes` of the unread ones are done with. The memory stays; so do views.
  void consume(std::size_t bytes) {
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Gives memory back that is beyond `keep` bytes, or, while there are unread bytes, beyond twice
  // those, where three quarters of the buffer stand empty: to grow again, the buffer must first
  // have received as many bytes as it holds.
  void trim(std::size_t keep);
  void release();
  void swap(InputBuffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
  }

 private:
  // Moves the unread bytes into a block of `bytes` and a little.
  bool resize(std::size_t bytes);

  char* data_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;  // unread bytes stand in [begin_, end_)
  std::size_t end_ = 0;
};

}  // namespace hearth

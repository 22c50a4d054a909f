// Bytes that are written once per row: like a string, but growing does not clear what will be
// overwritten anyway, and the memory stays for the next row.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace hearth::warm {

class Buffer {
 public:
  // At least n bytes to write at; follow with `advance`. Valid until the next call.
  char* room(std::size_t n) {
    if (capacity_ - size_ < n) grow(n);
    return bytes_.get() + size_;
  }
  void advance(std::size_t n) { size_ += n; }
  void push(char c) {
    *room(1) = c;
    ++size_;
  }
  void append(std::string_view text) {
    if (text.empty()) return;
    std::memcpy(room(text.size()), text.data(), text.size());
    size_ += text.size();
  }
  void clear() { size_ = 0; }
  void cut_to(std::size_t size) { size_ = size; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::string_view view() const { return {bytes_.get(), size_}; }
  [[nodiscard]] char* data() { return bytes_.get(); }

 private:
  void grow(std::size_t n) {
    std::size_t wanted = capacity_ < 512 ? 512 : capacity_ * 2;
    if (wanted < size_ + n) wanted = size_ + n;
    std::unique_ptr<char[]> larger(new char[wanted]);  // not value-initialised, on purpose
    if (size_ > 0) std::memcpy(larger.get(), bytes_.get(), size_);
    bytes_ = std::move(larger);
    capacity_ = wanted;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace hearth::warm

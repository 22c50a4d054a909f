// The vocabulary of identifiers, each a type of its own.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace hearth {

using Slot = std::uint16_t;  // 0 .. 16383
inline constexpr int kSlotCount = 16384;

using DbIndex = std::uint16_t;
using ConnId = std::uint64_t;  // client id: never used twice in a process; 0 is nobody
using Epoch = std::uint64_t;

// A node's name on the cluster bus: 40 lower-case hex digits.
class NodeId {
 public:
  static constexpr std::size_t kLength = 40;

  constexpr NodeId() { text_.fill('0'); }
  // text must be 40 characters long; shorter text leaves the id null.
  constexpr explicit NodeId(std::string_view text) {
    text_.fill('0');
    if (text.size() == kLength) {
      for (std::size_t i = 0; i < kLength; ++i) text_[i] = text[i];
    }
  }
  // True for 40 characters of [0-9a-f], the only ids a peer sends.
  static constexpr bool is_valid(std::string_view text) {
    if (text.size() != kLength) return false;
    for (char c : text) {
      if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
    }
    return true;
  }
  [[nodiscard]] constexpr bool is_null() const {
    for (char c : text_) {
      if (c != '0') return false;
    }
    return true;
  }
  [[nodiscard]] constexpr std::string_view view() const { return {text_.data(), kLength}; }
  [[nodiscard]] std::string str() const { return std::string(view()); }
  friend constexpr auto operator<=>(const NodeId&, const NodeId&) = default;

 private:
  std::array<char, kLength> text_{};
};

struct NodeIdHash {
  std::size_t operator()(const NodeId& id) const noexcept {
    return std::hash<std::string_view>{}(id.view());
  }
};

}  // namespace hearth

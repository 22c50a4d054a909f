// Numbers of the binary log and of its types, which its decoders share.
#pragma once

#include <cstdint>
#include <string_view>

namespace hearth::warm {

// Types of columns in a TABLE_MAP. Source: MariaDB documentation, "TABLE_MAP_EVENT".
enum ColumnNumber : std::uint8_t {
  kTinyColumn = 1,
  kShortColumn = 2,
  kLongColumn = 3,
  kFloatColumn = 4,
  kDoubleColumn = 5,
  kLongLongColumn = 8,
  kInt24Column = 9,
  kDateColumn = 10,
  kYearColumn = 13,
  kNewDateColumn = 14,
  kVarcharColumn = 15,
  kBitColumn = 16,
  kTimestamp2Column = 17,
  kDatetime2Column = 18,
  kTime2Column = 19,
  kBlobCompressedColumn = 140,
  kVarcharCompressedColumn = 141,
  kJsonColumn = 245,
  kDecimalColumn = 246,
  kEnumColumn = 247,
  kSetColumn = 248,
  kTinyBlobColumn = 249,
  kBlobColumn = 252,
  kVarStringColumn = 253,
  kStringColumn = 254,
  kGeometryColumn = 255,
};

// Takes little-endian numbers and bytes off the front; once something is missing, everything is.
class LogBytes {
 public:
  explicit LogBytes(std::string_view bytes) : rest_(bytes) {}
  std::uint64_t number(std::size_t size) {
    if (rest_.size() < size) return lose();
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(rest_[i]);
    rest_.remove_prefix(size);
    return value;
  }
  // A number whose first byte tells how many follow.
  std::uint64_t packed() {
    const std::uint64_t first = number(1);
    if (first < 251) return first;
    return first == 252 ? number(2) : first == 253 ? number(3) : first == 254 ? number(8) : lose();
  }
  std::string_view bytes(std::uint64_t size) {
    if (size > rest_.size()) return lose(), std::string_view{};
    const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(static_cast<std::size_t>(size));
    return taken;
  }
  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool is_good() const { return good_; }

 private:
  std::uint64_t lose() {
    good_ = false;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace hearth::warm

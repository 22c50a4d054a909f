// The two packed forms that servers before listpack wrote, read only.
//
// ziplist: bytes u32 LE | offset of the last entry u32 | count u16 (65535: unknown) | entries |
// 0xFF
//   entry: length of the previous one (1 byte, or 0xFE and u32) | encoding | data
// zipmap: count u8 (254 and up: unknown) | length field length free value ... | 0xFF
//   length: 1 byte up to 253, or 254 and u32 LE; `free` unused bytes follow the value
// Source: the public descriptions of both formats.
#pragma once

#include <functional>
#include <string_view>

#include "src/base/result.h"

namespace hearth::rdb {

// Gets each field and value; false refuses them (a field that was there before).
using PairVisitor = std::function<bool(std::string_view field, std::string_view value)>;

using ItemVisitor = std::function<void(std::string_view item)>;

// Verify the whole structure while reading. Errors: kCorrupt with the offset in it.
[[nodiscard]] Result<void> read_ziplist_items(std::string_view bytes, const ItemVisitor& visit);
[[nodiscard]] Result<void> read_ziplist(std::string_view bytes, const PairVisitor& visit);
[[nodiscard]] Result<void> read_zipmap(std::string_view bytes, const PairVisitor& visit);

}  // namespace hearth::rdb

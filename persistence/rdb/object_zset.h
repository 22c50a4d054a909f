// Sorted sets in files. See object.h for the common rules.
#pragma once

#include "persistence/rdb/object.h"
#include "src/store/zset.h"

namespace hearth::rdb {

EncodedType encode_zset(const Zset& zset, const EncodeOptions& options, std::string& out);
[[nodiscard]] constexpr bool is_zset_type(std::uint8_t type) {
  switch (static_cast<ObjectType>(type)) {
    case ObjectType::kZset:
    case ObjectType::kZset2:
    case ObjectType::kZsetZiplist:
    case ObjectType::kZsetListpack: return true;
    default: return false;
  }
}
// type: one of those. Refuses members that come twice and scores that are no numbers.
[[nodiscard]] Result<Zset> decode_zset(std::uint8_t type, ByteReader& in,
                                       const DecodeLimits& limits);

}  // namespace hearth::rdb

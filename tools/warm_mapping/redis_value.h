// Whole values as servers load them: the payload of RESTORE, which replaces a key of any type, with
// its time to live, in one command.
//
//   type byte, count, items, version u16 LE, CRC-64 u64 LE over all before it
//
// Of the RDB format only the plain encodings of version 8 and before are written, which every
// server since Redis 4 loads. A text is its length and its bytes. Source: the published description
// of the RDB format; the CRC is Jones'. tests/system/warm_test.cc loads the payloads into servers.
#pragma once

#include <cstdint>
#include <string_view>

#include "tools/warm_mapping/buffer.h"

namespace hearth::warm {

enum class PayloadType : std::uint8_t { kList = 1, kSet = 2, kHash = 4, kZset = 5 };

// A text as an item.
void append_payload_text(Buffer& out, std::string_view text);
// A score, behind its member.
void append_payload_score(Buffer& out, double score);
// The whole payload. `count`: items of a list or set, fields of a hash, members of a zset.
void append_payload(Buffer& out, PayloadType type, std::uint64_t count, std::string_view items);

// Takes the first text off items that append_payload_text wrote.
[[nodiscard]] std::string_view take_payload_text(std::string_view& items);
[[nodiscard]] double take_payload_score(std::string_view& items);

}  // namespace hearth::warm

// Frames of the cluster bus, version 1: bytes <-> Message. Layout: cluster/README.md, "Frames".
//
// Binary compatible with redis-server 4.0 .. 8 and valkey-server; integers are big endian.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "cluster/model/message.h"
#include "src/base/result.h"

namespace hearth::cluster::wire {

inline constexpr std::size_t kFullHeaderBytes = 2256;
inline constexpr std::size_t kLightHeaderBytes = 16;
inline constexpr std::size_t kGossipBytes = 104;
inline constexpr std::size_t kUpdateBodyBytes = 8 + 40 + 2048;
// A PUBLISH carries a channel and a message of up to 512 MiB each; nobody sends more than this.
inline constexpr std::size_t kFrameBytesMax = std::size_t{1} << 30;

// The length of the frame that starts at `bytes`: 0 while fewer than 8 bytes are there.
// Errors: kCorrupt (signature, or a length below the light header), kLimit (above kFrameBytesMax).
[[nodiscard]] Result<std::size_t> frame_length(std::string_view bytes);

// Reads one whole frame, as cut by frame_length. Every length inside is checked against the frame;
// nothing is allocated for a length before the bytes are known to be there.
// Errors: kUnsupported (version, type), kCorrupt (lengths that disagree, names that are no ids).
[[nodiscard]] Result<Message> decode(std::string_view frame);

// Texts longer than their fields are cut. The body must be the one that belongs to the type.
[[nodiscard]] std::string encode(const Message& message);

}  // namespace hearth::cluster::wire

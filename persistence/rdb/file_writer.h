// Writes whole snapshots: header, auxiliary fields, function libraries, every key of every
// database, end mark and checksum.
//
// The bytes go to a sink in pieces of about 64 KiB, so that a snapshot costs no memory but for the
// largest value.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "persistence/rdb/object.h"
#include "src/base/result.h"
#include "src/store/eviction.h"
#include "src/store/keyspace.h"

namespace hearth::rdb {

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  [[nodiscard]] virtual Result<void> append(std::string_view bytes) = 0;
};

// The use of keys that the file keeps: how lately, or how often.
enum class AccessNotes : std::uint8_t { kNone, kIdleSeconds, kFrequency };

struct FileOptions {
  EncodeOptions encode;
  AccessNotes access = AccessNotes::kNone;
  LfuParams lfu;
  bool checksum = true;
  bool with_keys = true;
  // Auxiliary fields, in this order, in front of the data.
  std::vector<std::pair<std::string, std::string>> aux;
  // Sources of function libraries.
  std::span<const std::string> functions;
  // Called after each key with the number of keys written so far; may be empty.
  std::function<void(std::uint64_t)> after_key;
};

// Errors are the sink's. Returns the number of bytes written.
[[nodiscard]] Result<std::uint64_t> write_file(const Keyspace& keyspace, const FileOptions& options,
                                               ByteSink& sink);

}  // namespace hearth::rdb

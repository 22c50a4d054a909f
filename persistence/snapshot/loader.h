// Loads a snapshot into a keyspace.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "persistence/rdb/file_reader.h"
#include "src/base/time.h"
#include "src/store/keyspace.h"

namespace hearth::snapshot {

struct LoadFigures {
  std::uint64_t loaded = 0;
  std::uint64_t expired = 0;  // left out, since they were past their deadline
  std::uint64_t empty = 0;    // left out, since their value held nothing
};

struct LoadOptions {
  rdb::ReadOptions read;
  UnixMillis now{};
  bool skip_expired = true;  // false: keys past their deadline are loaded, as a log needs it
  bool merge = false;        // true: a key that is there already is replaced; false: an error
  bool lfu = false;          // access fields are LFU counters
  std::function<KeyRef(std::string_view)> ref;
  std::function<Result<void>(std::string)> function;  // empty: libraries are left out
  std::function<void(const std::string&, const std::string&)> aux;
  // Every `interval` bytes with the offset reached; an error stops the load. May be empty.
  std::uint64_t interval = 2 * 1024 * 1024;
  std::function<Result<void>(std::uint64_t)> progress;
  std::function<void()> after_key;
};

// The window stands at the snapshot's start, and afterwards behind it. On error the keyspace holds
// what was loaded before it.
[[nodiscard]] Result<void> load(io::InputWindow& in, Keyspace& keyspace, const LoadOptions& options,
                                LoadFigures& figures);

}  // namespace hearth::snapshot

// Gathering: what the connections that were readable in one loop turn sent. It is read and parsed
// first and run when polling ends, so that the requests of many connections wait for memory
// together: a connection that sends one request at a time has nothing of its own to overlap with.
//
// Bounds: kPartsMost connections and kInput bytes in a turn. Requests beyond them run at once, as
// they are read; so does a batch of kEnough requests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "src/engine/batch.h"
#include "src/proto/request_parser.h"

namespace hearth::net {

class Connection;

struct Gathering {
  static constexpr std::size_t kPartsMost = 128;
  static constexpr std::size_t kInput = 256 * 1024;
  static constexpr std::size_t kReadMost = 64 * 1024;  // bytes of one read
  // Requests that are fetched for together: what they need must still be in the first-level cache
  // when they run.
  static constexpr std::size_t kTogether = 64;
  // Requests that have enough to overlap with among themselves: they need not wait for others.
  static constexpr std::size_t kEnough = 16;

  struct Part {
    Connection* connection = nullptr;  // nullptr: it took its bytes back
    std::string_view data;             // that its stream keeps in place
    RequestParser::Status status = RequestParser::Status::kNeedMore;  // at the end of the batch
    RequestBatch batch;
  };

  Gathering() : input(kInput + kReadMost), parts(kPartsMost) {}

  // Room for one read.
  [[nodiscard]] char* room() { return input.data() + used; }
  [[nodiscard]] bool is_full() const { return count == kPartsMost; }
  // May what was read into room() stay there?
  [[nodiscard]] bool holds(std::size_t bytes) const { return used + bytes <= kInput; }
  void clear() { used = next = count = 0; }

  // Input of connections that have nothing unread: shared, so that idle clients cost no buffer.
  // With a ring it stays unused.
  std::vector<char> input;
  std::size_t used = 0;
  std::vector<Part> parts;
  std::size_t count = 0;
  std::size_t next = 0;  // of the parts, the first that has not run
};

}  // namespace hearth::net

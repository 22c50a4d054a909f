// The logs of commands that were slow or large: COMMANDLOG, and SLOWLOG for the first of them.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/time.h"

namespace hearth {

struct LoggedCommand {
  std::uint64_t id = 0;
  std::int64_t unix_seconds = 0;
  std::int64_t value = 0;         // microseconds or bytes
  std::vector<std::string> argv;  // shortened: 32 words of 128 bytes at most
  std::string client_address;
  std::string client_name;
};

// One log: newest first, bounded by `max_len` at each add.
class CommandLog {
 public:
  void add(UnixMillis now, std::int64_t value, std::span<const std::string_view> argv,
           std::string_view address, std::string_view name, std::size_t max_len);
  void trim(std::size_t max_len);
  void reset() { entries_.clear(); }
  [[nodiscard]] const std::deque<LoggedCommand>& entries() const { return entries_; }

 private:
  std::deque<LoggedCommand> entries_;
  std::uint64_t next_id_ = 0;
};

class CommandLogs {
 public:
  enum class Kind : std::uint8_t { kSlow, kLargeRequest, kLargeReply };
  [[nodiscard]] CommandLog& of(Kind kind) { return logs_[static_cast<std::size_t>(kind)]; }

 private:
  std::array<CommandLog, 3> logs_;
};

}  // namespace hearth

// Denials of late, newest first: ACL LOG. Alike denials within a minute are one entry.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "src/acl/user.h"
#include "src/base/time.h"

namespace hearth::acl {

// Where the command stood.
enum class Context : std::uint8_t { kTopLevel, kMulti, kScript };

class Log {
 public:
  struct Entry {
    std::uint64_t id = 0;
    std::uint64_t count = 1;
    Reason reason = Reason::kCommand;
    Context context = Context::kTopLevel;
    std::string object;  // the command, key, channel or database
    std::string user;
    std::string client;  // the line of CLIENT LIST
    UnixMillis created{}, updated{};
  };

  // Looks at the newest 10 entries for one alike; keeps `most` entries.
  void add(Entry entry, UnixMillis now, std::size_t most);
  void reset() { entries_.clear(); }
  [[nodiscard]] const std::deque<Entry>& entries() const { return entries_; }

 private:
  std::deque<Entry> entries_;
  std::uint64_t next_id_ = 0;
};

[[nodiscard]] std::string_view reason_name(Reason reason);
[[nodiscard]] std::string_view context_name(Context context);

}  // namespace hearth::acl

// The log. One line per event: "<pid>:<role> <date> <level> <message>", or name=value pairs.
//
//   log::notice("Ready to accept connections {}", "tcp");
//
// Thread-safe. Goes to stdout until `open` names a file; unbuffered either way, because people and
// test harnesses read the file while it is written.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

#include "src/base/result.h"

namespace hearth::log {

enum class Level : unsigned char { kDebug, kVerbose, kNotice, kWarning, kNothing };
enum class Format : unsigned char { kLegacy, kLogfmt };
enum class Timestamp : unsigned char { kLegacy, kIso8601, kMilliseconds };

// An empty path is stdout. The file is opened for append for every call of open.
[[nodiscard]] Result<void> open(const std::string& path);
// Messages go to syslog(3) too from now on, without what that adds itself. `facility` is one of
// its numbers.
void open_syslog(const std::string& ident, int facility);
void set_format(Format format) noexcept;
void set_timestamp(Timestamp timestamp) noexcept;
void set_level(Level level) noexcept;
[[nodiscard]] Level level() noexcept;
void set_role(char role) noexcept;  // 'M' primary, 'S' replica, 'C' child

void write(Level level, std::string_view message);

template <typename... A>
void debug(fmt::format_string<A...> f, A&&... a) {
  if (level() <= Level::kDebug) write(Level::kDebug, fmt::format(f, std::forward<A>(a)...));
}
template <typename... A>
void verbose(fmt::format_string<A...> f, A&&... a) {
  if (level() <= Level::kVerbose) write(Level::kVerbose, fmt::format(f, std::forward<A>(a)...));
}
template <typename... A>
void notice(fmt::format_string<A...> f, A&&... a) {
  if (level() <= Level::kNotice) write(Level::kNotice, fmt::format(f, std::forward<A>(a)...));
}
template <typename... A>
void warning(fmt::format_string<A...> f, A&&... a) {
  if (level() <= Level::kWarning) write(Level::kWarning, fmt::format(f, std::forward<A>(a)...));
}

}  // namespace hearth::log

// MONITOR: every command, as it is about to run, to every session that asked.
#include <cstdio>

#include "src/base/quote.h"
#include "src/engine/engine.h"
#include "src/proto/reply_writer.h"

namespace hearth {

void Engine::monitor(Session& session) {
  if (session.monitor) return;
  session.monitor = true;
  ++monitors_;
}

void Engine::feed_monitors(const Session& from, std::span<const std::string_view> argv) {
  char stamp[48];
  std::snprintf(stamp, sizeof stamp, "%lld.%06d", static_cast<long long>(env_.now.ms / 1000),
                static_cast<int>(env_.now.ms % 1000) * 1000);
  std::string line = std::string(stamp) + " [" + std::to_string(from.db) + " " + from.address + "]";
  for (const std::string_view word : argv) {
    line += ' ';
    append_quoted(line, word);
  }
  for_each([&](Session& s) {
    if (!s.monitor || s.close_now) return;
    ReplyWriter(s.out, s.resp).simple(line);
    wrote_to(s);
  });
}

}  // namespace hearth

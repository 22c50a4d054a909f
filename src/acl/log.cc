#include "src/acl/log.h"

#include <algorithm>

namespace hearth::acl {
namespace {

constexpr milliseconds kAlikeWithin{60'000};
constexpr std::size_t kLookedAt = 10;

bool alike(const Log::Entry& old, const Log::Entry& fresh, UnixMillis now) {
  return old.reason == fresh.reason && old.context == fresh.context && old.object == fresh.object &&
         old.user == fresh.user && now - old.updated <= kAlikeWithin;
}

}  // namespace

void Log::add(Entry entry, UnixMillis now, std::size_t most) {
  if (most > 0) {
    const auto end =
        entries_.begin() + static_cast<std::ptrdiff_t>(std::min(entries_.size(), kLookedAt));
    const auto old =
        std::find_if(entries_.begin(), end, [&](const Entry& e) { return alike(e, entry, now); });
    if (old != end) {
      Entry again = std::move(*old);
      entries_.erase(old);
      ++again.count;
      again.updated = now;
      again.client = std::move(entry.client);
      entries_.push_front(std::move(again));
      return;
    }
    entry.id = next_id_++;
    entry.created = entry.updated = now;
    entries_.push_front(std::move(entry));
  }
  while (entries_.size() > most) entries_.pop_back();
}

std::string_view reason_name(Reason reason) {
  switch (reason) {
    case Reason::kCommand: return "command";
    case Reason::kDatabase: return "database";
    case Reason::kKey: return "key";
    case Reason::kChannel: return "channel";
    case Reason::kAuth: return "auth";
  }
  return "";
}

std::string_view context_name(Context context) {
  switch (context) {
    case Context::kTopLevel: return "toplevel";
    case Context::kMulti: return "multi";
    case Context::kScript: return "lua";
  }
  return "";
}

}  // namespace hearth::acl

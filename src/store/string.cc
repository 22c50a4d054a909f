#include "src/store/string.h"

#include <algorithm>

#include "src/base/format_number.h"

namespace hearth {
namespace {

// Turns a string entry into one with a RawString of at least `capacity` bytes. Returns it.
RawString* make_growable(Database& db, const KeyRef& key, Found at, std::uint64_t capacity) {
  if (!at->is_inline() && !at->is_int()) {
    const Change change(db, key, at);
    RawString* s = change->raw();
    if (s->capacity < capacity) {
      // Doubling up to a mebibyte, then a mebibyte more: appends stay amortised without keeping
      // half of a large value as spare room.
      const std::uint64_t spare = std::min<std::uint64_t>(capacity, 1024 * 1024);
      RawString* bigger = RawString::make(s->size, capacity + spare);
      std::memcpy(bigger->data(), s->data(), s->size);
      RawString::free(s);
      change->set_raw(bigger);
      s = bigger;
    }
    change->mark_edited();
    return s;
  }
  char scratch[kInt64TextMax];
  const std::string_view value = at->string_value(scratch);
  // No spare room yet: many strings are written once by SETRANGE and never grow.
  RawString* s = RawString::make(value.size(), capacity);
  std::memcpy(s->data(), value.data(), value.size());
  db.replace(key, at, Entry::make_raw(key.name, s, at->deadline(), at->access()));
  return s;
}

}  // namespace

void put_string(Database& db, const KeyRef& key, Found at, std::string_view value,
                std::int64_t deadline, std::uint32_t access, Entry** old) {
  *old = nullptr;
  std::int64_t number = 0;
  const bool is_int = as_stored_int(value, number);
  if (at && at->deadline() == deadline && at->type() == Type::kString) {
    const Change change(db, key, at);
    // The common overwrite: same shape, nothing is allocated.
    if (is_int && change->is_int()) {
      change->set_int_value(number);
      change->set_access(access);
      return;
    }
    if (!is_int && change->is_inline() && change->inline_value().size() == value.size()) {
      std::memcpy(change->mutable_inline_value(), value.data(), value.size());
      change->set_encoding(value.size() <= kEmbstrMax ? StringEncoding::kEmbstr
                                                      : StringEncoding::kRaw);
      change->set_access(access);
      return;
    }
  }
  Entry* fresh = is_int ? Entry::make_int(key.name, number, deadline, access)
                        : Entry::make_string(key.name, value, deadline, access);
  if (at)
    db.replace(key, at, fresh, old);
  else
    db.insert(key, fresh);
}

void put_int_keep_deadline(Database& db, const KeyRef& key, Found at, std::int64_t value,
                           std::uint32_t access) {
  if (!at) {
    db.insert(key, Entry::make_int(key.name, value, kNoDeadline, access));
    return;
  }
  if (at->is_int()) {
    Change(db, key, at)->set_int_value(value);
    return;
  }
  db.replace(key, at, Entry::make_int(key.name, value, at->deadline(), at->access()));
}

std::uint64_t append_string(Database& db, const KeyRef& key, Found at, std::string_view suffix) {
  const std::uint64_t size = at->string_length();
  RawString* s = make_growable(db, key, at, size + suffix.size());
  std::memcpy(s->data() + s->size, suffix.data(), suffix.size());
  s->size += suffix.size();
  return s->size;
}

char* writable_range(Database& db, const KeyRef& key, Found at, std::uint64_t offset,
                     std::uint64_t length) {
  const std::uint64_t end = offset + length;
  RawString* s = make_growable(db, key, at, std::max<std::uint64_t>(at->string_length(), end));
  if (end > s->size) {
    std::memset(s->data() + s->size, 0, end - s->size);
    s->size = end;
  }
  return s->data() + offset;
}

}  // namespace hearth

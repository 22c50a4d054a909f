#include "src/store/value_type.h"

#include <algorithm>
#include <iterator>

#include "src/base/format_number.h"
#include "src/store/digest.h"
#include "src/store/hash.h"
#include "src/store/list_value.h"
#include "src/store/memory.h"
#include "src/store/set.h"
#include "src/store/stream.h"
#include "src/store/zset.h"

namespace hearth {
namespace {

// --- digests ---

void digest_hash(const Entry& e, UnixMillis now, Digest& digest) {
  Digest fields;
  e.hash()->for_each(now, [&](const Hash::Item& item) {
    Digest one;
    one.append(item.field);
    one.append(item.value);
    if (item.deadline != Hash::kNone) one.append("!deadline");
    fields.add(one);
  });
  digest.append(fields.hex());
}

void digest_set(const Entry& e, UnixMillis, Digest& digest) {
  Digest members;
  e.set()->for_each([&](std::string_view member) {
    Digest one;
    one.append(member);
    members.add(one);
  });
  digest.append(members.hex());
}

void digest_string(const Entry& e, UnixMillis, Digest& digest) {
  char scratch[kInt64TextMax];
  digest.append(e.string_value(scratch));
}

// Times are left out: on a replica they are others.
void append_group(Digest& digest, const StreamGroup& group) {
  digest.append(stream_id_text(group.last_id));
  digest.append(int64_text(group.entries_read));
  for (const auto& [name, consumer] : group.consumers()) digest.append(name);
  const PendingList& pending = group.pending();
  for (auto p = pending.begin(); p != pending.end(); p = pending.next(p)) {
    digest.append(stream_id_text(pending.at(p).id));
    digest.append(int64_text(static_cast<std::int64_t>(pending.at(p).deliveries)));
    digest.append(pending.at(p).consumer != nullptr ? pending.at(p).consumer->name : "");
  }
}

void digest_stream(const Entry& e, UnixMillis, Digest& digest) {
  const Stream& stream = *e.stream();
  StreamReader reader(stream, kStreamIdMin, kStreamIdMax);
  while (reader.next()) {
    digest.append(stream_id_text(reader.id()));
    reader.for_each_field([&](std::string_view field, std::string_view value) {
      digest.append(field);
      digest.append(value);
    });
  }
  digest.append(stream_id_text(stream.last_id()));
  digest.append(stream_id_text(stream.max_deleted_id()));
  digest.append(int64_text(static_cast<std::int64_t>(stream.entries_added())));
  for (const auto& [name, group] : stream.groups()) {
    digest.append(name);
    append_group(digest, group);
  }
}

void digest_list(const Entry& e, UnixMillis, Digest& digest) {
  const ListView list(e);
  char scratch[kInt64TextMax];
  list.visit(0, list.size(), [&](const ds::Element& item) { digest.append(item.text(scratch)); });
}

void digest_zset(const Entry& e, UnixMillis, Digest& digest) {
  Zset::Walk all = e.zset()->walk();
  for (Zset::Item item; all.next(item);) {
    digest.append(item.member);
    digest.append(double_text(item.score));
  }
}

// --- strings ---

void free_string(Entry& e) {
  if (!e.is_int()) RawString::free(e.raw());
}
Entry* clone_string(const Entry& e, std::string_view key) {
  if (e.is_int()) return Entry::make_int(key, e.int_value(), e.deadline(), e.access());
  const RawString* from = e.raw();
  RawString* s = RawString::make(from->size, from->size);
  std::copy_n(from->data(), from->size, s->data());
  return Entry::make_raw(key, s, e.deadline(), e.access());
}
std::size_t string_bytes(const Entry& e) {
  return e.is_int() ? 0 : memory::rounded(sizeof(RawString) + e.raw()->capacity);
}
std::string_view string_encoding_name(const Entry& e) {
  switch (e.string_encoding()) {
    case StringEncoding::kInt: return "int";
    case StringEncoding::kEmbstr: return "embstr";
    case StringEncoding::kRaw: break;
  }
  return "raw";
}

// --- lists ---

std::size_t list_effort(const Entry& e) { return ListView(e).segment_count(); }
std::string_view list_encoding_name(const Entry& e) {
  return encoding_name(ListView(e).encoding());
}
std::uint64_t list_count(const Entry& e) { return ListView(e).size(); }

// --- the others: objects with the same verbs ---

// How an entry gives its value, const or not.
struct HashOf {
  static Hash& of(Entry& e) { return *e.hash(); }
  static const Hash& of(const Entry& e) { return *e.hash(); }
};
struct SetOf {
  static Set& of(Entry& e) { return *e.set(); }
  static const Set& of(const Entry& e) { return *e.set(); }
};
struct ZsetOf {
  static Zset& of(Entry& e) { return *e.zset(); }
  static const Zset& of(const Entry& e) { return *e.zset(); }
};
struct ListOf {
  static List& of(Entry& e) { return *e.list(); }
  static const List& of(const Entry& e) { return *e.list(); }
};
struct StreamOf {
  static Stream& of(Entry& e) { return *e.stream(); }
  static const Stream& of(const Entry& e) { return *e.stream(); }
};

template <typename Of>
void destroy_value(Entry& e) {
  std::destroy_at(&Of::of(e));
}
template <typename Of>
Entry* clone_value(const Entry& e, std::string_view key) {
  return Entry::make(key, Of::of(e).clone(), e.deadline(), e.access());
}
template <typename Of>
std::size_t value_bytes(const Entry& e) {
  return Of::of(e).memory_bytes();
}
template <typename Of>
std::string_view value_encoding(const Entry& e) {
  return encoding_name(Of::of(e).encoding());
}
template <typename Of>
std::uint64_t value_size(const Entry& e) {
  return Of::of(e).size();
}
template <typename Of>
const void* value_object(const Entry& e) {
  return &Of::of(e);
}
template <typename Value>
std::optional<std::uint64_t> fetch_value_bucket(const void* value, std::string_view member) {
  return static_cast<const Value*>(value)->fetch_bucket(member);
}
template <typename Value>
void fetch_value_node(const void* value, std::uint64_t hash) {
  static_cast<const Value*>(value)->fetch_node(hash);
}

}  // namespace

constexpr ValueType kValueTypes[kTypeCount] = {
    {
        .type = Type::kString,
        .name = "string",
        .figure = "strings_sizes",
        .free_value = free_string,
        .clone = clone_string,
        .memory_bytes = string_bytes,
        .free_effort = [](const Entry&) { return std::size_t{1}; },
        .encoding_name = string_encoding_name,
        .count = [](const Entry& e) { return std::uint64_t{e.string_length()}; },
        .digest = digest_string,
        .object = nullptr,
        .fetch_bucket = nullptr,
        .fetch_node = nullptr,
    },
    {
        .type = Type::kList,
        .name = "list",
        .figure = "lists_items",
        .free_value = destroy_value<ListOf>,
        .clone = clone_value<ListOf>,
        .memory_bytes = value_bytes<ListOf>,
        .free_effort = list_effort,
        .encoding_name = list_encoding_name,
        .count = list_count,
        .digest = digest_list,
        .object = [](const Entry& e) { return e.is_inline() ? nullptr : value_object<ListOf>(e); },
        .fetch_bucket = nullptr,
        .fetch_node = nullptr,
    },
    {
        .type = Type::kSet,
        .name = "set",
        .figure = "sets_items",
        .free_value = destroy_value<SetOf>,
        .clone = clone_value<SetOf>,
        .memory_bytes = value_bytes<SetOf>,
        .free_effort =
            [](const Entry& e) {
              return e.set()->encoding() == SetEncoding::kHashtable ? e.set()->size() : 1;
            },
        .encoding_name = value_encoding<SetOf>,
        .count = value_size<SetOf>,
        .digest = digest_set,
        .object = value_object<SetOf>,
        .fetch_bucket = fetch_value_bucket<Set>,
        .fetch_node = fetch_value_node<Set>,
    },
    {
        .type = Type::kZset,
        .name = "zset",
        .figure = "zsets_items",
        .free_value = destroy_value<ZsetOf>,
        .clone = clone_value<ZsetOf>,
        .memory_bytes = value_bytes<ZsetOf>,
        .free_effort =
            [](const Entry& e) {
              return e.zset()->encoding() == ZsetEncoding::kSkiplist ? e.zset()->size() : 1;
            },
        .encoding_name = value_encoding<ZsetOf>,
        .count = value_size<ZsetOf>,
        .digest = digest_zset,
        .object = value_object<ZsetOf>,
        .fetch_bucket = fetch_value_bucket<Zset>,
        .fetch_node = fetch_value_node<Zset>,
    },
    {
        .type = Type::kHash,
        .name = "hash",
        .figure = "hashes_items",
        .free_value = destroy_value<HashOf>,
        .clone = clone_value<HashOf>,
        .memory_bytes = value_bytes<HashOf>,
        .free_effort = value_size<HashOf>,
        .encoding_name = value_encoding<HashOf>,
        .count = value_size<HashOf>,
        .digest = digest_hash,
        .object = value_object<HashOf>,
        .fetch_bucket = fetch_value_bucket<Hash>,
        .fetch_node = fetch_value_node<Hash>,
    },
    {
        .type = Type::kStream,
        .name = "stream",
        .figure = "streams_items",
        .free_value = [](Entry& e) { delete e.stream(); },
        .clone = clone_value<StreamOf>,
        .memory_bytes = value_bytes<StreamOf>,
        .free_effort = [](const Entry& e) { return e.stream()->free_effort(); },
        .encoding_name = [](const Entry&) { return std::string_view("stream"); },
        .count = [](const Entry& e) { return e.stream()->length(); },
        .digest = digest_stream,
        .object = nullptr,
        .fetch_bucket = nullptr,
        .fetch_node = nullptr,
    },
};

static_assert(std::size(kValueTypes) == kTypeCount && [] {
  for (unsigned i = 0; i < kTypeCount; ++i) {
    if (kValueTypes[i].type != static_cast<Type>(i)) return false;
  }
  return true;
}());

std::string_view type_name(Type type) noexcept { return value_type(type).name; }

}  // namespace hearth

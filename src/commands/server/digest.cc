#include "src/commands/server/digest.h"

#include <cstdio>

#include "src/base/format_number.h"
#include "src/base/hash.h"
#include "src/store/hash.h"
#include "src/store/list_value.h"
#include "src/store/set.h"
#include "src/store/stream.h"
#include "src/store/zset.h"

namespace hearth::commands {
namespace {

constexpr std::uint64_t kSeeds[3] = {0x68656172, 0x74682064, 0x69676573};

void append_hash(Digest& digest, const Hash& hash, UnixMillis now) {
  Digest fields;
  hash.for_each(now, [&](const Hash::Item& item) {
    Digest one;
    one.append(item.field);
    one.append(item.value);
    if (item.deadline != Hash::kNone) one.append("!deadline");
    fields.add(one);
  });
  digest.append(fields.hex());
}

void append_set(Digest& digest, const Set& set) {
  Digest members;
  set.for_each([&](std::string_view member) {
    Digest one;
    one.append(member);
    members.add(one);
  });
  digest.append(members.hex());
}

// Of the past and of groups too, but for times: whoever repeats the commands has others.
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

void append_stream(Digest& digest, const Stream& stream) {
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

void append_list(Digest& digest, const ListView& list) {
  char scratch[kInt64TextMax];
  list.visit(0, list.size(), [&](const ds::Element& item) { digest.append(item.text(scratch)); });
}

void append_zset(Digest& digest, const Zset& zset) {
  Zset::Walk all = zset.walk();
  for (Zset::Item item; all.next(item);) {
    digest.append(item.member);
    digest.append(double_text(item.score));
  }
}

}  // namespace

void Digest::append(std::string_view bytes) {
  for (std::size_t i = 0; i < words_.size(); ++i)
    words_[i] = hash_bytes(bytes, kSeeds[i] ^ (words_[i] * 0x9e3779b97f4a7c15ULL));
}

void Digest::add(const Digest& part) {
  for (std::size_t i = 0; i < words_.size(); ++i) words_[i] += part.words_[i];
}

void Digest::exclusive_or(const Digest& other) {
  for (std::size_t i = 0; i < words_.size(); ++i) words_[i] ^= other.words_[i];
}

std::string Digest::hex() const {
  char text[56];
  std::snprintf(text, sizeof text, "%016llx%016llx%08llx",
                static_cast<unsigned long long>(words_[0]),
                static_cast<unsigned long long>(words_[1]),
                static_cast<unsigned long long>(words_[2] & 0xffffffff));
  return text;
}

Digest digest_of_value(const Entry& entry, UnixMillis now) {
  Digest digest;
  digest.append(type_name(entry.type()));
  switch (entry.type()) {
    case Type::kString: {
      char scratch[kInt64TextMax];
      digest.append(entry.string_value(scratch));
      break;
    }
    case Type::kHash: append_hash(digest, *entry.hash(), now); break;
    case Type::kSet: append_set(digest, *entry.set()); break;
    case Type::kStream: append_stream(digest, *entry.stream()); break;
    case Type::kList: append_list(digest, ListView(entry)); break;
    case Type::kZset: append_zset(digest, *entry.zset()); break;
  }
  if (entry.has_deadline()) digest.append("!deadline");
  return digest;
}

Digest digest_of(const Keyspace& keyspace, UnixMillis now) {
  Digest all;
  for (DbIndex i = 0; i < keyspace.db_count(); ++i) {
    keyspace.db(i).for_each([&](const Entry& entry) {
      if (entry.expired(now)) return;
      Digest one;
      one.append(int64_text(i));
      one.append(entry.key());
      one.append(digest_of_value(entry, now).hex());
      all.exclusive_or(one);
    });
  }
  return all;
}

}  // namespace hearth::commands

#include "src/store/digest.h"

#include <cstdio>

#include "src/base/format_number.h"
#include "src/base/hash.h"
#include "src/store/value_type.h"

namespace hearth {
namespace {

constexpr std::uint64_t kDigestSeeds[3] = {0x68656172, 0x74682064, 0x69676573};

}  // namespace

void Digest::append(std::string_view bytes) {
  for (std::size_t i = 0; i < words_.size(); ++i)
    words_[i] = hash_bytes(bytes, kDigestSeeds[i] ^ (words_[i] * 0x9e3779b97f4a7c15ULL));
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
  value_type(entry.type()).digest(entry, now, digest);
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

}  // namespace hearth

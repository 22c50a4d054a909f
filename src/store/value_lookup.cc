#include "src/store/value_lookup.h"

#include <cstring>
#include <optional>

#include "src/base/prefetch.h"
#include "src/store/hash.h"
#include "src/store/list_value.h"
#include "src/store/set.h"
#include "src/store/zset.h"

namespace hearth {
namespace {

// What all of these objects are: one word, a pointer with a tag in its low bits.
constexpr std::uintptr_t kTags = 7;
static_assert(sizeof(List) == sizeof(std::uintptr_t));
static_assert(sizeof(Set) == sizeof(std::uintptr_t));
static_assert(sizeof(Zset) == sizeof(std::uintptr_t));
static_assert(sizeof(Hash) == sizeof(std::uintptr_t));

constexpr std::size_t kCacheLine = 64;

template <typename T>
const T& as(const void* object) {
  return *static_cast<const T*>(object);
}

}  // namespace

ValueLookup::ValueLookup(const Entry& entry, std::string_view member)
    : member_(member), type_(entry.type()) {
  switch (type_) {
    case Type::kHash: object_ = entry.hash(); break;
    case Type::kSet: object_ = entry.set(); break;
    case Type::kZset: object_ = entry.zset(); break;
    case Type::kList:
      if (!entry.is_inline()) object_ = entry.list();
      break;
    case Type::kString:
    case Type::kStream: break;
  }
  if (object_ == nullptr) return;
  std::uintptr_t word = 0;
  std::memcpy(&word, object_, sizeof word);
  const auto* body = reinterpret_cast<const char*>(word & ~kTags);
  prefetch(body);
  prefetch(body + kCacheLine);
}

void ValueLookup::fetch_bucket() {
  if (object_ == nullptr) return;
  std::optional<std::uint64_t> hash;
  if (!member_.empty()) {
    switch (type_) {
      case Type::kHash: hash = as<Hash>(object_).fetch_bucket(member_); break;
      case Type::kSet: hash = as<Set>(object_).fetch_bucket(member_); break;
      case Type::kZset: hash = as<Zset>(object_).fetch_bucket(member_); break;
      case Type::kList:
      case Type::kString:
      case Type::kStream: break;
    }
  }
  if (hash)
    hash_ = *hash;
  else
    object_ = nullptr;
}

void ValueLookup::fetch_node() const {
  if (object_ == nullptr) return;
  switch (type_) {
    case Type::kHash: return as<Hash>(object_).fetch_node(hash_);
    case Type::kSet: return as<Set>(object_).fetch_node(hash_);
    case Type::kZset: return as<Zset>(object_).fetch_node(hash_);
    case Type::kList:
    case Type::kString:
    case Type::kStream: break;
  }
}

}  // namespace hearth

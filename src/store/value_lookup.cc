#include "src/store/value_lookup.h"

#include <cstring>
#include <optional>

#include "src/base/prefetch.h"
#include "src/store/hash.h"
#include "src/store/list_value.h"
#include "src/store/set.h"
#include "src/store/value_type.h"
#include "src/store/zset.h"

namespace hearth {
namespace {

// Each of these objects is one word: a pointer with a tag in its low bits.
constexpr std::uintptr_t kTags = 7;
static_assert(sizeof(List) == sizeof(std::uintptr_t));
static_assert(sizeof(Set) == sizeof(std::uintptr_t));
static_assert(sizeof(Zset) == sizeof(std::uintptr_t));
static_assert(sizeof(Hash) == sizeof(std::uintptr_t));

constexpr std::size_t kCacheLine = 64;

}  // namespace

ValueLookup::ValueLookup(const Entry& entry, std::string_view member)
    : type_(&value_type(entry.type())), member_(member) {
  if (type_->object != nullptr) object_ = type_->object(entry);
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
  if (!member_.empty() && type_->fetch_bucket != nullptr)
    hash = type_->fetch_bucket(object_, member_);
  if (hash)
    hash_ = *hash;
  else
    object_ = nullptr;
}

void ValueLookup::fetch_node() const {
  if (object_ != nullptr) type_->fetch_node(object_, hash_);
}

}  // namespace hearth

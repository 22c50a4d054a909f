#include "src/store/entry.h"

#include <algorithm>
#include <new>
#include <type_traits>
#include <utility>

#include "src/base/format_number.h"
#include "src/base/parse_number.h"
#include "src/store/hash.h"
#include "src/store/list.h"
#include "src/store/memory.h"
#include "src/store/set.h"
#include "src/store/stream.h"
#include "src/store/value_type.h"
#include "src/store/zset.h"

namespace hearth {

bool as_stored_int(std::string_view value, std::int64_t& out) noexcept {
  if (value.size() > kInt64TextMax || value.empty()) return false;
  const char c = value[0];
  if (c != '-' && (c < '0' || c > '9')) return false;
  const auto parsed = parse_int64(value);
  if (!parsed) return false;
  out = *parsed;
  return true;
}

RawString* RawString::make(std::uint64_t size, std::uint64_t capacity) {
  auto* s = static_cast<RawString*>(::operator new(sizeof(RawString) + capacity));
  s->size = size;
  s->capacity = capacity;
  return s;
}

void RawString::free(RawString* s) { ::operator delete(s); }

Entry* Entry::allocate(const Shape& shape, Type type, StringEncoding encoding,
                       std::uint32_t access) {
  const bool wide = shape.key.size() > 255;
  const bool timed = shape.deadline != kNoDeadline;
  const bool versioned = shape.version != kNoVersion;
  std::size_t bytes = sizeof(Entry) + (timed ? 8U : 0U) + (shape.inline_value ? 0U : 8U) +
                      (wide ? 8U : 0U) + shape.key.size() + shape.inline_length +
                      (versioned ? 8U : 0U);
  if (type == Type::kList) bytes = memory::rounded(bytes);  // splice() uses all that is there
  auto* e = static_cast<Entry*>(::operator new(bytes));
  e->head_ = static_cast<std::uint8_t>(static_cast<unsigned>(type) |
                                       (static_cast<unsigned>(encoding) << 4));
  e->flags_ =
      static_cast<std::uint8_t>((timed ? kHasDeadline : 0) | (shape.inline_value ? kInline : 0) |
                                (wide ? kWideKey : 0) | (versioned ? kHasVersion : 0));
  e->set_access(access);
  e->key_length_ = wide ? 0 : static_cast<std::uint8_t>(shape.key.size());
  e->value_length_ = static_cast<std::uint16_t>(shape.inline_length);
  char* p = reinterpret_cast<char*>(e) + sizeof(Entry);
  if (timed) {
    store_le(p, shape.deadline);
    p += 8;
  }
  if (!shape.inline_value) p += 8;
  if (wide) {
    store_le<std::uint64_t>(p, shape.key.size());
    p += 8;
  }
  std::memcpy(p, shape.key.data(), shape.key.size());
  if (versioned) store_le(p + shape.key.size() + shape.inline_length, shape.version);
  return e;
}

Entry* Entry::make_string(std::string_view key, std::string_view value, std::int64_t deadline,
                          std::uint32_t access) {
  if (value.size() > kInlineValueMax) {
    RawString* s = RawString::make(value.size(), value.size());
    std::memcpy(s->data(), value.data(), value.size());
    return make_raw(key, s, deadline, access);
  }
  const auto encoding = value.size() <= kEmbstrMax ? StringEncoding::kEmbstr : StringEncoding::kRaw;
  Entry* e = allocate({key, deadline, value.size(), true}, Type::kString, encoding, access);
  std::memcpy(e->mutable_inline_value(), value.data(), value.size());
  return e;
}

Entry* Entry::make_int(std::string_view key, std::int64_t value, std::int64_t deadline,
                       std::uint32_t access) {
  Entry* e = allocate({key, deadline, 0, false}, Type::kString, StringEncoding::kInt, access);
  e->set_int_value(value);
  return e;
}

Entry* Entry::make_raw(std::string_view key, RawString* s, std::int64_t deadline,
                       std::uint32_t access) {
  Entry* e = allocate({key, deadline, 0, false}, Type::kString, StringEncoding::kRaw, access);
  e->set_raw(s);
  return e;
}

// A body is one word: a number, or a pointer with a tag. Nothing points to it, so it may be moved
// as plain bytes.
template <typename V>
Entry* Entry::make_body(std::string_view key, Type type, V&& value, std::int64_t deadline,
                        std::uint32_t access) {
  using Value = std::remove_cvref_t<V>;
  static_assert(sizeof(Value) == 8 && alignof(Value) <= 8);
  Entry* e = allocate({key, deadline, 0, false}, type, StringEncoding::kInt, access);
  new (e->mutable_after_optional()) Value(std::forward<V>(value));
  return e;
}

Entry* Entry::make(std::string_view key, Hash&& value, std::int64_t deadline,
                   std::uint32_t access) {
  return make_body(key, Type::kHash, std::move(value), deadline, access);
}

Entry* Entry::make(std::string_view key, Set&& value, std::int64_t deadline, std::uint32_t access) {
  return make_body(key, Type::kSet, std::move(value), deadline, access);
}

Entry* Entry::make(std::string_view key, Zset&& value, std::int64_t deadline,
                   std::uint32_t access) {
  return make_body(key, Type::kZset, std::move(value), deadline, access);
}

Entry* Entry::make(std::string_view key, List&& value, std::int64_t deadline,
                   std::uint32_t access) {
  return make_body(key, Type::kList, std::move(value), deadline, access);
}

Entry* Entry::make(std::string_view key, std::unique_ptr<Stream> value, std::int64_t deadline,
                   std::uint32_t access) {
  return make_body(key, Type::kStream, value.release(), deadline, access);
}

Entry* Entry::make_packed_list(std::string_view key, std::string_view packed, std::int64_t deadline,
                               std::uint32_t access) {
  Entry* e =
      allocate({key, deadline, packed.size(), true}, Type::kList, StringEncoding::kInt, access);
  std::memcpy(e->mutable_inline_value(), packed.data(), packed.size());
  return e;
}

Entry* Entry::splice(Entry* old, std::size_t offset, std::size_t removed,
                     std::string_view inserted) {
  const std::size_t head = old->head_bytes();
  const std::size_t before = old->value_length_;
  const std::size_t after = before - removed + inserted.size();
  const std::size_t tail = old->tail_bytes();
  const std::size_t behind = before - offset - removed + tail;
  Entry* e = old;
  if (memory::rounded(head + before + tail) == memory::rounded(head + after + tail)) {
    char* value = e->mutable_inline_value() + offset;
    std::memmove(value + inserted.size(), value + removed, behind);
    e->value_length_ = static_cast<std::uint16_t>(after);
  } else {
    e = allocate({old->key(), old->deadline(), after, true, old->version()}, old->type(),
                 old->string_encoding(), old->access());
    const char* from = old->inline_value().data();
    std::memcpy(e->mutable_inline_value(), from, offset);
    std::memcpy(e->mutable_inline_value() + offset + inserted.size(), from + offset + removed,
                behind);
    ::operator delete(old);
  }
  if (!inserted.empty())
    std::memcpy(e->mutable_inline_value() + offset, inserted.data(), inserted.size());
  return e;
}

Entry* Entry::reshaped(Entry* old, std::string_view key, std::int64_t deadline,
                       std::uint64_t version) {
  Entry* e = allocate({key, deadline, old->value_length_, old->is_inline(), version}, old->type(),
                      old->string_encoding(), old->access());
  if (old->is_inline()) {
    const std::string_view value = old->inline_value();
    std::memcpy(e->mutable_inline_value(), value.data(), value.size());
  } else {
    std::memcpy(e->mutable_after_optional(), old->after_optional(), 8);
  }
  ::operator delete(old);  // the value lives on in the new entry
  return e;
}

Entry* Entry::with_deadline(Entry* old, std::int64_t deadline) {
  if (old->has_deadline() && deadline != kNoDeadline) {
    store_le(reinterpret_cast<char*>(old) + 8, deadline);
    return old;
  }
  return old->deadline() == deadline ? old : reshaped(old, old->key(), deadline, old->version());
}

Entry* Entry::with_version(Entry* old, std::uint64_t version) {
  if (!old->has_version()) return reshaped(old, old->key(), old->deadline(), version);
  store_le(const_cast<char*>(old->version_place()), version);
  return old;
}

Entry* Entry::with_key(Entry* old, std::string_view key) {
  return reshaped(old, key, old->deadline(), kNoVersion);
}

Entry* Entry::copy_as(std::string_view new_key) const {
  if (!is_inline()) return value_type(type()).clone(*this, new_key);
  Entry* e =
      allocate({new_key, deadline(), value_length_, true}, type(), string_encoding(), access());
  std::memcpy(e->mutable_inline_value(), inline_value().data(), value_length_);
  return e;
}

void Entry::free(Entry* e) {
  if (!e->is_inline()) value_type(e->type()).free_value(*e);
  ::operator delete(e);
}

std::string_view Entry::string_value(char* scratch) const {
  if (is_inline()) return inline_value();
  if (string_encoding() == StringEncoding::kInt)
    return {scratch, format_int64(int_value(), scratch)};
  return raw()->view();
}

std::size_t Entry::string_length() const {
  char scratch[kInt64TextMax];
  return string_value(scratch).size();
}

std::size_t Entry::memory_bytes() const {
  const std::size_t bytes = memory::rounded(head_bytes() + value_length_ + tail_bytes());
  return is_inline() ? bytes : bytes + value_type(type()).memory_bytes(*this);
}

std::int64_t Entry::first_deadline() const {
  const std::int64_t fields = type() == Type::kHash ? hash()->min_deadline() : Hash::kNone;
  if (fields == Hash::kNone) return deadline();
  return has_deadline() ? std::min(deadline(), fields) : fields;
}

std::size_t Entry::free_effort() const { return value_type(type()).free_effort(*this); }

}  // namespace hearth

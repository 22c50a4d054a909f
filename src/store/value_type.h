// ValueType: what the keyspace does with a value without knowing its type.
//
// A new type of values is a class for the value, its number in Type, its row in kValueTypes, its
// codec (persistence/rdb/object.cc) and its family of commands. Nothing else asks which types
// exist.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "src/base/time.h"
#include "src/store/entry.h"

namespace hearth {

class Digest;

struct ValueType {
  Type type;
  std::string_view name;    // as TYPE reports it
  std::string_view figure;  // of INFO keysizes: what one value holds some of

  // --- values that do not stand in line in their entry ---
  // Frees the value, not the entry.
  void (*free_value)(Entry& entry);
  // A second entry with a copy of the value, the same deadline and access. O(size).
  Entry* (*clone)(const Entry& entry, std::string_view key);
  // Bytes of the value's allocations.
  std::size_t (*memory_bytes)(const Entry& entry);

  // --- any value ---
  // How many allocations freeing it takes, about.
  std::size_t (*free_effort)(const Entry& entry);
  // As OBJECT ENCODING reports it.
  std::string_view (*encoding_name)(const Entry& entry);
  // Elements, or bytes of a string.
  std::uint64_t (*count)(const Entry& entry);
  // Mixes the value in; what has expired in it by `now` does not count.
  void (*digest)(const Entry& entry, UnixMillis now, Digest& digest);

  // --- look-ups ahead, of types that are tables of members when they are large; else nullptr ---
  // The object is what Entry holds in its body: see ValueLookup.
  const void* (*object)(const Entry& entry);
  std::optional<std::uint64_t> (*fetch_bucket)(const void* object, std::string_view member);
  void (*fetch_node)(const void* object, std::uint64_t hash);
};

// In the order of Type.
extern const ValueType kValueTypes[kTypeCount];

[[nodiscard]] inline const ValueType& value_type(Type type) {
  return kValueTypes[static_cast<unsigned>(type)];
}
[[nodiscard]] inline std::string_view encoding_name(const Entry& entry) {
  return value_type(entry.type()).encoding_name(entry);
}
[[nodiscard]] inline std::uint64_t element_count(const Entry& entry) {
  return value_type(entry.type()).count(entry);
}

}  // namespace hearth

// Digests of data: equal data has equal digests, whatever its order, encoding or server.
//
// A digest is 160 bits, of which every part is a 64-bit hash under a seed of its own. Members of
// unordered collections are added up, so that their order does not matter; a whole data set is the
// exclusive or of its keys' digests, so that an empty one is all zeros. For tests: not a
// cryptographic hash.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "src/store/keyspace.h"

namespace hearth {

class Digest {
 public:
  // Mixes in a part whose place counts.
  void append(std::string_view bytes);
  // Adds a part whose place does not count.
  void add(const Digest& part);
  void exclusive_or(const Digest& other);
  [[nodiscard]] std::string hex() const;  // 40 digits

 private:
  std::array<std::uint64_t, 3> words_{};
};

// Of a value and whether it has a deadline; of expired fields nothing.
[[nodiscard]] Digest digest_of_value(const Entry& entry, UnixMillis now);
// Of all keys that are not expired, with their databases.
[[nodiscard]] Digest digest_of(const Keyspace& keyspace, UnixMillis now);

}  // namespace hearth

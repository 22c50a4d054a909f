// Tables keyed by names that clients, peers or files choose: channels, watched keys, scripts.
//
// std::hash is the same function in every process, so anybody can prepare names that all fall into
// one bucket and make each look-up a walk over all of them. These tables hash with XXH3 and a seed
// that is random per process and handed in by whoever owns the table. There is no default seed, so
// that none is forgotten; tools/dev/layers.toml forbids unordered tables of texts elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "src/base/hash.h"
#include "src/base/ids.h"

namespace hearth {

class NameHash {
 public:
  using is_transparent = void;
  explicit NameHash(std::uint64_t seed) : seed_(seed) {}
  std::size_t operator()(std::string_view name) const noexcept { return hash_bytes(name, seed_); }

 private:
  std::uint64_t seed_;
};

// By name; find() and contains() take views. Entries stay where they are while others come and go.
template <typename V>
class NameMap : public std::unordered_map<std::string, V, NameHash, std::equal_to<>> {
  using Base = std::unordered_map<std::string, V, NameHash, std::equal_to<>>;

 public:
  explicit NameMap(std::uint64_t seed) : Base(0, NameHash(seed)) {}
};

// The same over texts that stand elsewhere, and outlive their entries.
template <typename V>
class NameViewMap : public std::unordered_map<std::string_view, V, NameHash, std::equal_to<>> {
  using Base = std::unordered_map<std::string_view, V, NameHash, std::equal_to<>>;

 public:
  explicit NameViewMap(std::uint64_t seed) : Base(0, NameHash(seed)) {}
};
class NameViewSet : public std::unordered_set<std::string_view, NameHash, std::equal_to<>> {
  using Base = std::unordered_set<std::string_view, NameHash, std::equal_to<>>;

 public:
  explicit NameViewSet(std::uint64_t seed) : Base(0, NameHash(seed)) {}
};

// The name of a key together with its database.
struct DbName {
  DbIndex db = 0;
  std::string name;
};
struct DbNameView {
  DbIndex db = 0;
  std::string_view name;
  DbNameView(DbIndex index, std::string_view text) : db(index), name(text) {}
  DbNameView(const DbName& n) : db(n.db), name(n.name) {}  // NOLINT: the owned form is one
};

class DbNameHash {
 public:
  using is_transparent = void;
  explicit DbNameHash(std::uint64_t seed) : seed_(seed) {}
  std::size_t operator()(const DbNameView& n) const noexcept {
    return hash_bytes(n.name, seed_ + n.db);
  }

 private:
  std::uint64_t seed_;
};
struct DbNameEqual {
  using is_transparent = void;
  bool operator()(const DbNameView& a, const DbNameView& b) const noexcept {
    return a.db == b.db && a.name == b.name;
  }
};

template <typename V>
class DbNameMap : public std::unordered_map<DbName, V, DbNameHash, DbNameEqual> {
  using Base = std::unordered_map<DbName, V, DbNameHash, DbNameEqual>;

 public:
  explicit DbNameMap(std::uint64_t seed) : Base(0, DbNameHash(seed)) {}
};

}  // namespace hearth

// HotList: the most used keys, by what eviction knows of each key: the frequency counter under an
// LFU policy, else the time of the last use.
//
// Nothing is done when a key is used. A walk over the databases, a bounded part of it each tick,
// offers every key to a heap of the best; its end makes the heap's keys the list. A list that was
// saved by an earlier life of the node comes first for a while: right after the start, the keys
// that a loader has just written look like the most used ones.
//
// Memory: two lists and a heap of warm-hot-keys names, of at most kKeyBytesMost bytes each.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "src/base/time.h"
#include "src/command/hot_list_control.h"
#include "src/engine/core.h"

namespace hearth {

class HotList final : public HotListControl {
 public:
  static constexpr std::size_t kKeysMost = 100'000;
  static constexpr std::size_t kKeyBytesMost = 512;
  static constexpr std::size_t kFileBytesMost = kKeysMost * (kKeyBytesMost + 8) + 64;

  explicit HotList(EngineCore& core) : core_(core), started_(core.mono) {}

  void follow_settings();
  void tick();
  // Ends the walk that is under way, looking at no more keys than that.
  void walk_to_the_end(std::uint64_t keys_most);

  [[nodiscard]] bool is_on() const { return limit_ > 0; }
  [[nodiscard]] std::size_t size() const;
  // The list as bytes for a file, and back. Errors: kCorrupt, kLimit; the list is then as before.
  [[nodiscard]] std::string encode() const;
  [[nodiscard]] Result<void> restore(std::string_view bytes);

  // HotListControl
  [[nodiscard]] std::vector<std::string> hottest(DbIndex db, std::size_t most) const override;

 private:
  struct Key {
    std::uint64_t heat = 0;
    DbIndex db = 0;
    std::string name;
    friend auto operator<=>(const Key&, const Key&) = default;
  };

  void walk(std::uint64_t keys_most);
  void offer(DbIndex db, const Entry& entry);
  void end_walk();
  // Both lists as one: the saved one first while it counts, no key twice, at most limit_.
  [[nodiscard]] std::vector<const Key*> all() const;

  EngineCore& core_;
  MonoTime started_;
  std::size_t limit_ = 0;
  std::vector<Key> saved_;  // hottest first, as all lists
  std::vector<Key> found_;  // by the last walk
  std::vector<Key> best_;   // of the walk under way: a heap, the coldest in front
  DbIndex db_ = 0;
  std::uint64_t cursor_ = 0;
};

}  // namespace hearth

// List: a sequence of byte strings of one key.
//
// Two shapes, chosen by size and invisible to callers except as encoding(), which names them as
// clients know them:
//   listpack   one segment of packed items (ds/segment.h)      small lists
//   quicklist  a row of segments; an item that is too large stands alone
// The smallest lists are no List at all: they stand in their entry (list_value.h).
// A list becomes a quicklist when an addition passes the limits, and goes back when it has shrunk
// to half of them (shrink()), as clients expect.
//
// Adding and taking at the ends is O(length of the items). Index, insertion and removal inside are
// O(distance in the row from the nearer end + size of a segment).
//
// Items are handed out as ds::Element: texts that are integers are kept as numbers. They point into
// the list and end with the next change.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "src/ds/segment.h"

namespace hearth {

struct ListLimits {
  // > 0: items of a segment; -1 .. -5: its bytes, 4 to 64 KiB. list-max-listpack-size.
  std::int64_t listpack_size = -2;
  // Longer items stand alone; 0: what does not fit a segment does.
  std::uint64_t alone_above = 0;
};

enum class ListEncoding : std::uint8_t { kListpack, kQuicklist };
[[nodiscard]] std::string_view encoding_name(ListEncoding encoding) noexcept;

enum class ListEnd : std::uint8_t { kHead, kTail };

class List {
 public:
  List();
  ~List();
  List(List&& other) noexcept;
  List& operator=(List&& other) noexcept;
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  [[nodiscard]] List clone() const;

  // Of trusted elements (ds/segment.h), few enough for one segment.
  [[nodiscard]] static List of_listpack(std::string_view elements, std::size_t count);
  // Whether a list of `count` items with `bytes` bytes is still a small one.
  [[nodiscard]] static bool may_be_listpack(std::size_t bytes, std::size_t count,
                                            const ListLimits& limits);

  // --- reading ---
  [[nodiscard]] std::uint64_t size() const;  // O(1)
  [[nodiscard]] ListEncoding encoding() const {
    return is_row() ? ListEncoding::kQuicklist : ListEncoding::kListpack;
  }
  // index < size().
  [[nodiscard]] ds::Element at(std::uint64_t index) const;
  // visit(Element) for `count` items from `first` on; first + count <= size().
  template <typename F>
  void visit(std::uint64_t first, std::uint64_t count, F&& visit) const;
  // The same from `first` on towards the head; count <= first + 1.
  template <typename F>
  void visit_back(std::uint64_t first, std::uint64_t count, F&& visit) const;
  // Where items equal to `text` stand, from the head, or from the tail if `from_tail`; the first
  // `skip` are passed over and at most `most_looks` items are looked at (0: all). Stops when
  // `found` returns false.
  void find(std::string_view text, bool from_tail, std::uint64_t skip, std::uint64_t most_looks,
            const std::function<bool(std::uint64_t index)>& found) const;

  // --- writing ---
  // One after the other at this end.
  void push(ListEnd end, std::span<const std::string_view> items, const ListLimits& limits);
  void push(ListEnd end, std::string_view item, const ListLimits& limits) {
    push(end, std::span(&item, 1), limits);
  }
  // Takes `count` items, which exist, off this end.
  void drop(ListEnd end, std::uint64_t count);
  // Takes `count` items, which exist, out from `first` on.
  void erase(std::uint64_t first, std::uint64_t count);
  // index < size().
  void set(std::uint64_t index, std::string_view item, const ListLimits& limits);
  // Before or behind the first item equal to `pivot`; false if there is none.
  bool insert(std::string_view pivot, bool behind, std::string_view item, const ListLimits& limits);
  // Removes up to `most` items equal to `text`, from the head or from the tail; returns how many.
  std::uint64_t remove(std::string_view text, bool from_tail, std::uint64_t most);
  // To be called when items were taken away: a quicklist that now fits half of the limits becomes a
  // listpack.
  void shrink(const ListLimits& limits);

  // --- files and figures ---
  // Adds a listpack's elements at the tail, of a list that is being read. The bytes are trusted.
  void append_packed(std::string_view elements, std::size_t count, const ListLimits& limits);
  // The shape a list has that was made by appending: a quicklist of one segment becomes a listpack
  // if it is within the limits.
  void settle(const ListLimits& limits);
  // packed(elements, count) or alone(text) for each segment, from the head.
  struct SegmentVisitor {
    std::function<void(std::string_view elements, std::size_t count)> packed;
    std::function<void(std::string_view text)> alone;
  };
  [[nodiscard]] std::uint64_t segment_count() const;
  // Bytes of the elements, in a listpack only.
  [[nodiscard]] std::size_t listpack_bytes() const { return segment().data_bytes(); }
  void for_each_segment(const SegmentVisitor& visitor) const;
  // Bytes of all allocations, of which a list that holds nothing has none. O(segments).
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  struct Node {
    ds::Segment packed;
    std::unique_ptr<std::string> alone;
    std::uint32_t count = 0;
  };
  struct Row {
    std::deque<Node> nodes;
    std::uint64_t size = 0;
  };
  struct Place {
    std::size_t node = 0;
    std::uint64_t index = 0;  // within it
  };

  [[nodiscard]] bool is_row() const { return (word() & kRowTag) != 0; }
  [[nodiscard]] const ds::Segment& segment() const {
    return *std::launder(reinterpret_cast<const ds::Segment*>(body_));
  }
  [[nodiscard]] ds::Segment& segment() {
    return *std::launder(reinterpret_cast<ds::Segment*>(body_));
  }
  [[nodiscard]] Row& row() const { return *reinterpret_cast<Row*>(word() & ~kRowTag); }
  [[nodiscard]] std::uintptr_t word() const {
    std::uintptr_t w = 0;
    std::memcpy(&w, body_, sizeof w);
    return w;
  }
  void set_word(std::uintptr_t w) { std::memcpy(body_, &w, sizeof w); }
  void release();
  Row& become_row();
  void become_segment();
  bool fits_listpack(std::span<const std::string_view> items, const ListLimits& limits) const;
  static Place locate(const Row& row, std::uint64_t index);
  static ds::Element item_of(const Node& node, std::uint64_t index);
  static Node alone_node(std::string_view item);
  void drop_one(ListEnd end);
  void push_row(ListEnd end, std::string_view item, const ListLimits& limits);
  // Puts the item in front of the index-th of a node, or behind its last.
  void insert_row(Place place, std::string_view item, const ListLimits& limits);
  template <typename F>
  static void visit_segment(const ds::Segment& s, std::uint64_t first, std::uint64_t count,
                            F&& visit);

  static constexpr std::uintptr_t kRowTag = 1;

  // A Segment object, or the pointer to a Row with the tag in its low bit, which is zero in the
  // pointer a Segment is: a small list is one allocation besides these 8 bytes.
  alignas(ds::Segment) unsigned char body_[sizeof(ds::Segment)];
};

template <typename F>
void List::visit_segment(const ds::Segment& s, std::uint64_t first, std::uint64_t count,
                         F&& visit) {
  if (count == 0) return;
  ds::Segment::Position p = s.at(first);
  for (;;) {
    visit(s.get(p));
    if (--count == 0) return;
    p = s.next(p);
  }
}

template <typename F>
void List::visit(std::uint64_t first, std::uint64_t count, F&& visit) const {
  if (!is_row()) return visit_segment(segment(), first, count, visit);
  if (count == 0) return;
  const Row& r = row();
  Place place = locate(r, first);
  for (; count > 0; ++place.node, place.index = 0) {
    const Node& node = r.nodes[place.node];
    const std::uint64_t here = std::min<std::uint64_t>(count, node.count - place.index);
    if (node.alone != nullptr)
      visit(item_of(node, 0));
    else
      visit_segment(node.packed, place.index, here, visit);
    count -= here;
  }
}

template <typename F>
void List::visit_back(std::uint64_t first, std::uint64_t count, F&& visit) const {
  const auto in_segment = [&visit](const ds::Segment& s, std::uint64_t from, std::uint64_t n) {
    for (ds::Segment::Position p = s.at(from); n > 0; --n) {
      visit(s.get(p));
      p = s.previous(p);
    }
  };
  if (count == 0) return;
  if (!is_row()) return in_segment(segment(), first, count);
  const Row& r = row();
  Place place = locate(r, first);
  for (;;) {
    const Node& node = r.nodes[place.node];
    const std::uint64_t here = std::min<std::uint64_t>(count, place.index + 1);
    if (node.alone != nullptr)
      visit(item_of(node, 0));
    else
      in_segment(node.packed, place.index, here);
    count -= here;
    if (count == 0) return;
    --place.node;
    place.index = r.nodes[place.node].count - 1;
  }
}

}  // namespace hearth

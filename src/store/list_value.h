// The list of a key, in either of the places where it may stand:
//
//   packed   in the entry, behind the key: count u8, then the items as ds elements with nothing
//            between them, kPackedListMost bytes at the most. The whole key is one allocation.
//   List     in the body of the entry (list.h)
//
// Callers see no difference; a packed list is reported as a listpack. A list that outgrows the
// packed form becomes a List; a List that has shrunk to half of that size is packed again by
// settle().
//
// ListView reads, ListValue changes too, within a Change. Adding and taking at the ends of a packed
// list is O(its bytes); all else there goes by way of a List that lives as long as the call.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <utility>

#include "src/store/keyspace.h"
#include "src/store/list.h"

namespace hearth {

// Bytes, the count included. One byte is enough for any offset within.
inline constexpr std::size_t kPackedListMost = 192;

// Valid until the list or its entry changes.
class ListView {
 public:
  explicit ListView(const Entry& entry) : entry_(&entry) {}

  [[nodiscard]] std::uint64_t size() const {
    return is_packed() ? static_cast<unsigned char>(packed()[0]) : list().size();
  }
  [[nodiscard]] ListEncoding encoding() const {
    return is_packed() ? ListEncoding::kListpack : list().encoding();
  }
  // As in List.
  [[nodiscard]] ds::Element at(std::uint64_t index) const {
    return is_packed() ? ds::element_at(item(index)) : list().at(index);
  }
  template <typename F>
  void visit(std::uint64_t first, std::uint64_t count, F&& visit) const;
  template <typename F>
  void visit_back(std::uint64_t first, std::uint64_t count, F&& visit) const;
  void find(std::string_view text, bool from_tail, std::uint64_t skip, std::uint64_t most_looks,
            const std::function<bool(std::uint64_t index)>& found) const;
  [[nodiscard]] std::uint64_t segment_count() const {
    return is_packed() ? 1 : list().segment_count();
  }
  void for_each_segment(const List::SegmentVisitor& visitor) const;

 protected:
  [[nodiscard]] bool is_packed() const { return entry_->is_inline(); }
  [[nodiscard]] std::string_view packed() const { return entry_->inline_value(); }
  [[nodiscard]] const List& list() const { return *entry_->list(); }
  // Where the index-th item of a packed list stands, or its end.
  [[nodiscard]] const char* item(std::uint64_t index) const {
    const char* p = packed().data() + 1;
    for (; index > 0; --index) p += ds::layout_at(p, 5).size();
    return p;
  }
  [[nodiscard]] List unpacked() const;

  const Entry* entry_;
};

class ListValue : public ListView {
 public:
  // Editing the list may replace the entry of the change.
  explicit ListValue(const Change& change) : ListView(*change), at_(change) {}

  // As in List.
  void push(ListEnd end, std::span<const std::string_view> items, const ListLimits& limits);
  void drop(ListEnd end, std::uint64_t count);
  void set(std::uint64_t index, std::string_view item, const ListLimits& limits);
  bool insert(std::string_view pivot, bool behind, std::string_view item, const ListLimits& limits);
  std::uint64_t remove(std::string_view text, bool from_tail, std::uint64_t most);
  // To be called when items were taken away: the list takes the smallest form that it fits half of.
  void settle(const ListLimits& limits);

 private:
  void become(Entry* entry) {
    at_.become(entry);
    entry_ = entry;
  }
  void store(List list);
  void splice(std::size_t offset, std::size_t removed, std::string_view inserted,
              std::uint64_t count);
  template <typename F>
  void edit(F&& change);

  const Change& at_;
};

// An entry with this list, packed if it is small enough.
[[nodiscard]] Entry* make_list(std::string_view key, List list, std::int64_t deadline,
                               std::uint32_t access);
// The list that pushing `items` at this end makes of none.
[[nodiscard]] Entry* make_list(std::string_view key, ListEnd end,
                               std::span<const std::string_view> items, const ListLimits& limits,
                               std::uint32_t access);

template <typename F>
void ListView::visit(std::uint64_t first, std::uint64_t count, F&& visit) const {
  if (!is_packed()) return list().visit(first, count, std::forward<F>(visit));
  for (const char* p = item(first); count > 0; --count) {
    visit(ds::element_at(p));
    p += ds::layout_at(p, 5).size();
  }
}

template <typename F>
void ListView::visit_back(std::uint64_t first, std::uint64_t count, F&& visit) const {
  if (!is_packed()) return list().visit_back(first, count, std::forward<F>(visit));
  if (count == 0) return;
  std::array<std::uint8_t, kPackedListMost> offsets;
  const char* const origin = packed().data();
  const char* p = origin + 1;
  for (std::uint64_t i = 0; i <= first; ++i) {
    offsets[i] = static_cast<std::uint8_t>(p - origin);
    p += ds::layout_at(p, 5).size();
  }
  for (; count > 0; --count, --first) visit(ds::element_at(origin + offsets[first]));
}

}  // namespace hearth

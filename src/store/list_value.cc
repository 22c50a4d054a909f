#include "src/store/list_value.h"

#include <cstring>
#include <optional>
#include <string>

namespace hearth {
namespace {

// A packed list in the making.
class Packer {
 public:
  // False if it does not fit.
  bool add(const ds::EncodedElement& e) {
    if (!room_for(e.size())) return false;
    e.write(bytes_.data() + size_);
    added(e.size());
    return true;
  }
  // The same of an element's bytes.
  bool add_stored(const char* p, std::size_t size) {
    if (!room_for(size)) return false;
    std::memcpy(bytes_.data() + size_, p, size);
    added(size);
    return true;
  }
  // In the order in which they stand when they are pushed at this end one after the other.
  bool push(ListEnd end, std::span<const std::string_view> items) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!add(ds::encoded_text(items[end == ListEnd::kHead ? items.size() - 1 - i : i])))
        return false;
    }
    return true;
  }

  [[nodiscard]] std::string_view packed() const { return {bytes_.data(), size_}; }
  [[nodiscard]] std::string_view elements() const { return packed().substr(1); }

 private:
  [[nodiscard]] bool room_for(std::size_t bytes) const { return bytes <= bytes_.size() - size_; }
  void added(std::size_t bytes) {
    size_ += bytes;
    ++bytes_[0];
  }

  std::array<char, kPackedListMost> bytes_{};
  std::size_t size_ = 1;
};

// The elements of a packed list as a segment has them: each with its length behind it.
std::string with_back_lengths(std::string_view packed) {
  std::string out;
  const char* const end = packed.data() + packed.size();
  for (const char* p = packed.data() + 1; p != end;) {
    const std::uint64_t size = ds::layout_at(p, 5).size();
    out.append(p, size);
    const std::size_t length = ds::back_length_size(size);
    out.resize(out.size() + length);
    ds::write_back_length(out.data() + out.size() - length, size);
    p += size;
  }
  return out;
}

std::optional<Packer> pack(const List& list) {
  if (list.encoding() != ListEncoding::kListpack) return std::nullopt;
  std::optional<Packer> packer(std::in_place);
  list.for_each_segment({[&packer](std::string_view elements, std::size_t) {
                           const char* const end = elements.data() + elements.size();
                           for (const char* p = elements.data(); p != end && packer;) {
                             const std::uint64_t size = ds::layout_at(p, 5).size();
                             if (!packer->add_stored(p, size)) packer.reset();
                             p += size + ds::back_length_size(size);
                           }
                         },
                         [](std::string_view) {}});
  return packer;
}

}  // namespace

Entry* make_list(std::string_view key, List list, std::int64_t deadline, std::uint32_t access) {
  if (const auto packer = pack(list))
    return Entry::make_packed_list(key, packer->packed(), deadline, access);
  return Entry::make(key, std::move(list), deadline, access);
}

Entry* make_list(std::string_view key, ListEnd end, std::span<const std::string_view> items,
                 const ListLimits& limits, std::uint32_t access) {
  Packer packer;
  if (packer.push(end, items) &&
      List::may_be_listpack(packer.packed().size(), items.size(), limits)) {
    return Entry::make_packed_list(key, packer.packed(), kNoDeadline, access);
  }
  List list;
  list.push(end, items, limits);
  return Entry::make(key, std::move(list), kNoDeadline, access);
}

// --- ListView ---

List ListView::unpacked() const {
  const std::string elements = with_back_lengths(packed());
  return List::of_listpack(elements, size());
}

void ListView::find(std::string_view text, bool from_tail, std::uint64_t skip,
                    std::uint64_t most_looks,
                    const std::function<bool(std::uint64_t index)>& found) const {
  if (is_packed())
    unpacked().find(text, from_tail, skip, most_looks, found);
  else
    list().find(text, from_tail, skip, most_looks, found);
}

void ListView::for_each_segment(const List::SegmentVisitor& visitor) const {
  if (is_packed())
    visitor.packed(with_back_lengths(packed()), size());
  else
    list().for_each_segment(visitor);
}

// --- ListValue ---

void ListValue::store(List list) {
  Entry* old = &*at_;
  Entry* const fresh = make_list(old->key(), std::move(list), old->deadline(), old->access());
  become(old->version() == kNoVersion ? fresh : Entry::with_version(fresh, old->version()));
  Entry::free(old);
}

void ListValue::splice(std::size_t offset, std::size_t removed, std::string_view inserted,
                       std::uint64_t count) {
  become(Entry::splice(&*at_, offset, removed, inserted));
  at_->mutable_inline_value()[0] = static_cast<char>(count);
}

template <typename F>
void ListValue::edit(F&& change) {
  if (!is_packed()) return change(*at_->list());
  List list = unpacked();
  change(list);
  store(std::move(list));
}

void ListValue::set(std::uint64_t index, std::string_view item, const ListLimits& limits) {
  edit([&](List& list) { list.set(index, item, limits); });
}

bool ListValue::insert(std::string_view pivot, bool behind, std::string_view item,
                       const ListLimits& limits) {
  bool found = false;
  edit([&](List& list) { found = list.insert(pivot, behind, item, limits); });
  return found;
}

std::uint64_t ListValue::remove(std::string_view text, bool from_tail, std::uint64_t most) {
  std::uint64_t removed = 0;
  edit([&](List& list) { removed = list.remove(text, from_tail, most); });
  return removed;
}

void ListValue::push(ListEnd end, std::span<const std::string_view> items,
                     const ListLimits& limits) {
  if (is_packed()) {
    const std::size_t bytes = packed().size();
    const std::uint64_t count = size() + items.size();
    Packer more;
    if (List::may_be_listpack(bytes, count, limits) && more.push(end, items) &&
        bytes + more.elements().size() <= kPackedListMost) {
      return splice(end == ListEnd::kHead ? 1 : bytes, 0, more.elements(), count);
    }
  }
  edit([&](List& list) { list.push(end, items, limits); });
}

void ListValue::drop(ListEnd end, std::uint64_t count) {
  if (!is_packed()) return at_->list()->drop(end, count);
  const std::uint64_t left = size() - count;
  const char* const origin = packed().data();
  const auto from = static_cast<std::size_t>(end == ListEnd::kHead ? 1 : item(left) - origin);
  const auto to =
      end == ListEnd::kHead ? static_cast<std::size_t>(item(count) - origin) : packed().size();
  splice(from, to - from, {}, left);
}

void ListValue::settle(const ListLimits& limits) {
  if (is_packed()) return;
  List& list = *at_->list();
  list.shrink(limits);
  if (list.encoding() != ListEncoding::kListpack || list.listpack_bytes() > kPackedListMost / 2)
    return;
  List small = std::move(list);
  store(std::move(small));
}

}  // namespace hearth

#include "src/store/list.h"

#include <utility>
#include <vector>

#include "src/base/check.h"
#include "src/base/parse_number.h"
#include "src/store/memory.h"

namespace hearth {

using ds::Element;
using ds::ElementMatcher;
using ds::Segment;

namespace {

// A listpack's header and end mark: limits are stated for those.
constexpr std::size_t kListpackFrame = 7;
// Taken for the encoding of an item that is about to be added.
constexpr std::size_t kItemFrame = 8;
// However many items a segment may have, it has no more bytes.
constexpr std::size_t kCountedBytesMost = 8192;
// Longer items never share a segment, which has 16-bit offsets.
constexpr std::size_t kPackedItemMost = 60000;

std::size_t bytes_limit(const ListLimits& limits) {
  switch (limits.listpack_size) {
    case -1: return 4096;
    case -2: return 8192;
    case -3: return 16384;
    case -4: return 32768;
    default: return limits.listpack_size < 0 ? 65536 : kCountedBytesMost;
  }
}

std::size_t count_limit(const ListLimits& limits) {
  if (limits.listpack_size < 0) return SIZE_MAX;
  return limits.listpack_size == 0 ? 1 : static_cast<std::size_t>(limits.listpack_size);
}

bool exceeds(const ListLimits& limits, std::size_t bytes, std::size_t count) {
  return bytes > bytes_limit(limits) || count > count_limit(limits);
}

bool stands_alone(std::size_t length, const ListLimits& limits) {
  if (length > kPackedItemMost) return true;
  return limits.alone_above != 0 ? length >= limits.alone_above : length > bytes_limit(limits);
}

bool has_room(const Segment& s, std::size_t length, const ListLimits& limits) {
  return s.fits(length) &&
         !exceeds(limits, s.data_bytes() + kListpackFrame + length + kItemFrame, s.size() + 1);
}

void push_into(Segment& s, ListEnd end, std::string_view item) {
  if (end == ListEnd::kHead)
    s.push_front(ds::encoded_text(item));
  else
    s.push_back(ds::encoded_text(item));
}

// Removes up to `most` items that match, the first or the last of them; returns how many.
std::uint64_t remove_from(Segment& s, const ElementMatcher& matcher, bool from_tail,
                          std::uint64_t most) {
  std::vector<Segment::Position> matches;
  for (auto p = s.first(); p != Segment::kEnd; p = s.next(p)) {
    if (!s.matches(p, matcher)) continue;
    matches.push_back(p);
    if (!from_tail && matches.size() == most) break;
  }
  if (matches.size() > most)
    matches.erase(matches.begin(), matches.end() - static_cast<std::ptrdiff_t>(most));
  if (matches.empty()) return 0;
  if (matches.size() == 1) {
    s.erase(matches.front());
    return 1;
  }
  // All at once: what stays is copied in runs.
  const std::string_view all = s.elements();
  const Segment::Position origin = s.first();
  std::string kept;
  kept.reserve(all.size());
  std::size_t run = 0;
  for (const Segment::Position p : matches) {
    kept.append(all.substr(run, p - origin - run));
    run = p - origin + ds::stored_size_at(all.data() + (p - origin));
  }
  kept.append(all.substr(run));
  s = Segment::from_elements(kept, s.size() - matches.size());
  return matches.size();
}

}  // namespace

std::string_view encoding_name(ListEncoding encoding) noexcept {
  return encoding == ListEncoding::kListpack ? "listpack" : "quicklist";
}

// --- shape ---

List::List() { new (body_) Segment(); }

List::~List() { release(); }

List::List(List&& other) noexcept : List() { *this = std::move(other); }

List& List::operator=(List&& other) noexcept {
  // Both forms of the body are plain words that can change places.
  const std::uintptr_t mine = word();
  set_word(other.word());
  other.set_word(mine);
  return *this;
}

void List::release() {
  if (is_row())
    delete &row();
  else
    segment().~Segment();
}

List::Row& List::become_row() {
  auto fresh = std::make_unique<Row>();
  fresh->size = segment().size();
  if (fresh->size > 0) {
    fresh->nodes.push_back(
        {std::move(segment()), nullptr, static_cast<std::uint32_t>(fresh->size)});
  }
  release();
  set_word(reinterpret_cast<std::uintptr_t>(fresh.release()) | kRowTag);
  return row();
}

void List::become_segment() {
  Row& r = row();
  Segment only = r.nodes.empty() ? Segment() : std::move(r.nodes.front().packed);
  delete &r;
  new (body_) Segment(std::move(only));
}

List List::of_listpack(std::string_view elements, std::size_t count) {
  List list;
  list.segment() = Segment::from_elements(elements, count);
  return list;
}

List List::clone() const {
  List copy;
  if (!is_row()) {
    copy.segment() = segment().clone();
    return copy;
  }
  Row& to = copy.become_row();
  to.size = row().size;
  for (const Node& node : row().nodes) {
    to.nodes.push_back({node.packed.clone(),
                        node.alone ? std::make_unique<std::string>(*node.alone) : nullptr,
                        node.count});
  }
  return copy;
}

void List::shrink(const ListLimits& limits) {
  if (!is_row()) return;
  const Row& r = row();
  if (r.nodes.size() > 1) return;
  if (!r.nodes.empty()) {
    const Node& node = r.nodes.front();
    const bool counted = limits.listpack_size >= 0;
    if (node.alone != nullptr) return;
    if (counted ? node.count > count_limit(limits) / 2
                : node.packed.data_bytes() + kListpackFrame > bytes_limit(limits) / 2) {
      return;
    }
  }
  become_segment();
}

void List::settle(const ListLimits& limits) {
  if (!is_row() || row().nodes.size() > 1) return;
  if (!row().nodes.empty()) {
    const Node& node = row().nodes.front();
    if (node.alone != nullptr ||
        exceeds(limits, node.packed.data_bytes() + kListpackFrame, node.count)) {
      return;
    }
  }
  become_segment();
}

// --- reading ---

std::uint64_t List::size() const { return is_row() ? row().size : segment().size(); }

List::Place List::locate(const Row& row, std::uint64_t index) {
  Place place;
  if (index <= row.size / 2) {
    while (index >= row.nodes[place.node].count) index -= row.nodes[place.node++].count;
    place.index = index;
    return place;
  }
  std::uint64_t behind = row.size - index;  // how many items from this one on
  place.node = row.nodes.size() - 1;
  while (behind > row.nodes[place.node].count) behind -= row.nodes[place.node--].count;
  place.index = row.nodes[place.node].count - behind;
  return place;
}

Element List::item_of(const Node& node, std::uint64_t index) {
  if (node.alone != nullptr) return {node.alone->data(), node.alone->size(), 0};
  return node.packed.get(node.packed.at(index));
}

Element List::at(std::uint64_t index) const {
  if (!is_row()) return segment().get(segment().at(index));
  const Place place = locate(row(), index);
  return item_of(row().nodes[place.node], place.index);
}

void List::find(std::string_view text, bool from_tail, std::uint64_t skip, std::uint64_t most_looks,
                const std::function<bool(std::uint64_t index)>& found) const {
  const ElementMatcher matcher(text);
  std::uint64_t index = from_tail ? size() - 1 : 0;
  std::uint64_t looks = 0;
  // False: enough was seen.
  const auto look = [&](bool matches) {
    if (matches && skip > 0) {
      --skip;
    } else if (matches && !found(index)) {
      return false;
    }
    index += from_tail ? ~std::uint64_t{0} : 1;
    return ++looks != most_looks;
  };
  const auto in_segment = [&](const Segment& s) {
    for (auto p = from_tail ? s.last() : s.first(); p != Segment::kEnd;
         p = from_tail ? s.previous(p) : s.next(p)) {
      if (!look(s.matches(p, matcher))) return false;
    }
    return true;
  };
  if (!is_row()) {
    in_segment(segment());
    return;
  }
  const auto in_node = [&](const Node& node) {
    return node.alone != nullptr ? look(*node.alone == text) : in_segment(node.packed);
  };
  const std::deque<Node>& nodes = row().nodes;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!in_node(nodes[from_tail ? nodes.size() - 1 - i : i])) return;
  }
}

// --- writing ---

bool List::may_be_listpack(std::size_t bytes, std::size_t count, const ListLimits& limits) {
  return !exceeds(limits, bytes + kListpackFrame, count);
}

bool List::fits_listpack(std::span<const std::string_view> items, const ListLimits& limits) const {
  std::size_t bytes = segment().data_bytes();
  for (const std::string_view item : items) bytes += item.size();
  return may_be_listpack(bytes, segment().size() + items.size(), limits);
}

void List::push(ListEnd end, std::span<const std::string_view> items, const ListLimits& limits) {
  std::size_t done = 0;
  if (!is_row()) {
    if (fits_listpack(items, limits)) {
      Segment& s = segment();
      for (; done < items.size() && s.fits(items[done].size()); ++done)
        push_into(s, end, items[done]);
      if (done == items.size()) return;
    }
    become_row();
  }
  for (; done < items.size(); ++done) push_row(end, items[done], limits);
}

List::Node List::alone_node(std::string_view item) {
  return {Segment(), std::make_unique<std::string>(item), 1};
}

void List::push_row(ListEnd end, std::string_view item, const ListLimits& limits) {
  Row& r = row();
  ++r.size;
  const bool head = end == ListEnd::kHead;
  if (stands_alone(item.size(), limits)) {
    if (head)
      r.nodes.push_front(alone_node(item));
    else
      r.nodes.push_back(alone_node(item));
    return;
  }
  Node* node = r.nodes.empty() ? nullptr : head ? &r.nodes.front() : &r.nodes.back();
  if (node == nullptr || node->alone != nullptr || !has_room(node->packed, item.size(), limits))
    node = head ? &r.nodes.emplace_front() : &r.nodes.emplace_back();
  push_into(node->packed, end, item);
  ++node->count;
}

void List::insert_row(Place place, std::string_view item, const ListLimits& limits) {
  std::deque<Node>& nodes = row().nodes;
  ++row().size;
  const auto at = [&nodes](std::size_t i) {
    return nodes.begin() + static_cast<std::ptrdiff_t>(i);
  };
  const bool alone = stands_alone(item.size(), limits);
  const auto takes = [&](std::size_t i) {
    return !alone && nodes[i].alone == nullptr && has_room(nodes[i].packed, item.size(), limits);
  };
  const auto add = [&](std::size_t i, ListEnd end) {
    push_into(nodes[i].packed, end, item);
    ++nodes[i].count;
  };
  Node& node = nodes[place.node];
  const bool in_front = place.index == 0;
  const bool behind = place.index == node.count;
  if (takes(place.node)) {
    if (behind) return add(place.node, ListEnd::kTail);
    node.packed.insert(node.packed.at(place.index), ds::encoded_text(item));
    ++node.count;
    return;
  }
  if (in_front && place.node > 0 && takes(place.node - 1))
    return add(place.node - 1, ListEnd::kTail);
  if (behind && place.node + 1 < nodes.size() && takes(place.node + 1))
    return add(place.node + 1, ListEnd::kHead);
  std::size_t where = place.node + (in_front ? 0 : 1);
  if (!in_front && !behind) {
    Node tail{node.packed.split(place.index), nullptr,
              static_cast<std::uint32_t>(node.count - place.index)};
    node.count = static_cast<std::uint32_t>(place.index);
    nodes.insert(at(where), std::move(tail));
    if (takes(place.node)) return add(place.node, ListEnd::kTail);
    if (takes(where)) return add(where, ListEnd::kHead);
  }
  if (alone) {
    nodes.insert(at(where), alone_node(item));
    return;
  }
  nodes.insert(at(where), Node{});
  add(where, ListEnd::kTail);
}

void List::drop_one(ListEnd end) {
  const bool head = end == ListEnd::kHead;
  const auto pop = [head](Segment& s) { head ? s.pop_front() : s.pop_back(); };
  if (!is_row()) return pop(segment());
  Row& r = row();
  --r.size;
  Node& node = head ? r.nodes.front() : r.nodes.back();
  if (--node.count > 0) return pop(node.packed);
  if (head)
    r.nodes.pop_front();
  else
    r.nodes.pop_back();
}

void List::drop(ListEnd end, std::uint64_t count) {
  if (count == 1) return drop_one(end);
  erase(end == ListEnd::kHead ? 0 : size() - count, count);
}

void List::erase(std::uint64_t first, std::uint64_t count) {
  if (count == 0) return;
  if (!is_row()) {
    segment().erase(segment().at(first), count);
    return;
  }
  Row& r = row();
  Place place = locate(r, first);
  r.size -= count;
  std::size_t whole_from = SIZE_MAX, whole_to = 0;  // nodes that go as a whole are neighbours
  for (; count > 0; ++place.node, place.index = 0) {
    Node& node = r.nodes[place.node];
    const std::uint64_t here = std::min<std::uint64_t>(count, node.count - place.index);
    count -= here;
    if (here == node.count) {
      whole_from = std::min(whole_from, place.node);
      whole_to = place.node + 1;
    } else {
      node.packed.erase(node.packed.at(place.index), here);
      node.count -= static_cast<std::uint32_t>(here);
    }
  }
  if (whole_to == 0) return;
  r.nodes.erase(r.nodes.begin() + static_cast<std::ptrdiff_t>(whole_from),
                r.nodes.begin() + static_cast<std::ptrdiff_t>(whole_to));
}

void List::set(std::uint64_t index, std::string_view item, const ListLimits& limits) {
  if (!is_row()) {
    Segment& s = segment();
    if (fits_listpack(std::span(&item, 1), limits) && s.fits(item.size())) {
      s.replace(s.at(index), ds::encoded_text(item));
      return;
    }
    become_row();
  }
  const Place place = locate(row(), index);
  Node& node = row().nodes[place.node];
  const bool alone = stands_alone(item.size(), limits);
  if (node.alone != nullptr && alone) {
    node.alone->assign(item);
  } else if (node.alone == nullptr && !alone && node.packed.fits(item.size())) {
    node.packed.replace(node.packed.at(place.index), ds::encoded_text(item));
  } else {
    insert_row(place, item, limits);
    erase(index + 1, 1);
  }
  shrink(limits);
}

bool List::insert(std::string_view pivot, bool behind, std::string_view item,
                  const ListLimits& limits) {
  std::optional<std::uint64_t> at;
  find(pivot, false, 0, 0, [&](std::uint64_t index) {
    at = index;
    return false;
  });
  if (!at) return false;
  const std::uint64_t index = *at + (behind ? 1 : 0);
  if (index == size()) {
    push(ListEnd::kTail, item, limits);
    return true;
  }
  if (!is_row()) {
    Segment& s = segment();
    if (fits_listpack(std::span(&item, 1), limits) && s.fits(item.size())) {
      s.insert(s.at(index), ds::encoded_text(item));
      return true;
    }
    become_row();
  }
  insert_row(locate(row(), index), item, limits);
  return true;
}

std::uint64_t List::remove(std::string_view text, bool from_tail, std::uint64_t most) {
  const ElementMatcher matcher(text);
  if (!is_row()) return remove_from(segment(), matcher, from_tail, most);
  Row& r = row();
  std::uint64_t removed = 0;
  bool emptied = false;
  for (std::size_t i = 0; i < r.nodes.size() && removed < most; ++i) {
    Node& node = r.nodes[from_tail ? r.nodes.size() - 1 - i : i];
    std::uint64_t here = 0;
    if (node.alone != nullptr)
      here = *node.alone == text ? 1 : 0;
    else
      here = remove_from(node.packed, matcher, from_tail, most - removed);
    removed += here;
    node.count -= static_cast<std::uint32_t>(here);
    emptied = emptied || node.count == 0;
  }
  r.size -= removed;
  if (emptied) std::erase_if(r.nodes, [](const Node& node) { return node.count == 0; });
  return removed;
}

// --- files and figures ---

void List::append_packed(std::string_view elements, std::size_t count, const ListLimits& limits) {
  if (!is_row()) become_row();
  Row& r = row();
  if (elements.size() <= Segment::kDataMost &&
      !exceeds(limits, elements.size() + kListpackFrame, count)) {
    r.nodes.push_back(
        {Segment::from_elements(elements, count), nullptr, static_cast<std::uint32_t>(count)});
    r.size += count;
    return;
  }
  char scratch[kInt64TextMax];
  for (const char* p = elements.data(); p != elements.data() + elements.size();
       p += ds::stored_size_at(p)) {
    push_row(ListEnd::kTail, ds::element_at(p).text(scratch), limits);
  }
}

std::uint64_t List::segment_count() const { return is_row() ? row().nodes.size() : 1; }

void List::for_each_segment(const SegmentVisitor& visitor) const {
  if (!is_row()) return visitor.packed(segment().elements(), segment().size());
  for (const Node& node : row().nodes) {
    if (node.alone != nullptr)
      visitor.alone(*node.alone);
    else
      visitor.packed(node.packed.elements(), node.count);
  }
}

std::size_t List::memory_bytes() const {
  constexpr std::size_t kDequeBlock = 512;
  if (!is_row()) return memory::rounded(segment().allocated_bytes());
  const std::deque<Node>& nodes = row().nodes;
  std::size_t bytes =
      memory::rounded(sizeof(Row)) + (nodes.size() * sizeof(Node) / kDequeBlock + 2) * kDequeBlock;
  for (const Node& node : nodes) {
    if (node.alone != nullptr)
      bytes += sizeof(std::string) + memory::rounded(node.alone->capacity() + 1);
    else
      bytes += memory::rounded(node.packed.allocated_bytes());
  }
  return bytes;
}

}  // namespace hearth

#include "src/store/stream_node.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "src/base/bytes.h"
#include "src/base/check.h"
#include "src/ds/listpack.h"

namespace hearth {
namespace {

using ds::EncodedElement;
using ds::Listpack;

constexpr std::uint32_t kHeader = 6;  // total bytes, number of elements
constexpr char kEndMark = static_cast<char>(0xff);
constexpr std::uint16_t kCountUnknown = 65535;
constexpr std::int64_t kDeleted = 1, kSharedNames = 2;
// Most bytes around the data of an element: its head and its length from behind.
constexpr std::uint64_t kAround = 10;
constexpr std::uint64_t kNumberMost = 10;

char* put(char* out, const EncodedElement& element) {
  element.write(out);
  out += element.size();
  ds::write_back_length(out, element.size());
  return out + ds::back_length_size(element.size());
}
char* put_number(char* out, std::int64_t number) {
  if (number >= 0 && number <= 127) {
    out[0] = static_cast<char>(number);
    out[1] = 1;
    return out + 2;
  }
  return put(out, ds::encoded_number(number));
}
char* put_text(char* out, std::string_view text) { return put(out, ds::encoded_text(text)); }

// Difference of unsigned numbers as files have it: the sum wraps to the number again.
std::int64_t difference(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::int64_t>(a - b);
}

}  // namespace

std::uint64_t StreamNode::bytes_most(std::span<const std::string_view> pairs) {
  std::uint64_t bytes = kHeader + 1 + 10 * kNumberMost;
  for (const std::string_view text : pairs) bytes += text.size() + kAround;
  return bytes;
}

StreamNode::StreamNode(StreamId id, std::span<const std::string_view> pairs) : id_(id) {
  std::uint64_t most = kHeader + 1 + 4 * kNumberMost;
  for (std::size_t i = 0; i < pairs.size(); i += 2) most += pairs[i].size() + kAround;
  reserve(most);
  char* out = bytes_ + kHeader;
  out = put_number(out, 0);
  out = put_number(out, 0);
  out = put_number(out, static_cast<std::int64_t>(pairs.size() / 2));
  names_at_ = static_cast<Position>(out - bytes_);
  for (std::size_t i = 0; i < pairs.size(); i += 2) out = put_text(out, pairs[i]);
  out = put_number(out, 0);
  entries_at_ = static_cast<Position>(out - bytes_);
  *out = kEndMark;
  total_ = entries_at_ + 1;
  store_le(bytes_, total_);
  store_le(bytes_ + 4, std::uint16_t{0});
  count_elements(static_cast<std::int64_t>(4 + pairs.size() / 2));
}

StreamNode::~StreamNode() { std::free(bytes_); }

StreamNode::StreamNode(StreamNode&& other) noexcept
    : id_(other.id_),
      bytes_(std::exchange(other.bytes_, nullptr)),
      total_(other.total_),
      capacity_(other.capacity_),
      live_(other.live_),
      names_at_(other.names_at_),
      entries_at_(other.entries_at_) {}

StreamNode& StreamNode::operator=(StreamNode&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  id_ = other.id_;
  total_ = other.total_;
  capacity_ = other.capacity_;
  live_ = other.live_;
  names_at_ = other.names_at_;
  entries_at_ = other.entries_at_;
  return *this;
}

StreamNode StreamNode::clone() const {
  StreamNode copy;
  copy.id_ = id_;
  copy.reserve(total_);
  std::memcpy(copy.bytes_, bytes_, total_);
  copy.total_ = total_;
  copy.live_ = live_;
  copy.names_at_ = names_at_;
  copy.entries_at_ = entries_at_;
  return copy;
}

void StreamNode::reserve(std::uint64_t bytes) {
  if (bytes <= capacity_) return;
  HEARTH_CHECK(bytes <= 2 * Listpack::kBytesMax);
  std::uint64_t capacity = std::uint64_t{capacity_} * 2;
  if (capacity < bytes) capacity = bytes;
  auto* moved = static_cast<char*>(std::realloc(bytes_, capacity));
  HEARTH_CHECK(moved != nullptr);
  bytes_ = moved;
  capacity_ = static_cast<std::uint32_t>(capacity);
}

void StreamNode::shrink() {
  if (total_ == capacity_) return;
  auto* moved = static_cast<char*>(std::realloc(bytes_, total_));
  HEARTH_CHECK(moved != nullptr);
  bytes_ = moved;
  capacity_ = total_;
}

void StreamNode::count_elements(std::int64_t more) {
  const auto stated = load_le<std::uint16_t>(bytes_ + 4);
  // An unknown count stays unknown: readers count when they need it.
  if (stated == kCountUnknown) return;
  const std::int64_t count = stated + more;
  store_le(bytes_ + 4, count < kCountUnknown ? static_cast<std::uint16_t>(count) : kCountUnknown);
}

void StreamNode::replace_head_number(Position p, std::int64_t value) {
  const auto old_size = after(p) - p;
  const EncodedElement element = ds::encoded_number(value);
  const auto new_size =
      static_cast<std::uint32_t>(element.size() + ds::back_length_size(element.size()));
  if (new_size != old_size) {
    reserve(std::uint64_t{total_} + new_size - old_size);
    std::memmove(bytes_ + p + new_size, bytes_ + p + old_size, total_ - p - old_size);
    total_ = total_ + new_size - old_size;
    names_at_ = names_at_ + new_size - old_size;
    entries_at_ = entries_at_ + new_size - old_size;
    store_le(bytes_, total_);
  }
  put(bytes_ + p, element);
}

void StreamNode::set_size(std::uint32_t live) {
  live_ = live;
  replace_head_number(kHeader, live);
}

bool StreamNode::has_names(std::span<const std::string_view> pairs) const {
  Position p = after(after(kHeader));
  if (number(p) != static_cast<std::int64_t>(pairs.size() / 2)) return false;
  p = names_at_;
  char scratch[kInt64TextMax];
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    if (ds::element_at(bytes_ + p).text(scratch) != pairs[i]) return false;
    p = after(p);
  }
  return true;
}

void StreamNode::append(StreamId id, std::span<const std::string_view> pairs) {
  HEARTH_DCHECK(live_ == 0 ? id >= id_ : id > last_id());
  const bool shared = has_names(pairs);
  std::uint64_t most = total_ + 6 * kNumberMost;
  for (const std::string_view text : pairs) most += text.size() + kAround;
  reserve(most);
  char* out = bytes_ + total_ - 1;
  out = put_number(out, shared ? kSharedNames : 0);
  out = put_number(out, difference(id.ms, id_.ms));
  out = put_number(out, difference(id.seq, id_.seq));
  std::size_t elements = 3;
  if (shared) {
    for (std::size_t i = 1; i < pairs.size(); i += 2) out = put_text(out, pairs[i]);
    elements += pairs.size() / 2;
  } else {
    out = put_number(out, static_cast<std::int64_t>(pairs.size() / 2));
    for (const std::string_view text : pairs) out = put_text(out, text);
    elements += 1 + pairs.size();
  }
  out = put_number(out, static_cast<std::int64_t>(elements));
  *out = kEndMark;
  total_ = static_cast<std::uint32_t>(out + 1 - bytes_);
  store_le(bytes_, total_);
  count_elements(static_cast<std::int64_t>(elements + 1));
  set_size(live_ + 1);
}

StreamNode::View StreamNode::view(Position p) const {
  View v;
  v.at = p;
  const std::int64_t flags = number(p);
  v.shared = (flags & kSharedNames) != 0;
  p = after(p);
  v.id.ms = id_.ms + static_cast<std::uint64_t>(number(p));
  p = after(p);
  v.id.seq = id_.seq + static_cast<std::uint64_t>(number(p));
  p = after(p);
  if (v.shared) {
    v.field_count = static_cast<std::uint64_t>(number(after(after(kHeader))));
  } else {
    v.field_count = static_cast<std::uint64_t>(number(p));
    p = after(p);
  }
  v.body = p;
  return v;
}

StreamNode::Position StreamNode::behind(const View& entry) const {
  Position p = entry.body;
  const std::uint64_t elements = entry.shared ? entry.field_count : entry.field_count * 2;
  for (std::uint64_t i = 0; i < elements; ++i) p = after(p);
  return after(p);
}

StreamNode::Position StreamNode::previous(Position p) const {
  p = before(p);
  for (std::int64_t elements = number(p); elements > 0; --elements) p = before(p);
  return p;
}

StreamNode::Position StreamNode::lower_bound(StreamId id) const {
  // Most look-ups are for the newest entries, which stand at the end.
  constexpr int kFromBehind = 4;
  Position p = end();
  for (int i = 0; i < kFromBehind; ++i) {
    if (p == begin()) return p;
    const Position q = previous(p);
    if (view(q).id < id) return p;
    p = q;
  }
  const Position last = p;
  for (p = begin(); p != last;) {
    const View v = view(p);
    if (v.id >= id) break;
    p = behind(v);
  }
  return p;
}

StreamNode::Position StreamNode::erase(Position from, Position to) {
  std::uint32_t entries = 0;
  std::uint64_t elements = 0;
  for (Position p = from; p != to; ++entries) {
    const View entry = view(p);
    elements += 4 + (entry.shared ? entry.field_count : 1 + 2 * entry.field_count);
    p = behind(entry);
  }
  std::memmove(bytes_ + from, bytes_ + to, total_ - to);
  total_ -= to - from;
  store_le(bytes_, total_);
  count_elements(-static_cast<std::int64_t>(elements));
  const Position entries_before = entries_at_;
  set_size(live_ - entries);
  from = from + entries_at_ - entries_before;
  if (total_ < capacity_ / 2) shrink();
  return from;
}

// --- bytes of unknown origin ---

namespace {

// Walks a validated listpack.
class Walker {
 public:
  explicit Walker(std::string_view listpack)
      : begin_(listpack.data()),
        p_(begin_ + kHeader),
        end_(listpack.data() + listpack.size() - 1) {}

  [[nodiscard]] bool at_end() const { return p_ == end_; }
  [[nodiscard]] std::size_t offset() const { return static_cast<std::size_t>(p_ - begin_); }
  bool number(std::int64_t& out) {
    if (at_end() || !ds::element_at(p_).is_number()) return false;
    out = ds::element_number(p_);
    step();
    return true;
  }
  bool skip(std::int64_t count) {
    for (; count > 0; --count) {
      if (at_end()) return false;
      step();
    }
    return true;
  }

 private:
  void step() {
    const std::uint64_t size = ds::layout_at(p_, 5).size();
    p_ += size + ds::back_length_size(size);
  }
  const char* begin_;
  const char* p_;
  const char* end_;
};

struct ParsedEntry {
  std::size_t from = 0, to = 0;
  bool deleted = false;
  StreamId id;
  std::int64_t elements = 0;
};

// Reads one entry; false if it breaks the format.
bool parse_entry(Walker& walker, StreamId node, std::int64_t names, ParsedEntry& entry) {
  std::int64_t flags = 0, ms = 0, seq = 0, count = 0;
  entry.from = walker.offset();
  if (!walker.number(flags) || (flags & ~(kDeleted | kSharedNames)) != 0) return false;
  if (!walker.number(ms) || !walker.number(seq)) return false;
  entry.deleted = (flags & kDeleted) != 0;
  entry.id = {node.ms + static_cast<std::uint64_t>(ms), node.seq + static_cast<std::uint64_t>(seq)};
  std::int64_t elements = 3;
  std::int64_t body = names;
  if ((flags & kSharedNames) == 0) {
    if (!walker.number(body) || body < 0 || body > INT64_MAX / 4) return false;
    body *= 2;
    ++elements;
  }
  if (!walker.skip(body) || !walker.number(count) || count != elements + body) return false;
  entry.to = walker.offset();
  entry.elements = count + 1;
  return true;
}

}  // namespace

void StreamNode::find_parts() {
  Position p = after(after(kHeader));
  const std::int64_t names = number(p);
  names_at_ = p = after(p);
  for (std::int64_t i = 0; i < names; ++i) p = after(p);
  entries_at_ = after(p);
}

Result<StreamNode> StreamNode::from_bytes(StreamId id, std::string_view listpack) {
  HEARTH_TRY_VOID(Listpack::validate(listpack));
  Walker walker(listpack);
  const auto corrupt = [&](const char* what) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("stream node, offset {}: {}", walker.offset(), what));
  };
  std::int64_t live = 0, deleted = 0, names = 0, zero = 0;
  if (!walker.number(live) || !walker.number(deleted) || live < 0 || deleted < 0)
    return corrupt("no counts");
  if (!walker.number(names) || names < 0 || !walker.skip(names)) return corrupt("no field names");
  if (!walker.number(zero) || zero != 0) return corrupt("the head does not end");

  StreamNode node;
  node.id_ = id;
  node.reserve(listpack.size());
  const std::size_t head = walker.offset();
  std::memcpy(node.bytes_, listpack.data(), head);
  std::size_t out = head;
  std::int64_t gone_elements = 0, seen_live = 0, seen_deleted = 0;
  StreamId last;
  for (ParsedEntry entry; !walker.at_end();) {
    if (!parse_entry(walker, id, names, entry)) return corrupt("not an entry");
    const bool first = seen_live + seen_deleted == 0;
    if (first ? entry.id < id : entry.id <= last) return corrupt("ids do not ascend");
    last = entry.id;
    ++(entry.deleted ? seen_deleted : seen_live);
    if (entry.deleted) {
      gone_elements += entry.elements;
      continue;
    }
    std::memcpy(node.bytes_ + out, listpack.data() + entry.from, entry.to - entry.from);
    out += entry.to - entry.from;
  }
  if (seen_live != live || seen_deleted != deleted) return corrupt("the counts do not match");
  node.bytes_[out] = kEndMark;
  node.total_ = static_cast<std::uint32_t>(out + 1);
  store_le(node.bytes_, node.total_);
  node.live_ = static_cast<std::uint32_t>(live);
  node.find_parts();
  if (deleted > 0) {
    node.count_elements(-gone_elements);
    node.replace_head_number(node.after(kHeader), 0);
  }
  node.shrink();
  return node;
}

}  // namespace hearth

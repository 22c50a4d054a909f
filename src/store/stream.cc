#include "src/store/stream.h"

#include <algorithm>
#include <utility>

#include "src/base/check.h"
#include "src/ds/listpack.h"
#include "src/store/memory.h"
#include "src/store/stream_idempotency.h"

namespace hearth {

using Place = Stream::Nodes::Place;
using Position = StreamNode::Position;

Stream::Stream() = default;
Stream::~Stream() = default;

std::unique_ptr<Stream> Stream::clone() const {
  auto copy = std::make_unique<Stream>();
  for (Place p = nodes_.begin(); p != nodes_.end(); p = nodes_.next(p))
    copy->nodes_.append(nodes_.at(p).clone());
  copy->length_ = length_;
  copy->first_id_ = first_id_;
  copy->history_ = history_;
  for (const auto& [name, group] : groups()) copy->put_group(name, group.clone());
  if (idempotency_) copy->idempotency_ = std::make_unique<StreamIdempotency>(*idempotency_);
  return copy;
}

StreamIdempotency& Stream::make_idempotency() {
  if (!idempotency_) idempotency_ = std::make_unique<StreamIdempotency>();
  return *idempotency_;
}

std::size_t Stream::free_effort() const {
  std::size_t effort = nodes_.size();
  for (const auto& [name, group] : groups())
    effort += 1 + 2 * group.consumers().size() + group.pending().size() / StreamIdSet::kChunk;
  return effort;
}

std::size_t Stream::memory_bytes() const {
  using memory::rounded;
  constexpr std::size_t kSample = 64;
  std::size_t sampled = 0, sample_bytes = 0;
  for (Place p = nodes_.begin(); p != nodes_.end() && sampled < kSample; p = nodes_.next(p)) {
    sample_bytes += rounded(nodes_.at(p).allocated_bytes());
    ++sampled;
  }
  std::size_t bytes = rounded(sizeof(Stream)) + nodes_.memory_bytes();
  if (sampled > 0) bytes += sample_bytes * nodes_.size() / sampled;
  for (const auto& [name, group] : groups())
    bytes += rounded(sizeof(StreamGroup) + sizeof(std::string) + 32) + group.memory_bytes();
  if (idempotency_) bytes += idempotency_->memory_bytes();
  return bytes;
}

// --- what it is ---

std::optional<StreamId> Stream::last_entry_id() const {
  if (nodes_.empty()) return std::nullopt;
  return nodes_.back().last_id();
}

bool Stream::contains(StreamId id) const {
  const Place at = node_of(id);
  if (at == nodes_.end()) return false;
  const StreamNode& node = nodes_.at(at);
  const Position p = node.lower_bound(id);
  return p != node.end() && node.view(p).id == id;
}

std::uint64_t Stream::count(StreamId from, StreamId to, std::uint64_t most) const {
  std::uint64_t count = 0;
  if (nodes_.empty() || from > to) return count;
  Place at = node_of(from);
  if (at == nodes_.end()) at = nodes_.begin();
  for (; at != nodes_.end() && count < most; at = nodes_.next(at)) {
    const StreamNode& node = nodes_.at(at);
    if (node.id() > to) break;
    const Place following = nodes_.next(at);
    const bool ends_inside = following != nodes_.end() && nodes_.at(following).id() <= to;
    if (node.id() >= from && (ends_inside || to == kStreamIdMax)) {
      count += node.size();
      continue;
    }
    for (Position p = node.lower_bound(from); p != node.end() && count < most; ++count) {
      const StreamNode::View entry = node.view(p);
      if (entry.id > to) break;
      p = node.behind(entry);
    }
  }
  return std::min(count, most);
}

void Stream::refresh_first_id() {
  first_id_ = StreamId{};
  if (nodes_.empty()) return;
  const StreamNode& node = nodes_.front();
  first_id_ = node.view(node.begin()).id;
}

// --- changing ---

bool Stream::fits(std::span<const std::string_view> pairs) {
  return StreamNode::bytes_most(pairs) <= ds::Listpack::kBytesMax;
}

bool Stream::is_full(const StreamNode& node, std::span<const std::string_view> pairs,
                     const StreamLimits& limits) const {
  if (limits.node_entries != 0 && node.size() >= limits.node_entries) return true;
  const std::size_t bytes = node.bytes().size();
  if (bytes + StreamNode::bytes_most(pairs) > ds::Listpack::kBytesMax) return true;
  if (limits.node_bytes == 0) return false;
  std::uint64_t text = 0;
  for (const std::string_view word : pairs) text += word.size();
  return bytes + text >= limits.node_bytes;
}

void Stream::append(StreamId id, std::span<const std::string_view> pairs,
                    const StreamLimits& limits) {
  HEARTH_DCHECK(id > history_.last_id);
  if (nodes_.empty() || is_full(nodes_.back(), pairs, limits)) {
    if (!nodes_.empty()) nodes_.back().shrink();
    nodes_.append(StreamNode(id, pairs));
  }
  nodes_.back().append(id, pairs);
  if (length_ == 0) first_id_ = id;
  ++length_;
  ++history_.entries_added;
  history_.last_id = id;
}

void Stream::append_node(StreamNode node) {
  const StreamId last = node.last_id();
  length_ += node.size();
  nodes_.append(std::move(node));
  if (nodes_.size() == 1) refresh_first_id();
  history_.last_id = last;
}

bool Stream::erase(StreamId id) {
  const Place at = node_of(id);
  if (at == nodes_.end()) return false;
  StreamNode& node = nodes_.at(at);
  const Position p = node.lower_bound(id);
  if (p == node.end() || node.view(p).id != id) return false;
  node.erase(p);
  if (node.size() == 0) nodes_.erase(at);
  --length_;
  if (id == first_id_) refresh_first_id();
  history_.max_deleted_id = std::max(history_.max_deleted_id, id);
  return true;
}

void Stream::set_history(StreamId last_id, std::optional<std::uint64_t> entries_added,
                         std::optional<StreamId> max_deleted_id) {
  history_.last_id = last_id;
  if (entries_added) history_.entries_added = *entries_added;
  if (max_deleted_id) history_.max_deleted_id = *max_deleted_id;
}

void Stream::drop_references_of(const StreamNode& node) {
  for (Position p = node.begin(); p != node.end();) {
    const StreamNode::View entry = node.view(p);
    drop_references(entry.id);
    p = node.behind(entry);
  }
}

bool Stream::all_acknowledged(const StreamNode& node) const {
  for (Position p = node.begin(); p != node.end();) {
    const StreamNode::View entry = node.view(p);
    if (!is_acknowledged(entry.id)) return false;
    p = node.behind(entry);
  }
  return true;
}

// Deletes from the beginning of a node that does not go as a whole: up to `excess` entries (by
// length) or those before an id. Returns how many.
std::uint64_t Stream::trim_node(StreamNode& node, const StreamTrim& trim, std::uint64_t excess) {
  const std::uint32_t before = node.size();
  Position p = node.begin();
  for (std::uint64_t passed = 0; p != node.end(); ++passed) {
    const StreamNode::View entry = node.view(p);
    if (trim.by == StreamTrim::By::kLength ? passed == excess : entry.id >= trim.id) break;
    if (trim.references == StreamReferences::kDrop) drop_references(entry.id);
    p = node.behind(entry);
  }
  node.erase(node.begin(), p);
  return before - node.size();
}

// The same where groups hold entries back. `hole`: an entry before this node stays.
std::uint64_t Stream::trim_acknowledged(StreamNode& node, const StreamTrim& trim,
                                        std::uint64_t excess, bool& hole) {
  std::uint64_t deleted = 0;
  for (Position p = node.begin(); p != node.end();) {
    const StreamNode::View entry = node.view(p);
    if (trim.by == StreamTrim::By::kLength ? deleted == excess : entry.id >= trim.id) break;
    if (!is_acknowledged(entry.id)) {
      hole = true;
      p = node.behind(entry);
      continue;
    }
    // Counting what groups have read by subtraction ends at a hole between entries.
    if (hole) history_.max_deleted_id = std::max(history_.max_deleted_id, entry.id);
    p = node.erase(p);
    ++deleted;
  }
  return deleted;
}

std::uint64_t Stream::trim(const StreamTrim& trim) {
  const bool acked = trim.references == StreamReferences::kAcked && !groups().empty();
  bool hole = false;
  std::uint64_t deleted = 0;
  for (Place at = nodes_.begin(); at != nodes_.end();) {
    const std::uint64_t excess = length_ > trim.length ? length_ - trim.length : 0;
    if (trim.by == StreamTrim::By::kLength && excess == 0) break;
    StreamNode& node = nodes_.at(at);
    if (trim.by == StreamTrim::By::kId && node.id() >= trim.id) break;
    if (trim.limit != 0 && deleted + node.size() > trim.limit) break;
    const bool in_range =
        trim.by == StreamTrim::By::kLength ? node.size() <= excess : node.last_id() < trim.id;
    const bool whole = in_range && !hole && (!acked || all_acknowledged(node));
    if (!whole && trim.approximate) break;
    std::uint64_t gone = node.size();
    if (whole && trim.references == StreamReferences::kDrop) drop_references_of(node);
    if (!whole)
      gone = acked ? trim_acknowledged(node, trim, excess, hole) : trim_node(node, trim, excess);
    length_ -= gone;
    deleted += gone;
    at = whole || node.size() == 0 ? nodes_.erase(at) : nodes_.next(at);
    // Entries behind a part that stays can only be deleted where groups hold entries back.
    if (!whole && !acked) break;
  }
  if (deleted > 0) refresh_first_id();
  return deleted;
}

// --- groups ---

const StreamGroups& Stream::groups() const {
  static const StreamGroups kNone;
  return groups_ ? *groups_ : kNone;
}

const StreamGroup* Stream::group(std::string_view name) const {
  if (!groups_) return nullptr;
  const auto at = groups_->find(name);
  return at == groups_->end() ? nullptr : &at->second;
}

StreamGroup* Stream::group(std::string_view name) {
  return const_cast<StreamGroup*>(std::as_const(*this).group(name));
}

StreamGroup* Stream::add_group(std::string_view name, StreamId last_id, std::int64_t entries_read) {
  if (group(name) != nullptr) return nullptr;
  put_group(name, StreamGroup(last_id, entries_read));
  return group(name);
}

bool Stream::remove_group(std::string_view name) {
  if (!groups_) return false;
  const auto at = groups_->find(name);
  if (at == groups_->end()) return false;
  groups_->erase(at);
  return true;
}

void Stream::put_group(std::string_view name, StreamGroup group) {
  if (!groups_) groups_ = std::make_unique<StreamGroups>();
  groups_->emplace(std::string(name), std::move(group));
}

bool Stream::is_acknowledged(StreamId id) const {
  return std::all_of(groups().begin(), groups().end(), [&](const auto& named) {
    return named.second.last_id >= id && named.second.find(id) == nullptr;
  });
}

bool Stream::drop_references(StreamId id) {
  if (!groups_) return false;
  bool was_pending = false;
  for (auto& [name, group] : *groups_) was_pending |= group.acknowledge(id);
  return was_pending;
}

bool Stream::deleted_singly_from(StreamId id) const {
  const StreamId deleted = history_.max_deleted_id;
  if (length_ == 0 || deleted.is_zero() || first_id_ > deleted) return false;
  return id <= deleted;
}

std::int64_t Stream::entries_read_at(StreamId id) const {
  const auto added = static_cast<std::int64_t>(history_.entries_added);
  const auto present = static_cast<std::int64_t>(length_);
  if (added == 0) return 0;
  if (id > history_.last_id) return StreamGroup::kUnknown;
  if (length_ == 0 || id == history_.last_id) return added;
  const bool whole = history_.max_deleted_id.is_zero() || history_.max_deleted_id < first_id_;
  if (!whole || id > first_id_) return StreamGroup::kUnknown;
  return id == first_id_ ? added - present + 1 : added - present;
}

std::optional<std::int64_t> Stream::lag(const StreamGroup& group) const {
  if (history_.entries_added == 0 || length_ == 0) return 0;
  // Nothing that is there was read, and nothing in between was deleted.
  if (group.last_id < first_id_ && history_.max_deleted_id < first_id_)
    return static_cast<std::int64_t>(length_);
  std::int64_t read = group.entries_read;
  if (read == StreamGroup::kUnknown || deleted_singly_from(group.last_id))
    read = entries_read_at(group.last_id);
  if (read == StreamGroup::kUnknown) return std::nullopt;
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(history_.entries_added) - read);
}

void Stream::advance(StreamGroup& group, StreamId id) const {
  // One more was read, if what stands between is known to be there.
  const bool counts = group.entries_read != StreamGroup::kUnknown && !(group.last_id < first_id_) &&
                      !deleted_singly_from(id);
  if (counts)
    ++group.entries_read;
  else if (history_.entries_added > 0)
    group.entries_read = entries_read_at(id);
  group.last_id = id;
}

// --- StreamReader ---

StreamReader::StreamReader(const Stream& stream, StreamId from, StreamId to, Order order)
    : stream_(stream), from_(from), to_(to), order_(order), at_(stream.nodes_.end()) {}

bool StreamReader::next() {
  const bool found = order_ == Order::kAscending ? next_ascending() : next_descending();
  started_ = true;
  behind_ = 0;
  return found;
}

bool StreamReader::next_ascending() {
  const Stream::Nodes& nodes = stream_.nodes_;
  Position p = 0;
  if (started_) {
    p = behind_ != 0 ? behind_ : node().behind(view_);
  } else {
    at_ = stream_.node_of(from_);
    if (at_ == nodes.end()) at_ = nodes.begin();
    if (at_ == nodes.end()) return false;
    p = node().lower_bound(from_);
  }
  if (p == node().end()) {
    at_ = nodes.next(at_);
    if (at_ == nodes.end()) return false;
    p = node().begin();
  }
  view_ = node().view(p);
  return view_.id <= to_;
}

bool StreamReader::next_descending() {
  const Stream::Nodes& nodes = stream_.nodes_;
  Position p = 0;
  if (started_) {
    p = view_.at;
  } else {
    at_ = stream_.node_of(to_);
    if (at_ == nodes.end()) return false;
    p = node().lower_bound(to_);
    if (p != node().end() && node().view(p).id == to_) p = node().next(p);
  }
  if (p == node().begin()) {
    if (at_ == nodes.begin()) return false;
    at_ = nodes.previous(at_);
    p = node().end();
  }
  view_ = node().view(node().previous(p));
  return view_.id >= from_;
}

}  // namespace hearth

// Stream: a log of entries, each some fields under an id, the ids ascending; and the consumer
// groups that read it.
//
// Entries stand in nodes (stream_node.h) of bounded size, the nodes in an ordered index by the ids
// they begin at. Appending is O(fields); finding an id is O(log nodes + entries of a node).
// An empty stream keeps its last id and its groups.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "src/ds/ordered_chunks.h"
#include "src/store/stream_group.h"
#include "src/store/stream_id.h"
#include "src/store/stream_node.h"

namespace hearth {

class StreamIdempotency;

// Limits of a node; 0 is none but the format's own.
struct StreamLimits {
  std::uint64_t node_bytes = 4096;
  std::uint64_t node_entries = 100;
};

// How a deletion treats entries that groups have pending.
enum class StreamReferences : std::uint8_t {
  kKeep,   // they stay pending
  kDrop,   // they are no longer pending
  kAcked,  // an entry that a group has pending, or has not read, is not deleted
};

struct StreamTrim {
  enum class By : std::uint8_t { kLength, kId };
  By by = By::kLength;
  bool approximate = false;  // whole nodes only
  std::uint64_t length = 0;  // kLength: as many entries remain
  StreamId id{};             // kId: entries from this one on remain
  std::uint64_t limit = 0;   // most entries to delete, approximate only; 0: no limit
  StreamReferences references = StreamReferences::kKeep;
};

class Stream {
 public:
  struct NodeKey {
    static StreamId key(const StreamNode& node) { return node.id(); }
  };
  using Nodes = ds::OrderedChunks<StreamNode, NodeKey>;

  // Figures about the stream's past; see the accessors.
  struct History {
    StreamId last_id;
    StreamId max_deleted_id;
    std::uint64_t entries_added = 0;
  };

  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  [[nodiscard]] std::unique_ptr<Stream> clone() const;

  // --- what it is ---
  [[nodiscard]] std::uint64_t length() const { return length_; }
  // The largest id ever used, 0-0 in a new stream.
  [[nodiscard]] StreamId last_id() const { return history_.last_id; }
  // The first entry's, 0-0 if there is none.
  [[nodiscard]] StreamId first_id() const { return first_id_; }
  // The largest id that was deleted singly (not trimmed), 0-0 if none was.
  [[nodiscard]] StreamId max_deleted_id() const { return history_.max_deleted_id; }
  // How many entries were added in all.
  [[nodiscard]] std::uint64_t entries_added() const { return history_.entries_added; }
  [[nodiscard]] const History& history() const { return history_; }
  [[nodiscard]] const Nodes& nodes() const { return nodes_; }
  // The last entry's id; nothing if there is none. O(fields).
  [[nodiscard]] std::optional<StreamId> last_entry_id() const;
  [[nodiscard]] bool contains(StreamId id) const;
  // Entries with from <= id <= to, counted up to `most`. O(nodes of the range).
  [[nodiscard]] std::uint64_t count(StreamId from, StreamId to,
                                    std::uint64_t most = UINT64_MAX) const;

  // --- changing ---
  // Whether these fields can be one entry: what the format has room for.
  [[nodiscard]] static bool fits(std::span<const std::string_view> pairs);
  // pairs: field, value, field, value ..., at least one pair, fits(). id > last_id().
  void append(StreamId id, std::span<const std::string_view> pairs, const StreamLimits& limits);
  // False if there is no such entry. Pending entries stay pending.
  bool erase(StreamId id);
  // Deletes from the beginning; returns how many entries. O(nodes deleted), plus the entries where
  // references are looked at.
  std::uint64_t trim(const StreamTrim& trim);
  // id >= the last entry's; entries_added >= length(). Nothing leaves the figure as it is.
  void set_history(StreamId last_id, std::optional<std::uint64_t> entries_added,
                   std::optional<StreamId> max_deleted_id);
  // For decoders: the next node, which is not empty and begins behind the last entry so far. The
  // history has to be set behind it.
  void append_node(StreamNode node);

  // --- groups, in the order of their names ---
  [[nodiscard]] const StreamGroups& groups() const;
  [[nodiscard]] StreamGroup* group(std::string_view name);
  [[nodiscard]] const StreamGroup* group(std::string_view name) const;
  // nullptr if the name is taken.
  StreamGroup* add_group(std::string_view name, StreamId last_id, std::int64_t entries_read);
  bool remove_group(std::string_view name);
  // For decoders and copies.
  void put_group(std::string_view name, StreamGroup group);

  // Can the entry be deleted without any group missing it: each has read it and none has it
  // pending. O(groups).
  [[nodiscard]] bool is_acknowledged(StreamId id) const;
  // The entry is no longer pending anywhere. Returns whether it was.
  bool drop_references(StreamId id);

  // Entries the group has not been given yet, if that can be told. It cannot where entries were
  // deleted singly ahead of it.
  [[nodiscard]] std::optional<std::int64_t> lag(const StreamGroup& group) const;
  // How many entries ever added stand up to this id, if that can be told:
  // kUnknown (StreamGroup) if not.
  [[nodiscard]] std::int64_t entries_read_at(StreamId id) const;
  // The group was given the entry of this id, which is behind its last: moves it on.
  void advance(StreamGroup& group, StreamId id) const;

  // --- idempotent producers; nullptr until one is used. Forgetting what is due is no change. ---
  [[nodiscard]] StreamIdempotency* idempotency() const { return idempotency_.get(); }
  StreamIdempotency& make_idempotency();

  // How many allocations freeing it takes, about.
  [[nodiscard]] std::size_t free_effort() const;
  // Bytes of all allocations, about. O(nodes of a sample + groups).
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  friend class StreamReader;

  [[nodiscard]] bool deleted_singly_from(StreamId id) const;
  [[nodiscard]] bool is_full(const StreamNode& node, std::span<const std::string_view> pairs,
                             const StreamLimits& limits) const;
  [[nodiscard]] Nodes::Place node_of(StreamId id) const { return nodes_.floor(id); }
  void refresh_first_id();
  void drop_references_of(const StreamNode& node);
  [[nodiscard]] bool all_acknowledged(const StreamNode& node) const;
  std::uint64_t trim_node(StreamNode& node, const StreamTrim& trim, std::uint64_t excess);
  std::uint64_t trim_acknowledged(StreamNode& node, const StreamTrim& trim, std::uint64_t excess,
                                  bool& hole);

  Nodes nodes_;  // none is empty
  std::uint64_t length_ = 0;
  StreamId first_id_;
  History history_;
  std::unique_ptr<StreamGroups> groups_;
  std::unique_ptr<StreamIdempotency> idempotency_;
};

// Walks the entries of a range of ids, one way or the other.
//
//   StreamReader reader(stream, from, to);
//   while (reader.next()) { reader.id(); reader.for_each_field(...); }
//
// The stream must not change meanwhile.
class StreamReader {
 public:
  enum class Order : std::uint8_t { kAscending, kDescending };
  // from <= id <= to in either order.
  StreamReader(const Stream& stream, StreamId from, StreamId to, Order order = Order::kAscending);

  // Goes to the first or next entry; false when there is none.
  bool next();
  [[nodiscard]] StreamId id() const { return view_.id; }
  [[nodiscard]] std::uint64_t field_count() const { return view_.field_count; }
  // fn(field, value); the texts may end with the call.
  template <typename F>
  void for_each_field(F&& fn) {
    behind_ = node().for_each_field(view_, std::forward<F>(fn));
  }

 private:
  [[nodiscard]] const StreamNode& node() const { return stream_.nodes_.at(at_); }
  bool next_ascending();
  bool next_descending();

  const Stream& stream_;
  StreamId from_, to_;
  Order order_;
  bool started_ = false;
  Stream::Nodes::Place at_;
  StreamNode::View view_;
  StreamNode::Position behind_ = 0;  // the entry, if that is known
};

}  // namespace hearth

// StreamNode: neighbouring entries of a stream in one allocation, in the form files have them.
//
// The bytes are a listpack. Its head holds the field names of the first entry that was added, which
// entries with the same fields do not repeat; ids are differences to the node's own:
//
//   head    live entries, deleted entries, number of names, names ..., 0
//   entry   flags, ms difference, seq difference,
//           [number of fields, field, value ...]  or, flag 2, [value ...] of the head's names,
//           number of the elements of this entry before this one
//
// Entries that are deleted leave at once: deleted is always 0 here, and nodes from files lose what
// is marked (flag 1). The buffer grows by doubling while entries are added; shrink() gives the
// spare room back. Source: the stream encoding as FORMATS has it, and observed payloads.
//
// Positions are byte offsets; append, erase and shrink end them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "src/base/format_number.h"
#include "src/base/result.h"
#include "src/ds/back_length.h"
#include "src/ds/element.h"
#include "src/store/stream_id.h"

namespace hearth {

class StreamNode {
 public:
  using Position = std::uint32_t;

  // An entry without its fields.
  struct View {
    StreamId id;
    std::uint64_t field_count = 0;
    Position at = 0;      // of the entry
    Position body = 0;    // of what stands behind the id and the number of fields
    bool shared = false;  // the names stand in the head
  };

  // An empty node for an entry of this id with these fields (field, value, field, value ...).
  StreamNode(StreamId id, std::span<const std::string_view> pairs);
  ~StreamNode();
  StreamNode(StreamNode&& other) noexcept;
  StreamNode& operator=(StreamNode&& other) noexcept;
  StreamNode(const StreamNode&) = delete;
  StreamNode& operator=(const StreamNode&) = delete;
  [[nodiscard]] StreamNode clone() const;

  // From bytes of unknown origin. All of them are verified: the listpack, the structure, the
  // counts, and that ids ascend from the node's. The node may come out empty, if all entries are
  // marked deleted. Errors: kCorrupt.
  [[nodiscard]] static Result<StreamNode> from_bytes(StreamId id, std::string_view listpack);

  [[nodiscard]] StreamId id() const { return id_; }
  [[nodiscard]] std::uint32_t size() const { return live_; }
  [[nodiscard]] std::string_view bytes() const { return {bytes_, total_}; }
  [[nodiscard]] std::size_t allocated_bytes() const { return capacity_; }
  // Not less than an empty node with this entry added takes.
  [[nodiscard]] static std::uint64_t bytes_most(std::span<const std::string_view> pairs);

  // --- entries ---
  [[nodiscard]] Position begin() const { return entries_at_; }
  [[nodiscard]] Position end() const { return total_ - 1; }
  // p is an entry. O(1).
  [[nodiscard]] View view(Position p) const;
  // p is an entry. O(fields).
  [[nodiscard]] Position next(Position p) const { return behind(view(p)); }
  [[nodiscard]] Position behind(const View& entry) const;
  // p is an entry that is not the first, or end(). O(fields).
  [[nodiscard]] Position previous(Position p) const;
  [[nodiscard]] StreamId last_id() const { return view(previous(end())).id; }
  // The first entry whose id is not less; end() if there is none. O(elements), less near the end.
  [[nodiscard]] Position lower_bound(StreamId id) const;
  // Calls fn(field, value) in the order they were given; returns the position behind the entry.
  // The texts may end with the call.
  template <typename F>
  Position for_each_field(const View& entry, F&& fn) const {
    char name_scratch[kInt64TextMax];
    char value_scratch[kInt64TextMax];
    Position name = names_at_;
    Position p = entry.body;
    for (std::uint64_t i = 0; i < entry.field_count; ++i) {
      const Position field = entry.shared ? name : p;
      if (entry.shared)
        name = after(name);
      else
        p = after(p);
      const Position value = p;
      p = after(p);
      fn(ds::element_at(bytes_ + field).text(name_scratch),
         ds::element_at(bytes_ + value).text(value_scratch));
    }
    return after(p);
  }

  // --- changing ---
  // The id is greater than all here, the node's own included unless the node is empty.
  void append(StreamId id, std::span<const std::string_view> pairs);
  // Takes out what stands from one entry up to another (or end()); returns the position of the
  // latter. O(bytes behind it).
  Position erase(Position from, Position to);
  Position erase(Position p) { return erase(p, next(p)); }
  void shrink();

 private:
  StreamNode() = default;

  [[nodiscard]] Position after(Position p) const {
    const std::uint64_t size = ds::layout_at(bytes_ + p, 5).size();
    return static_cast<Position>(p + size + ds::back_length_size(size));
  }
  [[nodiscard]] Position before(Position p) const {
    const std::uint64_t size = ds::read_back_length(bytes_ + p - 1);
    return static_cast<Position>(p - size - ds::back_length_size(size));
  }
  [[nodiscard]] std::int64_t number(Position p) const { return ds::element_number(bytes_ + p); }
  [[nodiscard]] bool has_names(std::span<const std::string_view> pairs) const;
  void reserve(std::uint64_t bytes);
  void set_size(std::uint32_t live);
  // One of the counts in the head.
  void replace_head_number(Position p, std::int64_t value);
  void count_elements(std::int64_t more);
  // Sets the cached positions from the bytes.
  void find_parts();

  StreamId id_;
  char* bytes_ = nullptr;
  std::uint32_t total_ = 0;  // bytes of the listpack
  std::uint32_t capacity_ = 0;
  std::uint32_t live_ = 0;
  Position names_at_ = 0;
  Position entries_at_ = 0;
};

}  // namespace hearth

#include "persistence/rdb/object_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "persistence/rdb/dump.h"
#include "src/ds/listpack.h"

namespace hearth::rdb {
namespace {

// --- writing ---

std::string id_bytes(StreamId id) {
  std::string bytes(kStreamIdBytes, '\0');
  store_stream_id(bytes.data(), id);
  return bytes;
}

void write_id_parts(std::string& out, StreamId id) {
  write_length(out, id.ms);
  write_length(out, id.seq);
}

struct ConsumerToWrite {
  std::int64_t seen_ms = 0;
  std::int64_t active_ms = StreamConsumer::kNever;
  std::vector<StreamId> ids;
};

std::map<std::string, ConsumerToWrite> consumers_to_write(const StreamGroup& group) {
  std::map<std::string, ConsumerToWrite> all;
  for (const auto& [name, consumer] : group.consumers()) {
    ConsumerToWrite& c = all[name];
    c.seen_ms = consumer->seen_ms;
    c.active_ms = consumer->active_ms;
    const StreamIdSet& ids = consumer->pending;
    for (auto p = ids.begin(); p != ids.end(); p = ids.next(p)) c.ids.push_back(ids.at(p));
  }
  const PendingList& pending = group.pending();
  for (auto p = pending.begin(); p != pending.end(); p = pending.next(p)) {
    if (pending.at(p).consumer == nullptr) all[""].ids.push_back(pending.at(p).id);
  }
  return all;
}

void write_group(const std::string& name, const StreamGroup& group, bool with_active_time,
                 const EncodeOptions& options, std::string& out) {
  ByteWriter writer(out);
  write_string(out, name, options.compression);
  write_id_parts(out, group.last_id);
  write_length(out, static_cast<std::uint64_t>(group.entries_read));
  const PendingList& pending = group.pending();
  write_length(out, pending.size());
  for (auto p = pending.begin(); p != pending.end(); p = pending.next(p)) {
    writer.bytes(id_bytes(pending.at(p).id));
    writer.le(pending.at(p).delivered_ms);
    write_length(out, pending.at(p).deliveries);
  }
  const auto consumers = consumers_to_write(group);
  write_length(out, consumers.size());
  for (const auto& [consumer_name, consumer] : consumers) {
    write_string(out, consumer_name, options.compression);
    writer.le(consumer.seen_ms);
    if (with_active_time) writer.le(consumer.active_ms);
    write_length(out, consumer.ids.size());
    for (const StreamId id : consumer.ids) writer.bytes(id_bytes(id));
  }
}

// --- reading ---

Result<StreamId> read_id_parts(ByteReader& in) {
  StreamId id;
  HEARTH_TRY(id.ms, read_length(in));
  HEARTH_TRY(id.seq, read_length(in));
  return id;
}

Result<StreamId> read_raw_id(ByteReader& in) {
  std::string_view bytes;
  if (!in.take(kStreamIdBytes, bytes)) return corrupt(in, "an id of 16 bytes");
  return load_stream_id(bytes.data());
}

Result<std::uint64_t> read_count_of(ByteReader& in, std::size_t least_bytes, const char* what) {
  HEARTH_TRY(const std::uint64_t count, read_length(in));
  if (count > in.remaining() / least_bytes) return cut_short(in, what);
  return count;
}

Result<void> read_nodes(ByteReader& in, const DecodeLimits& limits, Stream& stream) {
  HEARTH_TRY(const std::uint64_t count,
             read_count_of(in, kStreamIdBytes + 2, "as many nodes as there are bytes for"));
  const std::uint64_t most = std::max<std::uint64_t>(limits.string_bytes, ds::Listpack::kBytesMax);
  for (std::uint64_t i = 0; i < count; ++i) {
    HEARTH_TRY(const std::string key, read_string(in, kStreamIdBytes));
    if (key.size() != kStreamIdBytes) return corrupt(in, "a node's id of 16 bytes");
    HEARTH_TRY(const std::string bytes, read_string(in, most));
    const StreamId id = load_stream_id(key.data());
    auto node = StreamNode::from_bytes(id, bytes);
    if (!node) {
      return fail(ErrorCode::kCorrupt,
                  fmt::format("offset {}: {}", in.offset(), node.error().context));
    }
    if (stream.length() > 0 && id <= stream.last_id()) return corrupt(in, "nodes in order");
    if (node->size() > 0) stream.append_node(std::move(*node));
  }
  return {};
}

// The fields behind the nodes. Older files know the last id only.
Result<void> read_history(ByteReader& in, bool old, const DecodeLimits& limits, Stream& stream,
                          bool& length_differs) {
  HEARTH_TRY(std::uint64_t length, read_length(in));
  length_differs = length != stream.length();
  if (length_differs && limits.strictness == Strictness::kPayload)
    return corrupt(in, "as many entries as the nodes hold");
  length = stream.length();
  Stream::History h;
  HEARTH_TRY(h.last_id, read_id_parts(in));
  h.entries_added = length;
  if (!old) {
    HEARTH_TRY([[maybe_unused]] const StreamId first, read_id_parts(in));
    HEARTH_TRY(h.max_deleted_id, read_id_parts(in));
    HEARTH_TRY(h.entries_added, read_length(in));
  }
  if (h.last_id < stream.last_id()) return corrupt(in, "a last id not before the last entry");
  if (h.last_id < h.max_deleted_id) return corrupt(in, "a last id not before the last deleted");
  if (length_differs) h.entries_added = std::max(h.entries_added, length);
  if (h.entries_added < length || h.entries_added > INT64_MAX)
    return corrupt(in, "a count of additions not below the length");
  stream.set_history(h.last_id, h.entries_added, h.max_deleted_id);
  return {};
}

Result<void> read_pending(ByteReader& in, StreamGroup& group) {
  HEARTH_TRY(
      const std::uint64_t count,
      read_count_of(in, kStreamIdBytes + 9, "as many pending entries as there are bytes for"));
  for (std::uint64_t i = 0; i < count; ++i) {
    HEARTH_TRY(const StreamId id, read_raw_id(in));
    std::int64_t delivered_ms = 0;
    if (!in.le(delivered_ms)) return corrupt(in, "a time of delivery");
    HEARTH_TRY(const std::uint64_t deliveries, read_length(in));
    if (deliveries > INT64_MAX) return corrupt(in, "a count of deliveries in range");
    if (group.find(id) != nullptr) return corrupt(in, "a pending entry that was not there before");
    group.assign(id, nullptr, delivered_ms).deliveries = deliveries;
  }
  return {};
}

// `nobody`: ids that stay without a consumer.
Result<void> read_consumer(ByteReader& in, const DecodeLimits& limits, bool with_active_time,
                           StreamGroup& group, std::set<StreamId>& nobody) {
  HEARTH_TRY(const std::string name, read_string(in, limits.string_bytes));
  if (group.consumer(name) != nullptr) return corrupt(in, "a consumer that was not there before");
  std::int64_t seen_ms = 0;
  if (!in.le(seen_ms)) return corrupt(in, "when the consumer was seen");
  std::int64_t active_ms = seen_ms;
  if (with_active_time && !in.le(active_ms)) return corrupt(in, "when the consumer was active");
  StreamConsumer& consumer = group.add_consumer(name, UnixMillis{seen_ms});
  consumer.active_ms = active_ms;
  HEARTH_TRY(const std::uint64_t count,
             read_count_of(in, kStreamIdBytes, "as many ids as there are bytes for"));
  bool owns_any = false;
  for (std::uint64_t i = 0; i < count; ++i) {
    HEARTH_TRY(const StreamId id, read_raw_id(in));
    const PendingEntry* entry = group.find(id);
    if (entry == nullptr || entry->consumer != nullptr || nobody.contains(id))
      return corrupt(in, "a pending entry of the group that no other consumer has");
    if (name.empty() && entry->delivered_ms == 0) {
      nobody.insert(id);
      continue;
    }
    group.assign(id, &consumer, entry->delivered_ms);
    owns_any = true;
  }
  if (name.empty() && !owns_any && count > 0 && seen_ms == 0) group.remove_consumer(consumer);
  return {};
}

Result<void> read_group(ByteReader& in, const DecodeLimits& limits, ObjectType type,
                        Stream& stream) {
  HEARTH_TRY(const std::string name, read_string(in, limits.string_bytes));
  if (stream.group(name) != nullptr) return corrupt(in, "a group that was not there before");
  HEARTH_TRY(const StreamId last_id, read_id_parts(in));
  std::int64_t entries_read = stream.entries_read_at(last_id);
  if (type != ObjectType::kStreamListpacks) {
    HEARTH_TRY(const std::uint64_t read, read_length(in));
    entries_read = static_cast<std::int64_t>(read);
    if (entries_read < StreamGroup::kUnknown) return corrupt(in, "a count of entries read");
  }
  StreamGroup& group = *stream.add_group(name, last_id, entries_read);
  HEARTH_TRY_VOID(read_pending(in, group));
  HEARTH_TRY(const std::uint64_t consumers,
             read_count_of(in, 10, "as many consumers as there are bytes for"));
  std::set<StreamId> nobody;
  for (std::uint64_t i = 0; i < consumers; ++i) {
    HEARTH_TRY_VOID(
        read_consumer(in, limits, type == ObjectType::kStreamListpacks3, group, nobody));
  }
  std::size_t owned = nobody.size();
  for (const auto& [consumer_name, consumer] : group.consumers()) owned += consumer->pending.size();
  if (owned != group.pending().size()) return corrupt(in, "a consumer for every pending entry");
  return {};
}

}  // namespace

namespace {

EncodedType stream_form(const EncodeOptions& options) {
  const bool old = options.target == Target::kRedis70;
  return {old ? ObjectType::kStreamListpacks2 : ObjectType::kStreamListpacks3,
          old ? kVersionRedis70 : kVersionPortable};
}

void write_groups(const Stream& stream, const EncodeOptions& options, std::string& out) {
  const bool with_active_time = options.target != Target::kRedis70;
  write_length(out, stream.groups().size());
  for (const auto& [name, group] : stream.groups())
    write_group(name, group, with_active_time, options, out);
}

}  // namespace

std::string stream_groups_payload(const Stream& stream, const EncodeOptions& options) {
  const EncodedType form = stream_form(options);
  std::string payload(1, static_cast<char>(form.type));
  write_length(payload, 0);  // nodes
  write_length(payload, 0);  // entries
  for (int id = 0; id < 3; ++id) write_id_parts(payload, StreamId{});
  write_length(payload, 0);  // entries added
  write_groups(stream, options, payload);
  append_dump_footer(form.version, payload);
  return payload;
}

EncodedType encode_stream(const Stream& stream, const EncodeOptions& options, std::string& out) {
  const Stream::Nodes& nodes = stream.nodes();
  write_length(out, nodes.size());
  for (auto p = nodes.begin(); p != nodes.end(); p = nodes.next(p)) {
    write_string(out, id_bytes(nodes.at(p).id()), Compression::kOff);
    write_string(out, nodes.at(p).bytes(), options.compression);
  }
  write_length(out, stream.length());
  write_id_parts(out, stream.last_id());
  write_id_parts(out, stream.first_id());
  write_id_parts(out, stream.max_deleted_id());
  write_length(out, stream.entries_added());
  write_groups(stream, options, out);
  return stream_form(options);
}

bool is_stream_type(std::uint8_t type) {
  const auto t = static_cast<ObjectType>(type);
  return t == ObjectType::kStreamListpacks || t == ObjectType::kStreamListpacks2 ||
         t == ObjectType::kStreamListpacks3;
}

Result<std::unique_ptr<Stream>> decode_stream(std::uint8_t type, ByteReader& in,
                                              const DecodeLimits& limits, bool* length_differs) {
  const auto form = static_cast<ObjectType>(type);
  auto stream = std::make_unique<Stream>();
  HEARTH_TRY_VOID(read_nodes(in, limits, *stream));
  bool differs = false;
  HEARTH_TRY_VOID(read_history(in, form == ObjectType::kStreamListpacks, limits, *stream, differs));
  if (length_differs != nullptr) *length_differs = differs;
  HEARTH_TRY(const std::uint64_t groups,
             read_count_of(in, 5, "as many groups as there are bytes for"));
  for (std::uint64_t i = 0; i < groups; ++i) HEARTH_TRY_VOID(read_group(in, limits, form, *stream));
  return stream;
}

}  // namespace hearth::rdb

#include "src/store/hash.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "src/base/check.h"
#include "src/ds/field_node.h"
#include "src/ds/hash_table.h"
#include "src/store/memory.h"

namespace hearth {

using ds::FieldNode;
using ds::Listpack;
using ds::Pack;

namespace {

struct FieldTraits {
  static std::string_view key(const FieldNode& node) { return node.field(); }
};
using FieldTable = ds::HashTable<FieldNode, FieldTraits>;

constexpr std::uintptr_t kHashTagMask = 3;
constexpr std::uintptr_t kPackedTag = 1;
constexpr std::uintptr_t kTableTag = 2;

bool passed(std::int64_t deadline, UnixMillis now) {
  return deadline != Hash::kNone && deadline <= now.ms;
}

// A lower bound that has to cover one more deadline.
std::int64_t earlier(std::int64_t bound, std::int64_t deadline) {
  if (deadline == Hash::kNone) return bound;
  return bound == Hash::kNone ? deadline : std::min(bound, deadline);
}

}  // namespace

struct Hash::Packed {
  Pack pack;
  std::int64_t min_deadline = kNone;
};

struct Hash::Table {
  explicit Table(std::uint64_t seed) : fields(seed) {}
  ~Table() {
    fields.clear([](FieldNode* node) { FieldNode::free(node); });
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  [[nodiscard]] FieldNode* visible(std::string_view field, UnixMillis now) const {
    FieldNode** slot = fields.find(field);
    return slot == nullptr || passed((*slot)->deadline(), now) ? nullptr : *slot;
  }
  void add(std::string_view field, std::string_view value, std::int64_t deadline,
           std::uint64_t hash) {
    FieldNode* node = FieldNode::make(field, value, deadline);
    node_bytes += node->bytes();
    min_deadline = earlier(min_deadline, deadline);
    fields.insert(node, hash, deadline != kNone);
  }
  void assign(FieldNode** slot, std::string_view value, std::int64_t deadline) {
    node_bytes -= (*slot)->bytes();
    *slot = FieldNode::assign(*slot, value, deadline);
    node_bytes += (*slot)->bytes();
    FieldTable::set_mark(slot, deadline != kNone);
    min_deadline = earlier(min_deadline, deadline);
    round_earliest = earlier(round_earliest, deadline);
  }
  void remove(FieldNode** slot, std::uint64_t hash) {
    const std::uint64_t buckets = fields.bucket_count();
    node_bytes -= (*slot)->bytes();
    FieldNode::free(fields.erase(slot, hash));
    // Joining buckets may carry a field to a place that the expiry pass has left behind.
    if (fields.bucket_count() != buckets) expire_cursor = 0;
  }
  std::uint64_t expire(UnixMillis now, std::uint64_t most,
                       const std::function<void(std::string_view)>& gone);
  // A field that has not expired; nullptr if none was met.
  [[nodiscard]] const FieldNode* random(Rng& rng, UnixMillis now) const;

  FieldTable fields;
  std::uint64_t node_bytes = 0;
  std::int64_t min_deadline = kNone;
  // An expiry pass over the buckets: where it stands, and the earliest deadline it has left behind.
  std::uint64_t expire_cursor = 0;
  std::int64_t round_earliest = kNone;
};

std::uint64_t Hash::Table::expire(UnixMillis now, std::uint64_t most,
                                  const std::function<void(std::string_view)>& gone) {
  constexpr std::uint64_t kBucketsPerField = 16;
  std::uint64_t removed = 0;
  std::uint64_t budget = most * kBucketsPerField;
  std::vector<std::string> due;
  while (removed < most && budget-- > 0 && min_deadline != kNone && min_deadline <= now.ms) {
    // The table may have shrunk since the last call.
    if (expire_cursor >= fields.bucket_count()) expire_cursor = 0;
    if (expire_cursor == 0) round_earliest = kNone;
    due.clear();
    bool all_taken = true;
    if (fields.bucket_has_mark(expire_cursor)) {
      fields.for_each_in_bucket(expire_cursor, [&](FieldNode* node, bool marked) {
        if (!marked) return;
        if (!passed(node->deadline(), now)) {
          round_earliest = earlier(round_earliest, node->deadline());
        } else if (removed + due.size() < most) {
          due.emplace_back(node->field());
        } else {
          all_taken = false;
        }
      });
    }
    const std::uint64_t buckets = fields.bucket_count();
    for (const std::string& field : due) {
      const std::uint64_t hash = fields.hash_of(field);
      FieldNode** slot = fields.find(field, hash);
      gone(field);
      remove(slot, hash);
      ++removed;
    }
    if (!all_taken) break;                           // the same bucket again next time
    if (fields.bucket_count() != buckets) continue;  // the pass begins again
    if (++expire_cursor >= fields.bucket_count()) {
      expire_cursor = 0;
      min_deadline = round_earliest;
      break;
    }
  }
  if (fields.empty()) min_deadline = kNone;
  return removed;
}

std::string_view encoding_name(HashEncoding encoding) noexcept {
  switch (encoding) {
    case HashEncoding::kListpack: return "listpack";
    case HashEncoding::kListpackEx: return "listpackex";
    case HashEncoding::kHashtable: break;
  }
  return "hashtable";
}

// --- shape ---

Hash::Hash() { new (body_) Pack(); }

Hash::~Hash() { release(); }

Hash::Hash(Hash&& other) noexcept : Hash() { *this = std::move(other); }

Hash& Hash::operator=(Hash&& other) noexcept {
  // Both forms of the body are plain words that can change places.
  const std::uintptr_t mine = word();
  set_word(other.word());
  other.set_word(mine);
  return *this;
}

std::uintptr_t Hash::word() const {
  std::uintptr_t w = 0;
  std::memcpy(&w, body_, sizeof w);
  return w;
}
void Hash::set_word(std::uintptr_t word) { std::memcpy(body_, &word, sizeof word); }

HashEncoding Hash::encoding() const { return static_cast<HashEncoding>(word() & kHashTagMask); }

Hash::Packed* Hash::packed() const { return reinterpret_cast<Packed*>(word() & ~kHashTagMask); }
Hash::Table* Hash::table() const { return reinterpret_cast<Table*>(word() & ~kHashTagMask); }

const Pack& Hash::pack() const {
  if (encoding() == HashEncoding::kListpackEx) return packed()->pack;
  return *std::launder(reinterpret_cast<const Pack*>(body_));
}
Pack& Hash::pack() {
  if (encoding() == HashEncoding::kListpackEx) return packed()->pack;
  return *std::launder(reinterpret_cast<Pack*>(body_));
}

void Hash::release() {
  switch (encoding()) {
    case HashEncoding::kListpack: pack().~Pack(); break;
    case HashEncoding::kListpackEx: delete packed(); break;
    case HashEncoding::kHashtable: delete table(); break;
  }
}

void Hash::become_listpackex() {
  auto fresh = std::make_unique<Packed>();
  const Pack& old = pack();
  char scratch[kInt64TextMax];
  for (auto at = old.first(); at != Pack::kEnd; at = old.next(at)) {
    fresh->pack.append(old.get(at).text(scratch));
    at = old.next(at);
    fresh->pack.append(old.get(at).text(scratch));
    fresh->pack.append_number(0);
  }
  release();
  set_word(reinterpret_cast<std::uintptr_t>(fresh.release()) | kPackedTag);
}

void Hash::become_table(const HashLimits& limits) {
  auto fresh = std::make_unique<Table>(limits.seed);
  fresh->fields.reserve(size() + 1);
  for_each(UnixMillis{0}, [&](const Item& item) {
    fresh->add(item.field, item.value, item.deadline, fresh->fields.hash_of(item.field));
  });
  release();
  set_word(reinterpret_cast<std::uintptr_t>(fresh.release()) | kTableTag);
}

Hash Hash::from_listpack(const Listpack& pairs, const HashLimits& limits) {
  Hash hash;
  Scratch scratch;
  for (auto at = pairs.first(); at != Listpack::kEnd; at = pairs.next(at)) {
    const std::string_view field = pairs.get(at).text(scratch.field);
    at = pairs.next(at);
    hash.set(field, pairs.get(at).text(scratch.value), kNone, UnixMillis{0}, limits);
  }
  return hash;
}

Hash Hash::clone() const {
  Hash copy;
  switch (encoding()) {
    case HashEncoding::kListpack: copy.pack() = pack().clone(); break;
    case HashEncoding::kListpackEx: {
      auto fresh = std::make_unique<Packed>();
      fresh->pack = packed()->pack.clone();
      fresh->min_deadline = packed()->min_deadline;
      copy.release();
      copy.set_word(reinterpret_cast<std::uintptr_t>(fresh.release()) | kPackedTag);
      break;
    }
    case HashEncoding::kHashtable: {
      HashLimits limits;
      limits.seed = table()->fields.seed();
      copy.become_table(limits);
      copy.table()->fields.reserve(size());
      table()->fields.for_each([&](FieldNode* node) {
        copy.table()->add(node->field(), node->value(), node->deadline(),
                          copy.table()->fields.hash_of(node->field()));
      });
      copy.table()->min_deadline = table()->min_deadline;
      break;
    }
  }
  return copy;
}

Listpack Hash::to_listpack() const {
  Listpack pairs;
  for_each(UnixMillis{0}, [&](const Item& item) {
    pairs.append(item.field);
    pairs.append(item.value);
  });
  return pairs;
}

std::size_t Hash::memory_bytes() const {
  using memory::rounded;
  switch (encoding()) {
    case HashEncoding::kListpack: return rounded(pack().total_bytes());
    case HashEncoding::kListpackEx: return rounded(sizeof(Packed)) + rounded(pack().total_bytes());
    case HashEncoding::kHashtable: break;
  }
  const Table& t = *table();
  std::size_t bytes = rounded(sizeof(Table)) + t.fields.memory_bytes();
  if (!t.fields.empty()) bytes += t.fields.size() * rounded(t.node_bytes / t.fields.size());
  return bytes;
}

std::uint64_t Hash::bucket_count() const {
  return encoding() == HashEncoding::kHashtable ? table()->fields.bucket_count() : 0;
}

std::optional<std::uint64_t> Hash::fetch_bucket(std::string_view field) const {
  if (encoding() != HashEncoding::kHashtable) return std::nullopt;
  const std::uint64_t hash = table()->fields.hash_of(field);
  table()->fields.prefetch_bucket(hash);
  return hash;
}

void Hash::fetch_node(std::uint64_t hash) const { table()->fields.prefetch_entry(hash); }

// --- reading ---

std::uint64_t Hash::size() const {
  if (encoding() == HashEncoding::kHashtable) return table()->fields.size();
  return pack().size() / stride();
}

std::uint64_t Hash::visible_size(UnixMillis now) const {
  if (!may_have_expired(now)) return size();
  std::uint64_t count = 0;
  for_each(now, [&](const Item&) { ++count; });
  return count;
}

std::int64_t Hash::min_deadline() const {
  switch (encoding()) {
    case HashEncoding::kListpack: return kNone;
    case HashEncoding::kListpackEx: return packed()->min_deadline;
    case HashEncoding::kHashtable: break;
  }
  return table()->min_deadline;
}

Pack::Position Hash::find_packed(std::string_view field) const {
  return pack().find(field, stride() - 1);
}

std::int64_t Hash::packed_deadline(Pack::Position value_at) const {
  if (encoding() == HashEncoding::kListpack) return kNone;
  const std::int64_t stored = pack().get(pack().next(value_at)).number;
  return stored == 0 ? kNone : stored;
}

Hash::Item Hash::packed_item(Pack::Position field_at, Scratch& scratch) const {
  const Pack::Position value_at = pack().next(field_at);
  return {pack().get(field_at).text(scratch.field), pack().get(value_at).text(scratch.value),
          packed_deadline(value_at)};
}

std::optional<std::string_view> Hash::get(std::string_view field, UnixMillis now,
                                          Scratch& scratch) const {
  if (encoding() == HashEncoding::kHashtable) {
    const FieldNode* node = table()->visible(field, now);
    if (node == nullptr) return std::nullopt;
    return node->value();
  }
  const Pack::Position at = find_packed(field);
  if (at == Pack::kEnd) return std::nullopt;
  const Pack::Position value_at = pack().next(at);
  if (passed(packed_deadline(value_at), now)) return std::nullopt;
  return pack().get(value_at).text(scratch.value);
}

bool Hash::exists(std::string_view field, UnixMillis now) const {
  return deadline(field, now).has_value();
}

std::optional<std::int64_t> Hash::deadline(std::string_view field, UnixMillis now) const {
  if (encoding() == HashEncoding::kHashtable) {
    const FieldNode* node = table()->visible(field, now);
    if (node == nullptr) return std::nullopt;
    return node->deadline();
  }
  const Pack::Position at = find_packed(field);
  if (at == Pack::kEnd) return std::nullopt;
  const std::int64_t found = packed_deadline(pack().next(at));
  if (passed(found, now)) return std::nullopt;
  return found;
}

const FieldNode* Hash::Table::random(Rng& rng, UnixMillis now) const {
  constexpr unsigned kDrawsMost = 128;
  constexpr std::uint64_t kBucketsMost = 1024;
  for (unsigned i = 0; i < kDrawsMost; ++i) {
    const FieldNode* node = fields.random(rng);
    if (!passed(node->deadline(), now)) return node;
  }
  // Nearly all have expired: one of those that are left will do.
  const FieldNode* found = nullptr;
  const std::uint64_t first = rng.below(fields.bucket_count());
  const std::uint64_t most = std::min(fields.bucket_count(), kBucketsMost);
  for (std::uint64_t i = 0; i < most && found == nullptr; ++i) {
    fields.for_each_in_bucket((first + i) % fields.bucket_count(), [&](FieldNode* node, bool) {
      if (!passed(node->deadline(), now)) found = node;
    });
  }
  return found;
}

std::optional<Hash::Item> Hash::random(Rng& rng, UnixMillis now, Scratch& scratch) const {
  if (size() == 0) return std::nullopt;
  if (encoding() == HashEncoding::kHashtable) {
    const FieldNode* node = table()->random(rng, now);
    if (node == nullptr) return std::nullopt;
    return Item{node->field(), node->value(), node->deadline()};
  }
  if (!may_have_expired(now)) return packed_item(pack().at(rng.below(size()) * stride()), scratch);
  const std::uint64_t visible = visible_size(now);
  if (visible == 0) return std::nullopt;
  std::uint64_t left = rng.below(visible);
  Item chosen;
  for_each(now, [&](const Item& item) {
    if (left-- != 0) return;
    chosen = item;
    // The visitor's texts of numbers are gone after its call.
    const auto keep = [](std::string_view text, char* to) -> std::string_view {
      return text.size() <= kInt64TextMax ? std::string_view{to, text.copy(to, text.size())} : text;
    };
    chosen.field = keep(item.field, scratch.field);
    chosen.value = keep(item.value, scratch.value);
  });
  return chosen;
}

void Hash::for_each(UnixMillis now, const Visitor& visit) const {
  if (encoding() == HashEncoding::kHashtable) {
    table()->fields.for_each([&](FieldNode* node) {
      if (!passed(node->deadline(), now)) visit({node->field(), node->value(), node->deadline()});
    });
    return;
  }
  Scratch scratch;
  const unsigned step = stride();
  for (auto at = pack().first(); at != Pack::kEnd;) {
    const Item item = packed_item(at, scratch);
    if (!passed(item.deadline, now)) visit(item);
    for (unsigned i = 0; i < step; ++i) at = pack().next(at);
  }
}

std::uint64_t Hash::scan(std::uint64_t cursor, UnixMillis now, const Visitor& visit) const {
  if (encoding() != HashEncoding::kHashtable) {
    for_each(now, visit);
    return 0;
  }
  return table()->fields.scan(cursor, [&](FieldNode* node) {
    if (!passed(node->deadline(), now)) visit({node->field(), node->value(), node->deadline()});
  });
}

// --- writing ---

Hash::Set Hash::set_packed(std::string_view field, std::string_view value, std::int64_t deadline,
                           UnixMillis now) {
  Pack& lp = pack();
  const bool timed = encoding() == HashEncoding::kListpackEx;
  const Pack::Position at = find_packed(field);
  if (at == Pack::kEnd) {
    if (deadline == kKeep) deadline = kNone;
    lp.append(field);
    lp.append(value);
    if (timed) {
      lp.append_number(deadline == kNone ? 0 : deadline);
      packed()->min_deadline = earlier(packed()->min_deadline, deadline);
    }
    return Set::kCreated;
  }
  Pack::Position value_at = lp.next(at);
  const std::int64_t old = packed_deadline(value_at);
  const bool was_gone = passed(old, now);
  if (deadline == kKeep) deadline = was_gone ? kNone : old;
  value_at = lp.replace(value_at, value);
  if (timed && deadline != old) {
    lp.replace_number(lp.next(value_at), deadline == kNone ? 0 : deadline);
    packed()->min_deadline = earlier(packed()->min_deadline, deadline);
  }
  return was_gone ? Set::kCreated : Set::kReplaced;
}

Hash::Set Hash::set(std::string_view field, std::string_view value, std::int64_t deadline,
                    UnixMillis now, const HashLimits& limits) {
  if (encoding() != HashEncoding::kHashtable) {
    const bool long_text =
        field.size() > limits.listpack_value || value.size() > limits.listpack_value;
    const bool no_room = !pack().fits(field.size() + value.size());
    const bool full = size() >= limits.listpack_entries && find_packed(field) == Pack::kEnd;
    if (!long_text && !no_room && !full) {
      if (deadline >= 0 && encoding() == HashEncoding::kListpack) become_listpackex();
      return set_packed(field, value, deadline, now);
    }
    become_table(limits);
  }
  Table& t = *table();
  const std::uint64_t hash = t.fields.hash_of(field);
  FieldNode** slot = t.fields.find(field, hash);
  if (slot == nullptr) {
    t.add(field, value, deadline == kKeep ? kNone : deadline, hash);
    t.round_earliest = earlier(t.round_earliest, deadline == kKeep ? kNone : deadline);
    return Set::kCreated;
  }
  const bool was_gone = passed((*slot)->deadline(), now);
  if (deadline == kKeep) deadline = was_gone ? kNone : (*slot)->deadline();
  t.assign(slot, value, deadline);
  return was_gone ? Set::kCreated : Set::kReplaced;
}

bool Hash::erase(std::string_view field, UnixMillis now) {
  if (encoding() == HashEncoding::kHashtable) {
    Table& t = *table();
    const std::uint64_t hash = t.fields.hash_of(field);
    FieldNode** slot = t.fields.find(field, hash);
    if (slot == nullptr) return false;
    const bool visible = !passed((*slot)->deadline(), now);
    t.remove(slot, hash);
    return visible;
  }
  const Pack::Position at = find_packed(field);
  if (at == Pack::kEnd) return false;
  const bool visible = !passed(packed_deadline(pack().next(at)), now);
  pack().erase(at, stride());
  return visible;
}

bool Hash::set_deadline(std::string_view field, std::int64_t deadline, UnixMillis now,
                        const HashLimits& limits) {
  const auto old = this->deadline(field, now);
  if (!old) return false;
  if (*old == deadline) return true;
  if (encoding() == HashEncoding::kListpack) {
    if (pack().fits(size() * 16))
      become_listpackex();
    else
      become_table(limits);
  }
  if (encoding() == HashEncoding::kListpackEx) {
    const Pack::Position at = pack().next(pack().next(find_packed(field)));
    pack().replace_number(at, deadline == kNone ? 0 : deadline);
    packed()->min_deadline = earlier(packed()->min_deadline, deadline);
    return true;
  }
  FieldNode** slot = table()->fields.find(field);
  const std::string value((*slot)->value());
  table()->assign(slot, value, deadline);
  return true;
}

std::uint64_t Hash::expire_fields(UnixMillis now, std::uint64_t most,
                                  const std::function<void(std::string_view)>& gone) {
  if (!may_have_expired(now)) return 0;
  if (encoding() == HashEncoding::kHashtable) return table()->expire(now, most, gone);
  Pack& lp = pack();
  Scratch scratch;
  std::uint64_t removed = 0;
  std::int64_t earliest = kNone;
  bool complete = true;
  for (auto at = lp.first(); at != Pack::kEnd;) {
    const Item item = packed_item(at, scratch);
    if (!passed(item.deadline, now)) {
      earliest = earlier(earliest, item.deadline);
    } else if (removed == most) {
      complete = false;
      break;
    } else {
      gone(item.field);
      at = lp.erase(at, 3);
      ++removed;
      continue;
    }
    at = lp.next(lp.next(lp.next(at)));
  }
  if (complete) packed()->min_deadline = earliest;
  return removed;
}

}  // namespace hearth

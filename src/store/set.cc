#include "src/store/set.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <unordered_set>
#include <vector>

#include "src/base/check.h"
#include "src/base/format_number.h"
#include "src/base/parse_number.h"
#include "src/ds/hash_table.h"
#include "src/ds/selection.h"
#include "src/ds/text_node.h"
#include "src/store/memory.h"

namespace hearth {

using ds::Intset;
using ds::PrefixPack;
using ds::Selection;
using ds::TextNode;

namespace {

struct SetMemberTraits {
  static std::string_view key(const TextNode& node) { return node.text(); }
};
using SetMemberTable = ds::HashTable<TextNode, SetMemberTraits>;

constexpr std::uintptr_t kSetTagMask = 3;

// The intset behind a set's word, for reading.
class BorrowedInts {
 public:
  explicit BorrowedInts(std::uintptr_t word)
      : ints_(Intset::adopt(reinterpret_cast<char*>(word & ~kSetTagMask))) {}
  ~BorrowedInts() { static_cast<void>(ints_.release()); }
  BorrowedInts(const BorrowedInts&) = delete;
  BorrowedInts& operator=(const BorrowedInts&) = delete;
  const Intset* operator->() const { return &ints_; }

 private:
  Intset ints_;
};

std::string_view number_text(std::int64_t number, std::string& scratch) {
  scratch.resize(kInt64TextMax);
  scratch.resize(format_int64(number, scratch.data()));
  return scratch;
}

// Bytes of the longest member as a text: one of the ends.
std::size_t widest_text(const BorrowedInts& ints) {
  if (ints->size() == 0) return 0;
  char scratch[kInt64TextMax];
  return std::max(format_int64(ints->at(0), scratch),
                  format_int64(ints->at(ints->size() - 1), scratch));
}

}  // namespace

struct Set::Table {
  explicit Table(std::uint64_t seed) : members(seed) {}
  ~Table() {
    members.clear([](TextNode* node) { TextNode::free(node); });
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  void add(std::string_view member, std::uint64_t hash) {
    TextNode* node = TextNode::make(member);
    node_bytes += node->bytes();
    members.insert(node, hash);
  }
  void remove(TextNode** slot, std::uint64_t hash) {
    node_bytes -= (*slot)->bytes();
    TextNode::free(members.erase(slot, hash));
  }

  SetMemberTable members;
  std::uint64_t node_bytes = 0;
};

std::string_view encoding_name(SetEncoding encoding) noexcept {
  switch (encoding) {
    case SetEncoding::kListpack: return "listpack";
    case SetEncoding::kIntset: return "intset";
    case SetEncoding::kHashtable: break;
  }
  return "hashtable";
}

// --- shape ---

Set::Set() { set_ints(Intset()); }

Set::~Set() { release(); }

Set::Set(Set&& other) noexcept : Set() { *this = std::move(other); }

Set& Set::operator=(Set&& other) noexcept {
  // All forms of the body are plain words that can change places.
  const std::uintptr_t mine = word();
  set_word(other.word());
  other.set_word(mine);
  return *this;
}

std::uintptr_t Set::word() const {
  std::uintptr_t w = 0;
  std::memcpy(&w, body_, sizeof w);
  return w;
}
void Set::set_word(std::uintptr_t word) { std::memcpy(body_, &word, sizeof word); }

SetEncoding Set::encoding() const { return static_cast<SetEncoding>(word() & kSetTagMask); }

Set::Table* Set::table() const { return reinterpret_cast<Table*>(word() & ~kSetTagMask); }

PrefixPack& Set::pack() const {
  return *std::launder(reinterpret_cast<PrefixPack*>(const_cast<unsigned char*>(body_)));
}

Intset Set::take_ints() { return Intset::adopt(reinterpret_cast<char*>(word() & ~kSetTagMask)); }

void Set::set_ints(Intset ints) {
  set_word(reinterpret_cast<std::uintptr_t>(ints.release()) |
           static_cast<std::uintptr_t>(SetEncoding::kIntset));
}

void Set::set_pack(PrefixPack pack) { new (body_) PrefixPack(std::move(pack)); }

void Set::release() {
  switch (encoding()) {
    case SetEncoding::kListpack: pack().~PrefixPack(); break;
    case SetEncoding::kIntset: static_cast<void>(Intset(take_ints())); break;
    case SetEncoding::kHashtable: delete table(); break;
  }
}

void Set::become_table(std::uint64_t room, const SetLimits& limits) {
  auto fresh = std::make_unique<Table>(limits.seed);
  fresh->members.reserve(std::max(room, size()));
  for_each([&](std::string_view member) { fresh->add(member, fresh->members.hash_of(member)); });
  release();
  set_word(reinterpret_cast<std::uintptr_t>(fresh.release()) |
           static_cast<std::uintptr_t>(SetEncoding::kHashtable));
}

void Set::become_pack() {
  const Intset ints = take_ints();
  PrefixPack fresh;
  std::string scratch;
  for (std::size_t i = 0; i < ints.size(); ++i) fresh.append(number_text(ints.at(i), scratch));
  set_pack(std::move(fresh));
}

Set Set::for_members(std::string_view first, std::uint64_t count, const SetLimits& limits) {
  Set set;
  if (count <= limits.intset_entries && parse_int64(first)) return set;
  if (count <= limits.listpack_entries)
    set.become_pack();
  else
    set.become_table(count, limits);
  return set;
}

Set Set::from_intset(Intset ints, const SetLimits& limits) {
  Set set;
  set.release();
  const std::size_t count = ints.size();
  set.set_ints(std::move(ints));
  if (count > std::min<std::uint64_t>(limits.intset_entries, Intset::kCountMax)) {
    set.become_table(count, limits);
  }
  return set;
}

Set Set::clone() const {
  Set copy;
  switch (encoding()) {
    case SetEncoding::kListpack:
      copy.release();
      copy.set_pack(pack().clone());
      break;
    case SetEncoding::kIntset:
      copy.release();
      copy.set_ints(BorrowedInts(word())->clone());
      break;
    case SetEncoding::kHashtable: {
      SetLimits limits;
      limits.seed = table()->members.seed();
      copy.become_table(size(), limits);
      Table& to = *copy.table();
      table()->members.for_each(
          [&](TextNode* node) { to.add(node->text(), to.members.hash_of(node->text())); });
      break;
    }
  }
  return copy;
}

void Set::expect(std::uint64_t count, const SetLimits& limits) {
  const SetEncoding now = encoding();
  if ((now == SetEncoding::kListpack && count > limits.listpack_entries) ||
      (now == SetEncoding::kIntset && count > limits.intset_entries)) {
    become_table(count, limits);
  }
}

void Set::compact_integers(const SetLimits& limits) {
  if (encoding() == SetEncoding::kIntset) return;
  if (size() > std::min<std::uint64_t>(limits.intset_entries, Intset::kCountMax)) return;
  Intset ints;
  const bool all = every([&](std::string_view member) {
    const auto number = parse_int64(member);
    if (number) ints.add(*number);
    return number.has_value();
  });
  if (!all) return;
  release();
  set_ints(std::move(ints));
}

std::string_view Set::intset_bytes() const {
  HEARTH_CHECK(encoding() == SetEncoding::kIntset);
  return BorrowedInts(word())->bytes();
}

ds::Listpack Set::to_listpack() const {
  ds::Listpack all;
  for_each([&](std::string_view member) { all.append(member); });
  return all;
}

std::size_t Set::memory_bytes() const {
  using memory::rounded;
  switch (encoding()) {
    case SetEncoding::kListpack: return rounded(pack().total_bytes());
    case SetEncoding::kIntset: return rounded(BorrowedInts(word())->bytes().size());
    case SetEncoding::kHashtable: break;
  }
  const Table& t = *table();
  std::size_t bytes = rounded(sizeof(Table)) + t.members.memory_bytes();
  if (!t.members.empty()) bytes += t.members.size() * rounded(t.node_bytes / t.members.size());
  return bytes;
}

std::uint64_t Set::bucket_count() const {
  return encoding() == SetEncoding::kHashtable ? table()->members.bucket_count() : 0;
}

std::optional<std::uint64_t> Set::fetch_bucket(std::string_view member) const {
  if (encoding() != SetEncoding::kHashtable) return std::nullopt;
  const std::uint64_t hash = table()->members.hash_of(member);
  table()->members.prefetch_bucket(hash);
  return hash;
}

void Set::fetch_node(std::uint64_t hash) const { table()->members.prefetch_entry(hash); }

// --- reading ---

std::uint64_t Set::size() const {
  switch (encoding()) {
    case SetEncoding::kListpack: return pack().size();
    case SetEncoding::kIntset: return BorrowedInts(word())->size();
    case SetEncoding::kHashtable: break;
  }
  return table()->members.size();
}

bool Set::contains(std::string_view member) const {
  switch (encoding()) {
    case SetEncoding::kListpack: return pack().find(member) != PrefixPack::kEnd;
    case SetEncoding::kIntset: {
      const auto number = parse_int64(member);
      return number && BorrowedInts(word())->contains(*number);
    }
    case SetEncoding::kHashtable: break;
  }
  return table()->members.find(member) != nullptr;
}

bool Set::every(const Predicate& test) const {
  Scratch scratch;
  switch (encoding()) {
    case SetEncoding::kListpack: {
      const PrefixPack& all = pack();
      for (auto at = all.first(); at != PrefixPack::kEnd; at = all.next(at)) {
        if (!test(all.get(at, scratch.text))) return false;
      }
      return true;
    }
    case SetEncoding::kIntset: {
      const BorrowedInts ints(word());
      for (std::size_t i = 0; i < ints->size(); ++i) {
        if (!test(number_text(ints->at(i), scratch.text))) return false;
      }
      return true;
    }
    case SetEncoding::kHashtable: break;
  }
  const SetMemberTable& members = table()->members;
  bool going = true;
  for (std::uint64_t i = 0; going && !members.empty() && i < members.bucket_count(); ++i) {
    members.for_each_in_bucket(i,
                               [&](TextNode* node, bool) { going = going && test(node->text()); });
  }
  return going;
}

void Set::for_each(const Visitor& visit) const {
  every([&](std::string_view member) {
    visit(member);
    return true;
  });
}

std::uint64_t Set::scan(std::uint64_t cursor, const Visitor& visit) const {
  if (encoding() != SetEncoding::kHashtable) {
    for_each(visit);
    return 0;
  }
  return table()->members.scan(cursor, [&](TextNode* node) { visit(node->text()); });
}

std::string_view Set::random(Rng& rng, Scratch& scratch) const {
  switch (encoding()) {
    case SetEncoding::kListpack: {
      const PrefixPack& all = pack();
      return all.get(all.at(rng.below(all.size())), scratch.text);
    }
    case SetEncoding::kIntset: {
      const BorrowedInts ints(word());
      return number_text(ints->at(rng.below(ints->size())), scratch.text);
    }
    case SetEncoding::kHashtable: break;
  }
  return table()->members.random(rng)->text();
}

void Set::sample(Rng& rng, std::uint64_t count, const Visitor& visit) const {
  const std::uint64_t total = size();
  if (count >= total) {
    for_each(visit);
    return;
  }
  // Few out of many: draw, and draw again what was there already.
  constexpr std::uint64_t kFewRatio = 4;
  if (encoding() == SetEncoding::kHashtable && count < total / kFewRatio) {
    std::unordered_set<const TextNode*> chosen;
    while (chosen.size() < count) {
      const TextNode* node = table()->members.random(rng);
      if (chosen.insert(node).second) visit(node->text());
    }
    return;
  }
  Selection selection(rng, count, total);
  every([&](std::string_view member) {
    if (selection.picks_next()) visit(member);
    return !selection.is_done();
  });
}

// --- writing ---

bool Set::add_to_table(std::string_view member) {
  Table& t = *table();
  const std::uint64_t hash = t.members.hash_of(member);
  if (t.members.find(member, hash) != nullptr) return false;
  t.add(member, hash);
  return true;
}

bool Set::add_to_ints(std::string_view member, const SetLimits& limits) {
  const std::uint64_t most = std::min<std::uint64_t>(limits.intset_entries, Intset::kCountMax);
  if (const auto number = parse_int64(member)) {
    if (size() >= most) {
      if (BorrowedInts(word())->contains(*number)) return false;
      become_table(size() + 1, limits);
      return add_to_table(member);
    }
    Intset ints = take_ints();
    const bool added = ints.add(*number);
    set_ints(std::move(ints));
    return added;
  }
  if (size() < limits.listpack_entries && member.size() <= limits.listpack_value &&
      widest_text(BorrowedInts(word())) <= limits.listpack_value) {
    become_pack();
    pack().append(member);
    return true;
  }
  become_table(size() + 1, limits);
  return add_to_table(member);
}

bool Set::add(std::string_view member, const SetLimits& limits) {
  switch (encoding()) {
    case SetEncoding::kIntset: return add_to_ints(member, limits);
    case SetEncoding::kListpack: {
      PrefixPack& all = pack();
      if (all.find(member) != PrefixPack::kEnd) return false;
      if (all.size() < limits.listpack_entries && member.size() <= limits.listpack_value &&
          all.fits(member.size())) {
        all.append(member);
        return true;
      }
      become_table(size() + 1, limits);
      break;
    }
    case SetEncoding::kHashtable: break;
  }
  return add_to_table(member);
}

bool Set::erase(std::string_view member) {
  switch (encoding()) {
    case SetEncoding::kListpack: {
      const PrefixPack::Position at = pack().find(member);
      if (at == PrefixPack::kEnd) return false;
      pack().erase(at);
      return true;
    }
    case SetEncoding::kIntset: {
      const auto number = parse_int64(member);
      if (!number) return false;
      Intset ints = take_ints();
      const bool erased = ints.erase(*number);
      set_ints(std::move(ints));
      return erased;
    }
    case SetEncoding::kHashtable: break;
  }
  Table& t = *table();
  const std::uint64_t hash = t.members.hash_of(member);
  TextNode** slot = t.members.find(member, hash);
  if (slot == nullptr) return false;
  t.remove(slot, hash);
  return true;
}

std::string Set::pop(Rng& rng) {
  Scratch scratch;
  std::string member(random(rng, scratch));
  erase(member);
  return member;
}

// The members that stay move to a fresh body, so that the work is O(n) however many are taken.
void Set::pop_compact(Rng& rng, std::uint64_t count, const Visitor& visit) {
  Selection selection(rng, count, size());
  Scratch scratch;
  if (encoding() == SetEncoding::kListpack) {
    PrefixPack kept;
    const PrefixPack& all = pack();
    for (auto at = all.first(); at != PrefixPack::kEnd; at = all.next(at)) {
      const std::string_view member = all.get(at, scratch.text);
      if (selection.picks_next())
        visit(member);
      else
        kept.append(member);
    }
    pack() = std::move(kept);
    return;
  }
  const Intset all = take_ints();
  Intset kept;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (selection.picks_next())
      visit(number_text(all.at(i), scratch.text));
    else
      kept.add(all.at(i));
  }
  set_ints(std::move(kept));
}

void Set::pop(Rng& rng, std::uint64_t count, const Visitor& visit) {
  HEARTH_CHECK(count < size());
  if (encoding() != SetEncoding::kHashtable) {
    pop_compact(rng, count, visit);
    return;
  }
  std::vector<std::string_view> chosen;
  chosen.reserve(count);
  sample(rng, count, [&](std::string_view member) { chosen.push_back(member); });
  for (const std::string_view member : chosen) {
    visit(member);
    const std::uint64_t hash = table()->members.hash_of(member);
    table()->remove(table()->members.find(member, hash), hash);
  }
}

}  // namespace hearth

#include "src/store/zset.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "src/base/check.h"
#include "src/ds/hash_table.h"
#include "src/ds/scored_member.h"
#include "src/store/memory.h"

namespace hearth {

using ds::scored_less;
using ds::ScoredMember;
using ds::ScorePack;
using ds::ScoreTree;

namespace {

struct ZsetMemberTraits {
  static std::string_view key(const ScoredMember& node) { return node.member(); }
};
using ZsetMemberTable = ds::HashTable<ScoredMember, ZsetMemberTraits>;

// The effect of a rule on a member that is there.
Zset::Added changed_by(double old, double score, const Zset::AddRule& rule) {
  if (rule.only_new) return {Zset::Change::kRefused, old};
  if (rule.increment) {
    score += old;
    if (std::isnan(score)) return {Zset::Change::kNotANumber, old};
  }
  if ((rule.only_greater && score <= old) || (rule.only_less && score >= old))
    return {Zset::Change::kRefused, old};
  return {score == old ? Zset::Change::kSame : Zset::Change::kChanged, score};
}

}  // namespace

static_assert(sizeof(ScorePack) == sizeof(std::uintptr_t));

struct Zset::Large {
  explicit Large(std::uint64_t seed) : index(seed) {}
  // The index holds all members, the tree only those of a finished set.
  ~Large() {
    index.clear([](ScoredMember* node) { ScoredMember::free(node); });
  }
  Large(const Large&) = delete;
  Large& operator=(const Large&) = delete;

  void add(std::string_view member, double score, std::uint64_t hash) {
    ScoredMember* node = ScoredMember::make(member, score);
    member_bytes += node->bytes();
    index.insert(node, hash);
    tree.insert(node);
  }
  // The node, which is in no tree any more.
  void drop(ScoredMember* node) {
    const std::uint64_t hash = index.hash_of(node->member());
    index.erase(index.find(node->member(), hash), hash);
    member_bytes -= node->bytes();
    ScoredMember::free(node);
  }

  ZsetMemberTable index;
  ScoreTree tree;
  std::uint64_t member_bytes = 0;
};

std::string_view encoding_name(ZsetEncoding encoding) noexcept {
  return encoding == ZsetEncoding::kListpack ? "listpack" : "skiplist";
}

// --- shape ---

Zset::Zset() { new (body_) ScorePack(); }

Zset::~Zset() { release(); }

Zset::Zset(Zset&& other) noexcept : Zset() { *this = std::move(other); }

Zset& Zset::operator=(Zset&& other) noexcept {
  // Both forms are plain words that can change places.
  const std::uintptr_t mine = word();
  set_word(other.word());
  other.set_word(mine);
  return *this;
}

void Zset::release() {
  if (is_large())
    delete large();
  else
    pack().~ScorePack();
}

void Zset::become_large(const ZsetLimits& limits) {
  auto fresh = std::make_unique<Large>(limits.seed);
  fresh->index.reserve(size() + 1);
  Walk all = walk();
  for (Item item; all.next(item);)
    fresh->add(item.member, item.score, fresh->index.hash_of(item.member));
  release();
  set_word(reinterpret_cast<std::uintptr_t>(fresh.release()) | 1);
}

Zset Zset::clone() const {
  Zset copy;
  if (!is_large()) {
    copy.pack() = pack().clone();
    return copy;
  }
  copy.become_large({.listpack_entries = 0, .listpack_value = 0, .seed = large()->index.seed()});
  Large& to = *copy.large();
  to.index.reserve(size());
  Walk all = walk();
  for (Item item; all.next(item);) to.add(item.member, item.score, to.index.hash_of(item.member));
  return copy;
}

std::size_t Zset::memory_bytes() const {
  using memory::rounded;
  if (!is_large()) return rounded(pack().total_bytes());
  const Large& l = *large();
  std::size_t bytes = rounded(sizeof(Large)) + l.index.memory_bytes() + l.tree.memory_bytes();
  if (size() > 0) bytes += size() * rounded(l.member_bytes / size());
  return bytes;
}

std::uint64_t Zset::bucket_count() const { return is_large() ? large()->index.bucket_count() : 0; }

std::optional<std::uint64_t> Zset::fetch_bucket(std::string_view member) const {
  if (!is_large()) return std::nullopt;
  const std::uint64_t hash = large()->index.hash_of(member);
  large()->index.prefetch_bucket(hash);
  return hash;
}

void Zset::fetch_node(std::uint64_t hash) const { large()->index.prefetch_entry(hash); }

ds::Listpack Zset::to_listpack() const {
  ds::Listpack out;
  Walk all = walk();
  char text[kDoubleTextMax];
  for (Item item; all.next(item);) {
    out.append(item.member);
    out.append({text, format_double(item.score, text)});
  }
  return out;
}

// --- reading ---

std::uint64_t Zset::size() const { return is_large() ? large()->tree.size() : pack().size(); }

std::optional<double> Zset::score(std::string_view member) const {
  if (is_large()) {
    ScoredMember** slot = large()->index.find(member);
    if (slot == nullptr) return std::nullopt;
    return (*slot)->score();
  }
  const ScorePack::Place place = pack().find(member);
  if (place.at == ScorePack::kEnd) return std::nullopt;
  return pack().score(place.at);
}

std::optional<Zset::Ranked> Zset::rank(std::string_view member) const {
  if (is_large()) {
    ScoredMember** slot = large()->index.find(member);
    if (slot == nullptr) return std::nullopt;
    return Ranked{large()->tree.rank_of(**slot), (*slot)->score()};
  }
  const ScorePack::Place place = pack().find(member);
  if (place.at == ScorePack::kEnd) return std::nullopt;
  return Ranked{place.index, pack().score(place.at)};
}

std::uint64_t Zset::count_below(double score, bool or_equal) const {
  const auto before = [&](double other, const auto&) {
    return other < score || (or_equal && other == score);
  };
  return is_large() ? large()->tree.count_before(before) : pack().partition(before).index;
}

std::uint64_t Zset::count_below(std::string_view member, bool or_equal) const {
  const auto is_below = [&](std::string_view other) {
    return or_equal ? other <= member : other < member;
  };
  if (is_large()) {
    return large()->tree.count_before(
        [&](double, const ScoredMember* node) { return is_below(node->member()); });
  }
  return pack().partition([&](double, std::string_view other) { return is_below(other); }).index;
}

Zset::Item Zset::at(std::uint64_t rank, Scratch& scratch) const {
  if (is_large()) {
    const ScoreTree::Cursor cursor = large()->tree.at(rank);
    return {cursor.get().member(), cursor.get().score()};
  }
  const ScorePack::Position at = pack().at(rank);
  return {pack().member(at, scratch.member), pack().score(at)};
}

Zset::Walk Zset::walk(std::uint64_t first, std::uint64_t count, Direction direction) const {
  Walk walk;
  walk.direction_ = direction;
  const std::uint64_t all = size();
  if (first >= all || count == 0) return walk;
  const std::uint64_t most = direction == Direction::kUp ? all - first : first + 1;
  walk.left_ = std::min(count, most);
  if (is_large()) {
    walk.cursor_ = large()->tree.at(first);
    return walk;
  }
  walk.pack_ = &pack();
  if (direction == Direction::kUp) {
    walk.at_ = pack().at(first);
    return walk;
  }
  walk.backwards_.reserve(walk.left_);
  walk.at_ = pack().at(first + 1 - walk.left_);
  for (std::uint64_t i = 0; i < walk.left_; ++i) {
    walk.backwards_.push_back(walk.at_);
    walk.at_ = pack().next(walk.at_);
  }
  return walk;
}

bool Zset::Walk::next(Item& out) {
  if (left_ == 0) return false;
  --left_;
  if (pack_ == nullptr) {
    const ScoredMember& node = cursor_.get();
    out = {node.member(), node.score()};
    if (left_ > 0) direction_ == Direction::kUp ? cursor_.next() : cursor_.previous();
    return true;
  }
  if (direction_ == Direction::kDown) at_ = backwards_[left_];
  out = {pack_->member(at_, scratch_.member), pack_->score(at_)};
  if (direction_ == Direction::kUp) at_ = pack_->next(at_);
  return true;
}

std::uint64_t Zset::scan(std::uint64_t cursor, const Visitor& visit) const {
  if (is_large()) {
    return large()->index.scan(cursor, [&](const ScoredMember* node) {
      visit({node->member(), node->score()});
    });
  }
  Walk all = walk();
  for (Item item; all.next(item);) visit(item);
  return 0;
}

// --- writing ---

Zset::Added Zset::add(std::string_view member, double score, const AddRule& rule,
                      const ZsetLimits& limits) {
  if (!is_large()) {
    const ScorePack::Place place = pack().find(member);
    if (place.at != ScorePack::kEnd) {
      const Added done = changed_by(pack().score(place.at), score, rule);
      if (done.change == Change::kChanged) pack().rescore(place.at, member, done.score);
      return done;
    }
    if (rule.only_existing) return {Change::kRefused, 0};
    if (pack().size() < limits.listpack_entries && member.size() <= limits.listpack_value &&
        pack().fits(member.size())) {
      pack().insert(member, score);
      return {Change::kAdded, score};
    }
    become_large(limits);
  }
  Large& l = *large();
  const std::uint64_t hash = l.index.hash_of(member);
  if (ScoredMember** slot = l.index.find(member, hash)) {
    const Added done = changed_by((*slot)->score(), score, rule);
    if (done.change == Change::kChanged) l.tree.rescore(*slot, done.score);
    return done;
  }
  if (rule.only_existing) return {Change::kRefused, 0};
  l.add(member, score, hash);
  return {Change::kAdded, score};
}

bool Zset::erase(std::string_view member) {
  if (!is_large()) {
    const ScorePack::Place place = pack().find(member);
    if (place.at == ScorePack::kEnd) return false;
    pack().erase(place.at, 1);
    return true;
  }
  Large& l = *large();
  const std::uint64_t hash = l.index.hash_of(member);
  ScoredMember** slot = l.index.find(member, hash);
  if (slot == nullptr) return false;
  ScoredMember* node = l.index.erase(slot, hash);
  l.tree.erase(*node);
  l.member_bytes -= node->bytes();
  ScoredMember::free(node);
  return true;
}

void Zset::erase_ranks(std::uint64_t first, std::uint64_t count) {
  if (count == 0) return;
  HEARTH_CHECK(first + count <= size());
  if (is_large()) {
    Large& l = *large();
    l.tree.erase_ranks(first, count, [&](ScoredMember* node) { l.drop(node); });
    return;
  }
  pack().erase(pack().at(first), count);
}

// --- building ---

ZsetBuilder::ZsetBuilder(std::uint64_t seed) : large_(std::make_unique<Zset::Large>(seed)) {}

ZsetBuilder::~ZsetBuilder() = default;

std::uint64_t ZsetBuilder::size() const { return large_->index.size(); }

bool ZsetBuilder::add(std::string_view member, double score) {
  const std::uint64_t hash = large_->index.hash_of(member);
  if (large_->index.find(member, hash) != nullptr) return false;
  ScoredMember* node = ScoredMember::make(member, score);
  large_->member_bytes += node->bytes();
  large_->index.insert(node, hash);
  longest_ = std::max(longest_, member.size());
  return true;
}

void ZsetBuilder::merge(std::string_view member, double score, double (*combine)(double, double)) {
  if (ScoredMember** slot = large_->index.find(member))
    (*slot)->set_score(combine((*slot)->score(), score));
  else
    add(member, score);
}

Zset ZsetBuilder::build(const ZsetLimits& limits) {
  std::vector<ScoredMember*> nodes;
  nodes.reserve(size());
  large_->index.for_each([&](ScoredMember* node) { nodes.push_back(node); });
  std::sort(nodes.begin(), nodes.end(), [](const ScoredMember* a, const ScoredMember* b) {
    return scored_less(a->score(), a->member(), b->score(), b->member());
  });
  auto fresh = std::make_unique<Zset::Large>(large_->index.seed());
  Zset out;
  if (nodes.size() <= limits.listpack_entries && longest_ <= limits.listpack_value &&
      out.pack().fits(nodes.size() * (longest_ + 16))) {
    for (const ScoredMember* node : nodes) out.pack().insert(node->member(), node->score());
  } else {
    for (ScoredMember* node : nodes) large_->tree.insert(node);
    out.release();
    out.set_word(reinterpret_cast<std::uintptr_t>(large_.release()) | 1);
  }
  large_ = std::move(fresh);
  longest_ = 0;
  return out;
}

}  // namespace hearth

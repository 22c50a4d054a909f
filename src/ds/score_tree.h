// ScoreTree: the order of a large sorted set, as a B+ tree that counts.
//
// Leaves hold (score, pointer) in ascending order and are linked both ways; an inner node holds for
// each child the number of elements below it and a copy of the child's first element, so that rank,
// element-by-rank and every range are one descent. Scores stand in the nodes: a descent follows a
// pointer to a member only between equal scores.
//
// Each structural change (a split, an evening-out between neighbours, a merge) leaves a whole tree
// behind; an insertion that finds no room makes one such change and starts again. A full leaf first
// gives to a neighbour that has room and splits only when both are nearly full, and a leaf at
// either end of the tree splits off a single element, so that random, ascending and descending
// insertions all fill leaves to 80 % and more. A node below a third of its room is merged or evened
// out with a neighbour.
//
// The tree borrows its elements: it never frees one. All operations are O(log n) but where stated.
// Source: Bayer and McCreight 1972; Knuth, The Art of Computer Programming 3, 6.2.4 (B* trees).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "src/base/prefetch.h"
#include "src/ds/scored_member.h"

namespace hearth::ds {

class ScoreTree {
  struct Leaf;

 public:
  ScoreTree() = default;
  ScoreTree(const ScoreTree&) = delete;
  ScoreTree& operator=(const ScoreTree&) = delete;
  ~ScoreTree() { release(); }

  [[nodiscard]] std::uint64_t size() const { return size_; }

  // The element must not be there yet.
  void insert(ScoredMember* member);
  // The element must be there, with the score it has.
  void erase(const ScoredMember& member);
  // Gives an element of the tree another score and its new place.
  void rescore(ScoredMember* member, double score);
  // Takes the elements with the ranks first .. first+count-1 out, through fn(ScoredMember*) in
  // ascending order; they must exist. fn must not change the tree but may free its argument.
  // O(log n) for each leaf that is passed.
  template <typename F>
  void erase_ranks(std::uint64_t first, std::uint64_t count, F&& fn);

  // How many elements stand before it; it must be there.
  [[nodiscard]] std::uint64_t rank_of(const ScoredMember& member) const {
    return count_before([&](double score, const ScoredMember* other) {
      return scored_less(score, other->member(), member.score(), member.member());
    });
  }
  // How many elements are "before", where before(double score, const ScoredMember*) holds for the
  // first so many elements and for no others.
  template <typename Before>
  [[nodiscard]] std::uint64_t count_before(Before&& before) const;

  // A place in the order. Ends with the next change of the tree.
  class Cursor {
   public:
    Cursor() = default;
    [[nodiscard]] bool valid() const { return leaf_ != nullptr; }
    [[nodiscard]] const ScoredMember& get() const { return *leaf_->items[index_].member; }
    void next() {
      if (++index_ < leaf_->count) {
        // Prefetch: the node is read soon and may be anywhere in memory.
        if (index_ + kAhead < leaf_->count) prefetch(index_ + kAhead);
        return;
      }
      leaf_ = leaf_->next;
      index_ = 0;
    }
    void previous() {
      if (index_ > 0) {
        --index_;
        if (index_ >= kAhead) prefetch(index_ - kAhead);
        return;
      }
      leaf_ = leaf_->previous;
      if (leaf_ != nullptr) index_ = leaf_->count - 1U;
    }

   private:
    friend class ScoreTree;
    static constexpr unsigned kAhead = 4;
    Cursor(const Leaf* leaf, unsigned index) : leaf_(leaf), index_(index) {}
    void prefetch(unsigned index) const { hearth::prefetch(leaf_->items[index].member); }

    const Leaf* leaf_ = nullptr;
    unsigned index_ = 0;
  };
  // The element of this rank; not valid from size() on.
  [[nodiscard]] Cursor at(std::uint64_t rank) const;

  // Bytes of the nodes, each as large as it was asked for; O(1).
  [[nodiscard]] std::size_t memory_bytes() const { return node_bytes_; }
  // Every element through fn(ScoredMember*); the tree is empty after it. O(n).
  template <typename F>
  void clear(F&& fn) {
    for (Leaf* leaf = first_leaf(); leaf != nullptr; leaf = leaf->next) {
      for (unsigned i = 0; i < leaf->count; ++i) fn(leaf->items[i].member);
    }
    release();
  }
  // Walks the whole tree and checks every rule above; for tests. O(n).
  [[nodiscard]] bool is_sound() const;

 private:
  static constexpr unsigned kLeafMost = 62;   // 1016 bytes
  static constexpr unsigned kInnerMost = 31;  // 1000 bytes
  static constexpr unsigned kDepthMost = 24;  // inner nodes keep 10 children but at the ends

  struct Item {
    double score;
    ScoredMember* member;
  };
  // A leaf that is the whole tree starts small and grows to kLeafMost.
  struct Leaf {
    Leaf* next;
    Leaf* previous;
    std::uint32_t count;
    std::uint32_t capacity;
    Item items[kLeafMost];
  };
  struct Child {
    void* node;           // Leaf* or Inner*
    std::uint64_t total;  // elements below it
    Item first;           // the first of them
  };
  struct Inner {
    std::uint32_t count;
    std::uint32_t level;  // 1: the children are leaves
    Child children[kInnerMost];
  };
  struct Step {
    Inner* node;
    unsigned index;
  };
  // From the root to a leaf.
  struct Path {
    Step steps[kDepthMost];
    unsigned depth = 0;
    Leaf* leaf = nullptr;
  };

  static Inner* inner(void* node) { return static_cast<Inner*>(node); }
  static Leaf* leaf(void* node) { return static_cast<Leaf*>(node); }

  Leaf* new_leaf(unsigned capacity);
  Inner* new_inner(unsigned level);
  void free_leaf(Leaf* l);
  void free_inner(Inner* n);
  void free_below(void* node, unsigned level);
  void release();
  [[nodiscard]] Leaf* first_leaf() const;

  [[nodiscard]] Path path_to(double score, std::string_view member) const;
  Path path_to_rank(std::uint64_t rank, unsigned& index) const;
  static unsigned place_in(const Leaf& l, double score, std::string_view member);
  static void note_change(const Path& path, std::int64_t delta);
  bool grow_root_leaf(Path& path);
  void make_room(const Path& path, unsigned place);
  void add_root();
  bool make_room_in_parent(const Path& path, unsigned depth, bool at_end);
  void split_leaf(const Path& path, unsigned keep);
  static bool leaf_gives(Inner* parent, unsigned index);
  void take_out(const Path& path, unsigned index, unsigned count);
  void open_gap(Inner* parent, unsigned index);
  static void refresh(Child& child, unsigned level);
  void rebalance(Inner* parent, unsigned index);
  void join_leaves(Inner* parent, unsigned index);
  void join_inners(Inner* parent, unsigned index);
  static void even_leaves(Child& a, Child& b);
  static void even_inners(Child& a, Child& b);
  void drop_child(Inner* parent, unsigned index);
  bool check_node(const void* node, unsigned level, std::uint64_t& total, const Item** last) const;

  void* root_ = nullptr;
  std::uint32_t root_level_ = 0;  // 0: the root is a leaf
  std::uint64_t size_ = 0;
  std::size_t node_bytes_ = 0;
};

template <typename Before>
std::uint64_t ScoreTree::count_before(Before&& before) const {
  if (root_ == nullptr) return 0;
  // The number of items in front that are before.
  const auto partition = [&](unsigned count, auto&& item_at) {
    unsigned low = 0;
    unsigned high = count;
    while (low < high) {
      const unsigned middle = (low + high) / 2;
      const Item& item = item_at(middle);
      if (before(item.score, item.member))
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  };
  std::uint64_t passed = 0;
  void* node = root_;
  for (unsigned level = root_level_; level > 0; --level) {
    const Inner& n = *inner(node);
    const unsigned in_front =
        partition(n.count, [&](unsigned i) -> const Item& { return n.children[i].first; });
    if (in_front == 0) return passed;
    for (unsigned i = 0; i + 1 < in_front; ++i) passed += n.children[i].total;
    node = n.children[in_front - 1].node;
  }
  const Leaf& l = *leaf(node);
  return passed + partition(l.count, [&](unsigned i) -> const Item& { return l.items[i]; });
}

template <typename F>
void ScoreTree::erase_ranks(std::uint64_t first, std::uint64_t count, F&& fn) {
  while (count > 0) {
    unsigned index = 0;
    const Path path = path_to_rank(first, index);
    const auto here =
        static_cast<unsigned>(std::min<std::uint64_t>(count, path.leaf->count - index));
    // The nodes' copies of the first element are compared with nothing until they are renewed.
    ScoredMember* out[kLeafMost];
    for (unsigned i = 0; i < here; ++i) out[i] = path.leaf->items[index + i].member;
    take_out(path, index, here);
    for (unsigned i = 0; i < here; ++i) fn(out[i]);
    count -= here;
  }
}

}  // namespace hearth::ds

#include "src/ds/score_tree.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "src/base/check.h"

namespace hearth::ds {
namespace {

constexpr unsigned kSmallLeaf = 4;

template <typename T>
void move_items(T* to, const T* from, std::size_t count) {
  std::memmove(static_cast<void*>(to), from, count * sizeof(T));
}

}  // namespace

// --- nodes ---

ScoreTree::Leaf* ScoreTree::new_leaf(unsigned capacity) {
  const std::size_t bytes = offsetof(Leaf, items) + capacity * sizeof(Item);
  auto* l = static_cast<Leaf*>(std::malloc(bytes));
  HEARTH_CHECK(l != nullptr);
  l->next = l->previous = nullptr;
  l->count = 0;
  l->capacity = capacity;
  node_bytes_ += bytes;
  return l;
}

ScoreTree::Inner* ScoreTree::new_inner(unsigned level) {
  auto* n = static_cast<Inner*>(std::malloc(sizeof(Inner)));
  HEARTH_CHECK(n != nullptr);
  n->count = 0;
  n->level = level;
  node_bytes_ += sizeof(Inner);
  return n;
}

void ScoreTree::free_leaf(Leaf* l) {
  node_bytes_ -= offsetof(Leaf, items) + l->capacity * sizeof(Item);
  if (l->previous != nullptr) l->previous->next = l->next;
  if (l->next != nullptr) l->next->previous = l->previous;
  std::free(l);
}

void ScoreTree::free_inner(Inner* n) {
  node_bytes_ -= sizeof(Inner);
  std::free(n);
}

void ScoreTree::free_below(void* node, unsigned level) {
  if (level == 0) return free_leaf(leaf(node));
  Inner* n = inner(node);
  for (unsigned i = 0; i < n->count; ++i) free_below(n->children[i].node, level - 1);
  free_inner(n);
}

void ScoreTree::release() {
  if (root_ != nullptr) free_below(root_, root_level_);
  root_ = nullptr;
  root_level_ = 0;
  size_ = 0;
}

ScoreTree::Leaf* ScoreTree::first_leaf() const {
  void* node = root_;
  for (unsigned level = root_level_; level > 0; --level) node = inner(node)->children[0].node;
  return leaf(node);
}

// --- ways down ---

ScoreTree::Path ScoreTree::path_to(double score, std::string_view member) const {
  Path path;
  void* node = root_;
  for (unsigned level = root_level_; level > 0; --level) {
    Inner* n = inner(node);
    // The last child whose first element is not behind the one that is looked for.
    unsigned low = 1;
    unsigned high = n->count;
    while (low < high) {
      const unsigned middle = (low + high) / 2;
      const Item& first = n->children[middle].first;
      if (score < first.score || (score == first.score && member < first.member->member()))
        high = middle;
      else
        low = middle + 1;
    }
    path.steps[path.depth++] = {n, low - 1};
    node = n->children[low - 1].node;
  }
  path.leaf = leaf(node);
  return path;
}

ScoreTree::Path ScoreTree::path_to_rank(std::uint64_t rank, unsigned& index) const {
  Path path;
  void* node = root_;
  for (unsigned level = root_level_; level > 0; --level) {
    Inner* n = inner(node);
    unsigned i = 0;
    while (rank >= n->children[i].total) rank -= n->children[i++].total;
    path.steps[path.depth++] = {n, i};
    node = n->children[i].node;
  }
  path.leaf = leaf(node);
  index = static_cast<unsigned>(rank);
  return path;
}

// The first item of a leaf that is not before (score, member).
unsigned ScoreTree::place_in(const Leaf& l, double score, std::string_view member) {
  unsigned low = 0;
  unsigned high = l.count;
  while (low < high) {
    const unsigned middle = (low + high) / 2;
    const Item& item = l.items[middle];
    if (item.score < score || (item.score == score && item.member->member() < member))
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// The leaf's items have changed, by `delta` in number: the nodes above it learn that.
void ScoreTree::note_change(const Path& path, std::int64_t delta) {
  Item first = path.leaf->items[0];
  for (unsigned d = path.depth; d-- > 0;) {
    const Step& step = path.steps[d];
    Child& child = step.node->children[step.index];
    child.total += static_cast<std::uint64_t>(delta);
    child.first = first;
    first = step.node->children[0].first;
  }
}

ScoreTree::Cursor ScoreTree::at(std::uint64_t rank) const {
  if (rank >= size_) return {};
  unsigned index = 0;
  const Path path = path_to_rank(rank, index);
  return {path.leaf, index};
}

// --- insertion ---

void ScoreTree::insert(ScoredMember* member) {
  const double score = member->score();
  const std::string_view text = member->member();
  if (root_ == nullptr) root_ = new_leaf(kSmallLeaf);
  for (;;) {
    Path path = path_to(score, text);
    Leaf* l = path.leaf;
    const unsigned place = place_in(*l, score, text);
    if (l->count == l->capacity) {
      if (!grow_root_leaf(path)) {
        make_room(path, place);
        continue;
      }
      l = path.leaf;
    }
    move_items(l->items + place + 1, l->items + place, l->count - place);
    l->items[place] = {score, member};
    ++l->count;
    ++size_;
    note_change(path, 1);
    return;
  }
}

bool ScoreTree::grow_root_leaf(Path& path) {
  Leaf* old = path.leaf;
  if (old->capacity == kLeafMost) return false;
  Leaf* bigger = new_leaf(std::min(old->capacity * 2, kLeafMost));
  bigger->count = old->count;
  move_items(bigger->items, old->items, old->count);
  free_leaf(old);
  root_ = bigger;
  path.leaf = bigger;
  return true;
}

// The leaf is full and the new element would stand at `place`.
void ScoreTree::make_room(const Path& path, unsigned place) {
  const Leaf* l = path.leaf;
  const bool at_end = l->next == nullptr && place == l->count;
  const bool at_begin = l->previous == nullptr && place == 0;
  if (!at_end && !at_begin && path.depth > 0) {
    const Step& step = path.steps[path.depth - 1];
    if (leaf_gives(step.node, step.index)) return;
  }
  if (!make_room_in_parent(path, path.depth, at_end)) return;
  if (path.depth == 0) return add_root();
  split_leaf(path, at_end ? l->count - 1 : at_begin ? 1 : l->count / 2);
}

// Evens a full leaf out with a neighbour that has an eighth of its room left.
bool ScoreTree::leaf_gives(Inner* parent, unsigned index) {
  constexpr unsigned kRoom = kLeafMost - kLeafMost / 8;
  if (index + 1 < parent->count && leaf(parent->children[index + 1].node)->count <= kRoom) {
    even_leaves(parent->children[index], parent->children[index + 1]);
    return true;
  }
  if (index > 0 && leaf(parent->children[index - 1].node)->count <= kRoom) {
    even_leaves(parent->children[index - 1], parent->children[index]);
    return true;
  }
  return false;
}

// One more level: the root becomes the only child of a new one.
void ScoreTree::add_root() {
  Inner* top = new_inner(root_level_ + 1);
  top->count = 1;
  top->children[0].node = root_;
  refresh(top->children[0], top->level);
  root_ = top;
  ++root_level_;
}

// Whether the node above that at `depth` of the path has room for one more child. If not, makes one
// change towards that and the caller starts again.
bool ScoreTree::make_room_in_parent(const Path& path, unsigned depth, bool at_end) {
  if (depth == 0) return true;
  Inner* parent = path.steps[depth - 1].node;
  if (parent->count < kInnerMost) return true;
  if (!make_room_in_parent(path, depth - 1, at_end)) return false;
  if (depth == 1) {
    add_root();
    return false;
  }
  const Step& above = path.steps[depth - 2];
  const unsigned keep = at_end ? parent->count - 1 : parent->count / 2;
  Inner* right = new_inner(parent->level);
  right->count = parent->count - keep;
  move_items(right->children, parent->children + keep, right->count);
  parent->count = keep;
  open_gap(above.node, above.index);
  above.node->children[above.index + 1].node = right;
  refresh(above.node->children[above.index], above.node->level);
  refresh(above.node->children[above.index + 1], above.node->level);
  return false;
}

void ScoreTree::split_leaf(const Path& path, unsigned keep) {
  const Step& above = path.steps[path.depth - 1];
  Leaf* l = path.leaf;
  Leaf* right = new_leaf(kLeafMost);
  right->count = l->count - keep;
  move_items(right->items, l->items + keep, right->count);
  l->count = keep;
  right->next = l->next;
  right->previous = l;
  if (right->next != nullptr) right->next->previous = right;
  l->next = right;
  open_gap(above.node, above.index);
  above.node->children[above.index + 1].node = right;
  refresh(above.node->children[above.index], 1);
  refresh(above.node->children[above.index + 1], 1);
}

// Room for a child behind `index`.
void ScoreTree::open_gap(Inner* parent, unsigned index) {
  move_items(parent->children + index + 2, parent->children + index + 1, parent->count - index - 1);
  ++parent->count;
}

// The summary of a child that a node of `level` holds.
void ScoreTree::refresh(Child& child, unsigned level) {
  if (level == 1) {
    const Leaf* l = leaf(child.node);
    child.total = l->count;
    child.first = l->items[0];
    return;
  }
  const Inner* n = inner(child.node);
  child.total = 0;
  for (unsigned i = 0; i < n->count; ++i) child.total += n->children[i].total;
  child.first = n->children[0].first;
}

// --- removal ---

void ScoreTree::erase(const ScoredMember& member) {
  const Path path = path_to(member.score(), member.member());
  const unsigned index = place_in(*path.leaf, member.score(), member.member());
  HEARTH_CHECK(index < path.leaf->count && path.leaf->items[index].member == &member);
  take_out(path, index, 1);
}

void ScoreTree::rescore(ScoredMember* member, double score) {
  const std::string_view text = member->member();
  const Path path = path_to(member->score(), text);
  Leaf* l = path.leaf;
  const unsigned index = place_in(*l, member->score(), text);
  HEARTH_CHECK(index < l->count && l->items[index].member == member);
  // Many changes are small: between the same neighbours the element keeps its place.
  const Item* before = index > 0                ? &l->items[index - 1]
                       : l->previous != nullptr ? &l->previous->items[l->previous->count - 1]
                                                : nullptr;
  const Item* behind = index + 1 < l->count ? &l->items[index + 1]
                       : l->next != nullptr ? &l->next->items[0]
                                            : nullptr;
  const bool stays =
      (before == nullptr || scored_less(before->score, before->member->member(), score, text)) &&
      (behind == nullptr || scored_less(score, text, behind->score, behind->member->member()));
  if (stays) {
    member->set_score(score);
    l->items[index].score = score;
    if (index == 0) note_change(path, 0);
    return;
  }
  take_out(path, index, 1);
  member->set_score(score);
  insert(member);
}

// Takes items out of a leaf and puts the nodes above in order, from below.
void ScoreTree::take_out(const Path& path, unsigned index, unsigned count) {
  Leaf* l = path.leaf;
  move_items(l->items + index, l->items + index + count, l->count - index - count);
  l->count -= count;
  size_ -= count;
  constexpr unsigned kLeafLeast = kLeafMost / 3;
  constexpr unsigned kInnerLeast = kInnerMost / 3;
  for (unsigned d = path.depth; d-- > 0;) {
    Inner* parent = path.steps[d].node;
    const unsigned i = path.steps[d].index;
    Child& child = parent->children[i];
    const bool leaves = parent->level == 1;
    const unsigned left = leaves ? leaf(child.node)->count : inner(child.node)->count;
    if (left == 0) {
      drop_child(parent, i);
      continue;
    }
    child.total -= count;
    child.first = leaves ? leaf(child.node)->items[0] : inner(child.node)->children[0].first;
    if (left < (leaves ? kLeafLeast : kInnerLeast) && parent->count > 1) rebalance(parent, i);
  }
  while (root_level_ > 0 && inner(root_)->count <= 1) {
    Inner* old = inner(root_);
    root_ = old->count == 1 ? old->children[0].node : nullptr;
    root_level_ = root_ == nullptr ? 0 : root_level_ - 1;
    free_inner(old);
  }
  if (root_ != nullptr && root_level_ == 0 && leaf(root_)->count == 0) {
    free_leaf(leaf(root_));
    root_ = nullptr;
  }
}

void ScoreTree::drop_child(Inner* parent, unsigned index) {
  void* node = parent->children[index].node;
  if (parent->level == 1)
    free_leaf(leaf(node));
  else
    free_inner(inner(node));
  move_items(parent->children + index, parent->children + index + 1, parent->count - index - 1);
  --parent->count;
}

// A child that holds too little is joined with a neighbour, or gets a part of it.
void ScoreTree::rebalance(Inner* parent, unsigned index) {
  const unsigned left = index + 1 < parent->count ? index : index - 1;
  Child& a = parent->children[left];
  Child& b = parent->children[left + 1];
  if (parent->level == 1) {
    // A joined leaf has room left, so that the next insertion does not split it again.
    if (leaf(a.node)->count + leaf(b.node)->count <= kLeafMost - kLeafMost / 8)
      join_leaves(parent, left);
    else
      even_leaves(a, b);
  } else if (inner(a.node)->count + inner(b.node)->count <= kInnerMost - kInnerMost / 8) {
    join_inners(parent, left);
  } else {
    even_inners(a, b);
  }
}

void ScoreTree::join_leaves(Inner* parent, unsigned index) {
  Leaf* a = leaf(parent->children[index].node);
  Leaf* b = leaf(parent->children[index + 1].node);
  move_items(a->items + a->count, b->items, b->count);
  a->count += b->count;
  refresh(parent->children[index], 1);
  drop_child(parent, index + 1);
}

void ScoreTree::join_inners(Inner* parent, unsigned index) {
  Inner* a = inner(parent->children[index].node);
  Inner* b = inner(parent->children[index + 1].node);
  move_items(a->children + a->count, b->children, b->count);
  a->count += b->count;
  refresh(parent->children[index], parent->level);
  drop_child(parent, index + 1);
}

void ScoreTree::even_leaves(Child& a, Child& b) {
  Leaf* l = leaf(a.node);
  Leaf* r = leaf(b.node);
  const unsigned half = (l->count + r->count) / 2;
  if (l->count > half) {
    const unsigned moved = l->count - half;
    move_items(r->items + moved, r->items, r->count);
    move_items(r->items, l->items + half, moved);
    r->count += moved;
  } else {
    const unsigned moved = half - l->count;
    move_items(l->items + l->count, r->items, moved);
    move_items(r->items, r->items + moved, r->count - moved);
    r->count -= moved;
  }
  l->count = half;
  refresh(a, 1);
  refresh(b, 1);
}

void ScoreTree::even_inners(Child& a, Child& b) {
  Inner* l = inner(a.node);
  Inner* r = inner(b.node);
  const unsigned half = (l->count + r->count) / 2;
  if (l->count > half) {
    const unsigned moved = l->count - half;
    move_items(r->children + moved, r->children, r->count);
    move_items(r->children, l->children + half, moved);
    r->count += moved;
  } else {
    const unsigned moved = half - l->count;
    move_items(l->children + l->count, r->children, moved);
    move_items(r->children, r->children + moved, r->count - moved);
    r->count -= moved;
  }
  l->count = half;
  refresh(a, l->level + 1);
  refresh(b, l->level + 1);
}

// --- checks ---

bool ScoreTree::check_node(const void* node, unsigned level, std::uint64_t& total,
                           const Item** last) const {
  if (level == 0) {
    const Leaf& l = *static_cast<const Leaf*>(node);
    if (l.count == 0 || l.count > l.capacity) return false;
    for (unsigned i = 0; i < l.count; ++i) {
      const Item& item = l.items[i];
      if (item.score != item.member->score()) return false;
      if (*last != nullptr && !scored_less((*last)->score, (*last)->member->member(), item.score,
                                           item.member->member())) {
        return false;
      }
      *last = &item;
    }
    total += l.count;
    return (l.next == nullptr || l.next->previous == &l) &&
           (l.previous == nullptr || l.previous->next == &l);
  }
  const Inner& n = *static_cast<const Inner*>(node);
  if (n.count == 0 || n.count > kInnerMost || n.level != level) return false;
  for (unsigned i = 0; i < n.count; ++i) {
    const Child& child = n.children[i];
    std::uint64_t below = 0;
    if (!check_node(child.node, level - 1, below, last) || below != child.total) return false;
    const Item& first =
        level == 1 ? leaf(child.node)->items[0] : inner(child.node)->children[0].first;
    if (first.member != child.first.member || first.score != child.first.score) return false;
    total += below;
  }
  return true;
}

bool ScoreTree::is_sound() const {
  if (root_ == nullptr) return size_ == 0 && node_bytes_ == 0;
  std::uint64_t total = 0;
  const Item* last = nullptr;
  return check_node(root_, root_level_, total, &last) && total == size_;
}

}  // namespace hearth::ds

// One tree's search in vectors, walks and backups around the choices of
// selection_simd.h: the body of search_avx2.cc and search_portable.cc, which
// compile it for one instruction set each.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_SEARCH_SIMD_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_SEARCH_SIMD_H_

#include "ops/mcts/cc/kernels/formulas.h"
#include "ops/mcts/cc/kernels/prior_simd.h"
#include "ops/mcts/cc/kernels/search_cpu.h"
#include "ops/mcts/cc/kernels/selection_simd.h"
#include "ops/mcts/cc/kernels/simd.h"

namespace lookahead {
namespace mcts {
inline namespace LOOKAHEAD_ISA {

// What a walk that takes a slot does at a node: a value of kNext.
LOOKAHEAD_INLINE int64_t NextBy(const ConstTree& tree, int64_t node, int64_t slot) {
  if (slot < 0) return kTerminal;
  const int64_t child = AsIndex(tree.Edges(node, kChild)[slot], tree.num_nodes);
  const bool hangs =
      (slot < tree.Expanded(node)) & (child > 0);  // & : a branch here would be missed
  return hangs ? child : kLeaves + slot;
}

// Walks from the root to an edge that leaves the tree. `next` gives what to do
// at a node.
template <typename Next>
LOOKAHEAD_INLINE Fault Walk(const ConstTree& tree, int32_t max_depth, const Next& next,
                            int32_t* parent, int32_t* action) {
  int64_t node = 0, from = 0, then = next(0);
  int64_t slot = -1;
  if (then == kTerminal) return kNoLegalAction;
  for (int64_t depth = 1; slot < 0; ++depth) {
    if (then >= kLeaves && then < kTerminal) {
      from = node;
      slot = then - kLeaves;
    } else if (then <= 0 || then >= tree.num_nodes || depth > tree.num_nodes) {
      return kBrokenTree;
    } else {
      const int64_t after = depth < max_depth ? next(then) : kTerminal;
      if (after == kTerminal) {  // the answer is the edge into the child
        from = node;
        slot = tree.Slot(then);
        if (slot < 0) return kBrokenTree;
      }
      node = then;
      then = after;
    }
  }
  const int64_t chosen = slot < tree.num_actions ? tree.ActionOf(from, slot) : -1;
  if (chosen < 0) return kBrokenTree;
  *parent = static_cast<int32_t>(from);
  *action = static_cast<int32_t>(chosen);
  return kNoFault;
}

// What the search does at a node: a value of kNext.
LOOKAHEAD_APART int64_t Choose(ConstTree tree, int64_t node, const Search& search, float* scratch) {
  return NextBy(tree, node, SelectSlot(tree, node, search, scratch));
}

struct Choosing {
  const ConstTree& tree;
  const Search& search;
  float* scratch;

  LOOKAHEAD_INLINE int64_t operator()(int64_t node) const {
    return Choose(tree, node, search, scratch);
  }
};

// Follows what the last backups chose, and chooses where nothing is known.
struct Following {
  const Tree& tree;
  const Search& search;
  float* scratch;

  LOOKAHEAD_INLINE int64_t operator()(int64_t node) const {
    int64_t next = tree.Next(node);
    if (next == kUnknown) {
      next = Choose(ReadOnly(tree), node, search, scratch);
      tree.SetNext(node, next);
    }
    return next;
  }
};

// Calls for the lines of a path's nodes some levels before a backup needs them.
class PathPrefetch {
 public:
  LOOKAHEAD_INLINE PathPrefetch(const Tree& tree, int64_t leaf) : tree_(tree), node_(leaf) {
    constexpr int kAhead = 4;  // levels, about as long as a line takes to come
    for (int i = 0; i < kAhead; ++i) Step();
  }
  LOOKAHEAD_INLINE void Step() {  // at the root it stays
    node_ = Max<int64_t>(tree_.Parent(node_), 0);
    for (EdgeRow row : {kQvalue, kEdgeVisits, kProb, kChild}) {
      __builtin_prefetch(tree_.Edges(node_, row));
    }
  }

 private:
  const Tree& tree_;
  int64_t node_;
};

// One step of a backup, as BackUpEdge, and what the search does at the parent
// from now on. The block is loaded before the edge is written and the edge read
// again by itself: a vector that spans a store in flight would wait for it.
template <RuleKind kind, QTransformKind qtransform>
LOOKAHEAD_INLINE Fault BackUpChoosing(const Tree& tree, const Search& search, float* scratch,
                                      int64_t* node, float* value, QRange* range) {
  const int64_t parent = tree.Parent(*node), slot = tree.Slot(*node);
  if (parent < 0 || slot < 0) return kBrokenTree;
  const NodeEdges edges = EdgesOf(ReadOnly(tree), parent);
  if (kind != kPuct || !IsBlock(edges)) {
    const Fault fault = BackUpEdge(tree, node, value, range);
    tree.SetNext(parent, Choose(ReadOnly(tree), parent, search, scratch));
    return fault;
  }
  EdgeBlock block = LoadBlock(edges);
  const Fault fault = BackUpEdge(tree, node, value, range);
  const Ints written = kLane == static_cast<int32_t>(slot);
  block.q = Where(written, Splat(edges.Row(kQvalue)[slot]), block.q);
  block.visits = Where(written, Splat(edges.Row(kEdgeVisits)[slot]), block.visits);
  Rule rule = search.rule;
  rule.qtransform = qtransform;  // known to the compiler
  const int64_t chosen = SelectInBlock(ReadOnly(tree), parent, rule, search.rates, edges, block);
  tree.SetNext(parent, NextBy(ReadOnly(tree), parent, chosen));
  return fault;
}

// As BackUp, and chooses at the leaf and at every node above it.
template <RuleKind kind, QTransformKind qtransform>
LOOKAHEAD_INLINE Fault BackUpPath(const Tree& tree, int64_t leaf, const Search& search,
                                  float* scratch) {
  if (leaf < 0 || leaf >= tree.num_nodes) return kBadLeaf;
  PathPrefetch prefetch(tree, leaf);
  QRange range = RangeOfTree(tree);
  float value = tree.Node(leaf)[kValue];
  int64_t node = leaf;
  tree.SetNext(leaf, Choose(ReadOnly(tree), leaf, search, scratch));
  for (int64_t steps = 0; node != 0; ++steps) {
    if (steps > tree.num_nodes) return kBrokenTree;
    prefetch.Step();
    const Fault fault =
        BackUpChoosing<kind, qtransform>(tree, search, scratch, &node, &value, &range);
    if (fault != kNoFault) return fault;
  }
  StoreRange(tree, range);
  return kNoFault;
}

LOOKAHEAD_INLINE void ForgetChoices(const Tree& tree) {
  const int64_t made = Min(AsIndex(tree.stats[kNextNode], kMaxNodes), tree.num_nodes);
  for (int64_t node = 0; node < made; ++node) tree.SetNext(node, kUnknown);
}

// The functions of search_cpu.h for one instruction set.
inline Fault SimulateOne(const ConstTree& tree, const Search& search, float* scratch,
                         int32_t* parent, int32_t* action) {
  return Walk(tree, search.rule.max_depth, Choosing{tree, search, scratch}, parent, action);
}

inline Fault ExpandOne(const Tree& tree, int64_t parent, int64_t action, const Evaluation& said,
                       float* scratch, int32_t* leaf) {
  Place place;
  Fault fault = FindPlace(tree, parent, action, &place);
  if (fault == kNoFault) fault = CheckEvaluation(said);
  if (fault != kNoFault) return fault;
  const bool good = place.is_new ? WriteEdges(tree, place.node, said.prior_logits)
                                 : RewritePrior(tree, place.node, said.prior_logits, scratch);
  if (!good) return kBadPriorLogits;
  if (HangNode(tree, parent, &place)) BringBestPrior(tree, parent);
  WriteRecord(tree, place.node, place.is_new, parent, place.slot, said);
  if (!place.is_new) BringBestPrior(tree, place.node);
  tree.SetNext(parent, kUnknown);
  tree.stats[kNextNode] += 1.0f;
  *leaf = static_cast<int32_t>(place.node);
  return kNoFault;
}

using AdvanceFunction = Fault (*)(Tree, int64_t, const Search&, float*, int32_t*, int32_t*);

// As AdvanceOne, for one rule that the compiler knows.
template <RuleKind kind, QTransformKind qtransform>
LOOKAHEAD_APART Fault AdvanceBy(Tree tree, int64_t leaf, const Search& search, float* scratch,
                                int32_t* parent, int32_t* action) {
  const QRange before = RangeOfTree(tree);
  const Fault fault = BackUpPath<kind, qtransform>(tree, leaf, search, scratch);
  if (fault != kNoFault) return fault;
  const QRange after = RangeOfTree(tree);
  const bool same_range = before.low == after.low && before.high == after.high;
  if (qtransform == kTreeMinMax && !same_range) ForgetChoices(tree);
  return Walk(ReadOnly(tree), search.rule.max_depth, Following{tree, search, scratch}, parent,
              action);
}

template <RuleKind kind>
LOOKAHEAD_INLINE AdvanceFunction AdvanceByTransform(const Rule& rule) {
  switch (rule.qtransform) {
    case kParentAndSiblings:
      return AdvanceBy<kind, kParentAndSiblings>;
    case kMinMax:
      return AdvanceBy<kind, kMinMax>;
    case kTreeMinMax:
      return AdvanceBy<kind, kTreeMinMax>;
    default:
      return AdvanceBy<kind, kCompletedByMixValue>;
  }
}

LOOKAHEAD_INLINE AdvanceFunction AdvanceByRule(const Rule& rule) {
  switch (rule.kind) {
    case kPuct:
      return AdvanceByTransform<kPuct>(rule);
    case kStochastic:
      return AdvanceByTransform<kStochastic>(rule);
    default:
      return AdvanceByTransform<kGumbel>(rule);
  }
}

inline Fault AdvanceOne(const Tree& tree, int64_t leaf, const Search& search, float* scratch,
                        int32_t* parent, int32_t* action) {
  const AdvanceFunction advance = AdvanceByRule(search.rule);
  return advance(tree, leaf, search, scratch, parent, action);
}

inline Fault PlantOne(const Tree& tree, const float* prior_logits, float value) {
  const Evaluation said = {0.0f, 0.0f, value, prior_logits};
  if (!IsFinite(value)) return kBadValue;
  memset(tree.nodes, 0, tree.num_nodes * kNodeFields * sizeof(float));
  if (!WriteEdges(tree, 0, prior_logits)) return kBadPriorLogits;
  WriteRecord(tree, 0, true, -1, 0, said);
  tree.stats[kNextNode] = 1.0f;
  tree.stats[kMinQvalue] = kInfinity;
  tree.stats[kMaxQvalue] = -kInfinity;
  return kNoFault;
}

}  // namespace LOOKAHEAD_ISA
}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_SEARCH_SIMD_H_

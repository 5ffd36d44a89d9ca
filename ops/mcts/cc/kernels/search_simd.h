// One tree's search in vectors: the body of search_avx2.cc and
// search_portable.cc, which compile it for one instruction set each.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_SEARCH_SIMD_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_SEARCH_SIMD_H_

#include "ops/mcts/cc/kernels/formulas.h"
#include "ops/mcts/cc/kernels/prior_simd.h"
#include "ops/mcts/cc/kernels/search_cpu.h"
#include "ops/mcts/cc/kernels/simd.h"

namespace lookahead {
namespace mcts {
inline namespace LOOKAHEAD_ISA {

// A node's edges, by slots; those from `expanded` on have no visits.
struct NodeEdges {
  const float* rows;
  int64_t num_actions;
  int64_t expanded;

  LOOKAHEAD_INLINE const float* Row(EdgeRow row) const { return rows + row * num_actions; }
};

LOOKAHEAD_INLINE NodeEdges EdgesOf(const ConstTree& tree, int64_t node) {
  return {tree.Edges(node, kQvalue), tree.num_actions, tree.Expanded(node)};
}

// Eight edges of a node; lanes from `end` on hold an illegal one.
struct EdgeBlock {
  Floats q;
  Floats visits;
  Floats prob;
};

// At least two rows follow each of the four that are read here, so from three
// actions on a whole vector may be read past the end of each.
LOOKAHEAD_INLINE bool HasWideRows(const NodeEdges& e) { return e.num_actions >= 3; }

LOOKAHEAD_INLINE Floats LoadRow(const NodeEdges& e, EdgeRow row, int64_t first) {
  if (HasWideRows(e)) return Load(e.Row(row) + first);
  return LoadPart(e.Row(row) + first, e.num_actions - first, 0.0f);
}

LOOKAHEAD_INLINE EdgeBlock LoadEdges(const NodeEdges& e, int64_t first, int64_t end) {
  const Ints expanded = FirstLanes(e.expanded - first);
  return {LoadRow(e, kQvalue, first), Where(expanded, LoadRow(e, kEdgeVisits, first), Floats{}),
          Where(FirstLanes(end - first), LoadRow(e, kProb, first), Floats{} + kIllegalProb)};
}

LOOKAHEAD_INLINE EdgeSums SumEdges(const NodeEdges& edges) {
  Floats low = Floats{} + kInfinity, high = Floats{} - kInfinity;
  Floats visits = {}, most = {}, weight = {}, weighted = {}, known = {};
  for (int64_t s = 0; s < edges.expanded; s += kLanes) {
    const EdgeBlock e = LoadEdges(edges, s, edges.num_actions);
    const Ints visited = e.visits > 0.0f;
    low = Least(low, Where(visited, e.q, low));
    high = Greatest(high, Where(visited, e.q, high));
    visits += e.visits;
    most = Greatest(most, e.visits);
    known += Where(visited, Floats{} + 1.0f, Floats{});
    const Floats w = Where(visited, Greatest(e.prob, Floats{} + kTiny), Floats{});
    weight += w;
    weighted += Where(visited, w * e.q, Floats{});
  }
  const bool unvisited = Sum(known) < static_cast<float>(edges.num_actions);
  return {Least(low),  Greatest(high), Sum(visits), Greatest(most),
          Sum(weight), Sum(weighted),  unvisited};
}

LOOKAHEAD_INLINE EdgeSums RangeOfEdges(const NodeEdges& edges) {
  Floats low = Floats{} + kInfinity, high = Floats{} - kInfinity;
  for (int64_t s = 0; s < edges.expanded; s += kLanes) {
    const EdgeBlock e = LoadEdges(edges, s, edges.num_actions);
    const Ints visited = e.visits > 0.0f;
    low = Least(low, Where(visited, e.q, low));
    high = Greatest(high, Where(visited, e.q, high));
  }
  return {Least(low), Greatest(high), 0.0f, 0.0f, 0.0f, 0.0f, false};
}

LOOKAHEAD_INLINE Scale ScaleOf(const ConstTree& tree, int64_t node, const Rule& rule,
                               const NodeEdges& edges, EdgeSums* sums) {
  if (rule.kind == kGumbel || rule.qtransform == kCompletedByMixValue) {
    *sums = SumEdges(edges);
  } else if (rule.qtransform == kParentAndSiblings) {
    *sums = RangeOfEdges(edges);
  }
  return MakeScale(rule, tree.Node(node), tree.stats, *sums);
}

template <typename Score>
LOOKAHEAD_RARE int64_t TiedBestOf(NodeEdges edges, int64_t end, Score score) {
  TiedBest best;
  for (int64_t s = 0; s < end; s += kLanes) {
    best.Offer(score(LoadEdges(edges, s, end), s), LoadRow(edges, kActionOf, s), s);
  }
  return best.slot;
}

// The slot of the greatest score among [0, end), of equal ones the lowest
// action's.
template <typename Score>
LOOKAHEAD_INLINE int64_t BestOf(const NodeEdges& edges, int64_t end, const Score& score) {
  Best best;
  for (int64_t s = 0; s < end; s += kLanes) best.Offer(score(LoadEdges(edges, s, end), s), s);
  const int64_t slot = best.Slot();
  return slot == kTied ? TiedBestOf(edges, end, score) : slot;
}

struct PuctScores {
  Scale scale;
  float rate;

  LOOKAHEAD_INLINE Floats operator()(const EdgeBlock& e, int64_t) const {
    return PuctScore(QScore(scale, e.q, e.visits), rate, e.prob, e.visits);
  }
};

// The first eight edges of a node whose rows are wide.
LOOKAHEAD_INLINE EdgeBlock LoadBlock(const NodeEdges& edges) {
  return {Load(edges.Row(kQvalue)), Load(edges.Row(kEdgeVisits)), Load(edges.Row(kProb))};
}

// Whether all that PUCT reads of a node is in its block.
LOOKAHEAD_INLINE bool IsBlock(const NodeEdges& edges) {
  return edges.expanded < kLanes && HasWideRows(edges);
}

// The slot that PUCT takes at a node that is a block: nothing is read twice.
LOOKAHEAD_INLINE int64_t SelectInBlock(const ConstTree& tree, int64_t node, const Rule& rule,
                                       const Rates& rates, const NodeEdges& edges,
                                       const EdgeBlock& block) {
  const int64_t end = Min(edges.expanded + 1, edges.num_actions);
  const EdgeBlock e = {block.q, Where(FirstLanes(edges.expanded), block.visits, Floats{}),
                       Where(FirstLanes(end), block.prob, Floats{} + kIllegalProb)};
  EdgeSums sums = {};
  if (rule.qtransform == kCompletedByMixValue) {
    sums = SumEdges(edges);
  } else if (rule.qtransform == kParentAndSiblings) {
    const Ints visited = e.visits > 0.0f;
    sums.min_q = Least(Where(visited, e.q, Floats{} + kInfinity));
    sums.max_q = Greatest(Where(visited, e.q, Floats{} - kInfinity));
  }
  const float* record = tree.Node(node);
  const float rate = RateOf(rates, rule, record[kVisits]);
  const PuctScores scores = {MakeScale(rule, record, tree.stats, sums), rate};
  const Floats score = scores(e, 0);
  const uint32_t winners = BitsOf(score == GreatestOf(score));
  if (IsOneBit(winners)) return __builtin_ctz(winners);
  return TiedBestOf(edges, end, scores);
}

// Of the unexpanded edges the first alone can win: they differ in their prior.
LOOKAHEAD_INLINE int64_t SelectPuct(const ConstTree& tree, int64_t node, const Search& search) {
  const NodeEdges edges = EdgesOf(tree, node);
  if (edges.expanded == 0) return edges.Row(kProb)[0] >= 0.0f ? 0 : kNowhere;
  if (IsBlock(edges)) {
    return SelectInBlock(tree, node, search.rule, search.rates, edges, LoadBlock(edges));
  }
  const float rate = RateOf(search.rates, search.rule, tree.Node(node)[kVisits]);
  EdgeSums sums = {};
  const Scale scale = ScaleOf(tree, node, search.rule, edges, &sums);
  return BestOf(edges, Min(edges.expanded + 1, edges.num_actions), PuctScores{scale, rate});
}

LOOKAHEAD_INLINE int64_t CountLegal(const float* probs, int64_t count) {
  int64_t legal = 0;
  for (int64_t s = 0; s < count; ++s) legal += probs[s] >= 0.0f;
  return legal;
}

// What Gumbel's root takes when the schedule has run out; -1 without any.
LOOKAHEAD_INLINE int64_t FirstLegal(const float* probs, int64_t count) {
  for (int64_t s = 0; s < count; ++s) {
    if (probs[s] >= 0.0f) return s;
  }
  return kNowhere;
}

// Each slot's noise, out of the actions' noise.
LOOKAHEAD_INLINE void NoiseBySlot(const ConstTree& tree, const float* gumbel, float* noise) {
  for (int64_t s = 0; s < tree.num_actions; ++s) {
    const int64_t action = tree.ActionOf(0, s);
    noise[s] = action < 0 ? 0.0f : gumbel[action];
  }
}

struct GumbelRootScores {
  Scale scale;
  float considered;
  float greatest_logit;
  const float* logits;
  const float* noise;
  int64_t count;

  LOOKAHEAD_INLINE Floats operator()(const EdgeBlock& e, int64_t s) const {
    const Floats logit = LoadPart(logits + s, count - s, -kInfinity);
    const Floats gumbel = LoadPart(noise + s, count - s, 0.0f);
    return GumbelRootScore(QScore(scale, e.q, e.visits), gumbel, logit - greatest_logit, e.prob,
                           e.visits, considered);
  }
};

LOOKAHEAD_APART int64_t SelectGumbelRoot(ConstTree tree, const Search& search, float* scratch) {
  EdgeSums sums = {};
  const NodeEdges edges = EdgesOf(tree, 0);
  const int64_t count = tree.num_actions;
  const float *logits = edges.Row(kLogit), *probs = edges.Row(kProb);
  const Scale scale = ScaleOf(tree, 0, search.rule, edges, &sums);
  const float considered = ConsideredVisits(search.noise, CountLegal(probs, count), sums.visits);
  NoiseBySlot(tree, search.noise.gumbel, scratch);
  const int64_t chosen = BestOf(
      edges, count,
      GumbelRootScores{scale, considered, GreatestOf(logits, count), logits, scratch, count});
  return chosen >= 0 ? chosen : FirstLegal(probs, count);
}

// `x` becomes its softmax, not yet divided; returns the divisor.
LOOKAHEAD_INLINE float ExpOf(float* x, int64_t count) {
  const float greatest = GreatestOf(x, count);
  Floats total = {};
  for (int64_t a = 0; a < count; a += kLanes) {
    const Floats e = Exp(LoadPart(x + a, count - a, -kInfinity) - greatest);
    StorePart(x + a, count - a, e);
    total += e;
  }
  return Sum(total);
}

struct GumbelInteriorScores {
  const float* weights;
  float total_weight;
  float total_visits;
  int64_t count;

  LOOKAHEAD_INLINE Floats operator()(const EdgeBlock& e, int64_t s) const {
    const Floats improved = LoadPart(weights + s, count - s, 0.0f) / total_weight;
    return GumbelInteriorScore(improved, e.prob, e.visits, total_visits);
  }
};

LOOKAHEAD_APART int64_t SelectGumbelInterior(ConstTree tree, int64_t node, const Rule& rule,
                                             float* scratch) {
  EdgeSums sums = {};
  const NodeEdges edges = EdgesOf(tree, node);
  const int64_t count = tree.num_actions;
  const Scale scale = ScaleOf(tree, node, rule, edges, &sums);
  for (int64_t s = 0; s < count; s += kLanes) {
    const EdgeBlock e = LoadEdges(edges, s, count);
    const Floats logit = LoadPart(edges.Row(kLogit) + s, count - s, kLowestLogit);
    const Floats masked = Where(e.prob >= 0.0f, logit, Floats{} + kLowestLogit);
    StorePart(scratch + s, count - s, masked + QScore(scale, e.q, e.visits));
  }
  const float total = ExpOf(scratch, count);
  return BestOf(edges, count, GumbelInteriorScores{scratch, total, sums.visits, count});
}

// The slot that the rule takes at a node, or kNowhere where no action is legal.
LOOKAHEAD_INLINE int64_t SelectSlot(const ConstTree& tree, int64_t node, const Search& search,
                                    float* scratch) {
  if (search.rule.kind == kPuct) return SelectPuct(tree, node, search);
  if (node == 0) return SelectGumbelRoot(tree, search, scratch);
  return SelectGumbelInterior(tree, node, search.rule, scratch);
}

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

inline Fault AdvanceOne(const Tree& tree, int64_t leaf, const Search& search, float* scratch,
                        int32_t* parent, int32_t* action) {
  const AdvanceFunction advance = search.rule.kind == kPuct
                                      ? AdvanceByTransform<kPuct>(search.rule)
                                      : AdvanceByTransform<kGumbel>(search.rule);
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

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
LOOKAHEAD_INLINE Floats LoadRow(const NodeEdges& e, EdgeRow row, int64_t first) {
  if (e.num_actions >= 3) return Load(e.Row(row) + first);
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

// The edges [0, end) of a node all in one vector: nothing is read twice.
LOOKAHEAD_INLINE int64_t SelectPuctInBlock(const ConstTree& tree, int64_t node, const Rule& rule,
                                           const NodeEdges& edges, int64_t end, float rate) {
  EdgeSums sums = {};
  const EdgeBlock e = LoadEdges(edges, 0, end);
  if (rule.qtransform == kCompletedByMixValue) {
    sums = SumEdges(edges);
  } else if (rule.qtransform == kParentAndSiblings) {
    const Ints visited = e.visits > 0.0f;
    sums.min_q = Least(Where(visited, e.q, Floats{} + kInfinity));
    sums.max_q = Greatest(Where(visited, e.q, Floats{} - kInfinity));
  }
  const PuctScores scores = {MakeScale(rule, tree.Node(node), tree.stats, sums), rate};
  const Floats score = scores(e, 0);
  const float greatest = Greatest(score);
  const uint32_t winners = BitsOf(score == greatest);
  if (!(greatest > -kInfinity)) return kNowhere;
  return (winners & (winners - 1)) == 0 ? __builtin_ctz(winners) : TiedBestOf(edges, end, scores);
}

// Of the unexpanded edges the first alone can win: they differ in their prior.
LOOKAHEAD_INLINE int64_t SelectPuct(const ConstTree& tree, int64_t node, const Search& search) {
  const NodeEdges edges = EdgesOf(tree, node);
  if (edges.expanded == 0) return edges.Row(kProb)[0] >= 0.0f ? 0 : kNowhere;
  const float rate = RateOf(search.rates, search.rule, tree.Node(node)[kVisits]);
  const int64_t end = Min(edges.expanded + 1, edges.num_actions);
  if (end <= kLanes) return SelectPuctInBlock(tree, node, search.rule, edges, end, rate);
  EdgeSums sums = {};
  const Scale scale = ScaleOf(tree, node, search.rule, edges, &sums);
  return BestOf(edges, end, PuctScores{scale, rate});
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

// What a walk does at a node: a value of kNext.
LOOKAHEAD_INLINE int64_t Choose(const ConstTree& tree, int64_t node, const Search& search,
                                float* scratch) {
  const int64_t slot = SelectSlot(tree, node, search, scratch);
  if (slot < 0) return kTerminal;
  const int64_t child = tree.Child(node, slot);
  return child > 0 ? child : kLeaves + slot;
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

LOOKAHEAD_APART int64_t ChooseAlone(ConstTree tree, int64_t node, const Search& search,
                                    float* scratch) {
  return Choose(tree, node, search, scratch);
}

struct Choosing {
  const ConstTree& tree;
  const Search& search;
  float* scratch;

  LOOKAHEAD_INLINE int64_t operator()(int64_t node) const {
    return ChooseAlone(tree, node, search, scratch);
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
      next = ChooseAlone(ReadOnly(tree), node, search, scratch);
      tree.SetNext(node, next);
    }
    return next;
  }
};

// The rows of a node that a backup did not touch but a choice reads.
LOOKAHEAD_INLINE void PrefetchChoice(const Tree& tree, int64_t node) {
  __builtin_prefetch(tree.Edges(node, kProb));
  __builtin_prefetch(tree.Edges(node, kChild));
}

// Chooses at the leaf and at every node above it. The tree is as a backup left
// it: its parents lead to the root.
LOOKAHEAD_INLINE void ChooseUpwards(const Tree& tree, int64_t leaf, const Search& search,
                                    float* scratch) {
  constexpr int kAhead = 4;  // levels, about as long as a line takes to come
  int64_t ahead = leaf;
  for (int i = 0; i < kAhead && ahead != 0; ++i) {
    ahead = tree.Parent(ahead);
    PrefetchChoice(tree, ahead);
  }
  for (int64_t node = leaf;; node = tree.Parent(node)) {
    if (ahead != 0) {
      ahead = tree.Parent(ahead);
      PrefetchChoice(tree, ahead);
    }
    tree.SetNext(node, Choose(ReadOnly(tree), node, search, scratch));
    if (node == 0) return;
  }
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

inline Fault AdvanceOne(const Tree& forest_tree, int64_t leaf, const Search& search, float* scratch,
                        int32_t* parent, int32_t* action) {
  const Tree tree = forest_tree;  // known to no one else, so that it stays in registers
  const float low = tree.stats[kMinQvalue], high = tree.stats[kMaxQvalue];
  const Fault fault = BackUp(tree, leaf);
  if (fault != kNoFault) return fault;
  const bool same_range = low == tree.stats[kMinQvalue] && high == tree.stats[kMaxQvalue];
  if (search.rule.qtransform == kTreeMinMax && !same_range) {
    ForgetChoices(tree);
  } else {
    ChooseUpwards(tree, leaf, search, scratch);
  }
  return Walk(ReadOnly(tree), search.rule.max_depth, Following{tree, search, scratch}, parent,
              action);
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

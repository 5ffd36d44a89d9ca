// Which edge a search takes at a node, eight edges at a time: every rule's choice.
// Compiled for one instruction set, by search_simd.h.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_SELECTION_SIMD_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_SELECTION_SIMD_H_

#include "ops/mcts/cc/kernels/formulas.h"
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

LOOKAHEAD_INLINE EdgeSums SumEdges(const NodeEdges& edges, const Rule& rule) {
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
  const int64_t all = NumPlayerEdges(rule, edges.num_actions);
  const bool unvisited = Sum(known) < static_cast<float>(all);
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
    *sums = SumEdges(edges, rule);
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
    sums = SumEdges(edges, rule);
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

struct ChanceScores {
  LOOKAHEAD_INLINE Floats operator()(const EdgeBlock& e, int64_t) const {
    return ChanceScore(e.prob, e.visits);
  }
};

// 1 for every outcome that is tied with the greatest.
struct TiedChanceScores {
  float least;

  LOOKAHEAD_INLINE Floats operator()(const EdgeBlock& e, int64_t) const {
    const Ints tied = ChanceScore(e.prob, e.visits) >= least;
    return Where(tied, Floats{} + 1.0f, Floats{} - kInfinity);
  }
};

// Of the unexpanded outcomes the first alone can win, as in PUCT.
LOOKAHEAD_INLINE int64_t SelectChance(const NodeEdges& edges) {
  const int64_t end = Min(edges.expanded + 1, edges.num_actions);
  Floats most = Floats{} - kInfinity;
  for (int64_t s = 0; s < end; s += kLanes) {
    most = Greatest(most, ChanceScores()(LoadEdges(edges, s, end), s));
  }
  return BestOf(edges, end, TiedChanceScores{TiedChanceScore(Greatest(most))});
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
  if (IsChance(tree, node, search.rule)) return SelectChance(EdgesOf(tree, node));
  if (search.rule.kind != kGumbel) return SelectPuct(tree, node, search);
  if (node == 0) return SelectGumbelRoot(tree, search, scratch);
  return SelectGumbelInterior(tree, node, search.rule, scratch);
}

}  // namespace LOOKAHEAD_ISA
}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_SELECTION_SIMD_H_

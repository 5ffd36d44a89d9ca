// Which edge a warp takes at a node: selection_simd.h for 32 lanes, an edge each.

#ifndef LOOKAHEAD_OPS_MCTS_CC_CUDA_SELECTION_H_
#define LOOKAHEAD_OPS_MCTS_CC_CUDA_SELECTION_H_

#include "ops/mcts/cc/cuda/warp.h"
#include "ops/mcts/cc/kernels/formulas.h"

namespace lookahead {
namespace mcts {

struct LaneEdge {
  float q;
  float visits;
  float prob;
  float action;
};

// The edge of a slot below num_actions. All loads start at once: what an edge
// that is not expanded has for visits is read, and then not used.
__device__ inline LaneEdge LoadEdge(const ConstTree& tree, int64_t node, int slot, int expanded) {
  const float visits = tree.Edges(node, kEdgeVisits)[slot];
  return {tree.Edges(node, kQvalue)[slot], slot < expanded ? visits : 0.0f,
          tree.Edges(node, kProb)[slot], tree.Edges(node, kActionOf)[slot]};
}

__device__ inline EdgeSums RangeOfEdges(const ConstTree& tree, int64_t node, int expanded) {
  float low = kInfinity, high = -kInfinity;
  for (int s = LaneIndex(); s < expanded; s += kWarpLanes) {
    const LaneEdge e = LoadEdge(tree, node, s, expanded);
    low = e.visits > 0.0f ? Min(low, e.q) : low;
    high = e.visits > 0.0f ? Max(high, e.q) : high;
  }
  return {WarpLeast(low), WarpGreatest(high), 0.0f, 0.0f, 0.0f, 0.0f, false};
}

__device__ inline EdgeSums SumEdges(const ConstTree& tree, int64_t node, const Rule& rule,
                                    int expanded) {
  float low = kInfinity, high = -kInfinity;
  float visits = 0.0f, most = 0.0f, weight = 0.0f, weighted = 0.0f, known = 0.0f;
  for (int s = LaneIndex(); s < expanded; s += kWarpLanes) {
    const LaneEdge e = LoadEdge(tree, node, s, expanded);
    if (!(e.visits > 0.0f)) continue;
    const float w = Max(e.prob, kTiny);
    low = Min(low, e.q);
    high = Max(high, e.q);
    visits += e.visits;
    most = Max(most, e.visits);
    known += 1.0f;
    weight += w;
    weighted += w * e.q;
  }
  const int64_t all = NumPlayerEdges(rule, tree.num_actions);
  const bool unvisited = WarpSum(known) < static_cast<float>(all);
  return {WarpLeast(low),  WarpGreatest(high), WarpSum(visits), WarpGreatest(most),
          WarpSum(weight), WarpSum(weighted),  unvisited};
}

__device__ inline Scale ScaleOf(const ConstTree& tree, int64_t node, const Rule& rule,
                                EdgeSums* sums) {
  const int expanded = static_cast<int>(tree.Expanded(node));
  if (rule.kind == kGumbel || rule.qtransform == kCompletedByMixValue) {
    *sums = SumEdges(tree, node, rule, expanded);
  } else if (rule.qtransform == kParentAndSiblings) {
    *sums = RangeOfEdges(tree, node, expanded);
  }
  return MakeScale(rule, tree.Node(node), tree.stats, *sums);
}

// Of the unexpanded edges the first alone can win: they differ in their prior.
__device__ inline int SelectPuct(const ConstTree& tree, int64_t node, const Rule& rule) {
  EdgeSums sums = {};
  const Scale scale = ScaleOf(tree, node, rule, &sums);
  const int expanded = static_cast<int>(tree.Expanded(node));
  const float rate = ExplorationRate(rule, tree.Node(node)[kVisits]);
  const int end = Min(expanded + 1, static_cast<int>(tree.num_actions));
  LaneBest best;
  for (int s = LaneIndex(); s < end; s += kWarpLanes) {
    const LaneEdge e = LoadEdge(tree, node, s, expanded);
    best.Offer(PuctScore(QScore(scale, e.q, e.visits), rate, e.prob, e.visits), e.action, s);
  }
  return best.Slot();
}

// As SelectPuct, where chance moves.
__device__ inline int SelectChance(const ConstTree& tree, int64_t node) {
  const int expanded = static_cast<int>(tree.Expanded(node));
  const int end = Min(expanded + 1, static_cast<int>(tree.num_actions));
  float greatest = -kInfinity;
  for (int s = LaneIndex(); s < end; s += kWarpLanes) {
    const LaneEdge e = LoadEdge(tree, node, s, expanded);
    greatest = Max(greatest, ChanceScore(e.prob, e.visits));
  }
  const float least = TiedChanceScore(WarpGreatest(greatest));
  LaneBest best;
  for (int s = LaneIndex(); s < end; s += kWarpLanes) {
    const LaneEdge e = LoadEdge(tree, node, s, expanded);
    const bool tied = ChanceScore(e.prob, e.visits) >= least;
    best.Offer(tied ? 1.0f : -kInfinity, e.action, s);
  }
  return best.Slot();
}

__device__ inline int SelectGumbelRoot(const ConstTree& tree, const Rule& rule,
                                       const RootNoise& noise) {
  EdgeSums sums = {};
  const Scale scale = ScaleOf(tree, 0, rule, &sums);
  const int expanded = static_cast<int>(tree.Expanded(0));
  const int count = static_cast<int>(tree.num_actions);
  float valid = 0.0f, greatest = -kInfinity;
  int first_legal = -1;
  for (int s = LaneIndex(); s < count; s += kWarpLanes) {
    const bool legal = tree.Edges(0, kProb)[s] >= 0.0f;
    valid += legal ? 1.0f : 0.0f;
    first_legal = legal && first_legal < 0 ? s : first_legal;
    greatest = Max(greatest, tree.Edges(0, kLogit)[s]);
  }
  greatest = WarpGreatest(greatest);
  const int64_t num_valid = static_cast<int64_t>(WarpSum(valid));
  const float considered = ConsideredVisits(noise, num_valid, sums.visits);
  LaneBest best;
  for (int s = LaneIndex(); s < count; s += kWarpLanes) {
    const LaneEdge e = LoadEdge(tree, 0, s, expanded);
    const int64_t action = tree.ActionOf(0, s);
    const float gumbel = action < 0 ? 0.0f : noise.gumbel[action];
    const float shifted = tree.Edges(0, kLogit)[s] - greatest;
    const float q = QScore(scale, e.q, e.visits);
    best.Offer(GumbelRootScore(q, gumbel, shifted, e.prob, e.visits, considered), e.action, s);
  }
  const int chosen = best.Slot();
  const int fallback = FirstSlot(first_legal);  // the schedule has run out
  return chosen >= 0 ? chosen : fallback;
}

// The logit of the improved policy at a slot.
__device__ inline float ImprovedLogit(const ConstTree& tree, int64_t node, const Scale& scale,
                                      const LaneEdge& e, int slot) {
  const float logit = e.prob >= 0.0f ? tree.Edges(node, kLogit)[slot] : kLowestLogit;
  return logit + QScore(scale, e.q, e.visits);
}

__device__ inline int SelectGumbelInterior(const ConstTree& tree, int64_t node, const Rule& rule) {
  EdgeSums sums = {};
  const Scale scale = ScaleOf(tree, node, rule, &sums);
  const int expanded = static_cast<int>(tree.Expanded(node));
  const int count = static_cast<int>(tree.num_actions);
  float greatest = -kInfinity, total = 0.0f;
  for (int s = LaneIndex(); s < count; s += kWarpLanes) {
    const LaneEdge e = LoadEdge(tree, node, s, expanded);
    greatest = Max(greatest, ImprovedLogit(tree, node, scale, e, s));
  }
  greatest = WarpGreatest(greatest);
  for (int s = LaneIndex(); s < count; s += kWarpLanes) {
    const LaneEdge e = LoadEdge(tree, node, s, expanded);
    total += expf(ImprovedLogit(tree, node, scale, e, s) - greatest);
  }
  total = WarpSum(total);
  LaneBest best;
  for (int s = LaneIndex(); s < count; s += kWarpLanes) {
    const LaneEdge e = LoadEdge(tree, node, s, expanded);
    const float improved = expf(ImprovedLogit(tree, node, scale, e, s) - greatest) / total;
    best.Offer(GumbelInteriorScore(improved, e.prob, e.visits, sums.visits), e.action, s);
  }
  return best.Slot();
}

// The slot that the rule takes, or -1 where no action is legal.
__device__ inline int SelectSlot(const ConstTree& tree, int64_t node, const Rule& rule,
                                 const RootNoise& noise) {
  if (IsChance(tree, node, rule)) return SelectChance(tree, node);
  if (rule.kind != kGumbel) return SelectPuct(tree, node, rule);
  if (node == 0) return SelectGumbelRoot(tree, rule, noise);
  return SelectGumbelInterior(tree, node, rule);
}

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_CUDA_SELECTION_H_

// The formulas of selection, once, for CPU vectors, CPU scalars and CUDA.
//
// V is float or a vector of floats with `Where(mask, a, b)` and the operators;
// the order of operations is that of mcts_reference.py, so that the backends
// agree to the last bit but for exp and log.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_FORMULAS_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_FORMULAS_H_

#include <cmath>

#include "ops/mcts/cc/kernels/numbers.h"
#include "ops/mcts/cc/kernels/tree.h"
#ifndef __CUDACC__
#include "ops/mcts/cc/kernels/simd.h"
#endif

namespace lookahead {
namespace mcts {

constexpr float kLowestLogit = -FLT_MAX;  // this or -inf: an illegal action
constexpr float kLowLogit = -1e9f;        // floor of Gumbel's root scores

// What a q-transform must know of a node's edges before it can score one.
struct EdgeSums {
  float min_q;  // over visited edges; inf and -inf without any
  float max_q;
  float visits;
  float max_visits;
  float weight;    // prior probability of the visited actions
  float weighted;  // Σ probability · Q of the visited actions
  bool unvisited;  // whether an edge is unvisited
};

LOOKAHEAD_INLINE bool NeedsSums(const Rule& rule) {
  return rule.kind == kGumbel || rule.qtransform == kParentAndSiblings ||
         rule.qtransform == kCompletedByMixValue;
}

// Every q-transform is one map: visited edges score factor · (q − low) / scale,
// the others `missing`.
struct Scale {
  float low;
  float scale;
  float factor;
  float missing;
};

LOOKAHEAD_INLINE Scale ByParentAndSiblings(const Rule& rule, const float* record,
                                           const EdgeSums& sums) {
  const float low = Min(record[kValue], sums.min_q);
  const float high = Max(record[kValue], sums.max_q);
  return {low, Max(high - low, rule.epsilon), 1.0f, 0.0f};
}

LOOKAHEAD_INLINE Scale ByMinMax(const Rule& rule, const float* record) {
  const float low = rule.min_value, span = rule.max_value - rule.min_value;
  float missing = low;
  if (rule.fpu_reduction >= 0.0f) {
    missing = Max(record[kValue] - rule.fpu_reduction, low);
    missing = Min(missing, rule.max_value);
  }
  return {low, span, 1.0f, (missing - low) / span};
}

LOOKAHEAD_INLINE Scale ByTreeMinMax(const float* stats) {
  const float low = stats[kMinQvalue], high = stats[kMaxQvalue];
  if (!(high > low)) return {0.0f, 1.0f, 1.0f, 0.0f};
  return {low, high - low, 1.0f, 0.0f};
}

LOOKAHEAD_INLINE float MixedValue(const float* record, const EdgeSums& sums) {
  const float mean = sums.weight > 0.0f ? sums.weighted / sums.weight : 0.0f;
  return (record[kRawValue] + sums.visits * mean) / (sums.visits + 1.0f);
}

LOOKAHEAD_INLINE Scale CompletedByMixValue(const Rule& rule, const float* record,
                                           const EdgeSums& sums) {
  const float value = rule.use_mixed_value ? MixedValue(record, sums) : record[kRawValue];
  float low = 0.0f, scale = 1.0f;
  if (rule.rescale_values) {
    low = sums.unvisited ? Min(sums.min_q, value) : sums.min_q;
    const float high = sums.unvisited ? Max(sums.max_q, value) : sums.max_q;
    scale = Max(high - low, rule.epsilon);
  }
  const float factor = (rule.maxvisit_init + sums.max_visits) * rule.value_scale;
  return {low, scale, factor, factor * ((value - low) / scale)};
}

LOOKAHEAD_INLINE Scale MakeScale(const Rule& rule, const float* record, const float* stats,
                                 const EdgeSums& sums) {
  switch (rule.qtransform) {
    case kParentAndSiblings:
      return ByParentAndSiblings(rule, record, sums);
    case kMinMax:
      return ByMinMax(rule, record);
    case kTreeMinMax:
      return ByTreeMinMax(stats);
    default:
      return CompletedByMixValue(rule, record, sums);
  }
}

template <typename V>
LOOKAHEAD_INLINE V QScore(const Scale& scale, V q, V visits) {
  const V scaled = scale.factor * ((q - scale.low) / scale.scale);
  return Where(visits > 0.0f, scaled, V{} + scale.missing);
}

// √N · (c₁ + log((N + 1 + c₂) / c₂)), the part of PUCT that a node's edges
// share.
LOOKAHEAD_INLINE float ExplorationRate(const Rule& rule, float visits) {
  const float rate = rule.pb_c_init + log1pf((visits + 1.0f) / rule.pb_c_base);
  return sqrtf(visits) * rate;
}

LOOKAHEAD_INLINE float RateOf(const Rates& rates, const Rule& rule, float visits) {
  const int64_t count = AsIndex(visits, rates.size);
  return count < 0 ? ExplorationRate(rule, visits) : rates.of_visits[count];
}

template <typename V>
LOOKAHEAD_INLINE V PuctScore(V qscore, float rate, V prob, V visits) {
  return Where(prob >= 0.0f, qscore + rate * prob / (visits + 1.0f), V{} - kInfinity);
}

template <typename V>
LOOKAHEAD_INLINE V GumbelRootScore(V qscore, V gumbel, V shifted_logit, V prob, V visits,
                                   float considered) {
  const V score = gumbel + shifted_logit + qscore;
  const V floored = Where(score < kLowLogit, V{} + kLowLogit, score);
  const V taken = Where(visits == considered, floored, V{} - kInfinity);
  return Where(prob >= 0.0f, taken, V{} - kInfinity);
}

template <typename V>
LOOKAHEAD_INLINE V GumbelInteriorScore(V improved_prob, V prob, V visits, float total_visits) {
  const V score = improved_prob - visits / (1.0f + total_visits);
  return Where(prob >= 0.0f, score, V{} - kInfinity);
}

// A stochastic rule takes turns between a player, who moves as PUCT does, and
// chance. Its actions are the players' and, from `first_outcome` on, the
// outcomes of chance; a node's legal edges are all of one kind, and slot 0 is
// one of them if there are any.
LOOKAHEAD_INLINE bool IsChance(const ConstTree& tree, int64_t node, const Rule& rule) {
  return rule.kind == kStochastic &&
         tree.Edges(node, kActionOf)[0] >= static_cast<float>(rule.first_outcome);
}

// How many edges of a node are a player's, legal or not.
LOOKAHEAD_INLINE int64_t NumPlayerEdges(const Rule& rule, int64_t num_actions) {
  return rule.kind == kStochastic ? Min<int64_t>(rule.first_outcome, num_actions) : num_actions;
}

// Chance takes the greatest of these: visits grow as seats do for votes by
// Jefferson's divisors, never below the whole part of prior · visits.
template <typename V>
LOOKAHEAD_INLINE V ChanceScore(V prob, V visits) {
  return Where(prob >= 0.0f, prob / (visits + 1.0f), V{} - kInfinity);
}

// From which score on an outcome is tied with the greatest, illegal ones never.
// Where priors are fractions, as those of dice, scores meet again and again; what
// exp and division lose must not decide between them.
LOOKAHEAD_INLINE float TiedChanceScore(float greatest) { return 0.99999f * Max(greatest, 0.0f); }

// The visit count that Gumbel's root considers now, out of `noise.considered`.
LOOKAHEAD_INLINE float ConsideredVisits(const RootNoise& noise, int64_t valid, float total_visits) {
  const int64_t row = Min(valid, noise.num_rows - 1);
  const int64_t wanted = AsIndex(total_visits, kMaxNodes);
  const int64_t column = Min(Max<int64_t>(wanted, 0), noise.num_columns - 1);
  return noise.considered[row * noise.num_columns + column];
}

// The record of a node that has just been evaluated.
LOOKAHEAD_INLINE void WriteRecord(const Tree& tree, int64_t node, bool is_new, int64_t parent,
                                  int64_t slot, const Evaluation& said) {
  float* record = tree.Node(node);
  record[kParent] = static_cast<float>(parent);
  tree.SetPlace(node, slot, is_new ? 0 : tree.Expanded(node));
  record[kVisits] = is_new ? 1.0f : record[kVisits] + 1.0f;
  record[kValue] = said.value;
  record[kRawValue] = said.value;
  record[kReward] = said.reward;
  record[kDiscount] = said.discount;
  tree.SetNext(node, kUnknown);
}

LOOKAHEAD_INLINE Fault CheckEvaluation(const Evaluation& said) {
  if (!IsFinite(said.reward)) return kBadReward;
  if (!IsFinite(said.discount)) return kBadDiscount;
  return IsFinite(said.value) ? kNoFault : kBadValue;
}

// Where the answer for (parent, action) goes: the node that is there already,
// or the next new one; and the slot of the edge.
struct Place {
  int64_t node;
  int64_t slot;
  bool is_new;
};

LOOKAHEAD_INLINE Fault FindPlace(const Tree& tree, int64_t parent, int64_t action, Place* place) {
  if (parent < 0 || parent >= tree.num_nodes) return kBadParent;
  if (action < 0 || action >= tree.num_actions) return kBadAction;
  place->slot = tree.SlotOf(parent, action);
  if (place->slot < 0) return kBrokenTree;
  place->node = tree.Child(parent, place->slot);
  place->is_new = place->node < 0;
  if (place->is_new) {
    place->node = tree.NextNode();
  }
  return place->node < 0 ? kTreeFull : kNoFault;
}

template <typename F>
LOOKAHEAD_INLINE void Swap(F* row, int64_t i, int64_t j) {
  const F kept = row[i];
  row[i] = row[j];
  row[j] = kept;
}

// Exchanges two edges that are not expanded.
LOOKAHEAD_INLINE void SwapSlots(const Tree& tree, int64_t node, int64_t i, int64_t j) {
  Swap(tree.Edges(node, kProb), i, j);
  Swap(tree.Edges(node, kActionOf), i, j);
  Swap(tree.Edges(node, kLogit), i, j);
}

// Hangs the node into its parent's edge; an edge expanded for the first time
// joins the others. Returns whether it did: then the greatest prior among the
// rest must come next.
LOOKAHEAD_INLINE bool HangNode(const Tree& tree, int64_t parent, Place* place) {
  const int64_t expanded = tree.Expanded(parent);
  const bool joins = place->slot >= expanded;
  if (joins) {
    SwapSlots(tree, parent, place->slot, expanded);
    place->slot = expanded;
    tree.Edges(parent, kQvalue)[expanded] = 0.0f;
    tree.Edges(parent, kEdgeVisits)[expanded] = 0.0f;
    tree.SetPlace(parent, Max<int64_t>(tree.Slot(parent), 0), expanded + 1);
  }
  tree.Edges(parent, kChild)[place->slot] = static_cast<float>(place->node);
  return joins;
}

// The least and greatest Q(s, a) that backups wrote in a tree.
struct QRange {
  float low;
  float high;
};

LOOKAHEAD_INLINE QRange RangeOfTree(const Tree& tree) {
  return {tree.stats[kMinQvalue], tree.stats[kMaxQvalue]};
}
LOOKAHEAD_INLINE void StoreRange(const Tree& tree, const QRange& range) {
  tree.stats[kMinQvalue] = range.low;
  tree.stats[kMaxQvalue] = range.high;
}

// One step of a backup, from `*node` to its parent: the return so far, the
// running mean of the parent, the edge between them and the range of Q.
LOOKAHEAD_INLINE Fault BackUpEdge(const Tree& tree, int64_t* node, float* value, QRange* range) {
  const float* child = tree.Node(*node);
  const int64_t parent = tree.Parent(*node);
  const int64_t slot = tree.Slot(*node);
  if (parent < 0 || slot < 0) return kBrokenTree;
  float* record = tree.Node(parent);
  const float count = record[kVisits];
  const float q = child[kReward] + child[kDiscount] * child[kValue];
  *value = child[kReward] + child[kDiscount] * *value;
  record[kValue] = (record[kValue] * count + *value) / (count + 1.0f);
  record[kVisits] = count + 1.0f;
  tree.SetNext(parent, kUnknown);
  tree.Edges(parent, kQvalue)[slot] = q;
  tree.Edges(parent, kEdgeVisits)[slot] += 1.0f;
  *range = {Min(range->low, q), Max(range->high, q)};
  *node = parent;
  return kNoFault;
}

LOOKAHEAD_INLINE Fault BackUpEdge(const Tree& tree, int64_t* node, float* value) {
  QRange range = RangeOfTree(tree);
  const Fault fault = BackUpEdge(tree, node, value, &range);
  StoreRange(tree, range);
  return fault;
}

// Carries the leaf's value up to the root.
LOOKAHEAD_INLINE Fault BackUp(const Tree& tree, int64_t leaf) {
  if (leaf < 0 || leaf >= tree.num_nodes) return kBadLeaf;
  QRange range = RangeOfTree(tree);
  float value = tree.Node(leaf)[kValue];
  int64_t node = leaf;
  for (int64_t steps = 0; node != 0; ++steps) {
    if (steps > tree.num_nodes) return kBrokenTree;
    const Fault fault = BackUpEdge(tree, &node, &value, &range);
    if (fault != kNoFault) return fault;
  }
  StoreRange(tree, range);
  return kNoFault;
}

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_FORMULAS_H_

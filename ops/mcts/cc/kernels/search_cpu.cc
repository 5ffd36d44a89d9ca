#include "ops/mcts/cc/kernels/search_cpu.h"

#include <algorithm>

#include "ops/mcts/cc/kernels/formulas.h"
#include "ops/mcts/cc/kernels/simd.h"

namespace lookahead {
namespace mcts {
namespace {

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

// Eight edges of a node; lanes past the last action hold an illegal one.
struct EdgeBlock {
  Floats q;
  Floats visits;
  Floats prob;
  Floats action;
};

// At least two rows follow each of the four that are read here, so from three
// actions on a whole vector may be read past the end of each.
LOOKAHEAD_INLINE Floats LoadRow(const NodeEdges& e, EdgeRow row, int64_t first) {
  if (e.num_actions >= 3) return Load(e.Row(row) + first);
  return LoadPart(e.Row(row) + first, e.num_actions - first, 0.0f);
}

LOOKAHEAD_INLINE EdgeBlock LoadEdges(const NodeEdges& e, int64_t first) {
  const Ints slot = kLane + static_cast<int32_t>(first);
  const Ints expanded = slot < static_cast<int32_t>(e.expanded);
  const Ints inside = slot < static_cast<int32_t>(e.num_actions);
  return {LoadRow(e, kQvalue, first), Where(expanded, LoadRow(e, kEdgeVisits, first), Floats{}),
          Where(inside, LoadRow(e, kProb, first), Floats{} + kIllegalProb),
          LoadRow(e, kActionOf, first)};
}

LOOKAHEAD_INLINE EdgeSums SumEdges(const NodeEdges& edges) {
  Floats low = Floats{} + kInfinity, high = Floats{} - kInfinity;
  Floats visits = {}, most = {}, weight = {}, weighted = {}, known = {};
  for (int64_t s = 0; s < edges.expanded; s += kLanes) {
    const EdgeBlock e = LoadEdges(edges, s);
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
    const EdgeBlock e = LoadEdges(edges, s);
    low = Least(low, Where(e.visits > 0.0f, e.q, low));
    high = Greatest(high, Where(e.visits > 0.0f, e.q, high));
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

// Of the unexpanded edges the first alone can win: they differ in their prior.
LOOKAHEAD_INLINE int64_t SelectPuct(const ConstTree& tree, int64_t node, const Rule& rule) {
  EdgeSums sums = {};
  const NodeEdges edges = EdgesOf(tree, node);
  const Scale scale = ScaleOf(tree, node, rule, edges, &sums);
  const float rate = ExplorationRate(rule, tree.Node(node)[kVisits]);
  const int64_t end = Min(edges.expanded + 1, edges.num_actions);
  Best best;
  for (int64_t s = 0; s < end; s += kLanes) {
    const EdgeBlock e = LoadEdges(edges, s);
    const Floats q = QScore(scale, e.q, e.visits);
    best.Offer(PuctScore(q, rate, e.prob, e.visits), e.action, s);
  }
  return best.Slot();
}

LOOKAHEAD_INLINE float GreatestOf(const float* row, int64_t count) {
  Floats greatest = Floats{} - kInfinity;
  for (int64_t a = 0; a < count; a += kLanes) {
    greatest = Greatest(greatest, LoadPart(row + a, count - a, -kInfinity));
  }
  return Greatest(greatest);
}

// The slot of the greatest prior among those not expanded, of equal ones the
// lowest action's; -1 where no legal one is left.
LOOKAHEAD_CLONES int64_t BestPrior(const ConstTree& tree, int64_t node) {
  const NodeEdges edges = EdgesOf(tree, node);
  Best best;
  for (int64_t s = edges.expanded; s < edges.num_actions; s += kLanes) {
    const EdgeBlock e = LoadEdges(edges, s);
    const Floats legal = Where(e.prob >= 0.0f, e.prob, Floats{} - kInfinity);
    best.Offer(legal, e.action, s);
  }
  return best.Slot();
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
  return -1;
}

// Each slot's noise, out of the actions' noise.
LOOKAHEAD_INLINE void NoiseBySlot(const ConstTree& tree, const float* gumbel, float* noise) {
  for (int64_t s = 0; s < tree.num_actions; ++s) {
    const int64_t action = tree.ActionOf(0, s);
    noise[s] = action < 0 ? 0.0f : gumbel[action];
  }
}

LOOKAHEAD_INLINE int64_t SelectGumbelRoot(const ConstTree& tree, const Rule& rule,
                                          const RootNoise& noise, float* scratch) {
  EdgeSums sums = {};
  const NodeEdges edges = EdgesOf(tree, 0);
  const int64_t count = tree.num_actions;
  const Scale scale = ScaleOf(tree, 0, rule, edges, &sums);
  const int64_t valid = CountLegal(edges.Row(kProb), count);
  const float considered = ConsideredVisits(noise, valid, sums.visits);
  const float greatest = GreatestOf(edges.Row(kLogit), count);
  NoiseBySlot(tree, noise.gumbel, scratch);
  Best best;
  for (int64_t s = 0; s < count; s += kLanes) {
    const EdgeBlock e = LoadEdges(edges, s);
    const Floats logit = LoadPart(edges.Row(kLogit) + s, count - s, -kInfinity);
    const Floats gumbel = LoadPart(scratch + s, count - s, 0.0f);
    const Floats score = GumbelRootScore(QScore(scale, e.q, e.visits), gumbel, logit - greatest,
                                         e.prob, e.visits, considered);
    best.Offer(score, e.action, s);
  }
  const int64_t chosen = best.Slot();
  return chosen >= 0 ? chosen : FirstLegal(edges.Row(kProb), count);
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

LOOKAHEAD_INLINE int64_t SelectGumbelInterior(const ConstTree& tree, int64_t node, const Rule& rule,
                                              float* scratch) {
  EdgeSums sums = {};
  const NodeEdges edges = EdgesOf(tree, node);
  const int64_t count = tree.num_actions;
  const Scale scale = ScaleOf(tree, node, rule, edges, &sums);
  for (int64_t s = 0; s < count; s += kLanes) {
    const EdgeBlock e = LoadEdges(edges, s);
    const Floats logit = LoadPart(edges.Row(kLogit) + s, count - s, kLowestLogit);
    const Floats masked = Where(e.prob >= 0.0f, logit, Floats{} + kLowestLogit);
    StorePart(scratch + s, count - s, masked + QScore(scale, e.q, e.visits));
  }
  const float total = ExpOf(scratch, count);
  Best best;
  for (int64_t s = 0; s < count; s += kLanes) {
    const EdgeBlock e = LoadEdges(edges, s);
    const Floats improved = LoadPart(scratch + s, count - s, 0.0f) / total;
    best.Offer(GumbelInteriorScore(improved, e.prob, e.visits, sums.visits), e.action, s);
  }
  return best.Slot();
}

// The probabilities of the legal actions and the logits, as a node keeps them.
// False where a logit is NaN or +inf. `probs` may be any memory of the size.
LOOKAHEAD_CLONES bool WritePrior(const float* prior_logits, int64_t count, float* probs,
                                 float* logits) {
  Ints bad = {};
  Floats greatest = Floats{} + kLowestLogit;
  for (int64_t a = 0; a < count; a += kLanes) {
    const Floats x = LoadPart(prior_logits + a, count - a, kLowestLogit);
    bad |= ~(x < kInfinity);
    greatest = Greatest(greatest, x);
    StorePart(logits + a, count - a, x);
  }
  if (Any(bad)) return false;
  const float shift = Greatest(greatest);
  Floats total = {};
  for (int64_t a = 0; a < count; a += kLanes) {
    const Floats x = LoadPart(prior_logits + a, count - a, kLowestLogit);
    const Floats weight = Exp(x - shift);
    const Ints legal = x > kLowestLogit;
    total += Where(legal, weight, Floats{});
    StorePart(probs + a, count - a, Where(legal, weight, Floats{} + kIllegalProb));
  }
  const float divisor = Sum(total);
  for (int64_t a = 0; a < count; a += kLanes) {
    const Floats p = LoadPart(probs + a, count - a, kIllegalProb);
    StorePart(probs + a, count - a, Where(p >= 0.0f, p / divisor, p));
  }
  return true;
}

// Gives a node its prior, its slots in the order of the actions but for the
// greatest prior, which comes first. O(A).
bool WriteEdges(const Tree& tree, int64_t node, const float* prior_logits) {
  if (!WritePrior(prior_logits, tree.num_actions, tree.Edges(node, kProb),
                  tree.Edges(node, kLogit))) {
    return false;
  }
  float* actions = tree.Edges(node, kActionOf);
  for (int64_t a = 0; a < tree.num_actions; ++a) actions[a] = a;
  return true;
}

// Brings the greatest prior among the unexpanded edges to the first of them.
void BringBestPrior(const Tree& tree, int64_t node) {
  const int64_t best = BestPrior(ReadOnly(tree), node);
  if (best >= 0) SwapSlots(tree, node, tree.Expanded(node), best);
}

// The prior of a node that is evaluated again: its edges keep their slots.
bool RewritePrior(const Tree& tree, int64_t node, const float* prior_logits, float* scratch) {
  const int64_t count = tree.num_actions;
  float *probs = scratch, *logits = scratch + count;
  if (!WritePrior(prior_logits, count, probs, logits)) return false;
  for (int64_t s = 0; s < count; ++s) {
    const int64_t action = tree.ActionOf(node, s);
    if (action < 0) continue;
    tree.Edges(node, kProb)[s] = probs[action];
    tree.Edges(node, kLogit)[s] = logits[action];
  }
  return true;
}

}  // namespace

int64_t ScratchSize(int64_t num_actions) { return 2 * num_actions; }

LOOKAHEAD_CLONES int64_t SelectSlot(const ConstTree& tree, int64_t node, const Rule& rule,
                                    const RootNoise& noise, float* scratch) {
  if (rule.kind == kPuct) return SelectPuct(tree, node, rule);
  if (node == 0) return SelectGumbelRoot(tree, rule, noise, scratch);
  return SelectGumbelInterior(tree, node, rule, scratch);
}

Fault Simulate(const ConstTree& tree, const Rule& rule, const RootNoise& noise, float* scratch,
               int32_t* parent, int32_t* action) {
  int64_t node = 0;
  int64_t slot = SelectSlot(tree, node, rule, noise, scratch);
  if (slot < 0) return kNoLegalAction;
  for (int64_t depth = 1; depth < rule.max_depth; ++depth) {
    const int64_t child = tree.Child(node, slot);
    if (child < 0) break;
    if (child == 0 || depth > tree.num_nodes) return kBrokenTree;
    const int64_t next = SelectSlot(tree, child, rule, noise, scratch);
    if (next < 0) break;  // a terminal node: the edge into it is the answer
    node = child;
    slot = next;
  }
  const int64_t chosen = tree.ActionOf(node, slot);
  if (chosen < 0) return kBrokenTree;
  *parent = static_cast<int32_t>(node);
  *action = static_cast<int32_t>(chosen);
  return kNoFault;
}

Fault Expand(const Tree& tree, int64_t parent, int64_t action, const Evaluation& said,
             float* scratch, int32_t* leaf) {
  Place place;
  Fault fault = FindPlace(tree, parent, action, &place);
  if (fault == kNoFault) fault = CheckEvaluation(said);
  if (fault != kNoFault) return fault;
  const bool good = place.is_new ? WriteEdges(tree, place.node, said.prior_logits)
                                 : RewritePrior(tree, place.node, said.prior_logits, scratch);
  if (!good) return kBadPriorLogits;
  if (HangNode(tree, parent, &place)) BringBestPrior(tree, parent);
  WriteRecord(tree.Node(place.node), place.is_new, parent, place.slot, said);
  BringBestPrior(tree, place.node);
  tree.stats[kNextNode] += 1.0f;
  *leaf = static_cast<int32_t>(place.node);
  return kNoFault;
}

Fault Backward(const Tree& tree, int64_t leaf) { return BackUp(tree, leaf); }

Fault PlantRoot(const Tree& tree, const float* prior_logits, float value) {
  const Evaluation said = {0.0f, 0.0f, value, prior_logits};
  if (!IsFinite(value)) return kBadValue;
  std::fill_n(tree.nodes, tree.num_nodes * kNodeFields, 0.0f);
  if (!WriteEdges(tree, 0, prior_logits)) return kBadPriorLogits;
  WriteRecord(tree.Node(0), true, -1, -1, said);
  BringBestPrior(tree, 0);
  tree.stats[kNextNode] = 1.0f;
  tree.stats[kMinQvalue] = kInfinity;
  tree.stats[kMaxQvalue] = -kInfinity;
  return kNoFault;
}

}  // namespace mcts
}  // namespace lookahead

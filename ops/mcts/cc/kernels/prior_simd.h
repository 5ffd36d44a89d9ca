// A node's prior in vectors: softmax, and the order of the slots.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_PRIOR_SIMD_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_PRIOR_SIMD_H_

#include "ops/mcts/cc/kernels/formulas.h"
#include "ops/mcts/cc/kernels/simd.h"

namespace lookahead {
namespace mcts {
inline namespace LOOKAHEAD_ISA {

LOOKAHEAD_INLINE float GreatestOf(const float* row, int64_t count) {
  Floats greatest = Floats{} - kInfinity;
  for (int64_t a = 0; a < count; a += kLanes) {
    greatest = Greatest(greatest, LoadPart(row + a, count - a, -kInfinity));
  }
  return Greatest(greatest);
}

// Copies the logits; gives their greatest. False where one is NaN or +inf.
LOOKAHEAD_INLINE bool CopyLogits(const float* from, int64_t count, float* to, float* greatest) {
  Ints good = Ints{} - 1;
  Floats most = Floats{} + kLowestLogit;
  for (int64_t a = 0; a < count; a += kLanes) {
    const Floats x = LoadPart(from + a, count - a, kLowestLogit);
    good &= x < kInfinity;
    most = Greatest(most, x);
    StorePart(to + a, count - a, x);
  }
  *greatest = Greatest(most);
  return !Any(~good);
}

// The probabilities of the legal actions and the logits, as a node keeps them.
// Gives the place of the greatest probability, the first of equal ones; 0 where
// no action is legal, -1 where a logit is NaN or +inf.
LOOKAHEAD_INLINE int64_t WritePrior(const float* prior_logits, int64_t count, float* probs,
                                    float* logits) {
  float shift;
  if (!CopyLogits(prior_logits, count, logits, &shift)) return -1;
  Floats total = {};
  for (int64_t a = 0; a < count; a += kLanes) {
    const Floats x = LoadPart(logits + a, count - a, kLowestLogit);
    const Floats weight = Exp(x - shift);
    const Ints legal = x > kLowestLogit;
    total += Where(legal, weight, Floats{});
    StorePart(probs + a, count - a, Where(legal, weight, Floats{} + kIllegalProb));
  }
  const float divisor = Sum(total);
  Floats best = Floats{} + kIllegalProb;
  Ints at = Ints{};
  for (int64_t a = 0; a < count; a += kLanes) {
    const Floats weight = LoadPart(probs + a, count - a, kIllegalProb);
    const Floats p = Where(weight >= 0.0f, weight / divisor, weight);
    StorePart(probs + a, count - a, p);
    const Ints better = p > best;
    at = better ? kLane + static_cast<int32_t>(a) : at;
    best = Where(better, p, best);
  }
  return FirstOfGreatest(best, at);
}

// Gives a node its prior, its slots in the order of the actions but for the
// greatest prior, which comes first. O(A).
LOOKAHEAD_INLINE bool WriteEdges(const Tree& tree, int64_t node, const float* prior_logits) {
  const int64_t count = tree.num_actions;
  const int64_t best =
      WritePrior(prior_logits, count, tree.Edges(node, kProb), tree.Edges(node, kLogit));
  if (best < 0) return false;
  float* actions = tree.Edges(node, kActionOf);
  for (int64_t a = 0; a < count; a += kLanes) {
    StorePart(actions + a, count - a,
              __builtin_convertvector(kLane + static_cast<int32_t>(a), Floats));
  }
  SwapSlots(tree, node, 0, best);
  return true;
}

// Brings the greatest prior among the unexpanded edges to the first of them; of
// equal ones the lowest action's.
LOOKAHEAD_INLINE void BringBestPrior(const Tree& tree, int64_t node) {
  const int64_t first = tree.Expanded(node), count = tree.num_actions;
  const float *probs = tree.Edges(node, kProb), *actions = tree.Edges(node, kActionOf);
  Best best;
  for (int64_t s = first; s < count; s += kLanes) {
    const Floats p = LoadPart(probs + s, count - s, kIllegalProb);
    best.Offer(Where(p >= 0.0f, p, Floats{} - kInfinity), s);
  }
  int64_t slot = best.Slot();
  if (slot == kTied) {
    TiedBest tied;
    for (int64_t s = first; s < count; s += kLanes) {
      const Floats p = LoadPart(probs + s, count - s, kIllegalProb);
      tied.Offer(Where(p >= 0.0f, p, Floats{} - kInfinity), LoadPart(actions + s, count - s, 0.0f),
                 s);
    }
    slot = tied.slot;
  }
  if (slot >= 0) SwapSlots(tree, node, first, slot);
}

// The prior of a node that is evaluated again: its edges keep their slots.
LOOKAHEAD_INLINE bool RewritePrior(const Tree& tree, int64_t node, const float* prior_logits,
                                   float* scratch) {
  const int64_t count = tree.num_actions;
  float *probs = scratch, *logits = scratch + count;
  if (WritePrior(prior_logits, count, probs, logits) < 0) return false;
  for (int64_t s = 0; s < count; ++s) {
    const int64_t action = tree.ActionOf(node, s);
    if (action < 0) continue;
    tree.Edges(node, kProb)[s] = probs[action];
    tree.Edges(node, kLogit)[s] = logits[action];
  }
  return true;
}

}  // namespace LOOKAHEAD_ISA
}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_PRIOR_SIMD_H_

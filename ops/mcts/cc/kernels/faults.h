// What each fault of a kernel tells the user.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_FAULTS_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_FAULTS_H_

#include "ops/mcts/cc/kernels/tree.h"

namespace lookahead {
namespace mcts {

// The fault by the names that the model uses which answered for an edge.
inline Fault NamedFault(Fault fault, const Rule& rule, int64_t action) {
  if (rule.kind != kStochastic) return fault;
  const bool to_chance = action < rule.first_outcome;
  if (fault == kBadPriorLogits) return to_chance ? kBadChanceLogits : kBadActionLogits;
  return fault == kBadValue && to_chance ? kBadAfterstateValue : fault;
}

inline const char* FaultText(int32_t fault) {
  switch (fault) {
    case kBadParent:
      return "parent is not a node of the tree";
    case kBadAction:
      return "action is not below the number of actions";
    case kBadReward:
      return "reward is not finite";
    case kBadDiscount:
      return "discount is not finite";
    case kBadPriorLogits:
      return "prior_logits holds NaN or +inf";
    case kBadValue:
      return "value is not finite";
    case kBadLeaf:
      return "leaf is not a node of the tree";
    case kTreeFull:
      return "nodes has no room for another node";
    case kNoLegalAction:
      return "edges gives the root no legal action";
    case kBadActionLogits:
      return "action_logits holds NaN or +inf";
    case kBadChanceLogits:
      return "chance_logits holds NaN or +inf";
    case kBadAfterstateValue:
      return "afterstate_value is not finite";
    default:
      return "nodes and edges do not make a tree";
  }
}

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_FAULTS_H_

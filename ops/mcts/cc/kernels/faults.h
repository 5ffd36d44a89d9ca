// What each fault of a kernel tells the user.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_FAULTS_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_FAULTS_H_

#include "ops/mcts/cc/kernels/tree.h"

namespace lookahead {
namespace mcts {

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
    default:
      return "nodes and edges do not make a tree";
  }
}

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_FAULTS_H_

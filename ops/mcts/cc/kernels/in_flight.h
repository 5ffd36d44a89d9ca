// Several walks of one tree in flight at a time, for searches that are driven
// from the host: a walk's leaf gets its node at once, and until its value comes
// back each edge of the walk counts one more visit, which returned
// -virtual_loss (Segal 2010; Silver et al. 2016, "Searching with policy and
// value networks").
//
// With one walk in flight the tree is that of Simulate, Expand and Backward.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_IN_FLIGHT_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_IN_FLIGHT_H_

#include <cstdint>

#include "ops/mcts/cc/kernels/tree.h"

namespace lookahead {
namespace mcts {

// A tree whose visits include those of the walks in flight: through[n] of them
// pass through node n or end there, as many as n's record and the edge into n
// count too much.
struct BusyTree {
  Tree tree;
  float* through;  // [M]
  float virtual_loss;
};

// Walks down and sets off: gives the edge and the index of the node behind it,
// which is reserved where the edge has none. O(A) more than Simulate. `nothing`
// holds A illegal logits.
Fault Depart(const BusyTree& busy, const Rule& rule, const RootNoise& noise, const float* nothing,
             float* scratch, int32_t* parent, int32_t* action, int32_t* leaf);

// Writes the model's answer into the leaf of a walk. A leaf that was answered
// before keeps its prior and takes the mean of the values. O(A).
Fault Answer(const BusyTree& busy, int64_t leaf, const Evaluation& said, float* scratch);

// Ends a walk: takes it out of the counts and carries the value up. O(depth).
Fault Return(const BusyTree& busy, int64_t leaf, float value);

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_IN_FLIGHT_H_

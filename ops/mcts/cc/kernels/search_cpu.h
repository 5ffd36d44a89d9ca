// One tree's simulate, expand and backward on the CPU, free of TensorFlow.
//
// The ops' kernels (mcts_kernels.cc), the C interface (c_api.cc) and the
// sanitizers' driver run these and nothing else.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_SEARCH_CPU_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_SEARCH_CPU_H_

#include <cstdint>

#include "ops/mcts/cc/kernels/tree.h"

namespace lookahead {
namespace mcts {

// Floats of scratch memory that the functions below need for `num_actions`.
int64_t ScratchSize(int64_t num_actions);

// The slot that the rule takes at a node, or -1 where no action is legal. For
// PUCT O(edges expanded), else O(A); `noise.gumbel` is this tree's row and is
// read at the root alone.
int64_t SelectSlot(const ConstTree& tree, int64_t node, const Rule& rule, const RootNoise& noise,
                   float* scratch);

// Walks from the root to an edge that leaves the tree.
Fault Simulate(const ConstTree& tree, const Rule& rule, const RootNoise& noise, float* scratch,
               int32_t* parent, int32_t* action);

// Writes the node behind an edge, new or again, and gives its index. O(A).
Fault Expand(const Tree& tree, int64_t parent, int64_t action, const Evaluation& said,
             float* scratch, int32_t* leaf);

// Carries the leaf's value up to the root. O(depth).
Fault Backward(const Tree& tree, int64_t leaf);

// A tree that holds its root alone; touches no edges but the root's.
Fault PlantRoot(const Tree& tree, const float* prior_logits, float value);

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_SEARCH_CPU_H_

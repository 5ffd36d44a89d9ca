// One tree's simulate, expand and backward on the CPU, free of TensorFlow.
//
// The ops' kernels (mcts_kernels.cc), the C interface (c_api.cc) and the
// sanitizers' driver run these and nothing else.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_SEARCH_CPU_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_SEARCH_CPU_H_

#include <cstdint>
#include <vector>

#include "ops/mcts/cc/kernels/tree.h"

namespace lookahead {
namespace mcts {

// The rates of PUCT for the visit counts below `size`.
std::vector<float> RatesOf(const Rule& rule, int64_t size);

// All that a walk reads beside the tree; `noise.gumbel` is the tree's own row.
struct Search {
  Rule rule;
  RootNoise noise;
  Rates rates;
};

// Floats of scratch memory that the functions below need for `num_actions`.
int64_t ScratchSize(int64_t num_actions);

// Walks from the root to an edge that leaves the tree. A node costs PUCT O(edges
// expanded), else O(A).
Fault Simulate(const ConstTree& tree, const Rule& rule, const RootNoise& noise, float* scratch,
               int32_t* parent, int32_t* action);

// Writes the node behind an edge, new or again, and gives its index. O(A).
Fault Expand(const Tree& tree, int64_t parent, int64_t action, const Evaluation& said,
             float* scratch, int32_t* leaf);

// Carries the leaf's value up to the root. O(depth).
Fault Backward(const Tree& tree, int64_t leaf);

// Backward and Simulate in one. Keeps in kNext what the walks of this search do
// at each node, and relies on what it finds there: a tree's kNext is kUnknown
// where another search, or none, was there before.
Fault Advance(const Tree& tree, int64_t leaf, const Search& search, float* scratch, int32_t* parent,
              int32_t* action);

// A tree that holds its root alone; touches no edges but the root's.
Fault PlantRoot(const Tree& tree, const float* prior_logits, float value);

// The functions above that are compiled for each instruction set; Search takes
// the place of rule and noise.
struct CpuFunctions {
  Fault (*simulate)(const ConstTree&, const Search&, float*, int32_t*, int32_t*);
  Fault (*expand)(const Tree&, int64_t, int64_t, const Evaluation&, float*, int32_t*);
  Fault (*advance)(const Tree&, int64_t, const Search&, float*, int32_t*, int32_t*);
  Fault (*plant)(const Tree&, const float*, float);
};
CpuFunctions PortableFunctions();
CpuFunctions Avx2Functions();  // to be called where the processor has AVX2

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_SEARCH_CPU_H_

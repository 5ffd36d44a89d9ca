// From an op's tensors and attributes to what search_cpu.h takes, with every
// rank, shape and range checked. Nothing here is specific to a device.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_OP_ARGUMENTS_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_OP_ARGUMENTS_H_

#include <string>
#include <vector>

#include "ops/mcts/cc/kernels/tree.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace lookahead {
namespace mcts {

// The rule that the attributes spell, and whether `parameters` gives each tree its own.
tensorflow::Status ReadRule(tensorflow::OpKernelConstruction* ctx, Rule* rule,
                            bool* has_parameters);

// The model's answer for a batch.
struct Answers {
  const int32_t* parent;
  const int32_t* action;
  const float* reward;
  const float* discount;
  const float* prior_logits;
  const float* value;

  LOOKAHEAD_HD Evaluation At(int64_t b, int64_t num_actions) const {
    return {reward[b], discount[b], value[b], prior_logits + b * num_actions};
  }
};

// One embedding of every node: rows of `row_bytes`, [B, M] of them; and the
// rows [B] that go in and come out.
struct Embedding {
  char* whole;
  const char* update;
  char* gathered;
  int64_t row_bytes;
};

// What each op takes and gives: arguments checked, outputs allocated. A tree
// that is changed is given in the input's memory where nobody else holds it,
// and in a copy where somebody does.
struct RootArguments {
  Forest forest;
  const float* prior_logits;
  const float* value;
  std::vector<Embedding> embeddings;
};
struct SimulateArguments {
  ConstForest forest;
  RootNoise noise;          // empty unless the rule is Gumbel's
  const float* parameters;  // [B, 9], or null
  int32_t* parent;
  int32_t* action;
};
struct ExpandArguments {
  Forest forest;
  Answers answers;
  std::vector<Embedding> embeddings;
  int32_t* leaf;
};
struct BackwardArguments {
  Forest forest;
  const int32_t* leaf;
};
struct StepArguments {
  Forest forest;
  Answers answers;
  std::vector<Embedding> embeddings;
  RootNoise noise;
  const float* parameters;
  int32_t* parent;
  int32_t* action;
};

// New trees lie in `memory` or, if that is null, where the device keeps its tensors.
tensorflow::Status Take(tensorflow::OpKernelContext* ctx, int64_t num_nodes,
                        tensorflow::Allocator* memory, RootArguments* taken);
tensorflow::Status Take(tensorflow::OpKernelContext* ctx, const Rule& rule, bool has_parameters,
                        SimulateArguments* taken);
tensorflow::Status Take(tensorflow::OpKernelContext* ctx, ExpandArguments* taken);
tensorflow::Status Take(tensorflow::OpKernelContext* ctx, BackwardArguments* taken);
tensorflow::Status Take(tensorflow::OpKernelContext* ctx, const Rule& rule, bool has_parameters,
                        StepArguments* taken);

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_OP_ARGUMENTS_H_

// From an op's tensors and attributes to what search_cpu.h takes, with every
// rank, shape and range checked. Nothing here is specific to a device.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_OP_ARGUMENTS_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_OP_ARGUMENTS_H_

#include <initializer_list>
#include <string>
#include <vector>

#include "ops/mcts/cc/kernels/tree.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace lookahead {
namespace mcts {

// The rule that the attributes spell.
tensorflow::Status ReadRule(tensorflow::OpKernelConstruction* ctx, Rule* rule);

// The trees of the inputs `nodes`, `edges`, `stats`, to be read.
tensorflow::Status ReadForest(tensorflow::OpKernelContext* ctx, ConstForest* forest);

// The same trees as outputs, in the inputs' memory where nobody else holds it
// and in a copy where somebody does.
tensorflow::Status TakeForest(tensorflow::OpKernelContext* ctx, Forest* forest);

// Trees of the given size as outputs, in `memory` or, if that is null, the device's.
tensorflow::Status NewForest(tensorflow::OpKernelContext* ctx, tensorflow::Allocator* memory,
                             Forest* forest);

// Gumbel's inputs; empty unless the rule is Gumbel's.
tensorflow::Status ReadNoise(tensorflow::OpKernelContext* ctx, const Rule& rule,
                             const ConstForest& forest, RootNoise* noise);

// A vector or matrix input of the named shape.
template <typename T>
tensorflow::Status ReadInput(tensorflow::OpKernelContext* ctx, const char* name,
                             std::initializer_list<int64_t> shape, const T** data);

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
tensorflow::Status ReadAnswers(tensorflow::OpKernelContext* ctx, const Forest& forest,
                               Answers* answers);

// One embedding of every node: rows of `row_bytes`, [B, M] of them; and the
// rows [B] that go in and come out.
struct Embedding {
  char* whole;
  const char* update;
  char* gathered;
  int64_t row_bytes;
};

// The embeddings as outputs, in place where possible; with `gathered` the op
// also gives the parents' rows.
tensorflow::Status TakeEmbeddings(tensorflow::OpKernelContext* ctx, const Forest& forest,
                                  bool gathered, std::vector<Embedding>* embeddings);

// The embeddings of trees that hold `rows` at their roots, the rest zero-free.
tensorflow::Status NewEmbeddings(tensorflow::OpKernelContext* ctx, tensorflow::Allocator* memory,
                                 const Forest& forest, std::vector<Embedding>* embeddings);

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_OP_ARGUMENTS_H_

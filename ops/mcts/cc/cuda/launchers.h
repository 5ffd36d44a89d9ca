// The search on a GPU: plain C functions that launch one kernel each, whatever
// the depth and the number of actions. All pointers inside the structures are
// of the device; the structures themselves are read before a function returns.
// Each returns a cudaError_t, 0 for none.
//
// A kernel cannot raise an error, so a fault stays in its tree: Simulate gives
// -fault as the parent, and a step that gets one, or finds one itself, writes
// -fault as the tree's kNextNode and leaves the rest of the tree alone from
// then on.

#ifndef LOOKAHEAD_OPS_MCTS_CC_CUDA_LAUNCHERS_H_
#define LOOKAHEAD_OPS_MCTS_CC_CUDA_LAUNCHERS_H_

#include <cstdint>

#include "ops/mcts/cc/kernels/tree.h"

struct CUstream_st;  // what a cudaStream_t points to

// One part of the nodes' embeddings: rows of `row_bytes`, [B, M] of them, and
// the rows [B] that go in and come out.
struct LookaheadRows {
  char* whole;
  const char* update;
  char* gathered;
  int64_t row_bytes;
};
constexpr int32_t kLookaheadMaxRows = 16;
struct LookaheadEmbeddings {
  LookaheadRows rows[kLookaheadMaxRows];
  int32_t count;
};

// The model's answers for the edges (parent, action): [B], prior_logits [B, A].
struct LookaheadAnswers {
  const int32_t* parent;
  const int32_t* action;
  const float* reward;
  const float* discount;
  const float* prior_logits;
  const float* value;
};

extern "C" {

// Trees of their roots alone, and the roots' embeddings out of `update`.
int lookahead_mcts_cuda_plant(CUstream_st* stream, const lookahead::mcts::Forest* forest,
                              const float* prior_logits, const float* value,
                              const LookaheadEmbeddings* embeddings);

// Walks down: parent and action [B], and the parents' embeddings into
// `gathered` where it is not null. `parameters`: each tree's own, [B, 9], or null.
int lookahead_mcts_cuda_simulate(CUstream_st* stream, const lookahead::mcts::ConstForest* forest,
                                 const lookahead::mcts::Rule* rule, const float* parameters,
                                 const lookahead::mcts::RootNoise* noise,
                                 const LookaheadEmbeddings* embeddings, int32_t* parent,
                                 int32_t* action);

// Writes the answers and the embeddings' `update` into the leaves, whose
// indices it gives, and with `backward` carries their values up. Where a leaf
// was there already, the row of the node that was not made becomes zeros.
int lookahead_mcts_cuda_expand(CUstream_st* stream, const lookahead::mcts::Forest* forest,
                               const LookaheadAnswers* answers,
                               const LookaheadEmbeddings* embeddings, int32_t backward,
                               int32_t* leaf);

// Carries the leaves' values up.
int lookahead_mcts_cuda_backward(CUstream_st* stream, const lookahead::mcts::Forest* forest,
                                 const int32_t* leaf);

const char* lookahead_mcts_cuda_error_text(int error);

}  // extern "C"

#endif  // LOOKAHEAD_OPS_MCTS_CC_CUDA_LAUNCHERS_H_

// A whole latent plan and an ensemble's networks on a GPU: plain C functions, no TensorFlow. All
// pointers inside the structures are of the device; the structures themselves are read before a
// function returns. A plan is 1 + 3 · I launches on the stream.

#ifndef LOOKAHEAD_OPS_CEM_CC_CUDA_LAUNCHERS_H_
#define LOOKAHEAD_OPS_CEM_CC_CUDA_LAUNCHERS_H_

#include <cstdint>

#include "ops/cem/cc/kernels/plan.h"

struct CUstream_st;  // what a cudaStream_t points to

// Beside CUDA's errors: no tile of the layers fits in a block's shared memory.
constexpr int kLookaheadCudaTooWide = -1;

struct LookaheadLatentPlan {
  lookahead::cem::Model model;
  lookahead::cem::Settings settings;
  lookahead::cem::Proposal proposal;  // in: the search's start; out: its last fit
  const float* deterministic;         // [B, D]
  const float* stochastic;            // [B, S]
  const float* noise;                 // [I, N, H, A], or null: drawn from the seed
  const float* latent_noise;          // [I, H, N, S], or null: drawn from the seed
  lookahead::cem::Seed seed;
  int32_t bfloat16;  // products of bfloat16 with float32 sums, else of float32
  float* returns;    // [B, K] of the last elites, best first
  // [B]: 0, or 1 + the first iteration with fewer finite returns than elites,
  // from which on the row's plan does not change.
  int32_t* shortage;
  float* workspace;  // of lookahead_cem_cuda_workspace floats
};

// Networks of one shape: E members, N rows each, layer i from sizes[i] to sizes[i + 1].
struct LookaheadEnsemble {
  int64_t members, rows;
  int64_t sizes[lookahead::cem::kMaxLayers + 1];
  int32_t num_layers;
  lookahead::cem::Activation activation;
  int32_t bfloat16;  // as in a plan
};

extern "C" {

// Floats of workspace that the plan's model and settings need.
int64_t lookahead_cem_cuda_workspace(const LookaheadLatentPlan* plan);

// Plans; returns a cudaError_t, 0 for none, or kLookaheadCudaTooWide, as all do.
int lookahead_cem_cuda_plan(CUstream_st* stream, const LookaheadLatentPlan* plan);

// Floats of a packed member.
int64_t lookahead_cem_cuda_ensemble_floats(const LookaheadEnsemble* ensemble);

// packed [E, floats] of each layer's weights [E, in, out] and biases [E, out].
int lookahead_cem_cuda_pack_ensemble(CUstream_st* stream, const LookaheadEnsemble* ensemble,
                                     const float* const* weights, const float* const* biases,
                                     float* packed);

// outputs [E, N, out] of inputs [E, N, in]: each network on its own rows.
int lookahead_cem_cuda_ensemble(CUstream_st* stream, const LookaheadEnsemble* ensemble,
                                const float* packed, const float* inputs, float* outputs);

// Copies on the stream, within the device or between it and the host, whose memory
// must stay until the stream was waited for.
int lookahead_cem_cuda_copy(CUstream_st* stream, const void* from, int64_t bytes, void* to);
int lookahead_cem_cuda_wait(CUstream_st* stream);

const char* lookahead_cem_cuda_error_text(int error);
}

#endif  // LOOKAHEAD_OPS_CEM_CC_CUDA_LAUNCHERS_H_

// The latent plan on a GPU: one block rolls out a tile of candidates (rollout.h);
// then a warp a candidate ranks them, and a warp a number refits.

#include <cuda_runtime.h>
#include <math.h>

#include "ops/cem/cc/cuda/launch.h"
#include "ops/cem/cc/cuda/launchers.h"
#include "ops/cem/cc/cuda/rollout.h"

namespace lookahead {
namespace cem {
namespace {

template <typename Word, int T>
__global__ void __launch_bounds__(kTileThreads, 1)
    RolloutKernel(const __grid_constant__ Work work) {
  Tile<Word, T>(work, SharedWords()).Run();
}

// A block row a layer.
template <typename Word>
__global__ void PackKernel(const __grid_constant__ DeviceModel model) {
  PackLayer<Word>(model.layer[blockIdx.y]);
}

template <typename Number>
__device__ Number SumOfWarp(Number x) {
  for (int distance = 16; distance > 0; distance /= 2) {
    x += __shfl_xor_sync(0xffffffffu, x, distance);
  }
  return x;
}

// A candidate's rank in its belief: ties go to the lower index, and what is not
// finite has no rank. The K best are the elites.
__global__ void RankKernel(const __grid_constant__ Work work) {
  const int64_t candidates = work.settings.candidates, elites = work.settings.elites;
  const int32_t lane = threadIdx.x % 32;
  const int64_t b = blockIdx.y;
  const int64_t j = static_cast<int64_t>(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  const float* row = work.judged + b * candidates;
  if (j >= candidates || !isfinite(row[j])) return;
  const float mine = row[j];
  int32_t before = 0;
#pragma unroll 8
  for (int64_t i = lane; i < candidates; i += 32) {
    const float other = row[i];
    before += isfinite(other) && (other > mine || (other == mine && i < j));
  }
  const int64_t rank = SumOfWarp(before);
  if (lane != 0 || rank >= elites) return;
  work.elites[b * elites + rank] = static_cast<int32_t>(j);
  work.returns[b * elites + rank] = mine;
  if (rank + 1 == elites) work.complete[b] = static_cast<int32_t>(work.iteration + 1);
}

__device__ void RefitOne(const Work& work, int64_t b, int64_t i) {
  const Settings& s = work.settings;
  const int64_t size = s.horizon * work.model.action_size;
  const float* actions = work.actions + b * s.candidates * size + i;
  const int32_t* elites = work.elites + b * s.elites;
  const int32_t lane = threadIdx.x % 32;
  double sum = 0.0, spread = 0.0;
#pragma unroll 4
  for (int64_t k = lane; k < s.elites; k += 32) sum += actions[elites[k] * size];
  const double middle = SumOfWarp(sum) / s.elites;
#pragma unroll 4
  for (int64_t k = lane; k < s.elites; k += 32) {
    const double apart = actions[elites[k] * size] - middle;
    spread += s.mean_absolute_deviation ? fabs(apart) : apart * apart;
  }
  spread = SumOfWarp(spread);
  if (lane != 0) return;
  const double degrees = s.elites > 1 ? s.elites - 1.0 : 1.0;
  const float fitted =
      static_cast<float>(s.mean_absolute_deviation ? spread / degrees : sqrt(spread / s.elites));
  float* mean = work.proposal.mean + b * size + i;
  float* stddev = work.proposal.stddev + b * size + i;
  const float take = 1.0f - s.momentum;
  *mean = s.momentum * *mean + take * static_cast<float>(middle);
  *stddev = fmaxf(s.momentum * *stddev + take * fitted, s.min_stddev);
}

__global__ void RefitKernel(const __grid_constant__ Work work) {
  const int64_t b = blockIdx.y, size = work.settings.horizon * work.model.action_size;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  if (work.complete[b] != work.iteration + 1) {
    if (i == 0 && threadIdx.x == 0 && work.shortage[b] == 0) {
      work.shortage[b] = static_cast<int32_t>(work.iteration + 1);
    }
    return;
  }
  if (i < size) RefitOne(work, b, i);
}

// A warp for each of `count` things of each belief.
int LaunchWarps(CUstream_st* stream, const Work& work, int64_t count, void (*kernel)(Work)) {
  const int64_t warps = kThreads / 32;
  const dim3 grid(static_cast<unsigned>((count + warps - 1) / warps),
                  static_cast<unsigned>(work.settings.batch));
  return Launch(stream, grid, kernel, work);
}

// Rolls out in tiles of T if they fit in a block's shared memory; `fits` says so.
template <typename Word, int T>
int RollOut(CUstream_st* stream, const Work& work, const Limits& limits, bool* fits) {
  const int64_t bytes = Room(work.model, Word::kDepths, T).Words() * sizeof(uint32_t);
  *fits = bytes <= limits.shared_bytes;
  if (!*fits) return cudaSuccess;
  const int64_t candidates = work.settings.batch * work.settings.candidates;
  const dim3 grid(static_cast<unsigned>((candidates + T - 1) / T));
  return LaunchTiles(stream, grid, bytes, RolloutKernel<Word, T>, work);
}

// Every block streams all weights, so a tile is as wide as still gives each
// processor one. Products of floats cost more than their weights' way: 16 do.
template <typename Word>
int RollOutSomehow(CUstream_st* stream, const Work& work, const Limits& limits) {
  const int64_t candidates = work.settings.batch * work.settings.candidates;
  bool fits = false;
  int error = cudaSuccess;
  if constexpr (Word::kDepths == 2) {
    if (candidates > 16 * limits.processors) {
      error = RollOut<Word, 32>(stream, work, limits, &fits);
    }
  }
  if (!fits) error = RollOut<Word, 16>(stream, work, limits, &fits);
  if (!fits) error = RollOut<Word, 8>(stream, work, limits, &fits);
  return fits ? error : kLookaheadCudaTooWide;
}

// Lays out a plan's memory; with a null workspace it only counts the floats.
template <typename Word>
int64_t LayOut(const LookaheadLatentPlan& plan, Work* work) {
  const Settings& s = plan.settings;
  uint32_t* memory = reinterpret_cast<uint32_t*>(plan.workspace);
  const int64_t packed = DeviceLayout(plan.model, Word::kDepths, memory, &work->model).words();
  const int64_t candidates = s.batch * s.candidates;
  const int64_t actions = candidates * s.horizon * plan.model.action_size;
  const int64_t elites = s.batch * s.elites;
  if (plan.workspace != nullptr) {
    work->actions = plan.workspace + packed;
    work->judged = work->actions + actions;
    work->elites = reinterpret_cast<int32_t*>(work->judged + candidates);
    work->complete = work->elites + elites;
  }
  return packed + actions + candidates + elites + s.batch;
}

template <typename Word>
int Plan(CUstream_st* stream, const LookaheadLatentPlan& plan) {
  Work work = {};
  LayOut<Word>(plan, &work);
  work.settings = plan.settings;
  work.proposal = plan.proposal;
  work.deterministic = plan.deterministic;
  work.stochastic = plan.stochastic;
  work.returns = plan.returns;
  work.shortage = plan.shortage;
  Limits limits;
  int error = ReadLimits(&limits);
  if (error != cudaSuccess) return error;
  const dim3 grid(64, static_cast<unsigned>(work.model.num_layers));
  error = Launch(stream, grid, PackKernel<Word>, work.model);
  if (error != cudaSuccess) return error;
  const int64_t bytes = work.settings.batch * sizeof(int32_t);
  error = cudaMemsetAsync(plan.shortage, 0, bytes, stream);
  if (error == cudaSuccess) error = cudaMemsetAsync(work.complete, 0, bytes, stream);
  const int64_t steps = work.settings.batch * work.settings.candidates * work.settings.horizon;
  for (int64_t i = 0; i < work.settings.iterations && error == cudaSuccess; ++i) {
    work.iteration = i;
    Seed actions, latents;
    IterationSeeds(plan.seed, static_cast<int32_t>(i), &actions, &latents);
    work.noise = {plan.noise, plan.latent_noise, StreamOf(actions), StreamOf(latents)};
    if (plan.noise != nullptr) work.noise.actions += i * steps * work.model.action_size;
    if (plan.latent_noise != nullptr) work.noise.latents += i * steps * work.model.stochastic_size;
    error = RollOutSomehow<Word>(stream, work, limits);
    if (error != cudaSuccess) break;
    error = LaunchWarps(stream, work, work.settings.candidates, RankKernel);
    if (error != cudaSuccess) break;
    error = LaunchWarps(stream, work, work.settings.horizon * work.model.action_size, RefitKernel);
  }
  return error;
}

}  // namespace
}  // namespace cem
}  // namespace lookahead

using lookahead::cem::BFloat16Word;
using lookahead::cem::FloatWord;
using lookahead::cem::Work;

int64_t lookahead_cem_cuda_workspace(const LookaheadLatentPlan* plan) {
  LookaheadLatentPlan unplaced = *plan;
  unplaced.workspace = nullptr;
  Work work;
  return plan->bfloat16 ? lookahead::cem::LayOut<BFloat16Word>(unplaced, &work)
                        : lookahead::cem::LayOut<FloatWord>(unplaced, &work);
}

int lookahead_cem_cuda_plan(CUstream_st* stream, const LookaheadLatentPlan* plan) {
  return plan->bfloat16 ? lookahead::cem::Plan<BFloat16Word>(stream, *plan)
                        : lookahead::cem::Plan<FloatWord>(stream, *plan);
}

int lookahead_cem_cuda_copy(CUstream_st* stream, const void* from, int64_t bytes, void* to) {
  return cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDefault, stream);
}

int lookahead_cem_cuda_wait(CUstream_st* stream) { return cudaStreamSynchronize(stream); }

const char* lookahead_cem_cuda_error_text(int error) {
  if (error == kLookaheadCudaTooWide) {
    return "the layers are too wide for a block's shared memory; expected narrower ones, or "
           "backend='tensorflow'";
  }
  return cudaGetErrorString(static_cast<cudaError_t>(error));
}

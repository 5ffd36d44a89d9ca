// The latent plan on a GPU: one block rolls out a tile of candidates through all
// steps with their states in shared memory; another kernel ranks and refits, a
// block a belief. The weights are read from the second cache.
//
// Products are in float32 on the ordinary units, or in tf32 with float32 sums on
// the tensor cores (16 candidates a tile). Every loop runs over blockDim.x.

#include <cuda_runtime.h>
#include <math.h>

#ifndef LOOKAHEAD_EMULATED
#include <mma.h>
#endif

#include "ops/cem/cc/cuda/device_model.h"
#include "ops/cem/cc/cuda/launchers.h"

namespace lookahead {
namespace cem {
namespace {

constexpr int kThreads = 256;

// What the kernels take by value.
struct Work {
  DeviceModel model;
  Settings settings;
  Proposal proposal;
  const float* deterministic;
  const float* stochastic;
  Noise noise;
  float* actions;   // [N, H, A]
  float* judged;    // [N]
  int32_t* elites;  // [B, K]
  float* returns;
  int32_t* shortage;
  int64_t iteration;
};

__device__ float Activated(float x, Activation activation) {
  if (activation == kRelu) return x < 0.0f ? 0.0f : x;
  if (activation == kElu) return x < 0.0f ? expm1f(x) : x;
  return x / (1.0f + expf(-x));
}

__device__ float Sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

__device__ float Softplus(float x) { return (x < 0.0f ? 0.0f : x) + log1pf(expf(-fabsf(x))); }

__device__ float Uniform(uint32_t word) {
  return static_cast<float>(word & 0x7fffffu) * 1.1920928955078125e-7f;
}

// The stream's normal draw number `index`, as tf.random.stateless_normal's.
__device__ float Normal(const Stream& stream, uint64_t index) {
  const Words words = GroupOf(stream, index / 4);
  const int pair = index % 4 / 2 * 2;
  const float radius = fmaxf(Uniform(words.w[pair]), 1e-7f);
  const float angle = static_cast<float>(6.283185307179586 * Uniform(words.w[pair + 1]));
  const float length = sqrtf(-2.0f * logf(radius));
  return length * (index % 2 == 0 ? sinf(angle) : cosf(angle));
}

// out rows [width][T] = in rows [depth][T] through the layer, with its bias.
template <int T>
__device__ void MultiplyAlone(const DeviceLayer& layer, const float* in, float* out) {
  for (int64_t n = threadIdx.x; n < layer.width; n += blockDim.x) {
    float sum[T];
    for (int c = 0; c < T; ++c) sum[c] = layer.bias[n];
    for (int64_t k = 0; k < layer.depth; ++k) {
      const float w = layer.packed[k * layer.padded_width + n];
      for (int c = 0; c < T; ++c) sum[c] = fmaf(in[k * T + c], w, sum[c]);
    }
    for (int c = 0; c < T; ++c) out[n * T + c] = sum[c];
  }
}

// The same on the tensor cores, a warp 16 columns. Rows behind the input are the
// same candidates' older numbers, and meet weights that are zero.
template <int T>
__device__ void MultiplyTogether(const DeviceLayer& layer, const float* in, float* out) {
#ifndef LOOKAHEAD_EMULATED
  static_assert(T == 16, "the tensor cores take 16 candidates");
  namespace wmma = nvcuda::wmma;
  const int64_t warp = threadIdx.x / 32, warps = blockDim.x / 32;
  for (int64_t n = warp * kTileWidth; n < layer.padded_width; n += warps * kTileWidth) {
    wmma::fragment<wmma::accumulator, 16, 16, 8, float> sum;
    wmma::fill_fragment(sum, 0.0f);
    for (int64_t k = 0; k < layer.depth; k += kTileDepth) {
      wmma::fragment<wmma::matrix_a, 16, 16, 8, wmma::precision::tf32, wmma::col_major> a;
      wmma::fragment<wmma::matrix_b, 16, 16, 8, wmma::precision::tf32, wmma::row_major> b;
      wmma::load_matrix_sync(a, in + k * T, T);
      wmma::load_matrix_sync(b, layer.packed + k * layer.padded_width + n, layer.padded_width);
      for (int i = 0; i < a.num_elements; ++i) a.x[i] = wmma::__float_to_tf32(a.x[i]);
      for (int i = 0; i < b.num_elements; ++i) b.x[i] = wmma::__float_to_tf32(b.x[i]);
      wmma::mma_sync(sum, a, b, sum);
    }
    wmma::store_matrix_sync(out + n * T, sum, T, wmma::mem_col_major);
  }
  __syncthreads();
  for (int64_t i = threadIdx.x; i < layer.width * T; i += blockDim.x) out[i] += layer.bias[i / T];
#else
  MultiplyAlone<T>(layer, in, out);
#endif
}

// Rows of a tile's scratch in shared memory.
struct Rows {
  int64_t state, work, gates;

  __host__ __device__ explicit Rows(const DeviceModel& model)
      : state(model.deterministic_size + model.stochastic_size + model.action_size + kTileDepth),
        work(model.widest + kTileDepth),
        gates(model.has_gru ? 3 * model.deterministic_size + kTileWidth : 0) {}

  __host__ __device__ int64_t Total() const { return 2 * (state + work + gates) + 1; }
};

template <int T, bool kTogether>
class Tile {
 public:
  __device__ Tile(const Work& work, float* shared)
      : w_(work), m_(work.model), first_(static_cast<int64_t>(blockIdx.x) * T) {
    const Rows rows(m_);
    const int64_t left = w_.settings.batch * w_.settings.candidates - first_;
    count_ = left < T ? left : T;
    state_ = shared;
    next_ = state_ + rows.state * T;
    work_[0] = next_ + rows.state * T;
    work_[1] = work_[0] + rows.work * T;
    gates_[0] = work_[1] + rows.work * T;
    gates_[1] = gates_[0] + rows.gates * T;
    returns_ = gates_[1] + rows.gates * T;
    for (int64_t i = threadIdx.x; i < rows.Total() * T; i += blockDim.x) shared[i] = 0.0f;
    __syncthreads();
  }

  __device__ void Run() {
    Begin();
    for (int64_t t = 0; t < w_.settings.horizon; ++t) Step(t);
    for (int64_t c = threadIdx.x; c < count_; c += blockDim.x) w_.judged[first_ + c] = returns_[c];
  }

 private:
  __device__ int64_t BeliefOf(int64_t candidate) const {
    return (first_ + (candidate < count_ ? candidate : 0)) / w_.settings.candidates;
  }

  // The candidates' actions and the beliefs they start from.
  __device__ void Begin() {
    const int64_t size = w_.settings.horizon * m_.action_size;
    for (int64_t i = threadIdx.x; i < count_ * size; i += blockDim.x) {
      const int64_t index = first_ * size + i, at = BeliefOf(i / size) * size + i % size;
      const float drawn = w_.noise.actions != nullptr ? w_.noise.actions[index]
                                                      : Normal(w_.noise.action_stream, index);
      const float action = w_.proposal.mean[at] + w_.proposal.stddev[at] * drawn;
      const float low = w_.settings.action_min[i % m_.action_size];
      const float high = w_.settings.action_max[i % m_.action_size];
      const float above = action < low ? low : action;
      w_.actions[index] = above > high ? high : above;
    }
    const int64_t d = m_.deterministic_size, s = m_.stochastic_size;
    for (int64_t i = threadIdx.x; i < (d + s) * T; i += blockDim.x) {
      const int64_t row = i / T, b = BeliefOf(i % T);
      state_[i] = row < d ? w_.deterministic[b * d + row] : w_.stochastic[b * s + row - d];
    }
    __syncthreads();
  }

  __device__ void Step(int64_t t) {
    const int64_t d = m_.deterministic_size;
    PlaceActions(t);
    const DeviceLayer* layer = m_.layer;
    const float* hidden = Stack(layer, m_.num_input, state_ + d * T, true);
    layer += m_.num_input;
    if (m_.has_gru) {
      Gru(hidden);
      hidden = next_;
    }
    const float* prior = Stack(layer, m_.num_prior, hidden, false);
    layer += m_.num_prior;
    Draw(prior, t, next_ + d * T);
    float* swapped = state_;
    state_ = next_;
    next_ = swapped;
    const float* reward = Stack(layer, m_.num_reward, state_, false);
    for (int64_t c = threadIdx.x; c < T; c += blockDim.x) returns_[c] += reward[c];
    __syncthreads();
  }

  __device__ void PlaceActions(int64_t t) {
    const int64_t size = m_.action_size, steps = w_.settings.horizon;
    float* rows = state_ + (m_.deterministic_size + m_.stochastic_size) * T;
    for (int64_t i = threadIdx.x; i < size * T; i += blockDim.x) {
      const int64_t a = i / T, c = i % T;
      rows[i] = c < count_ ? w_.actions[((first_ + c) * steps + t) * size + a] : 0.0f;
    }
    __syncthreads();
  }

  __device__ void Multiply(const DeviceLayer& layer, const float* in, float* out) {
    if constexpr (kTogether) {
      MultiplyTogether<T>(layer, in, out);
    } else {
      MultiplyAlone<T>(layer, in, out);
    }
    __syncthreads();
  }

  __device__ const float* Stack(const DeviceLayer* layers, int64_t count, const float* in,
                                bool closed) {
    for (int64_t i = 0; i < count; ++i) {
      float* out = in == work_[0] ? work_[1] : work_[0];
      Multiply(layers[i], in, out);
      const int64_t numbers = closed || i + 1 < count ? layers[i].width * T : 0;
      for (int64_t j = threadIdx.x; j < numbers; j += blockDim.x) {
        out[j] = Activated(out[j], m_.activation);
      }
      __syncthreads();
      in = out;
    }
    return in;
  }

  // z = σ(x_z + h_z), r = σ(x_r + h_r), c = tanh(x_c + r h_c), h' = c + z (h − c)
  __device__ void Gru(const float* x) {
    const DeviceLayer* layers = m_.layer + m_.num_input + m_.num_prior + m_.num_reward;
    Multiply(layers[0], x, gates_[0]);
    Multiply(layers[1], state_, gates_[1]);
    const int64_t size = m_.deterministic_size * T;
    for (int64_t i = threadIdx.x; i < size; i += blockDim.x) {
      const float z = Sigmoid(gates_[0][i] + gates_[1][i]);
      const float r = Sigmoid(gates_[0][size + i] + gates_[1][size + i]);
      const float c = tanhf(gates_[0][2 * size + i] + r * gates_[1][2 * size + i]);
      next_[i] = c + z * (state_[i] - c);
    }
    __syncthreads();
  }

  // s' = mean + stddev · noise from the prior's numbers, or the mean alone.
  __device__ void Draw(const float* prior, int64_t t, float* out) {
    const int64_t s = m_.stochastic_size;
    const int64_t begin = (t * w_.settings.batch * w_.settings.candidates + first_) * s;
    for (int64_t i = threadIdx.x; i < s * T; i += blockDim.x) {
      const int64_t index = begin + i % T * s + i / T;
      float drawn = 0.0f;
      if (m_.sample && i % T < count_) {
        drawn = w_.noise.latents != nullptr ? w_.noise.latents[index]
                                            : Normal(w_.noise.latent_stream, index);
      }
      const float spread = m_.sample ? Softplus(prior[s * T + i]) + m_.model_stddev : 0.0f;
      out[i] = m_.sample ? prior[i] + spread * drawn : prior[i];
    }
    __syncthreads();
  }

  const Work& w_;
  const DeviceModel& m_;
  int64_t first_, count_;
  float *state_, *next_, *work_[2], *gates_[2], *returns_;
};

template <int T, bool kTogether>
__global__ void RolloutKernel(Work work) {
#ifdef LOOKAHEAD_EMULATED
  float* shared = emulated::SharedMemory();
#else
  extern __shared__ float4 memory[];
  float* shared = reinterpret_cast<float*>(memory);
#endif
  Tile<T, kTogether>(work, shared).Run();
}

// Fills a layer's weights up with zeros; a block row a layer.
__global__ void PackKernel(DeviceModel model) {
  const DeviceLayer& layer = model.layer[blockIdx.y];
  const int64_t total = FilledUp(layer.depth, kTileDepth) * layer.padded_width;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < total;
       i += stride) {
    const int64_t k = i / layer.padded_width, n = i % layer.padded_width;
    const float* row = k < layer.top_depth ? layer.top + k * layer.width
                                           : layer.bottom + (k - layer.top_depth) * layer.width;
    layer.packed[i] = k < layer.depth && n < layer.width ? row[n] : 0.0f;
  }
}

// Ranks a belief's candidates: ties go to the lower index, and what is not
// finite has no rank. The K best are the elites.
__device__ void Rank(const Work& work, int64_t b, int32_t* finite) {
  const int64_t candidates = work.settings.candidates, elites = work.settings.elites;
  const float* row = work.judged + b * candidates;
  if (threadIdx.x == 0) *finite = 0;
  __syncthreads();
  for (int64_t j = threadIdx.x; j < candidates; j += blockDim.x) {
    const float mine = row[j];
    if (!isfinite(mine)) continue;
    int64_t rank = 0;
    for (int64_t i = 0; i < candidates; ++i) {
      rank += isfinite(row[i]) && (row[i] > mine || (row[i] == mine && i < j));
    }
    if (rank < elites) {
      work.elites[b * elites + rank] = static_cast<int32_t>(j);
      work.returns[b * elites + rank] = mine;
    }
    atomicAdd(finite, 1);
  }
  __syncthreads();
}

__device__ void RefitOne(const Work& work, int64_t b, int64_t i) {
  const Settings& s = work.settings;
  const int64_t size = s.horizon * work.model.action_size;
  const float* actions = work.actions + b * s.candidates * size + i;
  const int32_t* elites = work.elites + b * s.elites;
  double sum = 0.0, spread = 0.0;
  for (int64_t k = 0; k < s.elites; ++k) sum += actions[elites[k] * size];
  const double middle = sum / s.elites;
  for (int64_t k = 0; k < s.elites; ++k) {
    const double apart = actions[elites[k] * size] - middle;
    spread += s.mean_absolute_deviation ? fabs(apart) : apart * apart;
  }
  const double degrees = s.elites > 1 ? s.elites - 1.0 : 1.0;
  const float fitted =
      static_cast<float>(s.mean_absolute_deviation ? spread / degrees : sqrt(spread / s.elites));
  float* mean = work.proposal.mean + b * size + i;
  float* stddev = work.proposal.stddev + b * size + i;
  const float take = 1.0f - s.momentum;
  *mean = s.momentum * *mean + take * static_cast<float>(middle);
  *stddev = fmaxf(s.momentum * *stddev + take * fitted, s.min_stddev);
}

__global__ void RefitKernel(Work work) {
  __shared__ int32_t finite;
  const int64_t b = blockIdx.x;
  Rank(work, b, &finite);
  if (finite < work.settings.elites) {
    if (threadIdx.x == 0 && work.shortage[b] == 0) work.shortage[b] = work.iteration + 1;
    return;
  }
  const int64_t size = work.settings.horizon * work.model.action_size;
  for (int64_t i = threadIdx.x; i < size; i += blockDim.x) RefitOne(work, b, i);
}

template <typename... P>
int Launch(CUstream_st* stream, dim3 grid, int64_t shared, void (*kernel)(P...), P... arguments) {
  void* pointers[] = {&arguments...};
  return cudaLaunchKernel(kernel, grid, dim3(kThreads), pointers, shared, stream);
}

// Rolls out in tiles of T if they fit in a block's shared memory; `fits` says so.
template <int T, bool kTogether>
int RollOut(CUstream_st* stream, const Work& work, int64_t most, bool* fits) {
  const int64_t bytes = Rows(work.model).Total() * T * static_cast<int64_t>(sizeof(float));
  *fits = bytes <= most;
  if (!*fits) return cudaSuccess;
  void (*kernel)(Work) = RolloutKernel<T, kTogether>;
  const int error =
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  if (error != cudaSuccess) return error;
  const int64_t candidates = work.settings.batch * work.settings.candidates;
  const dim3 grid(static_cast<unsigned>((candidates + T - 1) / T));
  return Launch(stream, grid, bytes, kernel, work);
}

int RollOutSomehow(CUstream_st* stream, const Work& work, bool tensor_cores) {
  int device, most;
  int error = cudaGetDevice(&device);
  if (error != cudaSuccess) return error;
  error = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  if (error != cudaSuccess) return error;
  bool fits = false;
  if (tensor_cores) error = RollOut<16, true>(stream, work, most, &fits);
  if (!fits) error = RollOut<8, false>(stream, work, most, &fits);
  if (!fits) error = RollOut<2, false>(stream, work, most, &fits);
  return fits ? error : cudaErrorInvalidValue;
}

int64_t ActionFloats(const LookaheadLatentPlan& plan) {
  const Settings& s = plan.settings;
  return s.batch * s.candidates * s.horizon * plan.model.action_size;
}

}  // namespace
}  // namespace cem
}  // namespace lookahead

using lookahead::cem::DeviceLayout;
using lookahead::cem::DeviceModel;
using lookahead::cem::IterationSeeds;
using lookahead::cem::Launch;
using lookahead::cem::Seed;
using lookahead::cem::StreamOf;
using lookahead::cem::Work;

int64_t lookahead_cem_cuda_workspace(const LookaheadLatentPlan* plan) {
  DeviceModel model;
  const int64_t packed = DeviceLayout(plan->model, nullptr, &model).floats();
  const int64_t candidates = plan->settings.batch * plan->settings.candidates;
  const int64_t elites = plan->settings.batch * plan->settings.elites;
  return packed + lookahead::cem::ActionFloats(*plan) + candidates + elites;
}

int lookahead_cem_cuda_plan(CUstream_st* stream, const LookaheadLatentPlan* plan) {
  Work work = {};
  const int64_t packed = DeviceLayout(plan->model, plan->workspace, &work.model).floats();
  work.settings = plan->settings;
  work.proposal = plan->proposal;
  work.deterministic = plan->deterministic;
  work.stochastic = plan->stochastic;
  work.actions = plan->workspace + packed;
  work.judged = work.actions + lookahead::cem::ActionFloats(*plan);
  const int64_t candidates = work.settings.batch * work.settings.candidates;
  work.elites = reinterpret_cast<int32_t*>(work.judged + candidates);
  work.returns = plan->returns;
  work.shortage = plan->shortage;
  const dim3 grid(32, static_cast<unsigned>(work.model.num_layers));
  int error = Launch(stream, grid, 0, lookahead::cem::PackKernel, work.model);
  if (error == cudaSuccess) {
    error = cudaMemsetAsync(plan->shortage, 0, work.settings.batch * sizeof(int32_t), stream);
  }
  const int64_t rows = candidates * work.settings.horizon;
  for (int64_t i = 0; i < work.settings.iterations && error == cudaSuccess; ++i) {
    work.iteration = i;
    Seed actions, latents;
    IterationSeeds(plan->seed, static_cast<int32_t>(i), &actions, &latents);
    work.noise = {plan->noise, plan->latent_noise, StreamOf(actions), StreamOf(latents)};
    if (plan->noise != nullptr) work.noise.actions += i * rows * work.model.action_size;
    if (plan->latent_noise != nullptr) work.noise.latents += i * rows * work.model.stochastic_size;
    error = lookahead::cem::RollOutSomehow(stream, work, plan->tensor_cores != 0);
    if (error != cudaSuccess) break;
    const dim3 beliefs(static_cast<unsigned>(work.settings.batch));
    error = Launch(stream, beliefs, 0, lookahead::cem::RefitKernel, work);
  }
  return error;
}

int lookahead_cem_cuda_copy(CUstream_st* stream, const void* from, int64_t bytes, void* to) {
  return cudaMemcpyAsync(to, from, static_cast<size_t>(bytes), cudaMemcpyDefault, stream);
}

int lookahead_cem_cuda_wait(CUstream_st* stream) { return cudaStreamSynchronize(stream); }

const char* lookahead_cem_cuda_error_text(int error) {
  return cudaGetErrorString(static_cast<cudaError_t>(error));
}

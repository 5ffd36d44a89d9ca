// One block's tile of T candidates through all steps of the model, for either
// word of tensor_cores.h. States and layers' inputs are in shared memory, rows of
// words by candidates; each warp takes 16 features of a layer at a time and
// streams their weights from the second cache.

#ifndef LOOKAHEAD_OPS_CEM_CC_CUDA_ROLLOUT_H_
#define LOOKAHEAD_OPS_CEM_CC_CUDA_ROLLOUT_H_

#include <cuda_runtime.h>
#include <math.h>

#include <cstdint>

#include "ops/cem/cc/cuda/device_model.h"
#include "ops/cem/cc/cuda/tensor_cores.h"
#include "ops/cem/cc/kernels/philox.h"
#include "ops/cem/cc/kernels/plan.h"

namespace lookahead {
namespace cem {

// What the kernels take by value.
struct Work {
  DeviceModel model;
  Settings settings;
  Proposal proposal;
  const float* deterministic;
  const float* stochastic;
  Noise noise;
  float* actions;     // [N, H, A]
  float* judged;      // [N]
  int32_t* elites;    // [B, K]
  int32_t* complete;  // [B]: 1 + the last iteration that had K finite returns
  float* returns;
  int32_t* shortage;
  int64_t iteration;
};

// Short forms of the activations: within 1e-6 of the exact ones, without a branch.
__device__ inline float Sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }

__device__ inline float Tanh(float x) { return 1.0f - __fdividef(2.0f, 1.0f + __expf(2.0f * x)); }

__device__ inline float Softplus(float x) {
  return fmaxf(x, 0.0f) + __logf(1.0f + __expf(-fabsf(x)));
}

__device__ inline void Activate(float (&x)[4], Activation activation) {
  if (activation == kRelu) {
#pragma unroll
    for (float& each : x) each = each < 0.0f ? 0.0f : each;
  } else if (activation == kElu) {
#pragma unroll
    for (float& each : x) each = each < 0.0f ? __expf(each) - 1.0f : each;
  } else {
#pragma unroll
    for (float& each : x) each *= Sigmoid(each);
  }
}

__device__ inline float Uniform(uint32_t word) {
  return static_cast<float>(word & 0x7fffffu) * 1.1920928955078125e-7f;
}

// The stream's normal draw number `index`, as tf.random.stateless_normal's.
__device__ inline float Normal(const Stream& stream, uint64_t index) {
  const Words words = GroupOf(stream, index / 4);
  const bool late = index % 4 / 2 != 0;
  const float radius = fmaxf(Uniform(late ? words.w[2] : words.w[0]), 1e-7f);
  const float turns = Uniform(late ? words.w[3] : words.w[1]);
  const float length = sqrtf(-2.0f * logf(radius));
  return length * (index % 2 == 0 ? sinpif(2.0f * turns) : cospif(2.0f * turns));
}

// Words of shared memory that a tile of T candidates needs.
struct Room {
  int32_t state, hidden, recurrent, open, noise;  // rows
  int32_t stride, tile;

  // Rows of words are apart by a stride that spreads a fragment over all banks.
  __host__ __device__ Room(const DeviceModel& m, int32_t depths_in_a_word, int32_t tile)
      : state((m.deterministic_rows + m.stochastic_rows + m.action_rows) / depths_in_a_word),
        hidden(m.widest_hidden / depths_in_a_word),
        recurrent(m.has_gru ? m.deterministic_rows : 0),
        open(m.widest_open),
        noise(m.sample ? m.stochastic_size : 0),
        stride(tile == 8 ? 8 : tile + 8),
        tile(tile) {}

  __host__ __device__ int64_t Words() const {
    return 2 * (state + hidden) * static_cast<int64_t>(stride) +
           (recurrent + open + noise + 1) * static_cast<int64_t>(tile);
  }
};

template <typename Word, int T>
class Tile {
 public:
  __device__ Tile(const Work& work, uint32_t* shared)
      : w_(work), m_(work.model), shared_(shared), first_(static_cast<int64_t>(blockIdx.x) * T) {
    const Room room(m_, Word::kDepths, T);
    const int64_t left = w_.settings.batch * w_.settings.candidates - first_;
    count_ = left < T ? static_cast<int32_t>(left) : T;
    state_ = 0;
    next_ = state_ + room.state * kStride;
    hidden_ = next_ + room.state * kStride;
    other_hidden_ = hidden_ + room.hidden * kStride;
    recurrent_ = other_hidden_ + room.hidden * kStride;
    open_ = recurrent_ + room.recurrent * T;
    noise_ = open_ + room.open * T;
    returns_ = noise_ + room.noise * T;
    for (int32_t i = threadIdx.x; i < room.Words(); i += blockDim.x) shared_[i] = 0;
    __syncthreads();
  }

  __device__ void Run() {
    Begin();
    Prepare(0, 0);
    __syncthreads();
    for (int32_t t = 0; t < w_.settings.horizon; ++t) Step(t);
    for (int32_t c = threadIdx.x; c < count_; c += blockDim.x)
      w_.judged[first_ + c] = FloatAt(returns_ + c);
  }

 private:
  static constexpr int kStride = T == 8 ? 8 : T + 8;
  static constexpr int kParts = T / 8;  // fragments side by side
  static constexpr int32_t kOpen = -1;

  // One number for the whole warp, so that the compiler knows that it branches together.
  __device__ static int32_t Warp() { return __shfl_sync(0xffffffffu, threadIdx.x / 32, 0); }

  __device__ int64_t BeliefOf(int32_t candidate) const {
    return (first_ + (candidate < count_ ? candidate : 0)) / w_.settings.candidates;
  }

  __device__ float& FloatAt(int32_t at) { return reinterpret_cast<float*>(shared_)[at]; }

  // Where a state's parts begin in it.
  __device__ int32_t StochasticAt() const {
    return m_.deterministic_rows / Word::kDepths * kStride;
  }
  __device__ int32_t ActionAt() const {
    return (m_.deterministic_rows + m_.stochastic_rows) / Word::kDepths * kStride;
  }

  // The words from `at` on = value(depth, candidate) for each of `size` depths, and zeros up to
  // `rows`, by the threads from `thread` on.
  template <typename Value>
  __device__ void Fill(int32_t at, int32_t size, int32_t rows, int32_t thread, Value value) {
    const int32_t threads = blockDim.x - thread;
    for (int32_t i = threadIdx.x - thread; i < rows / Word::kDepths * T; i += threads) {
      const int32_t c = i % T, depth = i / T * Word::kDepths;
      const float low = depth < size ? value(depth, c) : 0.0f;
      const bool paired = Word::kDepths == 2 && depth + 1 < size;
      shared_[at + i / T * kStride + c] = Word::Of(low, paired ? value(depth + 1, c) : 0.0f);
    }
  }

  // The candidates' actions and the beliefs they start from.
  __device__ void Begin() {
    const int32_t size = static_cast<int32_t>(w_.settings.horizon) * m_.action_size;
    for (int32_t i = threadIdx.x; i < count_ * size; i += blockDim.x) {
      const int64_t index = first_ * size + i, at = BeliefOf(i / size) * size + i % size;
      const float drawn = w_.noise.actions != nullptr ? w_.noise.actions[index]
                                                      : Normal(w_.noise.action_stream, index);
      const float action = w_.proposal.mean[at] + w_.proposal.stddev[at] * drawn;
      const float low = w_.settings.action_min[i % m_.action_size];
      const float high = w_.settings.action_max[i % m_.action_size];
      const float above = action < low ? low : action;
      w_.actions[index] = above > high ? high : above;
    }
    const int32_t d = m_.deterministic_size, s = m_.stochastic_size;
    Fill(state_, d, m_.deterministic_rows, 0, [&](int32_t i, int32_t c) {
      const float x = w_.deterministic[BeliefOf(c) * d + i];
      if (m_.has_gru) FloatAt(recurrent_ + i * T + c) = x;
      return x;
    });
    Fill(state_ + StochasticAt(), s, m_.stochastic_rows, 0,
         [&](int32_t i, int32_t c) { return w_.stochastic[BeliefOf(c) * s + i]; });
    __syncthreads();
  }

  __device__ void Step(int32_t t) {
    const DeviceLayer* layer = m_.layer;
    int32_t hidden = Stack(layer, m_.num_input, state_ + StochasticAt());
    layer += m_.num_input;
    if (m_.has_gru) {
      Gru(hidden);
      hidden = next_;
    }
    hidden = Stack(layer, m_.num_prior - 1, hidden);
    layer += m_.num_prior;
    Multiply(layer[-1], hidden, kOpen);
    __syncthreads();
    Draw();
    const int32_t swapped = state_;
    state_ = next_;
    next_ = swapped;
    hidden = Stack(layer, m_.num_reward - 1, state_);
    layer += m_.num_reward;
    // A reward is one feature: the first warp's. The others see to the next step.
    if (Warp() == 0) {
      Multiply(layer[-1], hidden, kOpen);
      __syncwarp();
      for (int32_t c = threadIdx.x; c < T; c += 32) FloatAt(returns_ + c) += FloatAt(open_ + c);
    } else if (t + 1 < w_.settings.horizon) {
      Prepare(t + 1, 32);
    }
    __syncthreads();
  }

  // The step's actions and its draws for the latents, by the threads from `thread` on.
  __device__ void Prepare(int32_t t, int32_t thread) {
    const int32_t size = m_.action_size, s = m_.stochastic_size;
    Fill(state_ + ActionAt(), size, m_.action_rows, thread, [&](int32_t a, int32_t c) {
      if (c >= count_) return 0.0f;
      return w_.actions[((first_ + c) * w_.settings.horizon + t) * size + a];
    });
    const int64_t begin = (t * w_.settings.batch * w_.settings.candidates + first_) * s;
    const int32_t draws = m_.sample ? s * T : 0, threads = blockDim.x - thread;
    for (int32_t i = threadIdx.x - thread; i < draws; i += threads) {
      if (i % T >= count_) continue;
      const int64_t index = begin + i % T * s + i / T;
      FloatAt(noise_ + i) = w_.noise.latents != nullptr ? w_.noise.latents[index]
                                                        : Normal(w_.noise.latent_stream, index);
    }
  }

  // Adds a tile's products to the sums, gate by gate; the last gate's are sum[kLast].
  // Weights are on their way for kAhead steps before they are needed.
  template <int kGates, int kLast, int kSums>
  __device__ void Accumulate(const DeviceLayer& layer, int32_t tile, int32_t in,
                             float (&sum)[kSums][kParts][4]) {
    constexpr int kAhead = kGates == 1 ? 4 : 1;
    constexpr int kLoads = kFragments * kGates;
    const int32_t lane = threadIdx.x % 32;
    const uint4* weights = reinterpret_cast<const uint4*>(layer.packed) +
                           static_cast<int64_t>(tile) * layer.steps * kLoads * 32 + lane;
    const uint32_t* words = shared_ + in + lane % 4 * kStride + lane / 4;
    uint4 ahead[kAhead][kLoads];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      if (i < layer.steps) Load<kLoads>(weights + i * kLoads * 32, ahead[i]);
    }
    for (int32_t left = layer.steps; left > 0; left -= kAhead) {
      weights += kAhead * kLoads * 32;
#pragma unroll
      for (int i = 0; i < kAhead; ++i) {
        if (i >= left) break;
        MultiplyStep<kGates, kLast>(ahead[i], words + i * kStepWords * kStride, sum);
        if (i + kAhead < left) Load<kLoads>(weights + i * kLoads * 32, ahead[i]);
      }
      words += kAhead * kStepWords * kStride;
    }
  }

  // Past the first cache, which one block's stream would only sweep.
  template <int kLoads>
  __device__ static void Load(const uint4* weights, uint4 (&fragments)[kLoads]) {
#pragma unroll
    for (int i = 0; i < kLoads; ++i) fragments[i] = __ldcg(weights + i * 32);
  }

  template <int kGates, int kLast, int kSums>
  __device__ static void MultiplyStep(const uint4 (&fragments)[kFragments * kGates],
                                      const uint32_t* words, float (&sum)[kSums][kParts][4]) {
#pragma unroll
    for (int f = 0; f < kFragments; ++f) {
      typename Word::Input inputs[kParts];
#pragma unroll
      for (int n = 0; n < kParts; ++n) {
        inputs[n] = Word::Read(words + f * 8 * kStride + n * 8, 4 * kStride);
      }
#pragma unroll
      for (int gate = 0; gate < kGates; ++gate) {
        Word::Multiply(sum[gate + 1 == kGates ? kLast : gate], fragments[f * kGates + gate],
                       inputs);
      }
    }
  }

  // The bias of a lane's two features.
  __device__ static void AddBias(const DeviceLayer& layer, int32_t feature, int32_t gate,
                                 float (&sum)[kParts][4]) {
    const float* bias = layer.bias + gate * layer.width;
    const float first = feature < layer.width ? bias[feature] : 0.0f;
    const float second = feature + 1 < layer.width ? bias[feature + 1] : 0.0f;
#pragma unroll
    for (int n = 0; n < kParts; ++n) {
#pragma unroll
      for (int i = 0; i < 4; ++i) sum[n][i] += i < 2 ? first : second;
    }
  }

  // One layer: words of activations from `out` on, or its plain numbers if that is kOpen.
  __device__ void Multiply(const DeviceLayer& layer, int32_t in, int32_t out) {
    const int32_t lane = threadIdx.x % 32, warps = blockDim.x / 32;
    for (int32_t tile = Warp(); tile < layer.tiles; tile += warps) {
      const int32_t feature = tile * kTileWidth + lane / 4 * 2;
      float sum[1][kParts][4] = {};
      AddBias(layer, feature, 0, sum[0]);
      Accumulate<1, 0>(layer, tile, in, sum);
#pragma unroll
      for (int n = 0; n < kParts; ++n) {
        const int32_t c = n * 8 + lane % 4 * 2;
        if (out == kOpen) {
          for (int i = 0; i < 4; ++i) {
            FloatAt(open_ + (feature + i / 2) * T + c + i % 2) = sum[0][n][i];
          }
        } else {
          Activate(sum[0][n], m_.activation);
          Word::Write(shared_ + out + c, feature, kStride, sum[0][n]);
        }
      }
    }
  }

  // Layers that end in the activation, one after the other; where the last one's words are.
  __device__ int32_t Stack(const DeviceLayer* layers, int32_t count, int32_t in) {
    for (int32_t i = 0; i < count; ++i) {
      const int32_t out = in == hidden_ ? other_hidden_ : hidden_;
      Multiply(layers[i], in, out);
      __syncthreads();
      in = out;
    }
    return in;
  }

  // z = σ(x_z + h_z), r = σ(x_r + h_r), c = tanh(x_c + r h_c), h' = c + z (h − c)
  __device__ void Gru(int32_t x) {
    const DeviceLayer* layers = m_.layer + m_.num_input + m_.num_prior + m_.num_reward;
    const int32_t lane = threadIdx.x % 32, warps = blockDim.x / 32;
    for (int32_t tile = Warp(); tile < layers[0].tiles; tile += warps) {
      const int32_t feature = tile * kTileWidth + lane / 4 * 2;
      float sum[4][kParts][4] = {};  // z, r, x_c, h_c
      for (int gate = 0; gate < 2; ++gate) {
        AddBias(layers[0], feature, gate, sum[gate]);
        AddBias(layers[1], feature, gate, sum[gate]);
      }
      AddBias(layers[0], feature, 2, sum[2]);
      AddBias(layers[1], feature, 2, sum[3]);
      Accumulate<3, 2>(layers[0], tile, x, sum);
      Accumulate<3, 3>(layers[1], tile, state_, sum);
#pragma unroll
      for (int n = 0; n < kParts; ++n) {
        const int32_t column = n * 8 + lane % 4 * 2;
        float next[4];
        for (int i = 0; i < 4; ++i) {
          float& h = FloatAt(recurrent_ + (feature + i / 2) * T + column + i % 2);
          const float z = Sigmoid(sum[0][n][i]), r = Sigmoid(sum[1][n][i]);
          const float c = Tanh(sum[2][n][i] + r * sum[3][n][i]);
          h = next[i] = c + z * (h - c);
        }
        Word::Write(shared_ + next_ + column, feature, kStride, next);
      }
    }
    __syncthreads();
  }

  // s' = mean + stddev · noise from the prior's numbers, or the mean alone.
  __device__ void Draw() {
    const int32_t s = m_.stochastic_size;
    Fill(next_ + StochasticAt(), s, m_.stochastic_rows, 0, [&](int32_t i, int32_t c) {
      const float mean = FloatAt(open_ + i * T + c);
      if (!m_.sample) return mean;
      const float stddev = Softplus(FloatAt(open_ + (s + i) * T + c)) + m_.model_stddev;
      return mean + stddev * FloatAt(noise_ + i * T + c);
    });
    __syncthreads();
  }

  const Work& w_;
  const DeviceModel& m_;
  uint32_t* shared_;
  int64_t first_;
  int32_t count_;
  int32_t state_, next_, hidden_, other_hidden_;  // where rows of words begin
  int32_t recurrent_, open_, noise_, returns_;    // where rows of floats begin
};

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_CUDA_ROLLOUT_H_

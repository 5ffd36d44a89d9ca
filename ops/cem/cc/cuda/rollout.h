// One block's tile of T candidates through all steps of the model, for either
// word of tensor_cores.h, with the states in shared memory too.

#ifndef LOOKAHEAD_OPS_CEM_CC_CUDA_ROLLOUT_H_
#define LOOKAHEAD_OPS_CEM_CC_CUDA_ROLLOUT_H_

#include <cuda_runtime.h>
#include <math.h>

#include <cstdint>

#include "ops/cem/cc/cuda/device_model.h"
#include "ops/cem/cc/cuda/products.h"
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

__device__ inline float Tanh(float x) { return 1.0f - __fdividef(2.0f, 1.0f + __expf(2.0f * x)); }

__device__ inline float Softplus(float x) {
  return fmaxf(x, 0.0f) + __logf(1.0f + __expf(-fabsf(x)));
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

  __host__ __device__ Room(const DeviceModel& m, int32_t depths_in_a_word, int32_t tile)
      : state((m.deterministic_rows + m.stochastic_rows + m.action_rows) / depths_in_a_word),
        hidden(m.widest_hidden / depths_in_a_word),
        recurrent(m.has_gru ? m.deterministic_rows : 0),
        open(m.widest_open),
        noise(m.sample ? m.stochastic_size : 0),
        stride(StrideOf(tile)),
        tile(tile) {}

  __host__ __device__ int64_t Words() const {
    return 2 * (state + hidden) * static_cast<int64_t>(stride) +
           (recurrent + open + noise + 1) * static_cast<int64_t>(tile);
  }
};

template <typename Word, int T>
class Tile : private Products<Word, T> {
 public:
  __device__ Tile(const Work& work, uint32_t* shared)
      : Base(shared, work.model.activation),
        w_(work),
        m_(work.model),
        first_(static_cast<int64_t>(blockIdx.x) * T) {
    const Room room(m_, Word::kDepths, T);
    const int64_t left = w_.settings.batch * w_.settings.candidates - first_;
    count_ = left < T ? static_cast<int32_t>(left) : T;
    state_ = 0;
    next_ = state_ + room.state * kStride;
    const int32_t hidden = next_ + room.state * kStride;
    recurrent_ = hidden + 2 * room.hidden * kStride;
    open_ = recurrent_ + room.recurrent * T;
    this->PlaceHidden(hidden, room.hidden);
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
    for (int32_t c = threadIdx.x; c < count_; c += blockDim.x) {
      w_.judged[first_ + c] = FloatAt(returns_ + c);
    }
  }

 private:
  typedef Products<Word, T> Base;
  using Base::AddBias, Base::Fill, Base::FloatAt, Base::Multiply, Base::Stack;
  using Base::Warp, Base::kOpen, Base::kParts, Base::kStride, Base::open_, Base::shared_;

  __device__ int64_t BeliefOf(int32_t candidate) const {
    return (first_ + (candidate < count_ ? candidate : 0)) / w_.settings.candidates;
  }

  // Where a state's parts begin in it.
  __device__ int32_t StochasticAt() const {
    return m_.deterministic_rows / Word::kDepths * kStride;
  }
  __device__ int32_t ActionAt() const {
    return (m_.deterministic_rows + m_.stochastic_rows) / Word::kDepths * kStride;
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
      this->template Accumulate<3, 2>(layers[0], tile, x, sum);
      this->template Accumulate<3, 3>(layers[1], tile, state_, sum);
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
  int64_t first_;
  int32_t count_;
  int32_t state_, next_;                 // where rows of words begin
  int32_t recurrent_, noise_, returns_;  // where rows of floats begin
};

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_CUDA_ROLLOUT_H_

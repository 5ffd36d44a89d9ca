// Layers on one block's tile of T rows or candidates, for either word of
// tensor_cores.h: inputs are in shared memory, rows of words by candidates; each
// warp takes 16 features of a layer at a time and streams their weights from the
// second cache.

#ifndef LOOKAHEAD_OPS_CEM_CC_CUDA_PRODUCTS_H_
#define LOOKAHEAD_OPS_CEM_CC_CUDA_PRODUCTS_H_

#include <cuda_runtime.h>
#include <math.h>

#include <cstdint>

#include "ops/cem/cc/cuda/device_model.h"
#include "ops/cem/cc/cuda/tensor_cores.h"

namespace lookahead {
namespace cem {

// Short forms of the activations: within 1e-6 of the exact ones, without a branch.
__device__ inline float Sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }

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

// Rows of words are apart by a stride that spreads a fragment over all banks.
__host__ __device__ constexpr int32_t StrideOf(int32_t tile) { return tile == 8 ? 8 : tile + 8; }

template <typename Word, int T>
class Products {
 public:
  static constexpr int kStride = StrideOf(T);
  static constexpr int kParts = T / 8;  // fragments side by side
  static constexpr int32_t kOpen = -1;

  __device__ Products(uint32_t* shared, Activation activation)
      : shared_(shared), activation_(activation) {}

  // Where the layers' outputs go in turns, each of as many rows.
  __device__ void PlaceHidden(int32_t at, int32_t rows) {
    hidden_ = at;
    other_hidden_ = at + rows * kStride;
  }

  // One number for the whole warp, so that the compiler knows that it branches together.
  __device__ static int32_t Warp() { return __shfl_sync(0xffffffffu, threadIdx.x / 32, 0); }

  __device__ float& FloatAt(int32_t at) { return reinterpret_cast<float*>(shared_)[at]; }

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
          Activate(sum[0][n], activation_);
          Word::Write(shared_ + out + c, feature, kStride, sum[0][n]);
        }
      }
    }
  }

  // Where a layer's outputs go that reads `in`.
  __device__ int32_t Other(int32_t in) const { return in == hidden_ ? other_hidden_ : hidden_; }

  // Layers that end in the activation, one after the other; where the last one's words are.
  __device__ int32_t Stack(const DeviceLayer* layers, int32_t count, int32_t in) {
    for (int32_t i = 0; i < count; ++i) {
      const int32_t out = Other(in);
      Multiply(layers[i], in, out);
      __syncthreads();
      in = out;
    }
    return in;
  }

 protected:
  uint32_t* shared_;
  Activation activation_;
  int32_t hidden_, other_hidden_;  // where rows of words begin
  int32_t open_;                   // where the plain numbers do, [width, T]
};

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_CUDA_PRODUCTS_H_

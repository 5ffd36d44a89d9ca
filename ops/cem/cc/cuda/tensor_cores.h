// Products on the tensor cores, 16 features by 8 candidates by 8 words of depth,
// in either of two words: a float, whose product is put together of three in
// tf32, or two neighbouring bfloat16. Both have one layout of lanes:
//
//   lane = 4 g + q       weights     features 2g, 2g + 1 at words q and at words q + 4
//                        inputs      candidate g at words q and q + 4
//                        sums        features 2g (first two), 2g + 1 at candidates 2q, 2q + 1

#ifndef LOOKAHEAD_OPS_CEM_CC_CUDA_TENSOR_CORES_H_
#define LOOKAHEAD_OPS_CEM_CC_CUDA_TENSOR_CORES_H_

#include <cuda_runtime.h>

#include <cstdint>

namespace lookahead {
namespace cem {

__device__ inline uint32_t BitsOf(float x) {
  union {
    float number;
    uint32_t bits;
  } both;
  both.number = x;
  return both.bits;
}

__device__ inline float FloatOf(uint32_t bits) {
  union {
    uint32_t bits;
    float number;
  } both;
  both.bits = bits;
  return both.number;
}

#ifdef LOOKAHEAD_EMULATED

// To the nearest, ties to even; what is not a number stays so.
__device__ inline uint32_t BFloat16Of(float x) {
  const uint32_t bits = BitsOf(x);
  if (x != x) return (bits >> 16) | 0x40u;
  return (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
}

__device__ inline uint32_t BFloat16Pair(float low, float high) {
  return BFloat16Of(low) | (BFloat16Of(high) << 16);
}

// The sum of products of a fragment's words, each lane asking the others.
template <typename Product>
__device__ void MultiplyFragments(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1,
                                  Product product) {
  const int lane = threadIdx.x % 32, g = lane / 4, q = lane % 4;
  for (int k = 0; k < 8; ++k) {
    const int late = k / 4 * 2;
    const uint32_t first = __shfl_sync(0xffffffffu, a[late], g * 4 + k % 4);
    const uint32_t second = __shfl_sync(0xffffffffu, a[late + 1], g * 4 + k % 4);
    const uint32_t even = __shfl_sync(0xffffffffu, k < 4 ? b0 : b1, 2 * q * 4 + k % 4);
    const uint32_t odd = __shfl_sync(0xffffffffu, k < 4 ? b0 : b1, (2 * q + 1) * 4 + k % 4);
    sum[0] += product(first, even);
    sum[1] += product(first, odd);
    sum[2] += product(second, even);
    sum[3] += product(second, odd);
  }
}

// The units drop a float's last 13 bits.
__device__ inline void MultiplyTf32(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0,
                                    uint32_t b1) {
  MultiplyFragments(sum, a, b0, b1, [](uint32_t x, uint32_t y) {
    return FloatOf(x & 0xffffe000u) * FloatOf(y & 0xffffe000u);
  });
}

__device__ inline void MultiplyBFloat16(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0,
                                        uint32_t b1) {
  MultiplyFragments(sum, a, b0, b1, [](uint32_t x, uint32_t y) {
    return FloatOf(x << 16) * FloatOf(y << 16) +
           FloatOf(x & 0xffff0000u) * FloatOf(y & 0xffff0000u);
  });
}

#else

__device__ inline uint32_t BFloat16Pair(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

__device__ inline void MultiplyTf32(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0,
                                    uint32_t b1) {
  asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
      "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ inline void MultiplyBFloat16(float (&sum)[4], const uint32_t (&a)[4], uint32_t b0,
                                        uint32_t b1) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

#endif  // LOOKAHEAD_EMULATED

// A word of one float. x = high + low, of which high is exact in tf32 and low is
// at most 2^-10 of x, so three products leave an error of 2^-20, near float32's own.
struct FloatWord {
  static constexpr int kDepths = 1;

  struct Input {
    uint32_t high[2], low[2];
  };

  __device__ static uint32_t Of(float first, float /*second*/) { return BitsOf(first); }

  __device__ static void Split(uint32_t x, uint32_t* high, uint32_t* low) {
    *high = x & 0xffffe000u;
    *low = BitsOf(FloatOf(x) - FloatOf(*high));
  }

  __device__ static Input Read(const uint32_t* words, int64_t half) {
    Input in;
    Split(words[0], &in.high[0], &in.low[0]);
    Split(words[half], &in.high[1], &in.low[1]);
    return in;
  }

  template <int kTiles>
  __device__ static void Multiply(float (&sum)[kTiles][4], const uint4& weights,
                                  const Input (&in)[kTiles]) {
    uint32_t high[4], low[4];
    Split(weights.x, &high[0], &low[0]);
    Split(weights.y, &high[1], &low[1]);
    Split(weights.z, &high[2], &low[2]);
    Split(weights.w, &high[3], &low[3]);
#pragma unroll
    for (int n = 0; n < kTiles; ++n) MultiplyTf32(sum[n], high, in[n].low[0], in[n].low[1]);
#pragma unroll
    for (int n = 0; n < kTiles; ++n) MultiplyTf32(sum[n], low, in[n].high[0], in[n].high[1]);
#pragma unroll
    for (int n = 0; n < kTiles; ++n) MultiplyTf32(sum[n], high, in[n].high[0], in[n].high[1]);
  }

  // Features `row` and row + 1 at two neighbouring candidates.
  __device__ static void Write(uint32_t* words, int64_t row, int64_t stride, const float (&x)[4]) {
    words += row * stride;
    *reinterpret_cast<uint2*>(words) = make_uint2(BitsOf(x[0]), BitsOf(x[1]));
    *reinterpret_cast<uint2*>(words + stride) = make_uint2(BitsOf(x[2]), BitsOf(x[3]));
  }
};

// A word of two bfloat16, the lower depth in the lower half.
struct BFloat16Word {
  static constexpr int kDepths = 2;

  struct Input {
    uint32_t word[2];
  };

  __device__ static uint32_t Of(float first, float second) { return BFloat16Pair(first, second); }

  __device__ static Input Read(const uint32_t* words, int64_t half) {
    return {{words[0], words[half]}};
  }

  template <int kTiles>
  __device__ static void Multiply(float (&sum)[kTiles][4], const uint4& weights,
                                  const Input (&in)[kTiles]) {
    const uint32_t a[4] = {weights.x, weights.y, weights.z, weights.w};
#pragma unroll
    for (int n = 0; n < kTiles; ++n) MultiplyBFloat16(sum[n], a, in[n].word[0], in[n].word[1]);
  }

  __device__ static void Write(uint32_t* words, int64_t row, int64_t stride, const float (&x)[4]) {
    *reinterpret_cast<uint2*>(words + row / 2 * stride) =
        make_uint2(Of(x[0], x[2]), Of(x[1], x[3]));
  }
};

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_CUDA_TENSOR_CORES_H_

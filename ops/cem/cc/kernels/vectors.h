// Vectors of kWidth floats for one instruction set. Included by the files that
// name it (LOOKAHEAD_ISA, LOOKAHEAD_WIDTH) after switching the compiler to it;
// each set has a namespace of its own, and nothing from the standard library is
// used inside, lest the linker keep a copy that this processor cannot run.

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_VECTORS_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_VECTORS_H_

#include <cstdint>

#define LOOKAHEAD_ALWAYS static inline __attribute__((always_inline))

namespace lookahead {
namespace cem {
namespace LOOKAHEAD_ISA {

constexpr int kWidth = LOOKAHEAD_WIDTH;

typedef float Floats __attribute__((vector_size(4 * kWidth)));
typedef int32_t Ints __attribute__((vector_size(4 * kWidth)));

LOOKAHEAD_ALWAYS Floats Splat(float x) {
#if LOOKAHEAD_FUSED == 16
  return (Floats)_mm512_set1_ps(x);
#elif LOOKAHEAD_FUSED == 8
  return (Floats)_mm256_set1_ps(x);
#else
  Floats v;
  for (int i = 0; i < kWidth; ++i) v[i] = x;
  return v;
#endif
}

LOOKAHEAD_ALWAYS Floats Load(const float* p) {
  Floats v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

// p[0], p[stride], …
LOOKAHEAD_ALWAYS Floats Strided(const float* p, int64_t stride) {
  Floats v;
#pragma GCC unroll 16
  for (int i = 0; i < kWidth; ++i) v[i] = p[i * stride];
  return v;
}

LOOKAHEAD_ALWAYS void Store(float* p, Floats v) { __builtin_memcpy(p, &v, sizeof(v)); }

LOOKAHEAD_ALWAYS Ints Bits(Floats v) { return reinterpret_cast<Ints>(v); }
LOOKAHEAD_ALWAYS Floats FromBits(Ints v) { return reinterpret_cast<Floats>(v); }

LOOKAHEAD_ALWAYS Floats Where(Ints mask, Floats a, Floats b) { return mask ? a : b; }

// a · b + c; rounded once where the processor can.
LOOKAHEAD_ALWAYS Floats Fma(Floats a, Floats b, Floats c) {
#if LOOKAHEAD_FUSED == 16
  return (Floats)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif LOOKAHEAD_FUSED == 8
  return (Floats)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  return a * b + c;
#endif
}

LOOKAHEAD_ALWAYS Floats Sqrt(Floats v) {
#if LOOKAHEAD_FUSED == 16
  return (Floats)_mm512_maskz_sqrt_ps(0xffff, (__m512)v);
#elif LOOKAHEAD_FUSED == 8
  return (Floats)_mm256_sqrt_ps((__m256)v);
#else
  for (int i = 0; i < kWidth; ++i) v[i] = __builtin_sqrtf(v[i]);
  return v;
#endif
}

#if LOOKAHEAD_PAIRS
// Two numbers as bfloat16 in each lane's word, `even` in its lower half; rounded
// to nearest, a NaN stays one.
LOOKAHEAD_ALWAYS Floats Paired(Floats even, Floats odd) {
  const __m512i order =
      (__m512i)(Ints{0x00100000, 0x00110001, 0x00120002, 0x00130003, 0x00140004, 0x00150005,
                     0x00160006, 0x00170007, 0x00180008, 0x00190009, 0x001a000a, 0x001b000b,
                     0x001c000c, 0x001d000d, 0x001e000e, 0x001f000f});
  const __m512bh halves = _mm512_cvtne2ps_pbh((__m512)odd, (__m512)even);
  return (Floats)_mm512_permutexvar_epi16(order, (__m512i)halves);
}
#endif

// c + a · b, the product's step; of pairs, the sum of their two products.
LOOKAHEAD_ALWAYS Floats Accumulated(Floats c, Floats a, Floats b) {
#if LOOKAHEAD_PAIRS
  return (Floats)_mm512_dpbf16_ps((__m512)c, (__m512bh)a, (__m512bh)b);
#else
  return Fma(a, b, c);
#endif
}

// A NaN stays one in all of these.
#if LOOKAHEAD_FUSED == 16  // The second operand where one is a NaN.
LOOKAHEAD_ALWAYS Floats AtLeast(Floats v, float low) {
  return (Floats)_mm512_maskz_max_ps(0xffff, (__m512)Splat(low), (__m512)v);
}
LOOKAHEAD_ALWAYS Floats AtMost(Floats v, float high) {
  return (Floats)_mm512_maskz_min_ps(0xffff, (__m512)Splat(high), (__m512)v);
}
#else
LOOKAHEAD_ALWAYS Floats AtLeast(Floats v, float low) { return Where(v < low, Splat(low), v); }
LOOKAHEAD_ALWAYS Floats AtMost(Floats v, float high) { return Where(v > high, Splat(high), v); }
#endif

}  // namespace LOOKAHEAD_ISA
}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_VECTORS_H_

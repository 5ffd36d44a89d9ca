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
#if LOOKAHEAD_FUSED == 8
  return (Floats)_mm256_sqrt_ps((__m256)v);
#else
  for (int i = 0; i < kWidth; ++i) v[i] = __builtin_sqrtf(v[i]);
  return v;
#endif
}

// A NaN stays one in all of these.
LOOKAHEAD_ALWAYS Floats AtLeast(Floats v, float low) { return Where(v < low, Splat(low), v); }
LOOKAHEAD_ALWAYS Floats AtMost(Floats v, float high) { return Where(v > high, Splat(high), v); }

}  // namespace LOOKAHEAD_ISA
}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_VECTORS_H_

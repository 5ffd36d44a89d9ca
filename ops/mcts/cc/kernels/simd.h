// Eight floats at a time in GCC's vector extensions. search_avx2.cc compiles
// this for AVX2; elsewhere the compiler makes two SSE operations, or whatever
// the machine has, of each. Both give the same bits.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_SIMD_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_SIMD_H_

#include <cstdint>
#include <cstring>

#ifdef LOOKAHEAD_AVX2
#include <immintrin.h>
#endif

#include "ops/mcts/cc/kernels/numbers.h"

// Not inlined: what is big or rare, out of the way of what is neither.
#define LOOKAHEAD_APART __attribute__((noinline))
#define LOOKAHEAD_RARE __attribute__((noinline, cold))

// Keeps the copies of one instruction set apart from those of another.
#ifndef LOOKAHEAD_ISA
#define LOOKAHEAD_ISA portable
#endif

namespace lookahead {
namespace mcts {
inline namespace LOOKAHEAD_ISA {

typedef float Floats __attribute__((vector_size(32)));
typedef int32_t Ints __attribute__((vector_size(32)));

constexpr int64_t kLanes = 8;
constexpr Ints kLane = {0, 1, 2, 3, 4, 5, 6, 7};

LOOKAHEAD_INLINE Floats Where(Ints mask, Floats a, Floats b) { return mask ? a : b; }

LOOKAHEAD_INLINE Floats Splat(float x) { return Floats{x, x, x, x, x, x, x, x}; }

// The lanes below `count`.
LOOKAHEAD_INLINE Ints FirstLanes(int64_t count) { return kLane < static_cast<int32_t>(count); }

LOOKAHEAD_INLINE Floats Load(const float* p) {
  Floats v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}
LOOKAHEAD_INLINE void Store(float* p, Floats v) { std::memcpy(p, &v, sizeof(v)); }

#ifdef LOOKAHEAD_AVX2
LOOKAHEAD_INLINE Floats LoadLanes(const float* p, int64_t count, float fill) {
  const Ints lanes = FirstLanes(count);
  const Floats v = _mm256_maskload_ps(p, reinterpret_cast<__m256i>(lanes));
  return Where(lanes, v, Floats{} + fill);
}
LOOKAHEAD_INLINE void StoreLanes(float* p, int64_t count, Floats v) {
  _mm256_maskstore_ps(p, reinterpret_cast<__m256i>(FirstLanes(count)), v);
}
LOOKAHEAD_INLINE Floats Least(Floats a, Floats b) { return _mm256_min_ps(b, a); }
LOOKAHEAD_INLINE Floats Greatest(Floats a, Floats b) { return _mm256_max_ps(b, a); }
// A bit a lane.
LOOKAHEAD_INLINE uint32_t BitsOf(Ints mask) {
  return _mm256_movemask_ps(reinterpret_cast<__m256>(mask));
}
#else
LOOKAHEAD_INLINE Floats LoadLanes(const float* p, int64_t count, float fill) {
  Floats v = Floats{} + fill;
  for (int64_t i = 0; i < count; ++i) v[i] = p[i];
  return v;
}
LOOKAHEAD_INLINE void StoreLanes(float* p, int64_t count, Floats v) {
  for (int64_t i = 0; i < count; ++i) p[i] = v[i];
}
LOOKAHEAD_INLINE Floats Least(Floats a, Floats b) { return Where(b < a, b, a); }
LOOKAHEAD_INLINE Floats Greatest(Floats a, Floats b) { return Where(a < b, b, a); }
LOOKAHEAD_INLINE uint32_t BitsOf(Ints mask) {
  uint32_t bits = 0;
  for (int64_t i = 0; i < kLanes; ++i) bits |= (mask[i] & 1u) << i;
  return bits;
}
#endif

// The first `count` of eight floats, `fill` in the other lanes.
LOOKAHEAD_INLINE Floats LoadPart(const float* p, int64_t count, float fill) {
  return count >= kLanes ? Load(p) : LoadLanes(p, count, fill);
}
LOOKAHEAD_INLINE void StorePart(float* p, int64_t count, Floats v) {
  if (count >= kLanes) {
    Store(p, v);
  } else {
    StoreLanes(p, count, v);
  }
}

// Folds the lanes upon each other by halves, in an order that does not depend
// on the machine; every lane ends with the result.
template <typename V, typename Fold>
LOOKAHEAD_INLINE V FoldLanes(V v, Fold fold) {
  v = fold(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
  v = fold(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5));
  return fold(v, __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6));
}
struct Adding {
  LOOKAHEAD_INLINE Floats operator()(Floats a, Floats b) const { return a + b; }
};
struct Lesser {
  LOOKAHEAD_INLINE Floats operator()(Floats a, Floats b) const { return Least(a, b); }
};
struct Greater {
  LOOKAHEAD_INLINE Floats operator()(Floats a, Floats b) const { return Greatest(a, b); }
};
LOOKAHEAD_INLINE float Sum(Floats v) { return FoldLanes(v, Adding())[0]; }
LOOKAHEAD_INLINE float Least(Floats v) { return FoldLanes(v, Lesser())[0]; }
LOOKAHEAD_INLINE float Greatest(Floats v) { return FoldLanes(v, Greater())[0]; }
// In every lane the greatest.
LOOKAHEAD_INLINE Floats GreatestOf(Floats v) { return FoldLanes(v, Greater()); }
LOOKAHEAD_INLINE bool IsOneBit(uint32_t bits) { return bits != 0 && (bits & (bits - 1)) == 0; }
LOOKAHEAD_INLINE bool Any(Ints mask) { return BitsOf(mask) != 0; }

// e^x for x ≤ 0, to 2 units in the last place; 0 below -87. Splits x into
// n · log 2 + r and takes Taylor's polynomial of e^r, |r| ≤ log(2) / 2.
LOOKAHEAD_INLINE Floats Exp(Floats x) {
  const Floats clamped = Where(x < -87.0f, Floats{} - 87.0f, x);
  const Ints n = __builtin_convertvector(clamped * 1.44269504f - 0.5f, Ints);
  const Floats whole = __builtin_convertvector(n, Floats);
  const Floats r = (clamped - whole * 0.693359375f) + whole * 2.12194440e-4f;
  Floats p = r * (1.0f / 5040) + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * (r * r) + r + 1.0f;
  const Ints bits = (n + 127) << 23;
  Floats power;
  std::memcpy(&power, &bits, sizeof(power));
  return Where(x < -87.0f, Floats{}, p * power);
}

// Of the lanes with the greatest score the least place.
LOOKAHEAD_INLINE int64_t FirstOfGreatest(Floats score, Ints place) {
  const float greatest = Greatest(score);
  int64_t first = INT32_MAX;
  for (uint32_t bits = BitsOf(score == greatest); bits != 0; bits &= bits - 1) {
    first = Min<int64_t>(first, place[__builtin_ctz(bits)]);
  }
  return first;
}

constexpr int64_t kNowhere = -1;  // no score is above -inf
constexpr int64_t kTied = -2;     // the greatest score stands in several places

// The greatest score and where it stands. A tie is for the lowest action, which
// TiedBest finds; ties are too rare to read the actions beforehand.
struct Best {
  Floats score;
  Ints slot;
  Ints tied;

  LOOKAHEAD_INLINE Best() : score(Floats{} - kInfinity), slot(Ints{} - 1), tied(Ints{}) {}

  LOOKAHEAD_INLINE void Offer(Floats candidate, int64_t first) {
    const Ints better = candidate > score;
    tied = (tied & ~better) | (candidate == score);
    slot = better ? kLane + static_cast<int32_t>(first) : slot;
    score = Where(better, candidate, score);
  }
  LOOKAHEAD_INLINE int64_t Slot() const {
    const float greatest = Greatest(score);
    if (!(greatest > -kInfinity)) return kNowhere;
    const Ints winners = score == greatest;
    const uint32_t bits = BitsOf(winners);
    if ((bits & (bits - 1)) != 0 || Any(winners & tied)) return kTied;
    return bits == 0 ? kNowhere : slot[__builtin_ctz(bits)];
  }
};

// The same, ties included.
struct TiedBest {
  float score = -kInfinity;
  float action = kInfinity;
  int64_t slot = kNowhere;

  LOOKAHEAD_INLINE void Offer(Floats candidates, Floats actions, int64_t first) {
    for (int64_t i = 0; i < kLanes; ++i) {
      const float candidate = candidates[i];
      const bool better = candidate > score || (candidate == score && actions[i] < action);
      if (!better || !(candidate > -kInfinity)) continue;
      score = candidate;
      action = actions[i];
      slot = first + i;
    }
  }
};

}  // namespace LOOKAHEAD_ISA
}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_SIMD_H_

// Eight floats at a time in GCC's vector extensions: portable code that becomes
// AVX2 in the clones that target it, and two SSE operations elsewhere.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_SIMD_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_SIMD_H_

#include <cstdint>
#include <cstring>

#include "ops/mcts/cc/kernels/numbers.h"

// One copy of a function for AVX2 and one for any x86-64, chosen at load time.
// The sanitizers' run-time cannot start inside the choice, so they build one.
#if defined(__x86_64__) && !defined(LOOKAHEAD_NO_CLONES)
#define LOOKAHEAD_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define LOOKAHEAD_CLONES
#endif

namespace lookahead {
namespace mcts {

typedef float Floats __attribute__((vector_size(32)));
typedef int32_t Ints __attribute__((vector_size(32)));

constexpr int64_t kLanes = 8;
constexpr Ints kLane = {0, 1, 2, 3, 4, 5, 6, 7};

LOOKAHEAD_INLINE Floats Where(Ints mask, Floats a, Floats b) { return mask ? a : b; }

LOOKAHEAD_INLINE Floats Load(const float* p) {
  Floats v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}

// The first `count` of eight floats, `fill` in the other lanes.
LOOKAHEAD_INLINE Floats LoadPart(const float* p, int64_t count, float fill) {
  if (count >= kLanes) return Load(p);
  Floats v = Floats{} + fill;
  for (int64_t i = 0; i < count; ++i) v[i] = p[i];
  return v;
}

LOOKAHEAD_INLINE void StorePart(float* p, int64_t count, Floats v) {
  if (count >= kLanes) {
    std::memcpy(p, &v, sizeof(v));
    return;
  }
  for (int64_t i = 0; i < count; ++i) p[i] = v[i];
}

LOOKAHEAD_INLINE Floats Least(Floats a, Floats b) { return Where(b < a, b, a); }
LOOKAHEAD_INLINE Floats Greatest(Floats a, Floats b) { return Where(a < b, b, a); }

// Folds the lanes upon each other by halves, in an order that does not depend
// on the machine; every lane ends with the result.
template <typename V, typename Fold>
LOOKAHEAD_INLINE V FoldLanes(V v, Fold fold) {
  v = fold(v, __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
  v = fold(v, __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5));
  return fold(v, __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6));
}
LOOKAHEAD_INLINE float Sum(Floats v) {
  return FoldLanes(v, [](Floats a, Floats b) { return a + b; })[0];
}
LOOKAHEAD_INLINE float Least(Floats v) {
  return FoldLanes(v, [](Floats a, Floats b) { return Least(a, b); })[0];
}
LOOKAHEAD_INLINE float Greatest(Floats v) {
  return FoldLanes(v, [](Floats a, Floats b) { return Greatest(a, b); })[0];
}
LOOKAHEAD_INLINE int32_t Least(Ints v) {
  return FoldLanes(v, [](Ints a, Ints b) { return b < a ? b : a; })[0];
}
LOOKAHEAD_INLINE bool Any(Ints mask) {
  return FoldLanes(mask, [](Ints a, Ints b) { return a | b; })[0] != 0;
}

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

// The greatest score and where it stands; of equal scores the lowest action's.
struct Best {
  Floats score = Floats{} - kInfinity;
  Floats action = Floats{};
  Ints slot = Ints{} - 1;

  LOOKAHEAD_INLINE void Offer(Floats candidate, Floats its_action, int64_t first) {
    const Ints better = (candidate > score) | ((candidate == score) & (its_action < action));
    slot = better ? kLane + static_cast<int32_t>(first) : slot;
    action = Where(better, its_action, action);
    score = Where(better, candidate, score);
  }
  // -1 where no score was above -inf, or the tree is broken.
  LOOKAHEAD_INLINE int64_t Slot() const {
    const float greatest = Greatest(score);
    if (!(greatest > -kInfinity)) return -1;
    const Floats actions = Where(score == greatest, action, Floats{} + kInfinity);
    const float least = Least(actions);
    const int32_t found = Least(actions == least ? slot : Ints{} + INT32_MAX);
    return found < INT32_MAX ? found : -1;  // an action may be NaN
  }
};

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_SIMD_H_

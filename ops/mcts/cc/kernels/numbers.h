// Small change: what formulas.h and simd.h both need.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_NUMBERS_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_NUMBERS_H_

#include <cfloat>

#include "ops/mcts/cc/kernels/tree.h"

namespace lookahead {
namespace mcts {

constexpr float kInfinity = __builtin_huge_valf();
constexpr float kTiny = FLT_MIN;

LOOKAHEAD_INLINE float Where(bool mask, float a, float b) { return mask ? a : b; }

template <typename T>
LOOKAHEAD_INLINE T Min(T a, T b) {
  return b < a ? b : a;
}
template <typename T>
LOOKAHEAD_INLINE T Max(T a, T b) {
  return a < b ? b : a;
}

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_NUMBERS_H_

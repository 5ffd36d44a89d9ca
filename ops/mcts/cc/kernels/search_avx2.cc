// The search for x86-64 processors with AVX2. The standard library's headers
// come before the pragma, so that no inline function of theirs is compiled for
// AVX2 and then serves the whole library.

#ifdef __x86_64__

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#pragma GCC target("avx2")
#define LOOKAHEAD_ISA avx2
#define LOOKAHEAD_AVX2

#include "ops/mcts/cc/kernels/search_simd.h"

namespace lookahead {
namespace mcts {

CpuFunctions Avx2Functions() { return {SimulateOne, ExpandOne, AdvanceOne, PlantOne}; }

}  // namespace mcts
}  // namespace lookahead

#endif  // __x86_64__

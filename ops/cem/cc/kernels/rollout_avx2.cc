// The rollout for processors with AVX2 and fused multiply-add.

#include "ops/cem/cc/kernels/instruction_sets.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define LOOKAHEAD_ISA avx2
#define LOOKAHEAD_NAME "avx2"
#define LOOKAHEAD_WIDTH 8
#define LOOKAHEAD_FEATURES 4
#define LOOKAHEAD_FUSED 8
#define LOOKAHEAD_PAIRS 0
#define LOOKAHEAD_COST {0.0, 1.9, 2.2, 3.0}  // One vector waits for its own additions.
#include "ops/cem/cc/kernels/rollout.h"

namespace lookahead {
namespace cem {

const Kernels kAvx2Kernels = avx2::kKernels;

}  // namespace cem
}  // namespace lookahead
#pragma GCC pop_options
#endif

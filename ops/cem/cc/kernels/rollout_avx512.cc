// The rollout for processors with AVX-512.

#include "ops/cem/cc/kernels/instruction_sets.h"

#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx512f")
#define LOOKAHEAD_ISA avx512
#define LOOKAHEAD_NAME "avx512"
#define LOOKAHEAD_WIDTH 16
#define LOOKAHEAD_FEATURES 8
#define LOOKAHEAD_FUSED 16
#define LOOKAHEAD_PAIRS 0
#define LOOKAHEAD_COST {0.0, 1.0, 2.0, 3.0}
#include "ops/cem/cc/kernels/rollout.h"

namespace lookahead {
namespace cem {

const Kernels kAvx512Kernels = avx512::kKernels;

}  // namespace cem
}  // namespace lookahead
#pragma GCC pop_options
#endif

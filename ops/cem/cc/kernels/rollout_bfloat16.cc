// The rollout for processors with AVX-512 and its dot products of bfloat16 pairs.

#include "ops/cem/cc/kernels/instruction_sets.h"

#if LOOKAHEAD_BFLOAT16
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512bf16")
#define LOOKAHEAD_ISA bfloat16
#define LOOKAHEAD_NAME "avx512"
#define LOOKAHEAD_WIDTH 16
#define LOOKAHEAD_FEATURES 8
#define LOOKAHEAD_FUSED 16
#define LOOKAHEAD_PAIRS 1
#define LOOKAHEAD_COST {0.0, 1.4, 2.0, 3.0}
#include "ops/cem/cc/kernels/rollout.h"

namespace lookahead {
namespace cem {

const Kernels kBfloat16Kernels = bfloat16::kKernels;

}  // namespace cem
}  // namespace lookahead
#pragma GCC pop_options
#endif

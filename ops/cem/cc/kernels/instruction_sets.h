// Which instruction sets there are, and the best one that this processor has.

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_INSTRUCTION_SETS_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_INSTRUCTION_SETS_H_

#include <string>

#include "ops/cem/cc/kernels/packed.h"

namespace lookahead {
namespace cem {

// Older compilers do not know AVX512_BF16.
#if defined(__x86_64__) && __GNUC__ >= 11
#define LOOKAHEAD_BFLOAT16 1
extern const Kernels kBfloat16Kernels;
#endif
#if defined(__x86_64__)
extern const Kernels kAvx512Kernels;
extern const Kernels kAvx2Kernels;
#endif
extern const Kernels kBaselineKernels;

// The named set's kernels, or the fastest ones for `auto`, whose products are of
// floats or of bfloat16; null where this processor has none such.
const Kernels* FindKernels(const std::string& name, bool bfloat16 = false);

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_INSTRUCTION_SETS_H_

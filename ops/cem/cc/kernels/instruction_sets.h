// Which instruction sets there are, and the best one that this processor has.

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_INSTRUCTION_SETS_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_INSTRUCTION_SETS_H_

#include <string>

#include "ops/cem/cc/kernels/packed.h"

namespace lookahead {
namespace cem {

#if defined(__x86_64__)
extern const Kernels kAvx512Kernels;
extern const Kernels kAvx2Kernels;
#endif
extern const Kernels kBaselineKernels;

// The named set's kernels, or the fastest ones for `auto`; null where this
// processor has none of that name.
const Kernels* FindKernels(const std::string& name);

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_INSTRUCTION_SETS_H_

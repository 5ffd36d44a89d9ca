// The rollout for any processor: four floats at a time, product and sum apart.

#define LOOKAHEAD_ISA baseline
#define LOOKAHEAD_NAME "baseline"
#define LOOKAHEAD_WIDTH 4
#define LOOKAHEAD_FEATURES 4
#define LOOKAHEAD_FUSED 0
#define LOOKAHEAD_PAIRS 0
#define LOOKAHEAD_COST {0.0, 1.0, 1.6, 3.0}
#include "ops/cem/cc/kernels/instruction_sets.h"
#include "ops/cem/cc/kernels/rollout.h"

namespace lookahead {
namespace cem {

const Kernels kBaselineKernels = baseline::kKernels;

}  // namespace cem
}  // namespace lookahead

// What the CPU lends an op: an instruction set's kernels, and threads.

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_CPU_DEVICE_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_CPU_DEVICE_H_

#include "ops/cem/cc/kernels/instruction_sets.h"
#include "ops/cem/cc/kernels/tiles.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace lookahead {
namespace cem {

// The kernels that the op's attributes name; `with_precision`: whether `precision`
// is one of them.
tensorflow::Status ReadInstructionSet(tensorflow::OpKernelConstruction* ctx, bool with_precision,
                                      const Kernels** kernels);

Threads ThreadsOf(tensorflow::OpKernelContext* ctx);

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_CPU_DEVICE_H_

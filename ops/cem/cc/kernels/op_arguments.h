// From an op's tensors and attributes to what planner.h takes, with every rank,
// shape and range checked. Nothing here is specific to a device.

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_OP_ARGUMENTS_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_OP_ARGUMENTS_H_

#include <vector>

#include "ops/cem/cc/kernels/planner.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace lookahead {
namespace cem {

// What the attributes of an op that refits spell.
tensorflow::Status ReadRefit(tensorflow::OpKernelConstruction* ctx, Settings* settings);

// The model's own attributes.
tensorflow::Status ReadModelAttributes(tensorflow::OpKernelConstruction* ctx, Model* model);

// `data` of the named input, whose shape must be `shape`.
tensorflow::Status ReadInput(tensorflow::OpKernelContext* ctx, const char* name,
                             const std::vector<int64_t>& shape, const float** data);

// Batch, horizon and action size of the named [B, H, A], all at least 1; fails
// where the candidates' numbers would be too many to index.
tensorflow::Status ReadPlanShape(tensorflow::OpKernelContext* ctx, const char* name,
                                 Settings* settings, int64_t* action_size);

// The bounds [A], not NaN and in order.
tensorflow::Status ReadBounds(tensorflow::OpKernelContext* ctx, int64_t action_size,
                              Settings* settings);

// All inputs of an op that plans but its proposal, of which it reads the shape.
// `settings` and `model` have what attributes say. Bounds and seed are read here,
// so they must lie in the host's memory.
tensorflow::Status ReadPlan(tensorflow::OpKernelContext* ctx, Settings* settings, Model* model,
                            Belief* belief, PlanNoise* noise);

// The seed, and the noise of the given shape where there is one, else null.
tensorflow::Status ReadSeed(tensorflow::OpKernelContext* ctx, Seed* seed);
tensorflow::Status ReadNoise(tensorflow::OpKernelContext* ctx, const char* name,
                             const std::vector<int64_t>& shape, const float** noise);

// The error that names a row's shortage of finite returns.
tensorflow::Status ShortageError(const Shortage& shortage, const Settings& settings);

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_OP_ARGUMENTS_H_

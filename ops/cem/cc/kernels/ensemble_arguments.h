// Reads and checks the arguments of the ensemble's ops, whatever the device: it
// looks at shapes alone, and the pointers may be a GPU's.

#ifndef LOOKAHEAD_OPS_CEM_CC_KERNELS_ENSEMBLE_ARGUMENTS_H_
#define LOOKAHEAD_OPS_CEM_CC_KERNELS_ENSEMBLE_ARGUMENTS_H_

#include <vector>

#include "ops/cem/cc/kernels/plan.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace lookahead {
namespace cem {

// What is to be packed: of each layer weights [E, in, out] and biases [E, out].
struct EnsembleLayers {
  int64_t members;
  std::vector<int64_t> sizes;  // layer i is from sizes[i] to sizes[i + 1]
  std::vector<const float*> weights, biases;
};

tensorflow::Status ReadEnsembleLayers(tensorflow::OpKernelContext* ctx, EnsembleLayers* layers);

// The attributes `sizes` and `activation`.
tensorflow::Status ReadEnsembleAttributes(tensorflow::OpKernelConstruction* ctx,
                                          std::vector<int64_t>* sizes, Activation* activation);

// A question to packed networks [E, floats]: inputs [E, N, in] and the output's place.
struct EnsembleQuestion {
  int64_t members, rows;
  const float* inputs;
  const float* packed;
  float* outputs;
};

tensorflow::Status ReadEnsembleQuestion(tensorflow::OpKernelContext* ctx,
                                        const std::vector<int64_t>& sizes, int64_t floats,
                                        EnsembleQuestion* question);

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_KERNELS_ENSEMBLE_ARGUMENTS_H_

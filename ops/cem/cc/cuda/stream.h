// What the op kernels for GPUs share: TensorFlow's stream and CUDA's errors.

#ifndef LOOKAHEAD_OPS_CEM_CC_CUDA_STREAM_H_
#define LOOKAHEAD_OPS_CEM_CC_CUDA_STREAM_H_

#include "ops/cem/cc/cuda/launchers.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "xla/stream_executor/stream.h"

namespace lookahead {
namespace cem {

inline CUstream_st* StreamOf(tensorflow::OpKernelContext* ctx) {
  auto* stream = ctx->op_device_context()->stream();
  return static_cast<CUstream_st*>(stream->platform_specific_handle().stream);
}

inline tensorflow::Status Launched(int error) {
  if (error == 0) return tensorflow::OkStatus();
  return tensorflow::errors::Internal("CUDA: ", lookahead_cem_cuda_error_text(error));
}

}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_CEM_CC_CUDA_STREAM_H_

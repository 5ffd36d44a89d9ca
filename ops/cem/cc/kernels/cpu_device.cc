#include "ops/cem/cc/kernels/cpu_device.h"

namespace lookahead {
namespace cem {

tensorflow::Status ReadInstructionSet(tensorflow::OpKernelConstruction* ctx, bool with_precision,
                                      const Kernels** kernels) {
  std::string name, precision = "float32";
  TF_RETURN_IF_ERROR(ctx->GetAttr("instruction_set", &name));
  if (with_precision) TF_RETURN_IF_ERROR(ctx->GetAttr("precision", &precision));
  *kernels = FindKernels(name, precision == "bfloat16");
  if (*kernels != nullptr) return tensorflow::OkStatus();
  if (FindKernels(name) == nullptr) {
    return tensorflow::errors::InvalidArgument("instruction_set is ", name,
                                               ", which this processor does not have");
  }
  return tensorflow::errors::InvalidArgument(
      "precision is bfloat16, which takes a processor with AVX512_BF16, and instruction_set is ",
      name);
}

Threads ThreadsOf(tensorflow::OpKernelContext* ctx) {
  const auto* threads = ctx->device()->tensorflow_cpu_worker_threads();
  const auto parallel_for = [threads](int64_t total, int64_t cycles,
                                      const std::function<void(int64_t, int64_t)>& range) {
    threads->workers->ParallelFor(total, cycles, range);
  };
  return {threads->num_threads, parallel_for};
}

}  // namespace cem
}  // namespace lookahead

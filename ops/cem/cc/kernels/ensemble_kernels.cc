// The ensemble's ops on the CPU: lend threads; the work itself is ensemble.h.

#include <vector>

#include "ops/cem/cc/kernels/cpu_device.h"
#include "ops/cem/cc/kernels/ensemble.h"
#include "ops/cem/cc/kernels/ensemble_arguments.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace lookahead {
namespace cem {
namespace {

using ::tensorflow::DEVICE_CPU;
using ::tensorflow::OkStatus;
using ::tensorflow::OpKernel;
using ::tensorflow::OpKernelConstruction;
using ::tensorflow::OpKernelContext;
using ::tensorflow::Status;
using ::tensorflow::Tensor;
using ::tensorflow::TensorShape;

class PackEnsembleOp : public OpKernel {
 public:
  explicit PackEnsembleOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, ReadInstructionSet(ctx, true, &kernels_));
  }

  void Compute(OpKernelContext* ctx) override { OP_REQUIRES_OK(ctx, Run(ctx)); }

 private:
  Status Run(OpKernelContext* ctx) {
    EnsembleLayers layers = {};
    TF_RETURN_IF_ERROR(ReadEnsembleLayers(ctx, &layers));
    Tensor* packed;
    const TensorShape shape({layers.members, PackedMemberFloats(kernels_->layout, layers.sizes)});
    TF_RETURN_IF_ERROR(ctx->allocate_output("packed", shape, &packed));
    PackEnsemble(kernels_->layout, layers.sizes, layers.members, layers.weights, layers.biases,
                 ThreadsOf(ctx), packed->flat<float>().data());
    return OkStatus();
  }

  const Kernels* kernels_;
};

class EnsembleOp : public OpKernel {
 public:
  explicit EnsembleOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, ReadInstructionSet(ctx, true, &kernels_));
    OP_REQUIRES_OK(ctx, ReadEnsembleAttributes(ctx, &sizes_, &activation_));
    floats_ = PackedMemberFloats(kernels_->layout, sizes_);
  }

  void Compute(OpKernelContext* ctx) override { OP_REQUIRES_OK(ctx, Run(ctx)); }

 private:
  Status Run(OpKernelContext* ctx) {
    EnsembleQuestion q;
    TF_RETURN_IF_ERROR(ReadEnsembleQuestion(ctx, sizes_, floats_, &q));
    EvaluateEnsemble(*kernels_, sizes_, activation_, q.packed, q.members, q.rows, q.inputs,
                     ThreadsOf(ctx), q.outputs);
    return OkStatus();
  }

  const Kernels* kernels_;
  std::vector<int64_t> sizes_;
  Activation activation_;
  int64_t floats_;
};

REGISTER_KERNEL_BUILDER(Name("LookaheadCemPackEnsemble").Device(DEVICE_CPU), PackEnsembleOp);
REGISTER_KERNEL_BUILDER(Name("LookaheadCemEnsemble").Device(DEVICE_CPU), EnsembleOp);

}  // namespace
}  // namespace cem
}  // namespace lookahead

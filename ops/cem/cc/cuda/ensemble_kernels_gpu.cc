// The ensemble's ops on GPUs: check the arguments as on the CPU, and launch.
// Compiled where nvcc has compiled the launchers; needs no header of CUDA's.

#ifdef LOOKAHEAD_CUDA

#include <algorithm>
#include <string>
#include <vector>

#include "ops/cem/cc/cuda/launchers.h"
#include "ops/cem/cc/cuda/stream.h"
#include "ops/cem/cc/kernels/ensemble_arguments.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace lookahead {
namespace cem {
namespace {

using ::tensorflow::DEVICE_GPU;
using ::tensorflow::OpKernel;
using ::tensorflow::OpKernelConstruction;
using ::tensorflow::OpKernelContext;
using ::tensorflow::Status;
using ::tensorflow::Tensor;
using ::tensorflow::TensorShape;

Status ReadPrecision(OpKernelConstruction* ctx, LookaheadEnsemble* ensemble) {
  std::string precision;
  TF_RETURN_IF_ERROR(ctx->GetAttr("precision", &precision));
  ensemble->bfloat16 = precision == "bfloat16";
  return tensorflow::OkStatus();
}

void SetSizes(const std::vector<int64_t>& sizes, LookaheadEnsemble* ensemble) {
  ensemble->num_layers = static_cast<int32_t>(sizes.size()) - 1;
  std::copy(sizes.begin(), sizes.end(), ensemble->sizes);
}

class GpuPackEnsembleOp : public OpKernel {
 public:
  explicit GpuPackEnsembleOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, ReadPrecision(ctx, &ensemble_));
  }

  void Compute(OpKernelContext* ctx) override { OP_REQUIRES_OK(ctx, Run(ctx)); }

 private:
  Status Run(OpKernelContext* ctx) const {
    EnsembleLayers layers = {};
    TF_RETURN_IF_ERROR(ReadEnsembleLayers(ctx, &layers));
    LookaheadEnsemble ensemble = ensemble_;
    SetSizes(layers.sizes, &ensemble);
    ensemble.members = layers.members;
    Tensor* packed;
    const TensorShape shape({layers.members, lookahead_cem_cuda_ensemble_floats(&ensemble)});
    TF_RETURN_IF_ERROR(ctx->allocate_output("packed", shape, &packed));
    return Launched(lookahead_cem_cuda_pack_ensemble(StreamOf(ctx), &ensemble,
                                                     layers.weights.data(), layers.biases.data(),
                                                     packed->flat<float>().data()));
  }

  LookaheadEnsemble ensemble_ = {};
};

class GpuEnsembleOp : public OpKernel {
 public:
  explicit GpuEnsembleOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, ReadPrecision(ctx, &ensemble_));
    OP_REQUIRES_OK(ctx, ReadEnsembleAttributes(ctx, &sizes_, &ensemble_.activation));
    SetSizes(sizes_, &ensemble_);
    floats_ = lookahead_cem_cuda_ensemble_floats(&ensemble_);
  }

  void Compute(OpKernelContext* ctx) override { OP_REQUIRES_OK(ctx, Run(ctx)); }

 private:
  Status Run(OpKernelContext* ctx) const {
    EnsembleQuestion q;
    TF_RETURN_IF_ERROR(ReadEnsembleQuestion(ctx, sizes_, floats_, &q));
    LookaheadEnsemble ensemble = ensemble_;
    ensemble.members = q.members;
    ensemble.rows = q.rows;
    return Launched(
        lookahead_cem_cuda_ensemble(StreamOf(ctx), &ensemble, q.packed, q.inputs, q.outputs));
  }

  LookaheadEnsemble ensemble_ = {};
  std::vector<int64_t> sizes_;
  int64_t floats_;
};

REGISTER_KERNEL_BUILDER(Name("LookaheadCemPackEnsemble").Device(DEVICE_GPU), GpuPackEnsembleOp);
REGISTER_KERNEL_BUILDER(Name("LookaheadCemEnsemble").Device(DEVICE_GPU), GpuEnsembleOp);

}  // namespace
}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_CUDA

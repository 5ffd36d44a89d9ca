// The ensemble's ops on the CPU: check the arguments, lend threads; the work itself
// is ensemble.h.

#include <string>
#include <vector>

#include "ops/cem/cc/kernels/cpu_device.h"
#include "ops/cem/cc/kernels/ensemble.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace lookahead {
namespace cem {
namespace {

using ::tensorflow::DEVICE_CPU;
using ::tensorflow::OkStatus;
using ::tensorflow::OpInputList;
using ::tensorflow::OpKernel;
using ::tensorflow::OpKernelConstruction;
using ::tensorflow::OpKernelContext;
using ::tensorflow::Status;
using ::tensorflow::Tensor;
using ::tensorflow::TensorShape;
using ::tensorflow::errors::InvalidArgument;

constexpr int64_t kMostUnits = int64_t{1} << 20;

Status CheckSizes(const std::string& name, const std::vector<int64_t>& sizes) {
  if (sizes.size() < 2 || sizes.size() > kMaxLayers + 1) {
    return InvalidArgument(name, " has ", sizes.size(), " entries, expected 2 to ", kMaxLayers + 1);
  }
  for (int64_t size : sizes) {
    if (size < 1 || size > kMostUnits) {
      return InvalidArgument(name, " holds ", size, ", expected 1 to 2^20");
    }
  }
  return OkStatus();
}

class PackEnsembleOp : public OpKernel {
 public:
  explicit PackEnsembleOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, ReadInstructionSet(ctx, true, &kernels_));
  }

  void Compute(OpKernelContext* ctx) override { OP_REQUIRES_OK(ctx, Run(ctx)); }

 private:
  // weights[i] is [E, sizes[i], sizes[i + 1]], with one E and each layer's inputs
  // the outputs of the one before.
  static Status ReadSizes(const OpInputList& weights, int64_t* members,
                          std::vector<int64_t>* sizes) {
    for (int i = 0; i < weights.size(); ++i) {
      const Tensor& tensor = weights[i];
      const std::string name = "weights[" + std::to_string(i) + "]";
      if (tensor.dims() != 3) {
        return InvalidArgument(name, " must be [E, in, out], got ", tensor.shape().DebugString());
      }
      if (i == 0) {
        *members = tensor.dim_size(0);
        *sizes = {tensor.dim_size(1)};
      }
      if (tensor.dim_size(0) != *members || tensor.dim_size(1) != sizes->back()) {
        return InvalidArgument(name, " has shape ", tensor.shape().DebugString(), ", expected [",
                               *members, ",", sizes->back(), ",out]");
      }
      sizes->push_back(tensor.dim_size(2));
    }
    if (*members < 1) return InvalidArgument("weights[0] has no members");
    return CheckSizes("weights", *sizes);
  }

  Status Run(OpKernelContext* ctx) {
    OpInputList weights, biases;
    TF_RETURN_IF_ERROR(ctx->input_list("weights", &weights));
    TF_RETURN_IF_ERROR(ctx->input_list("biases", &biases));
    int64_t members = 0;
    std::vector<int64_t> sizes;
    TF_RETURN_IF_ERROR(ReadSizes(weights, &members, &sizes));
    std::vector<const float*> matrices, offsets;
    for (int i = 0; i < weights.size(); ++i) {
      if (biases[i].shape() != TensorShape({members, sizes[i + 1]})) {
        return InvalidArgument("biases[", i, "] has shape ", biases[i].shape().DebugString(),
                               ", expected [", members, ",", sizes[i + 1], "]");
      }
      matrices.push_back(weights[i].flat<float>().data());
      offsets.push_back(biases[i].flat<float>().data());
    }
    Tensor* packed;
    const TensorShape shape({members, PackedMemberFloats(kernels_->layout, sizes)});
    TF_RETURN_IF_ERROR(ctx->allocate_output("packed", shape, &packed));
    PackEnsemble(kernels_->layout, sizes, members, matrices, offsets, ThreadsOf(ctx),
                 packed->flat<float>().data());
    return OkStatus();
  }

  const Kernels* kernels_;
};

class EnsembleOp : public OpKernel {
 public:
  explicit EnsembleOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    std::string activation;
    OP_REQUIRES_OK(ctx, ReadInstructionSet(ctx, true, &kernels_));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("sizes", &sizes_));
    OP_REQUIRES_OK(ctx, CheckSizes("sizes", sizes_));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("activation", &activation));
    activation_ = activation == "relu" ? kRelu : activation == "elu" ? kElu : kSwish;
    floats_ = PackedMemberFloats(kernels_->layout, sizes_);
  }

  void Compute(OpKernelContext* ctx) override { OP_REQUIRES_OK(ctx, Run(ctx)); }

 private:
  Status Run(OpKernelContext* ctx) {
    const Tensor *inputs, *packed;
    TF_RETURN_IF_ERROR(ctx->input("inputs", &inputs));
    TF_RETURN_IF_ERROR(ctx->input("packed", &packed));
    if (inputs->dims() != 3 || inputs->dim_size(2) != sizes_.front()) {
      return InvalidArgument("inputs has shape ", inputs->shape().DebugString(),
                             ", expected [E, N, ", sizes_.front(), "]");
    }
    const int64_t members = inputs->dim_size(0), rows = inputs->dim_size(1);
    if (packed->dims() != 2 || packed->dim_size(0) != members || packed->dim_size(1) != floats_) {
      return InvalidArgument("packed has shape ", packed->shape().DebugString(), ", expected [",
                             members, ",", floats_, "], as inputs and sizes ask for");
    }
    Tensor* outputs;
    TensorShape shape;
    TF_RETURN_IF_ERROR(TensorShape::BuildTensorShape({members, rows, sizes_.back()}, &shape));
    TF_RETURN_IF_ERROR(ctx->allocate_output("outputs", shape, &outputs));
    EvaluateEnsemble(*kernels_, sizes_, activation_, packed->flat<float>().data(), members, rows,
                     inputs->flat<float>().data(), ThreadsOf(ctx), outputs->flat<float>().data());
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

#include "ops/cem/cc/kernels/ensemble_arguments.h"

#include <string>

namespace lookahead {
namespace cem {
namespace {

using ::tensorflow::OkStatus;
using ::tensorflow::OpInputList;
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

// weights[i] is [E, sizes[i], sizes[i + 1]], with one E and each layer's inputs the
// outputs of the one before.
Status ReadSizes(const OpInputList& weights, int64_t* members, std::vector<int64_t>* sizes) {
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

}  // namespace

Status ReadEnsembleLayers(OpKernelContext* ctx, EnsembleLayers* layers) {
  OpInputList weights, biases;
  TF_RETURN_IF_ERROR(ctx->input_list("weights", &weights));
  TF_RETURN_IF_ERROR(ctx->input_list("biases", &biases));
  TF_RETURN_IF_ERROR(ReadSizes(weights, &layers->members, &layers->sizes));
  for (int i = 0; i < weights.size(); ++i) {
    if (biases[i].shape() != TensorShape({layers->members, layers->sizes[i + 1]})) {
      return InvalidArgument("biases[", i, "] has shape ", biases[i].shape().DebugString(),
                             ", expected [", layers->members, ",", layers->sizes[i + 1], "]");
    }
    layers->weights.push_back(weights[i].flat<float>().data());
    layers->biases.push_back(biases[i].flat<float>().data());
  }
  return OkStatus();
}

Status ReadEnsembleAttributes(OpKernelConstruction* ctx, std::vector<int64_t>* sizes,
                              Activation* activation) {
  std::string name;
  TF_RETURN_IF_ERROR(ctx->GetAttr("sizes", sizes));
  TF_RETURN_IF_ERROR(CheckSizes("sizes", *sizes));
  TF_RETURN_IF_ERROR(ctx->GetAttr("activation", &name));
  *activation = name == "relu" ? kRelu : name == "elu" ? kElu : kSwish;
  return OkStatus();
}

Status ReadEnsembleQuestion(OpKernelContext* ctx, const std::vector<int64_t>& sizes, int64_t floats,
                            EnsembleQuestion* question) {
  const Tensor *inputs, *packed;
  TF_RETURN_IF_ERROR(ctx->input("inputs", &inputs));
  TF_RETURN_IF_ERROR(ctx->input("packed", &packed));
  if (inputs->dims() != 3 || inputs->dim_size(2) != sizes.front()) {
    return InvalidArgument("inputs has shape ", inputs->shape().DebugString(), ", expected [E, N, ",
                           sizes.front(), "]");
  }
  const int64_t members = inputs->dim_size(0), rows = inputs->dim_size(1);
  if (packed->dims() != 2 || packed->dim_size(0) != members || packed->dim_size(1) != floats) {
    return InvalidArgument("packed has shape ", packed->shape().DebugString(), ", expected [",
                           members, ",", floats, "], as inputs and sizes ask for");
  }
  Tensor* outputs;
  TensorShape shape;
  TF_RETURN_IF_ERROR(TensorShape::BuildTensorShape({members, rows, sizes.back()}, &shape));
  TF_RETURN_IF_ERROR(ctx->allocate_output("outputs", shape, &outputs));
  *question = {members, rows, inputs->flat<float>().data(), packed->flat<float>().data(),
               outputs->flat<float>().data()};
  return OkStatus();
}

}  // namespace cem
}  // namespace lookahead

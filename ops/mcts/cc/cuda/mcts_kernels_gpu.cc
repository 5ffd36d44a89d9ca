// The ops' kernels for GPUs: check the arguments as on the CPU, then launch.
// Compiled where nvcc has compiled the launchers; needs no header of CUDA's.

#ifdef LOOKAHEAD_CUDA

#include <vector>

#include "ops/mcts/cc/cuda/launchers.h"
#include "ops/mcts/cc/kernels/op_arguments.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "xla/stream_executor/stream.h"

namespace lookahead {
namespace mcts {
namespace {

using ::tensorflow::DEVICE_GPU;
using ::tensorflow::OkStatus;
using ::tensorflow::OpKernel;
using ::tensorflow::OpKernelConstruction;
using ::tensorflow::OpKernelContext;
using ::tensorflow::Status;
using ::tensorflow::Tensor;
using ::tensorflow::TensorShape;
using ::tensorflow::errors::Internal;
using ::tensorflow::errors::InvalidArgument;

CUstream_st* StreamOf(OpKernelContext* ctx) {
  auto* stream = ctx->op_device_context()->stream();
  return static_cast<CUstream_st*>(stream->platform_specific_handle().stream);
}

Status Launched(int error) {
  if (error == 0) return OkStatus();
  return Internal("CUDA: ", lookahead_mcts_cuda_error_text(error));
}

Status ForLaunch(const std::vector<Embedding>& from, LookaheadEmbeddings* to) {
  *to = {};
  if (from.size() > kLookaheadMaxRows) {
    return InvalidArgument("embeddings has ", from.size(), " parts, expected at most ",
                           kLookaheadMaxRows, " on a GPU");
  }
  for (const Embedding& e : from) {
    to->rows[to->count++] = {e.whole, e.update, e.gathered, e.row_bytes};
  }
  return OkStatus();
}

LookaheadAnswers ForLaunch(const Answers& said) {
  return {said.parent, said.action, said.reward, said.discount, said.prior_logits, said.value};
}

Status AllocateVector(OpKernelContext* ctx, const char* name, int64_t size, int32_t** data) {
  Tensor* tensor;
  TF_RETURN_IF_ERROR(ctx->allocate_output(name, TensorShape({size}), &tensor));
  *data = tensor->flat<int32_t>().data();
  return OkStatus();
}

// An op whose Run is all there is to do.
class GpuOp : public OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* ctx) override { OP_REQUIRES_OK(ctx, Run(ctx)); }

 protected:
  virtual Status Run(OpKernelContext* ctx) = 0;
};

class GpuRootOp : public GpuOp {
 public:
  explicit GpuRootOp(OpKernelConstruction* ctx) : GpuOp(ctx) {
    OP_REQUIRES_OK(ctx, ctx->GetAttr("num_nodes", &num_nodes_));
  }

 private:
  Status Run(OpKernelContext* ctx) override {
    const Tensor* logits;
    TF_RETURN_IF_ERROR(ctx->input("prior_logits", &logits));
    if (logits->dims() != 2) {
      return InvalidArgument("prior_logits must be [B, A], got ", logits->shape().DebugString());
    }
    Forest forest = {
        nullptr, nullptr, nullptr, logits->dim_size(0), num_nodes_, logits->dim_size(1)};
    const float* value;
    std::vector<Embedding> rows;
    LookaheadEmbeddings embeddings;
    TF_RETURN_IF_ERROR(ReadInput(ctx, "value", {forest.batch}, &value));
    TF_RETURN_IF_ERROR(NewForest(ctx, nullptr, &forest));
    TF_RETURN_IF_ERROR(NewEmbeddings(ctx, nullptr, forest, &rows));
    TF_RETURN_IF_ERROR(ForLaunch(rows, &embeddings));
    return Launched(lookahead_mcts_cuda_plant(StreamOf(ctx), &forest, logits->flat<float>().data(),
                                              value, &embeddings));
  }

  int64_t num_nodes_;
};

class GpuSimulateOp : public GpuOp {
 public:
  explicit GpuSimulateOp(OpKernelConstruction* ctx) : GpuOp(ctx) {
    OP_REQUIRES_OK(ctx, ReadRule(ctx, &rule_));
  }

 private:
  Status Run(OpKernelContext* ctx) override {
    ConstForest forest;
    RootNoise noise;
    const LookaheadEmbeddings none = {};
    int32_t *parent, *action;
    TF_RETURN_IF_ERROR(ReadForest(ctx, &forest));
    TF_RETURN_IF_ERROR(ReadNoise(ctx, rule_, forest, &noise));
    TF_RETURN_IF_ERROR(AllocateVector(ctx, "parent", forest.batch, &parent));
    TF_RETURN_IF_ERROR(AllocateVector(ctx, "action", forest.batch, &action));
    return Launched(lookahead_mcts_cuda_simulate(StreamOf(ctx), &forest, &rule_, &noise, &none,
                                                 parent, action));
  }

  Rule rule_;
};

class GpuExpandOp : public GpuOp {
 public:
  using GpuOp::GpuOp;

 private:
  Status Run(OpKernelContext* ctx) override {
    Forest forest;
    Answers said;
    std::vector<Embedding> rows;
    LookaheadEmbeddings embeddings;
    int32_t* leaf;
    TF_RETURN_IF_ERROR(TakeForest(ctx, &forest));
    TF_RETURN_IF_ERROR(ReadAnswers(ctx, forest, &said));
    TF_RETURN_IF_ERROR(TakeEmbeddings(ctx, forest, false, &rows));
    TF_RETURN_IF_ERROR(ForLaunch(rows, &embeddings));
    TF_RETURN_IF_ERROR(AllocateVector(ctx, "leaf", forest.batch, &leaf));
    const LookaheadAnswers answers = ForLaunch(said);
    return Launched(
        lookahead_mcts_cuda_expand(StreamOf(ctx), &forest, &answers, &embeddings, 0, leaf));
  }
};

class GpuBackwardOp : public GpuOp {
 public:
  using GpuOp::GpuOp;

 private:
  Status Run(OpKernelContext* ctx) override {
    Forest forest;
    const int32_t* leaf;
    TF_RETURN_IF_ERROR(TakeForest(ctx, &forest));
    TF_RETURN_IF_ERROR(ReadInput(ctx, "leaf", {forest.batch}, &leaf));
    return Launched(lookahead_mcts_cuda_backward(StreamOf(ctx), &forest, leaf));
  }
};

// Two launches: expand and backward, then the next simulate.
class GpuStepOp : public GpuOp {
 public:
  explicit GpuStepOp(OpKernelConstruction* ctx) : GpuOp(ctx) {
    OP_REQUIRES_OK(ctx, ReadRule(ctx, &rule_));
  }

 private:
  Status Run(OpKernelContext* ctx) override {
    Forest forest;
    ConstForest read;
    RootNoise noise;
    Answers said;
    std::vector<Embedding> rows;
    LookaheadEmbeddings embeddings;
    int32_t *parent, *action;
    TF_RETURN_IF_ERROR(ReadForest(ctx, &read));
    TF_RETURN_IF_ERROR(ReadNoise(ctx, rule_, read, &noise));
    TF_RETURN_IF_ERROR(TakeForest(ctx, &forest));
    TF_RETURN_IF_ERROR(ReadAnswers(ctx, forest, &said));
    TF_RETURN_IF_ERROR(TakeEmbeddings(ctx, forest, true, &rows));
    TF_RETURN_IF_ERROR(ForLaunch(rows, &embeddings));
    TF_RETURN_IF_ERROR(AllocateVector(ctx, "next_parent", read.batch, &parent));
    TF_RETURN_IF_ERROR(AllocateVector(ctx, "next_action", read.batch, &action));
    Tensor leaf;
    TF_RETURN_IF_ERROR(
        ctx->allocate_temp(::tensorflow::DT_INT32, TensorShape({read.batch}), &leaf));
    const LookaheadAnswers answers = ForLaunch(said);
    CUstream_st* stream = StreamOf(ctx);
    TF_RETURN_IF_ERROR(Launched(lookahead_mcts_cuda_expand(stream, &forest, &answers, &embeddings,
                                                           1, leaf.flat<int32_t>().data())));
    read = {forest.nodes, forest.edges,     forest.stats,
            forest.batch, forest.num_nodes, forest.num_actions};
    return Launched(
        lookahead_mcts_cuda_simulate(stream, &read, &rule_, &noise, &embeddings, parent, action));
  }

  Rule rule_;
};

#define LOOKAHEAD_REGISTER_GPU(name) \
  REGISTER_KERNEL_BUILDER(Name("LookaheadMcts" #name).Device(DEVICE_GPU), Gpu##name##Op)

LOOKAHEAD_REGISTER_GPU(Root);
LOOKAHEAD_REGISTER_GPU(Simulate);
LOOKAHEAD_REGISTER_GPU(Expand);
LOOKAHEAD_REGISTER_GPU(Backward);
LOOKAHEAD_REGISTER_GPU(Step);

}  // namespace

// Says to loader.has_cuda that the kernels above are in the library.
REGISTER_OP("LookaheadMctsCudaMarker");

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_CUDA

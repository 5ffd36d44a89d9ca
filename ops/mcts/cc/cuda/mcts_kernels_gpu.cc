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
    RootArguments a;
    LookaheadEmbeddings embeddings;
    TF_RETURN_IF_ERROR(Take(ctx, num_nodes_, nullptr, &a));
    TF_RETURN_IF_ERROR(ForLaunch(a.embeddings, &embeddings));
    return Launched(
        lookahead_mcts_cuda_plant(StreamOf(ctx), &a.forest, a.prior_logits, a.value, &embeddings));
  }

  int64_t num_nodes_;
};

class GpuSimulateOp : public GpuOp {
 public:
  explicit GpuSimulateOp(OpKernelConstruction* ctx) : GpuOp(ctx) {
    OP_REQUIRES_OK(ctx, ReadRule(ctx, &rule_, &has_parameters_));
  }

 private:
  Status Run(OpKernelContext* ctx) override {
    SimulateArguments a;
    const LookaheadEmbeddings none = {};
    TF_RETURN_IF_ERROR(Take(ctx, rule_, has_parameters_, &a));
    return Launched(lookahead_mcts_cuda_simulate(StreamOf(ctx), &a.forest, &rule_, a.parameters,
                                                 &a.noise, &none, a.parent, a.action));
  }

  Rule rule_;
  bool has_parameters_;
};

class GpuExpandOp : public GpuOp {
 public:
  using GpuOp::GpuOp;

 private:
  Status Run(OpKernelContext* ctx) override {
    ExpandArguments a;
    LookaheadEmbeddings embeddings;
    TF_RETURN_IF_ERROR(Take(ctx, &a));
    TF_RETURN_IF_ERROR(ForLaunch(a.embeddings, &embeddings));
    const LookaheadAnswers answers = ForLaunch(a.answers);
    return Launched(
        lookahead_mcts_cuda_expand(StreamOf(ctx), &a.forest, &answers, &embeddings, 0, a.leaf));
  }
};

class GpuBackwardOp : public GpuOp {
 public:
  using GpuOp::GpuOp;

 private:
  Status Run(OpKernelContext* ctx) override {
    BackwardArguments a;
    TF_RETURN_IF_ERROR(Take(ctx, &a));
    return Launched(lookahead_mcts_cuda_backward(StreamOf(ctx), &a.forest, a.leaf));
  }
};

// Two launches: expand and backward, then the next simulate.
class GpuStepOp : public GpuOp {
 public:
  explicit GpuStepOp(OpKernelConstruction* ctx) : GpuOp(ctx) {
    OP_REQUIRES_OK(ctx, ReadRule(ctx, &rule_, &has_parameters_));
  }

 private:
  Status Run(OpKernelContext* ctx) override {
    StepArguments a;
    LookaheadEmbeddings embeddings;
    Tensor leaf;
    TF_RETURN_IF_ERROR(Take(ctx, rule_, has_parameters_, &a));
    TF_RETURN_IF_ERROR(ForLaunch(a.embeddings, &embeddings));
    TF_RETURN_IF_ERROR(
        ctx->allocate_temp(::tensorflow::DT_INT32, TensorShape({a.forest.batch}), &leaf));
    const LookaheadAnswers answers = ForLaunch(a.answers);
    CUstream_st* stream = StreamOf(ctx);
    TF_RETURN_IF_ERROR(Launched(lookahead_mcts_cuda_expand(stream, &a.forest, &answers, &embeddings,
                                                           1, leaf.flat<int32_t>().data())));
    const ConstForest read = {a.forest.nodes, a.forest.edges,     a.forest.stats,
                              a.forest.batch, a.forest.num_nodes, a.forest.num_actions};
    return Launched(lookahead_mcts_cuda_simulate(stream, &read, &rule_, a.parameters, &a.noise,
                                                 &embeddings, a.parent, a.action));
  }

  Rule rule_;
  bool has_parameters_;
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

// The latent plan's kernel for GPUs: checks the arguments as on the CPU, launches,
// and waits for the word that every row had elites. Compiled where nvcc has
// compiled the launchers; needs no header of CUDA's.

#ifdef LOOKAHEAD_CUDA

#include <string>
#include <vector>

#include "ops/cem/cc/cuda/launchers.h"
#include "ops/cem/cc/cuda/stream.h"
#include "ops/cem/cc/kernels/op_arguments.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace lookahead {
namespace cem {
namespace {

using ::tensorflow::DEVICE_GPU;
using ::tensorflow::DT_FLOAT;
using ::tensorflow::DT_INT32;
using ::tensorflow::OkStatus;
using ::tensorflow::OpKernel;
using ::tensorflow::OpKernelConstruction;
using ::tensorflow::OpKernelContext;
using ::tensorflow::Status;
using ::tensorflow::Tensor;
using ::tensorflow::TensorShape;

Status Copy(CUstream_st* stream, const float* from, int64_t floats, float* to) {
  return Launched(lookahead_cem_cuda_copy(stream, from, floats * sizeof(float), to));
}

// Where the first iteration that lacked elites did, as the CPU finds it.
Shortage FirstShortage(const std::vector<int32_t>& rows) {
  Shortage first = {-1, -1};
  for (size_t b = 0; b < rows.size(); ++b) {
    const int64_t iteration = rows[b] - 1;
    if (iteration < 0 || (first.belief >= 0 && iteration >= first.iteration)) continue;
    first = {static_cast<int64_t>(b), iteration};
  }
  return first;
}

class GpuPlanLatentOp : public OpKernel {
 public:
  explicit GpuPlanLatentOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    std::string precision;
    OP_REQUIRES_OK(ctx, ctx->GetAttr("precision", &precision));
    OP_REQUIRES_OK(ctx, ReadRefit(ctx, &plan_.settings));
    OP_REQUIRES_OK(ctx, ReadModelAttributes(ctx, &plan_.model));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("num_iterations", &plan_.settings.iterations));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("num_candidates", &plan_.settings.candidates));
    plan_.bfloat16 = precision == "bfloat16";
  }

  void Compute(OpKernelContext* ctx) override { OP_REQUIRES_OK(ctx, Run(ctx)); }

 private:
  Status Run(OpKernelContext* ctx) {
    LookaheadLatentPlan plan = plan_;
    Settings& settings = plan.settings;
    Belief belief;
    PlanNoise noise;
    TF_RETURN_IF_ERROR(ReadPlan(ctx, &settings, &plan.model, &belief, &noise));
    plan.deterministic = belief.deterministic;
    plan.stochastic = belief.stochastic;
    plan.noise = noise.actions;
    plan.latent_noise = noise.latents;
    plan.seed = noise.seed;
    Tensor bounds, shortage, workspace;
    TF_RETURN_IF_ERROR(CopyBounds(ctx, plan.model.action_size, &settings, &bounds));
    TF_RETURN_IF_ERROR(CopyFit(ctx, "initial_mean", "mean", plan, &plan.proposal.mean));
    TF_RETURN_IF_ERROR(CopyFit(ctx, "initial_stddev", "stddev", plan, &plan.proposal.stddev));
    const TensorShape elites({settings.batch, settings.elites});
    TF_RETURN_IF_ERROR(Allocate(ctx, "returns", elites, &plan.returns));
    TF_RETURN_IF_ERROR(ctx->allocate_temp(DT_INT32, TensorShape({settings.batch}), &shortage));
    plan.shortage = shortage.flat<int32_t>().data();
    const TensorShape floats({lookahead_cem_cuda_workspace(&plan)});
    TF_RETURN_IF_ERROR(ctx->allocate_temp(DT_FLOAT, floats, &workspace));
    plan.workspace = workspace.flat<float>().data();
    TF_RETURN_IF_ERROR(Launched(lookahead_cem_cuda_plan(StreamOf(ctx), &plan)));
    return Wait(ctx, plan);
  }

  static Status Allocate(OpKernelContext* ctx, const char* name, const TensorShape& shape,
                         float** data) {
    Tensor* tensor;
    TF_RETURN_IF_ERROR(ctx->allocate_output(name, shape, &tensor));
    *data = tensor->flat<float>().data();
    return OkStatus();
  }

  // The bounds were checked on the host; from here on the device's copies count.
  static Status CopyBounds(OpKernelContext* ctx, int64_t action_size, Settings* settings,
                           Tensor* bounds) {
    TF_RETURN_IF_ERROR(ctx->allocate_temp(DT_FLOAT, TensorShape({2, action_size}), bounds));
    float* low = bounds->flat<float>().data();
    float* high = low + action_size;
    TF_RETURN_IF_ERROR(Copy(StreamOf(ctx), settings->action_min, action_size, low));
    TF_RETURN_IF_ERROR(Copy(StreamOf(ctx), settings->action_max, action_size, high));
    settings->action_min = low;
    settings->action_max = high;
    return OkStatus();
  }

  // An output that begins as a copy of the input.
  static Status CopyFit(OpKernelContext* ctx, const char* input, const char* output,
                        const LookaheadLatentPlan& plan, float** fit) {
    const int64_t batch = plan.settings.batch, horizon = plan.settings.horizon;
    const TensorShape shape({batch, horizon, plan.model.action_size});
    const float* from;
    TF_RETURN_IF_ERROR(ReadInput(ctx, input, {batch, horizon, plan.model.action_size}, &from));
    TF_RETURN_IF_ERROR(Allocate(ctx, output, shape, fit));
    return Copy(StreamOf(ctx), from, shape.num_elements(), *fit);
  }

  static Status Wait(OpKernelContext* ctx, const LookaheadLatentPlan& plan) {
    std::vector<int32_t> rows(plan.settings.batch);
    const int64_t bytes = rows.size() * sizeof(int32_t);
    TF_RETURN_IF_ERROR(
        Launched(lookahead_cem_cuda_copy(StreamOf(ctx), plan.shortage, bytes, rows.data())));
    TF_RETURN_IF_ERROR(Launched(lookahead_cem_cuda_wait(StreamOf(ctx))));
    return ShortageError(FirstShortage(rows), plan.settings);
  }

  LookaheadLatentPlan plan_ = {};
};

REGISTER_KERNEL_BUILDER(Name("LookaheadCemPlanLatent")
                            .Device(DEVICE_GPU)
                            .HostMemory("action_min")
                            .HostMemory("action_max")
                            .HostMemory("seed"),
                        GpuPlanLatentOp);

}  // namespace
}  // namespace cem
}  // namespace lookahead

#endif  // LOOKAHEAD_CUDA

// The ops' CPU kernels: read the arguments, lend the device's threads and memory,
// report a shortage. The planning itself is planner.h.

#include <algorithm>
#include <cstring>

#include "ops/cem/cc/kernels/cpu_device.h"
#include "ops/cem/cc/kernels/op_arguments.h"
#include "ops/cem/cc/kernels/planner.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace lookahead {
namespace cem {
namespace {

using ::tensorflow::DEVICE_CPU;
using ::tensorflow::DT_FLOAT;
using ::tensorflow::OkStatus;
using ::tensorflow::OpKernel;
using ::tensorflow::OpKernelConstruction;
using ::tensorflow::OpKernelContext;
using ::tensorflow::Status;
using ::tensorflow::Tensor;
using ::tensorflow::TensorShape;

Status Allocate(OpKernelContext* ctx, const char* name, const TensorShape& shape, float** data) {
  Tensor* tensor;
  TF_RETURN_IF_ERROR(ctx->allocate_output(name, shape, &tensor));
  *data = tensor->flat<float>().data();
  return OkStatus();
}

// Outputs for the fit, which begins as a copy of the inputs of the same kind.
Status AllocateFit(OpKernelContext* ctx, const char* const inputs[2], const char* const outputs[3],
                   const Settings& settings, int64_t action_size, Proposal* proposal,
                   float** returns) {
  const std::vector<int64_t> plan = {settings.batch, settings.horizon, action_size};
  const float *mean, *stddev;
  TF_RETURN_IF_ERROR(ReadInput(ctx, inputs[0], plan, &mean));
  TF_RETURN_IF_ERROR(ReadInput(ctx, inputs[1], plan, &stddev));
  TensorShape shape;
  TF_RETURN_IF_ERROR(TensorShape::BuildTensorShape(plan, &shape));
  TF_RETURN_IF_ERROR(Allocate(ctx, outputs[0], shape, &proposal->mean));
  TF_RETURN_IF_ERROR(Allocate(ctx, outputs[1], shape, &proposal->stddev));
  std::memcpy(proposal->mean, mean, shape.num_elements() * sizeof(float));
  std::memcpy(proposal->stddev, stddev, shape.num_elements() * sizeof(float));
  return Allocate(ctx, outputs[2], TensorShape({settings.batch, settings.elites}), returns);
}

class PlanLatentOp : public OpKernel {
 public:
  explicit PlanLatentOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, ReadInstructionSet(ctx, true, &kernels_));
    OP_REQUIRES_OK(ctx, ReadRefit(ctx, &settings_));
    OP_REQUIRES_OK(ctx, ReadModelAttributes(ctx, &model_));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("num_iterations", &settings_.iterations));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("num_candidates", &settings_.candidates));
  }

  void Compute(OpKernelContext* ctx) override { OP_REQUIRES_OK(ctx, Run(ctx)); }

 private:
  Status Run(OpKernelContext* ctx) {
    Settings settings = settings_;
    Model model = model_;
    Belief belief;
    PlanNoise noise;
    TF_RETURN_IF_ERROR(ReadPlan(ctx, &settings, &model, &belief, &noise));
    Proposal proposal;
    float* returns;
    const char* const inputs[] = {"initial_mean", "initial_stddev"};
    const char* const outputs[] = {"mean", "stddev", "returns"};
    TF_RETURN_IF_ERROR(
        AllocateFit(ctx, inputs, outputs, settings, model.action_size, &proposal, &returns));
    Tensor memory;
    const TensorShape floats({PlanFloats(*kernels_, model, settings)});
    TF_RETURN_IF_ERROR(ctx->allocate_temp(DT_FLOAT, floats, &memory));
    const Shortage shortage = Plan(*kernels_, model, settings, belief, noise, ThreadsOf(ctx),
                                   proposal, returns, memory.flat<float>().data());
    return ShortageError(shortage, settings);
  }

  const Kernels* kernels_;
  Settings settings_ = {};
  Model model_ = {};
};

class SampleOp : public OpKernel {
 public:
  explicit SampleOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, ReadInstructionSet(ctx, false, &kernels_));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("num_candidates", &settings_.candidates));
  }

  void Compute(OpKernelContext* ctx) override { OP_REQUIRES_OK(ctx, Run(ctx)); }

 private:
  Status Run(OpKernelContext* ctx) {
    Settings settings = settings_;
    int64_t action_size;
    Seed seed;
    const float *mean, *stddev, *noise;
    float* actions;
    TF_RETURN_IF_ERROR(ReadPlanShape(ctx, "mean", &settings, &action_size));
    const int64_t batch = settings.batch, horizon = settings.horizon;
    TF_RETURN_IF_ERROR(ReadInput(ctx, "mean", {batch, horizon, action_size}, &mean));
    TF_RETURN_IF_ERROR(ReadInput(ctx, "stddev", {batch, horizon, action_size}, &stddev));
    TF_RETURN_IF_ERROR(ReadBounds(ctx, action_size, &settings));
    TF_RETURN_IF_ERROR(ReadSeed(ctx, &seed));
    const TensorShape shape({batch, settings.candidates, horizon, action_size});
    TF_RETURN_IF_ERROR(
        ReadNoise(ctx, "noise", {batch, settings.candidates, horizon, action_size}, &noise));
    TF_RETURN_IF_ERROR(Allocate(ctx, "actions", shape, &actions));
    const int64_t size = horizon * action_size;
    const Stream stream = StreamOf(seed);
    const auto range = [&](int64_t begin, int64_t end) {
      const float* drawn = noise == nullptr ? actions : noise;
      if (noise == nullptr) {
        kernels_->draw(stream, begin * size, (end - begin) * size, actions + begin * size);
      }
      for (int64_t n = begin; n < end; ++n) {
        const int64_t b = n / settings.candidates;
        Propose(drawn + n * size, mean + b * size, stddev + b * size, settings, size, action_size,
                actions + n * size);
      }
    };
    ThreadsOf(ctx).parallel_for(batch * settings.candidates, 10 * size, range);
    return OkStatus();
  }

  const Kernels* kernels_;
  Settings settings_ = {};
};

class RefitOp : public OpKernel {
 public:
  explicit RefitOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    std::string ties;
    OP_REQUIRES_OK(ctx, ReadRefit(ctx, &settings_));
    OP_REQUIRES_OK(ctx, ctx->GetAttr("ties", &ties));
    settings_.drop_ties = ties == "drop";
  }

  void Compute(OpKernelContext* ctx) override { OP_REQUIRES_OK(ctx, Run(ctx)); }

 private:
  Status Run(OpKernelContext* ctx) {
    Settings settings = settings_;
    int64_t action_size;
    const Tensor* judged;
    const float *actions, *returns;
    TF_RETURN_IF_ERROR(ctx->input("returns", &judged));
    if (judged->dims() != 2) {
      return ::tensorflow::errors::InvalidArgument("returns must be [B, J], got ",
                                                   judged->shape().DebugString());
    }
    settings.candidates = std::max<int64_t>(judged->dim_size(1), 1);
    TF_RETURN_IF_ERROR(ReadPlanShape(ctx, "mean", &settings, &action_size));
    const int64_t batch = settings.batch, candidates = settings.candidates;
    TF_RETURN_IF_ERROR(ReadInput(ctx, "returns", {batch, candidates}, &returns));
    TF_RETURN_IF_ERROR(
        ReadInput(ctx, "actions", {batch, candidates, settings.horizon, action_size}, &actions));
    Proposal proposal;
    float* elite_returns;
    const char* const inputs[] = {"mean", "stddev"};
    const char* const outputs[] = {"new_mean", "new_stddev", "elite_returns"};
    TF_RETURN_IF_ERROR(
        AllocateFit(ctx, inputs, outputs, settings, action_size, &proposal, &elite_returns));
    const int64_t row = Refit(settings, action_size, actions, returns, proposal, elite_returns);
    return ShortageError({row, 0}, settings);
  }

  Settings settings_ = {};
};

#define LOOKAHEAD_REGISTER_CPU(name) \
  REGISTER_KERNEL_BUILDER(Name("LookaheadCem" #name).Device(DEVICE_CPU), name##Op)

LOOKAHEAD_REGISTER_CPU(PlanLatent);
LOOKAHEAD_REGISTER_CPU(Sample);
LOOKAHEAD_REGISTER_CPU(Refit);

}  // namespace
}  // namespace cem
}  // namespace lookahead

// The CPU kernels of the ops that all games have. The games themselves are games_cpu.h.

#include "ops/games/cc/kernels/game_op.h"
#include "tensorflow/core/framework/tensor_shape.h"

namespace lookahead {
namespace games {
namespace {

using ::tensorflow::DEVICE_CPU;
using ::tensorflow::OpKernelContext;
using ::tensorflow::Status;
using ::tensorflow::Tensor;
using ::tensorflow::TensorShape;
using ::tensorflow::errors::InvalidArgument;

class StepOp : public GameOp {
 public:
  using GameOp::GameOp;

 private:
  Status Run(OpKernelContext* ctx) override {
    const Tensor &state = ctx->input(0), &action = ctx->input(1);
    TF_RETURN_IF_ERROR(CheckState(state));
    const int64_t batch = state.dim_size(0), size = rules().StateSize();
    const int64_t num_actions = rules().NumActions();
    if (action.dims() != 1 || action.dim_size(0) != batch) {
      return InvalidArgument("action has shape ", action.shape().DebugString(), ", expected [",
                             batch, "]");
    }
    Tensor *next, *reward, *discount, *legal;
    const uint8_t* from = state.flat<uint8_t>().data();
    TF_RETURN_IF_ERROR(ctx->forward_input_or_allocate_output({0}, 0, state.shape(), &next));
    TF_RETURN_IF_ERROR(ctx->allocate_output(1, TensorShape({batch}), &reward));
    TF_RETURN_IF_ERROR(ctx->allocate_output(2, TensorShape({batch}), &discount));
    TF_RETURN_IF_ERROR(ctx->allocate_output(3, TensorShape({batch, num_actions}), &legal));
    uint8_t* to = next->flat<uint8_t>().data();
    const int32_t* actions = action.flat<int32_t>().data();
    float *rewards = reward->flat<float>().data(), *discounts = discount->flat<float>().data();
    bool* legals = legal->flat<bool>().data();
    return ForEachRow(ctx, batch, 60, actions, [=](int64_t row) {
      return Step(rules(), from + row * size, actions[row], to + row * size, rewards + row,
                  discounts + row, legals + row * num_actions);
    });
  }
};

class LegalOp : public GameOp {
 public:
  using GameOp::GameOp;

 private:
  Status Run(OpKernelContext* ctx) override {
    const Tensor& state = ctx->input(0);
    TF_RETURN_IF_ERROR(CheckState(state));
    const int64_t batch = state.dim_size(0), size = rules().StateSize();
    const int64_t num_actions = rules().NumActions();
    Tensor* legal;
    TF_RETURN_IF_ERROR(ctx->allocate_output(0, TensorShape({batch, num_actions}), &legal));
    const uint8_t* from = state.flat<uint8_t>().data();
    bool* to = legal->flat<bool>().data();
    return ForEachRow(ctx, batch, 40, nullptr, [=](int64_t row) {
      return Legal(rules(), from + row * size, to + row * num_actions);
    });
  }
};

class ObserveOp : public GameOp {
 public:
  using GameOp::GameOp;

 private:
  Status Run(OpKernelContext* ctx) override {
    const Tensor& state = ctx->input(0);
    TF_RETURN_IF_ERROR(CheckState(state));
    const int64_t batch = state.dim_size(0), size = rules().StateSize();
    const int64_t numbers = rules().Cells() * rules().NumPlanes();
    Tensor* planes;
    const TensorShape shape({batch, rules().size, rules().Width(), rules().NumPlanes()});
    TF_RETURN_IF_ERROR(ctx->allocate_output(0, shape, &planes));
    const uint8_t* from = state.flat<uint8_t>().data();
    float* to = planes->flat<float>().data();
    return ForEachRow(ctx, batch, 10, nullptr, [=](int64_t row) {
      return Observe(rules(), from + row * size, to + row * numbers);
    });
  }
};

REGISTER_KERNEL_BUILDER(Name("LookaheadGamesStep").Device(DEVICE_CPU), StepOp);
REGISTER_KERNEL_BUILDER(Name("LookaheadGamesLegal").Device(DEVICE_CPU), LegalOp);
REGISTER_KERNEL_BUILDER(Name("LookaheadGamesObserve").Device(DEVICE_CPU), ObserveOp);

}  // namespace
}  // namespace games
}  // namespace lookahead

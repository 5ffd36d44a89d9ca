// The CPU kernels of AlphaGo's view of Go: planes, and rollouts by a linear policy.

#include "ops/games/cc/kernels/game_op.h"
#include "ops/games/cc/kernels/go_patterns.h"
#include "ops/games/cc/kernels/go_planes.h"
#include "tensorflow/core/framework/tensor_shape.h"

namespace lookahead {
namespace games {
namespace {

using ::tensorflow::DEVICE_CPU;
using ::tensorflow::OpKernelConstruction;
using ::tensorflow::OpKernelContext;
using ::tensorflow::Status;
using ::tensorflow::Tensor;
using ::tensorflow::TensorShape;
using ::tensorflow::errors::InvalidArgument;

class GoOp : public GameOp {
 public:
  explicit GoOp(OpKernelConstruction* ctx) : GameOp(ctx) {
    OP_REQUIRES(ctx, rules().game == kGo, InvalidArgument("game is not go"));
  }
};

class GoPlanesOp : public GoOp {
 public:
  explicit GoPlanesOp(OpKernelConstruction* ctx) : GoOp(ctx) {
    OP_REQUIRES_OK(ctx, ctx->GetAttr("ladder_moves", &ladder_moves_));
    const char* fault = FaultOfLadderMoves(ladder_moves_);
    OP_REQUIRES(ctx, fault == nullptr, InvalidArgument(fault));
  }

 private:
  Status Run(OpKernelContext* ctx) override {
    const Tensor& state = ctx->input(0);
    TF_RETURN_IF_ERROR(CheckState(state));
    const int64_t batch = state.dim_size(0), size = rules().StateSize();
    const int64_t numbers = rules().Cells() * kNumGoPlanes;
    Tensor* planes;
    const TensorShape shape({batch, rules().size, rules().size, kNumGoPlanes});
    TF_RETURN_IF_ERROR(ctx->allocate_output(0, shape, &planes));
    const uint8_t* from = state.flat<uint8_t>().data();
    float* to = planes->flat<float>().data();
    return ForEachRow(ctx, batch, ladder_moves_ > 0 ? 1000 : 300, nullptr, [=](int64_t row) {
      return GoPlanes(rules(), from + row * size, ladder_moves_, to + row * numbers);
    });
  }

  int ladder_moves_;
};

class GoFeaturesOp : public GoOp {
 public:
  explicit GoFeaturesOp(OpKernelConstruction* ctx) : GoOp(ctx) {
    OP_REQUIRES_OK(ctx, ctx->GetAttr("nakade", &nakade_));
  }

 private:
  Status Run(OpKernelContext* ctx) override {
    const Tensor& state = ctx->input(0);
    TF_RETURN_IF_ERROR(CheckState(state));
    const int64_t batch = state.dim_size(0), size = rules().StateSize();
    const int64_t numbers = rules().NumActions() * kFeaturesAMove;
    Tensor* features;
    const TensorShape shape({batch, rules().NumActions(), kFeaturesAMove});
    TF_RETURN_IF_ERROR(ctx->allocate_output(0, shape, &features));
    const uint8_t* from = state.flat<uint8_t>().data();
    int32_t* to = features->flat<int32_t>().data();
    return ForEachRow(ctx, batch, 200, nullptr, [=](int64_t row) {
      return GoFeatures(rules(), from + row * size, nakade_, to + row * numbers);
    });
  }

  bool nakade_;
};

class GoRolloutOp : public GoOp {
 public:
  explicit GoRolloutOp(OpKernelConstruction* ctx) : GoOp(ctx) {
    OP_REQUIRES_OK(ctx, ctx->GetAttr("nakade", &nakade_));
  }

 private:
  Status Run(OpKernelContext* ctx) override {
    const Tensor &state = ctx->input(0), &odds = ctx->input(1), &seed = ctx->input(2);
    TF_RETURN_IF_ERROR(CheckState(state));
    const int64_t batch = state.dim_size(0), size = rules().StateSize();
    const bool by_row = seed.dims() == 2 && seed.dim_size(0) == batch && seed.dim_size(1) == 2;
    if (!by_row && !(seed.dims() == 1 && seed.dim_size(0) == 2)) {
      return InvalidArgument("seed has shape ", seed.shape().DebugString(), ", expected [2] or [",
                             batch, ",2]");
    }
    // Without odds all moves are as likely.
    const bool uniform = odds.NumElements() == 0;
    const float* chances = odds.flat<float>().data();
    const char* fault = uniform ? nullptr : FaultOfOdds(chances, odds.NumElements());
    if (fault != nullptr) return InvalidArgument(fault);
    Tensor* outcome;
    TF_RETURN_IF_ERROR(ctx->allocate_output(0, TensorShape({batch}), &outcome));
    const uint8_t* from = state.flat<uint8_t>().data();
    const int32_t* seeds = seed.flat<int32_t>().data();
    float* to = outcome->flat<float>().data();
    return ForEachRow(ctx, batch, uniform ? 500 : 4000, nullptr, [=](int64_t row) {
      const int32_t* own = by_row ? seeds + 2 * row : seeds;
      const uint64_t number = static_cast<uint64_t>(static_cast<uint32_t>(own[0])) << 32 |
                              static_cast<uint32_t>(own[1]);
      const int64_t stream = by_row ? 0 : row;
      if (uniform) return Rollout(rules(), from + row * size, number, stream, to + row);
      return GoRollout(rules(), from + row * size, chances, nakade_, number, stream, to + row);
    });
  }

  bool nakade_;
};

REGISTER_KERNEL_BUILDER(Name("LookaheadGamesGoPlanes").Device(DEVICE_CPU), GoPlanesOp);
REGISTER_KERNEL_BUILDER(Name("LookaheadGamesGoFeatures").Device(DEVICE_CPU), GoFeaturesOp);
REGISTER_KERNEL_BUILDER(Name("LookaheadGamesGoRollout").Device(DEVICE_CPU), GoRolloutOp);

}  // namespace
}  // namespace games
}  // namespace lookahead

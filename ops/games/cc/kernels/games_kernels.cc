// The ops' CPU kernels: check the arguments, share the states out over the device's
// threads, report the first fault. The games themselves are games_cpu.h.

#include <atomic>
#include <functional>
#include <limits>

#include "ops/games/cc/kernels/games_cpu.h"
#include "ops/games/cc/kernels/read_rules.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/tensor_shape.h"

namespace lookahead {
namespace games {
namespace {

using ::tensorflow::DEVICE_CPU;
using ::tensorflow::OkStatus;
using ::tensorflow::OpKernel;
using ::tensorflow::OpKernelConstruction;
using ::tensorflow::OpKernelContext;
using ::tensorflow::Status;
using ::tensorflow::Tensor;
using ::tensorflow::TensorShape;
using ::tensorflow::errors::InvalidArgument;

// The fault of the lowest row, whichever thread saw it first.
class FirstFault {
 public:
  void Report(int64_t row, Fault fault) {
    int64_t mine = row * kFaults + fault, seen = first_.load();
    while (mine < seen && !first_.compare_exchange_weak(seen, mine)) {
    }
  }
  bool none() const { return first_.load() == kNone; }
  int64_t row() const { return first_.load() / kFaults; }
  Fault fault() const { return static_cast<Fault>(first_.load() % kFaults); }

 private:
  static constexpr int64_t kFaults = 4, kNone = std::numeric_limits<int64_t>::max();
  std::atomic<int64_t> first_{kNone};
};

// Runs inline: the executor hands an "expensive" kernel to another thread, which
// costs more than a small batch.
class GameOp : public OpKernel {
 public:
  explicit GameOp(OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, ReadRules(ctx, &rules_));
  }
  bool IsExpensive() override { return false; }
  void Compute(OpKernelContext* ctx) override { OP_REQUIRES_OK(ctx, Run(ctx)); }

 protected:
  virtual Status Run(OpKernelContext* ctx) = 0;

  const Rules& rules() const { return rules_; }

  Status CheckState(const Tensor& state) const {
    if (state.dims() == 2 && state.dim_size(1) == rules_.StateSize()) return OkStatus();
    return InvalidArgument("state has shape ", state.shape().DebugString(), ", expected [B, ",
                           rules_.StateSize(), "]");
  }

  // Runs `one_row` for each of `batch` rows, on the device's threads; `action` is null
  // where nothing is played.
  Status ForEachRow(OpKernelContext* ctx, int64_t batch, int64_t cycles_a_cell,
                    const int32_t* action, const std::function<Fault(int64_t)>& one_row) const {
    FirstFault first;
    const auto* threads = ctx->device()->tensorflow_cpu_worker_threads();
    const auto range = [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const Fault fault = one_row(row);
        if (fault != kNoFault) first.Report(row, fault);
      }
    };
    threads->workers->ParallelFor(batch, kCyclesARow + cycles_a_cell * rules_.Cells(), range);
    if (first.none()) return OkStatus();
    if (first.fault() == kIllegalAction) {
      return InvalidArgument("action ", action[first.row()], " is illegal (row ", first.row(),
                             " of the batch)");
    }
    return InvalidArgument("state is not one of the game's (row ", first.row(), " of the batch)");
  }

 private:
  static constexpr int64_t kCyclesARow = 200;

  Rules rules_;
};

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

// What the ops' CPU kernels have in common: they check the arguments, share the states
// out over the device's threads, and report the first fault.

#ifndef LOOKAHEAD_OPS_GAMES_CC_KERNELS_GAME_OP_H_
#define LOOKAHEAD_OPS_GAMES_CC_KERNELS_GAME_OP_H_

#include <atomic>
#include <functional>
#include <limits>

#include "ops/games/cc/kernels/games_cpu.h"
#include "ops/games/cc/kernels/read_rules.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor.h"

namespace lookahead {
namespace games {

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
class GameOp : public tensorflow::OpKernel {
 public:
  explicit GameOp(tensorflow::OpKernelConstruction* ctx) : OpKernel(ctx) {
    OP_REQUIRES_OK(ctx, ReadRules(ctx, &rules_));
  }
  bool IsExpensive() override { return false; }
  void Compute(tensorflow::OpKernelContext* ctx) override { OP_REQUIRES_OK(ctx, Run(ctx)); }

 protected:
  virtual tensorflow::Status Run(tensorflow::OpKernelContext* ctx) = 0;

  const Rules& rules() const { return rules_; }

  tensorflow::Status CheckState(const tensorflow::Tensor& state) const {
    if (state.dims() == 2 && state.dim_size(1) == rules_.StateSize()) return tensorflow::OkStatus();
    return tensorflow::errors::InvalidArgument("state has shape ", state.shape().DebugString(),
                                               ", expected [B, ", rules_.StateSize(), "]");
  }

  // Runs `one_row` for each of `batch` rows, on the device's threads; `action` is null
  // where nothing is played.
  tensorflow::Status ForEachRow(tensorflow::OpKernelContext* ctx, int64_t batch,
                                int64_t cycles_a_cell, const int32_t* action,
                                const std::function<Fault(int64_t)>& one_row) const {
    FirstFault first;
    const auto* threads = ctx->device()->tensorflow_cpu_worker_threads();
    const auto range = [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const Fault fault = one_row(row);
        if (fault != kNoFault) first.Report(row, fault);
      }
    };
    threads->workers->ParallelFor(batch, kCyclesARow + cycles_a_cell * rules_.Cells(), range);
    if (first.none()) return tensorflow::OkStatus();
    if (first.fault() == kIllegalAction) {
      return tensorflow::errors::InvalidArgument(
          "action ", action[first.row()], " is illegal (row ", first.row(), " of the batch)");
    }
    return tensorflow::errors::InvalidArgument("state is not one of the game's (row ", first.row(),
                                               " of the batch)");
  }

 private:
  static constexpr int64_t kCyclesARow = 200;

  Rules rules_;
};

}  // namespace games
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_GAMES_CC_KERNELS_GAME_OP_H_

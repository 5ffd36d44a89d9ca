// Shares the trees of a batch out over the device's threads.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_SHARE_TREES_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_SHARE_TREES_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "ops/mcts/cc/kernels/crew.h"
#include "ops/mcts/cc/kernels/tree.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace lookahead {
namespace mcts {

using OneTree = std::function<Fault(int64_t b, float* scratch)>;

// A kernel keeps one, which learns from call to call how long a tree takes and
// how soon the next call follows: a step is a few microseconds, so another
// thread is only asked where that is worth it. Trees share nothing, so results
// do not depend on who runs what. Safe to use from several threads.
class TreeSharing {
 public:
  // Runs `one_tree` for each tree; InvalidArgument for the lowest that has a
  // fault. `scratch` is ScratchSize(num_actions) floats of the thread's own.
  tensorflow::Status ForEach(tensorflow::OpKernelContext* ctx, int64_t batch, int64_t num_actions,
                             const OneTree& one_tree);

 private:
  // A crew, and how many helpers were asked to come and have not left.
  struct Helpers {
    Crew crew;
    std::atomic<int64_t> count{0};
  };
  using Range = std::function<void(int64_t begin, int64_t end)>;

  int64_t Shares(tensorflow::OpKernelContext* ctx, int64_t batch) const;
  void Run(tensorflow::OpKernelContext* ctx, int64_t batch, const Range& range);
  int64_t RunTogether(tensorflow::OpKernelContext* ctx, int64_t shares, int64_t batch,
                      const Range& range);
  void AskHelpers(tensorflow::OpKernelContext* ctx, int64_t wanted);

  const std::shared_ptr<Helpers> helpers_ = std::make_shared<Helpers>();
  std::mutex mutex_;                // of all below; who finds it locked runs alone
  float tree_nanoseconds_ = 0.0f;   // a tree's, lately; 0 before the first
  float pause_nanoseconds_ = 1e5f;  // from the end of a call to the next, lately
  std::chrono::steady_clock::time_point ended_;
};

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_SHARE_TREES_H_

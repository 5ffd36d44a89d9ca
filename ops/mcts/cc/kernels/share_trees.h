// Shares the trees of a batch out over the device's threads.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_SHARE_TREES_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_SHARE_TREES_H_

#include <atomic>
#include <cstdint>
#include <functional>

#include "ops/mcts/cc/kernels/tree.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace lookahead {
namespace mcts {

using OneTree = std::function<Fault(int64_t b, float* scratch)>;

// A kernel keeps one, which learns from call to call how long a tree takes: a
// step is a few microseconds, so another thread is only asked where the work is
// worth waking it. Trees share nothing, so results do not depend on who runs
// what. Safe to use from several threads.
class TreeSharing {
 public:
  // Runs `one_tree` for each tree; InvalidArgument for the lowest that has a
  // fault. `scratch` is ScratchSize(num_actions) floats of the thread's own.
  tensorflow::Status ForEach(tensorflow::OpKernelContext* ctx, int64_t batch, int64_t num_actions,
                             const OneTree& one_tree);

 private:
  std::atomic<float> nanoseconds_{0.0f};  // a tree's, lately; 0 before the first
};

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_SHARE_TREES_H_

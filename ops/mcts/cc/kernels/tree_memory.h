// Where the trees of a search on the CPU lie.

#ifndef LOOKAHEAD_OPS_MCTS_CC_KERNELS_TREE_MEMORY_H_
#define LOOKAHEAD_OPS_MCTS_CC_KERNELS_TREE_MEMORY_H_

#include "tensorflow/core/framework/allocator.h"

namespace lookahead {
namespace mcts {

// Gives the memory of one search's trees to the next: the system clears every
// page that it hands out, which costs more than the search that fills it. What
// is kept here the system may take back whenever it runs short. Lives as long
// as the process; safe to use from several threads.
tensorflow::Allocator* TreeMemory();

}  // namespace mcts
}  // namespace lookahead

#endif  // LOOKAHEAD_OPS_MCTS_CC_KERNELS_TREE_MEMORY_H_

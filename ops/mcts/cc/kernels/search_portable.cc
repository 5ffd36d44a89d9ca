// The search for any processor.

#include "ops/mcts/cc/kernels/search_simd.h"

namespace lookahead {
namespace mcts {

CpuFunctions PortableFunctions() { return {SimulateOne, ExpandOne, AdvanceOne, PlantOne}; }

}  // namespace mcts
}  // namespace lookahead

// The search for callers without TensorFlow: plain C, for ctypes. Trees run one
// after the other in the caller's thread. Each function returns 0, or
// 256 · element + fault for the first tree that has one.

#include <vector>

#include "ops/mcts/cc/kernels/faults.h"
#include "ops/mcts/cc/kernels/in_flight.h"
#include "ops/mcts/cc/kernels/numbers.h"
#include "ops/mcts/cc/kernels/search_cpu.h"

namespace lookahead {
namespace mcts {
namespace {

template <typename OneTree>
int64_t ForEachTree(const Forest& forest, const OneTree& one_tree) {
  std::vector<float> scratch(ScratchSize(forest.num_actions));
  for (int64_t b = 0; b < forest.batch; ++b) {
    const Fault fault = one_tree(b, scratch.data());
    if (fault != kNoFault) return b * 256 + fault;
  }
  return 0;
}

}  // namespace

extern "C" {

// A batch of trees with walks in flight; `through` is [B, M], `parameters` [B, 9]
// or null, `noise` that of all trees, its gumbel [B, A], read by Gumbel's rule.
struct LookaheadBusyForest {
  Forest forest;
  float* through;
  Rule rule;
  const float* parameters;
  float virtual_loss;
  RootNoise noise;
};

const char* lookahead_mcts_fault_text(int32_t fault) { return FaultText(fault); }

// Trees of their roots alone: prior_logits [B, A], value [B].
int64_t lookahead_mcts_plant(const Forest* forest, const float* prior_logits, const float* value) {
  return ForEachTree(*forest, [&](int64_t b, float*) {
    return PlantRoot(forest->At(b), prior_logits + b * forest->num_actions, value[b]);
  });
}

// The next `walks` walks of each tree: parent, action, leaf are [B, walks].
int64_t lookahead_mcts_depart(const LookaheadBusyForest* busy, int64_t walks, int32_t* parent,
                              int32_t* action, int32_t* leaf) {
  const Forest& forest = busy->forest;
  const std::vector<float> nothing(forest.num_actions, -kInfinity);
  return ForEachTree(forest, [&](int64_t b, float* scratch) {
    const BusyTree tree = {forest.At(b), busy->through + b * forest.num_nodes, busy->virtual_loss};
    const Rule rule = RuleOfTree(busy->rule, busy->parameters, b);
    RootNoise noise = busy->noise;
    if (noise.gumbel != nullptr) noise.gumbel += b * forest.num_actions;
    Fault fault = kNoFault;
    for (int64_t i = b * walks; fault == kNoFault && i < (b + 1) * walks; ++i) {
      fault = Depart(tree, rule, noise, nothing.data(), scratch, parent + i, action + i, leaf + i);
    }
    return fault;
  });
}

// The model's answers: leaf, reward, discount, value [B, walks], prior_logits
// [B, walks, A].
int64_t lookahead_mcts_answer(const LookaheadBusyForest* busy, int64_t walks, const int32_t* leaf,
                              const float* reward, const float* discount, const float* prior_logits,
                              const float* value) {
  const Forest& forest = busy->forest;
  return ForEachTree(forest, [&](int64_t b, float* scratch) {
    const BusyTree tree = {forest.At(b), busy->through + b * forest.num_nodes, busy->virtual_loss};
    Fault fault = kNoFault;
    for (int64_t i = b * walks; fault == kNoFault && i < (b + 1) * walks; ++i) {
      const Evaluation said = {reward[i], discount[i], value[i],
                               prior_logits + i * forest.num_actions};
      fault = Answer(tree, leaf[i], said, scratch);
    }
    return fault;
  });
}

// Ends walks: leaf and value are [B, walks].
int64_t lookahead_mcts_return(const LookaheadBusyForest* busy, int64_t walks, const int32_t* leaf,
                              const float* value) {
  const Forest& forest = busy->forest;
  return ForEachTree(forest, [&](int64_t b, float*) {
    const BusyTree tree = {forest.At(b), busy->through + b * forest.num_nodes, busy->virtual_loss};
    Fault fault = kNoFault;
    for (int64_t i = b * walks; fault == kNoFault && i < (b + 1) * walks; ++i) {
      fault = Return(tree, leaf[i], value[i]);
    }
    return fault;
  });
}

}  // extern "C"

}  // namespace mcts
}  // namespace lookahead

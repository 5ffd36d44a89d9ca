// The ops' CPU kernels: read the arguments, share the trees out over the
// device's threads, report the first fault. The search itself is search_cpu.h.

#include <algorithm>
#include <cstring>
#include <vector>

#include "ops/mcts/cc/kernels/faults.h"
#include "ops/mcts/cc/kernels/op_arguments.h"
#include "ops/mcts/cc/kernels/search_cpu.h"
#include "ops/mcts/cc/kernels/share_trees.h"
#include "ops/mcts/cc/kernels/tree_memory.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace lookahead {
namespace mcts {
namespace {

using ::tensorflow::DEVICE_CPU;
using ::tensorflow::OpKernel;
using ::tensorflow::OpKernelConstruction;
using ::tensorflow::OpKernelContext;
using ::tensorflow::Status;

// Runs inline: the executor hands an "expensive" kernel to another thread where
// it has anything else to do, which costs more than a step.
class TreeOp : public OpKernel {
 public:
  using OpKernel::OpKernel;
  bool IsExpensive() override { return false; }
  void Compute(OpKernelContext* ctx) override { OP_REQUIRES_OK(ctx, Run(ctx)); }

 protected:
  virtual Status Run(OpKernelContext* ctx) = 0;

  template <typename F>
  Status ForEachTree(OpKernelContext* ctx, const ForestOf<F>& forest, const OneTree& one_tree) {
    return sharing_.ForEach(ctx, forest.batch, forest.num_actions, one_tree);
  }

 private:
  TreeSharing sharing_;
};

RootNoise NoiseOf(const RootNoise& noise, int64_t b, int64_t num_actions) {
  RootNoise own = noise;
  if (own.gumbel != nullptr) own.gumbel += b * num_actions;
  return own;
}

void StoreRows(const std::vector<Embedding>& embeddings, int64_t b, int64_t num_nodes,
               int64_t node) {
  for (const Embedding& e : embeddings) {
    std::memcpy(e.whole + (b * num_nodes + node) * e.row_bytes, e.update + b * e.row_bytes,
                e.row_bytes);
  }
}

void GatherRows(const std::vector<Embedding>& embeddings, int64_t b, int64_t num_nodes,
                int64_t node) {
  for (const Embedding& e : embeddings) {
    std::memcpy(e.gathered + b * e.row_bytes, e.whole + (b * num_nodes + node) * e.row_bytes,
                e.row_bytes);
  }
}

// Zeros where a simulation made no node: `next` is what NextNode() was before.
void ClearUnmade(const std::vector<Embedding>& embeddings, int64_t b, int64_t num_nodes,
                 int64_t next, int64_t leaf) {
  if (next < 0 || next == leaf) return;
  for (const Embedding& e : embeddings) {
    std::memset(e.whole + (b * num_nodes + next) * e.row_bytes, 0, e.row_bytes);
  }
}

class RootOp : public TreeOp {
 public:
  explicit RootOp(OpKernelConstruction* ctx) : TreeOp(ctx) {
    OP_REQUIRES_OK(ctx, ctx->GetAttr("num_nodes", &num_nodes_));
  }

 private:
  Status Run(OpKernelContext* ctx) override {
    RootArguments a;
    TF_RETURN_IF_ERROR(Take(ctx, num_nodes_, TreeMemory(), &a));
    const auto plant = [&](int64_t b, float*) {
      StoreRows(a.embeddings, b, num_nodes_, 0);
      return PlantRoot(a.forest.At(b), a.prior_logits + b * a.forest.num_actions, a.value[b]);
    };
    return ForEachTree(ctx, a.forest, plant);
  }

  int64_t num_nodes_;
};

class SimulateOp : public TreeOp {
 public:
  explicit SimulateOp(OpKernelConstruction* ctx) : TreeOp(ctx) {
    OP_REQUIRES_OK(ctx, ReadRule(ctx, &rule_, &has_parameters_));
  }

 private:
  Status Run(OpKernelContext* ctx) override {
    SimulateArguments a;
    TF_RETURN_IF_ERROR(Take(ctx, rule_, has_parameters_, &a));
    const auto walk = [&](int64_t b, float* scratch) {
      return Simulate(a.forest.At(b), RuleOfTree(rule_, a.parameters, b),
                      NoiseOf(a.noise, b, a.forest.num_actions), scratch, a.parent + b,
                      a.action + b);
    };
    return ForEachTree(ctx, a.forest, walk);
  }

  Rule rule_;
  bool has_parameters_;
};

class ExpandOp : public TreeOp {
 public:
  using TreeOp::TreeOp;

 private:
  Status Run(OpKernelContext* ctx) override {
    ExpandArguments a;
    TF_RETURN_IF_ERROR(Take(ctx, &a));
    const auto expand = [&](int64_t b, float* scratch) {
      const Tree tree = a.forest.At(b);
      const int64_t next = tree.NextNode();
      const Fault fault = Expand(tree, a.answers.parent[b], a.answers.action[b],
                                 a.answers.At(b, tree.num_actions), scratch, a.leaf + b);
      if (fault == kNoFault) {
        StoreRows(a.embeddings, b, tree.num_nodes, a.leaf[b]);
        ClearUnmade(a.embeddings, b, tree.num_nodes, next, a.leaf[b]);
      }
      return fault;
    };
    return ForEachTree(ctx, a.forest, expand);
  }
};

class BackwardOp : public TreeOp {
 public:
  using TreeOp::TreeOp;

 private:
  Status Run(OpKernelContext* ctx) override {
    BackwardArguments a;
    TF_RETURN_IF_ERROR(Take(ctx, &a));
    const auto back = [&](int64_t b, float*) { return Backward(a.forest.At(b), a.leaf[b]); };
    return ForEachTree(ctx, a.forest, back);
  }
};

class StepOp : public TreeOp {
 public:
  explicit StepOp(OpKernelConstruction* ctx) : TreeOp(ctx) {
    OP_REQUIRES_OK(ctx, ReadRule(ctx, &rule_, &has_parameters_));
    if (rule_.kind != kGumbel && !has_parameters_) rates_ = RatesOf(rule_, kRates);
  }

 private:
  // Visit counts whose exploration rates are worked out beforehand.
  static constexpr int64_t kRates = 2048;

  Status Run(OpKernelContext* ctx) override {
    StepArguments a;
    TF_RETURN_IF_ERROR(Take(ctx, rule_, has_parameters_, &a));
    const auto step = [&](int64_t b, float* scratch) { return OneStep(a, b, scratch); };
    return ForEachTree(ctx, a.forest, step);
  }

  // On a copy of the tree's statistics: they share a cache line with those of
  // its neighbours, which another thread may be writing.
  Fault OneStep(const StepArguments& a, int64_t b, float* scratch) const {
    Tree tree = a.forest.At(b);
    float* const shared = tree.stats;
    float own[kStatistics];
    std::copy_n(shared, kStatistics, own);
    tree.stats = own;
    const Fault fault = StepTree(a, b, tree, scratch);
    std::copy_n(own, kStatistics, shared);
    return fault;
  }

  Fault StepTree(const StepArguments& a, int64_t b, const Tree& tree, float* scratch) const {
    int32_t leaf;
    const int64_t next = tree.NextNode();
    Fault fault = Expand(tree, a.answers.parent[b], a.answers.action[b],
                         a.answers.At(b, tree.num_actions), scratch, &leaf);
    if (fault != kNoFault) return NamedFault(fault, rule_, a.answers.action[b]);
    StoreRows(a.embeddings, b, tree.num_nodes, leaf);
    ClearUnmade(a.embeddings, b, tree.num_nodes, next, leaf);
    const Search search = {RuleOfTree(rule_, a.parameters, b),
                           NoiseOf(a.noise, b, tree.num_actions),
                           {rates_.data(), static_cast<int64_t>(rates_.size())}};
    fault = Advance(tree, leaf, search, scratch, a.parent + b, a.action + b);
    if (fault != kNoFault) return fault;
    GatherRows(a.embeddings, b, tree.num_nodes, a.parent[b]);
    return kNoFault;
  }

  Rule rule_;
  bool has_parameters_;
  std::vector<float> rates_;
};

#define LOOKAHEAD_REGISTER_CPU(name) \
  REGISTER_KERNEL_BUILDER(Name("LookaheadMcts" #name).Device(DEVICE_CPU), name##Op)

LOOKAHEAD_REGISTER_CPU(Root);
LOOKAHEAD_REGISTER_CPU(Simulate);
LOOKAHEAD_REGISTER_CPU(Expand);
LOOKAHEAD_REGISTER_CPU(Backward);
LOOKAHEAD_REGISTER_CPU(Step);

}  // namespace
}  // namespace mcts
}  // namespace lookahead

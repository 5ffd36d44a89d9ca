// The ops' CPU kernels: read the arguments, share the trees out over the
// device's threads, report the first fault. The search itself is search_cpu.h.

#include <cstring>
#include <vector>

#include "ops/mcts/cc/kernels/op_arguments.h"
#include "ops/mcts/cc/kernels/search_cpu.h"
#include "ops/mcts/cc/kernels/share_trees.h"
#include "ops/mcts/cc/kernels/tree_memory.h"
#include "tensorflow/core/framework/op_kernel.h"

namespace lookahead {
namespace mcts {
namespace {

using ::tensorflow::DEVICE_CPU;
using ::tensorflow::OkStatus;
using ::tensorflow::OpKernel;
using ::tensorflow::OpKernelConstruction;
using ::tensorflow::OpKernelContext;
using ::tensorflow::Status;
using ::tensorflow::Tensor;
using ::tensorflow::TensorShape;

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

Status AllocateVector(OpKernelContext* ctx, const char* name, int64_t size, int32_t** data) {
  Tensor* tensor;
  TF_RETURN_IF_ERROR(ctx->allocate_output(name, TensorShape({size}), &tensor));
  *data = tensor->flat<int32_t>().data();
  return OkStatus();
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

class RootOp : public TreeOp {
 public:
  explicit RootOp(OpKernelConstruction* ctx) : TreeOp(ctx) {
    OP_REQUIRES_OK(ctx, ctx->GetAttr("num_nodes", &num_nodes_));
  }

 private:
  Status Run(OpKernelContext* ctx) override {
    const Tensor* logits;
    TF_RETURN_IF_ERROR(ctx->input("prior_logits", &logits));
    if (logits->dims() != 2) {
      return ::tensorflow::errors::InvalidArgument("prior_logits must be [B, A], got ",
                                                   logits->shape().DebugString());
    }
    Forest forest = {};
    forest.batch = logits->dim_size(0);
    forest.num_nodes = num_nodes_;
    forest.num_actions = logits->dim_size(1);
    const float* value;
    TF_RETURN_IF_ERROR(ReadInput(ctx, "value", {forest.batch}, &value));
    TF_RETURN_IF_ERROR(NewForest(ctx, TreeMemory(), &forest));
    std::vector<Embedding> embeddings;
    TF_RETURN_IF_ERROR(NewEmbeddings(ctx, TreeMemory(), forest, &embeddings));
    const float* rows = logits->flat<float>().data();
    const auto plant = [&](int64_t b, float*) {
      StoreRows(embeddings, b, forest.num_nodes, 0);
      return PlantRoot(forest.At(b), rows + b * forest.num_actions, value[b]);
    };
    return ForEachTree(ctx, forest, plant);
  }

  int64_t num_nodes_;
};

class SimulateOp : public TreeOp {
 public:
  explicit SimulateOp(OpKernelConstruction* ctx) : TreeOp(ctx) {
    OP_REQUIRES_OK(ctx, ReadRule(ctx, &rule_));
  }

 private:
  Status Run(OpKernelContext* ctx) override {
    ConstForest forest;
    RootNoise noise;
    int32_t *parent, *action;
    TF_RETURN_IF_ERROR(ReadForest(ctx, &forest));
    TF_RETURN_IF_ERROR(ReadNoise(ctx, rule_, forest, &noise));
    TF_RETURN_IF_ERROR(AllocateVector(ctx, "parent", forest.batch, &parent));
    TF_RETURN_IF_ERROR(AllocateVector(ctx, "action", forest.batch, &action));
    const auto walk = [&](int64_t b, float* scratch) {
      return Simulate(forest.At(b), rule_, NoiseOf(noise, b, forest.num_actions), scratch,
                      parent + b, action + b);
    };
    return ForEachTree(ctx, forest, walk);
  }

  Rule rule_;
};

class ExpandOp : public TreeOp {
 public:
  using TreeOp::TreeOp;

 private:
  Status Run(OpKernelContext* ctx) override {
    Forest forest;
    Answers answers;
    std::vector<Embedding> embeddings;
    int32_t* leaf;
    TF_RETURN_IF_ERROR(TakeForest(ctx, &forest));
    TF_RETURN_IF_ERROR(ReadAnswers(ctx, forest, &answers));
    TF_RETURN_IF_ERROR(TakeEmbeddings(ctx, forest, false, &embeddings));
    TF_RETURN_IF_ERROR(AllocateVector(ctx, "leaf", forest.batch, &leaf));
    const auto expand = [&](int64_t b, float* scratch) {
      const Fault fault = Expand(forest.At(b), answers.parent[b], answers.action[b],
                                 answers.At(b, forest.num_actions), scratch, leaf + b);
      if (fault == kNoFault) {
        StoreRows(embeddings, b, forest.num_nodes, leaf[b]);
      }
      return fault;
    };
    return ForEachTree(ctx, forest, expand);
  }
};

class BackwardOp : public TreeOp {
 public:
  using TreeOp::TreeOp;

 private:
  Status Run(OpKernelContext* ctx) override {
    Forest forest;
    const int32_t* leaf;
    TF_RETURN_IF_ERROR(TakeForest(ctx, &forest));
    TF_RETURN_IF_ERROR(ReadInput(ctx, "leaf", {forest.batch}, &leaf));
    const auto back = [&](int64_t b, float*) { return Backward(forest.At(b), leaf[b]); };
    return ForEachTree(ctx, forest, back);
  }
};

class StepOp : public TreeOp {
 public:
  explicit StepOp(OpKernelConstruction* ctx) : TreeOp(ctx) {
    OP_REQUIRES_OK(ctx, ReadRule(ctx, &rule_));
    if (rule_.kind == kPuct) rates_ = RatesOf(rule_, kRates);
  }

 private:
  // Visit counts whose exploration rates are worked out beforehand.
  static constexpr int64_t kRates = 2048;

  struct Arguments {
    Forest forest;
    Answers answers;
    RootNoise noise;
    std::vector<Embedding> embeddings;
    int32_t* parent;
    int32_t* action;
  };

  Status Run(OpKernelContext* ctx) override {
    Arguments a;
    ConstForest read;
    TF_RETURN_IF_ERROR(ReadForest(ctx, &read));
    TF_RETURN_IF_ERROR(ReadNoise(ctx, rule_, read, &a.noise));
    TF_RETURN_IF_ERROR(TakeForest(ctx, &a.forest));
    TF_RETURN_IF_ERROR(ReadAnswers(ctx, a.forest, &a.answers));
    TF_RETURN_IF_ERROR(TakeEmbeddings(ctx, a.forest, true, &a.embeddings));
    TF_RETURN_IF_ERROR(AllocateVector(ctx, "next_parent", read.batch, &a.parent));
    TF_RETURN_IF_ERROR(AllocateVector(ctx, "next_action", read.batch, &a.action));
    const auto step = [&](int64_t b, float* scratch) { return OneStep(a, b, scratch); };
    return ForEachTree(ctx, a.forest, step);
  }

  Fault OneStep(const Arguments& a, int64_t b, float* scratch) const {
    const int64_t num_actions = a.forest.num_actions;
    const int64_t num_nodes = a.forest.num_nodes;
    const Tree tree = a.forest.At(b);
    int32_t leaf;
    Fault fault = Expand(tree, a.answers.parent[b], a.answers.action[b],
                         a.answers.At(b, num_actions), scratch, &leaf);
    if (fault != kNoFault) return fault;
    StoreRows(a.embeddings, b, num_nodes, leaf);
    const Search search = {rule_,
                           NoiseOf(a.noise, b, num_actions),
                           {rates_.data(), static_cast<int64_t>(rates_.size())}};
    fault = Advance(tree, leaf, search, scratch, a.parent + b, a.action + b);
    if (fault != kNoFault) return fault;
    GatherRows(a.embeddings, b, num_nodes, a.parent[b]);
    return kNoFault;
  }

  Rule rule_;
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

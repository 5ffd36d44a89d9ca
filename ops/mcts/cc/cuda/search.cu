// The kernels: a warp a tree, in step with search_cpu.cc. Built by nvcc alone,
// without a header of TensorFlow's.

#include <cuda_runtime.h>

#include "ops/mcts/cc/cuda/launchers.h"
#include "ops/mcts/cc/cuda/selection.h"
#include "ops/mcts/cc/cuda/warp.h"
#include "ops/mcts/cc/kernels/formulas.h"
#include "ops/mcts/cc/kernels/tree.h"

namespace lookahead {
namespace mcts {
namespace {

// The tree of this warp; at least the batch's size for the last block's rest.
__device__ int64_t TreeIndex() {
  return (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) / kWarpLanes;
}

__device__ void StoreRows(const LookaheadEmbeddings& embeddings, int64_t b, int64_t num_nodes,
                          int64_t node) {
  for (int i = 0; i < embeddings.count; ++i) {
    const LookaheadRows& r = embeddings.rows[i];
    CopyRow(r.whole + (b * num_nodes + node) * r.row_bytes, r.update + b * r.row_bytes,
            r.row_bytes);
  }
}

// Zeros where a simulation made no node.
__device__ void ClearRows(const LookaheadEmbeddings& embeddings, int64_t b, int64_t num_nodes,
                          int64_t node) {
  for (int i = 0; i < embeddings.count; ++i) {
    const LookaheadRows& r = embeddings.rows[i];
    ClearRow(r.whole + (b * num_nodes + node) * r.row_bytes, r.row_bytes);
  }
}

__device__ void GatherRows(const LookaheadEmbeddings& embeddings, int64_t b, int64_t num_nodes,
                           int64_t node) {
  for (int i = 0; i < embeddings.count; ++i) {
    const LookaheadRows& r = embeddings.rows[i];
    if (r.gathered == nullptr) continue;
    CopyRow(r.gathered + b * r.row_bytes, r.whole + (b * num_nodes + node) * r.row_bytes,
            r.row_bytes);
  }
}

// Walks from the root to the edge that leaves the tree.
__device__ Fault Walk(const ConstTree& tree, const Rule& rule, const RootNoise& noise,
                      int64_t* parent, int64_t* action) {
  if (tree.stats[kNextNode] < 0.0f) return kBrokenTree;
  int64_t node = 0;
  int slot = SelectSlot(tree, node, rule, noise);
  if (slot < 0) return kNoLegalAction;
  for (int64_t depth = 1; depth < rule.max_depth; ++depth) {
    const int64_t child = tree.Child(node, slot);
    if (child < 0) break;
    if (child == 0 || depth > tree.num_nodes) return kBrokenTree;
    const int next = SelectSlot(tree, child, rule, noise);
    if (next < 0) break;  // a terminal node: the edge into it is the answer
    node = child;
    slot = next;
  }
  *parent = node;
  *action = tree.ActionOf(node, slot);
  return *action < 0 ? kBrokenTree : kNoFault;
}

__global__ void SimulateKernel(ConstForest forest, Rule rule, const float* parameters,
                               RootNoise noise, LookaheadEmbeddings embeddings, int32_t* parent,
                               int32_t* action) {
  const int64_t b = TreeIndex();
  if (b >= forest.batch) return;
  if (noise.gumbel != nullptr) noise.gumbel += b * forest.num_actions;
  rule = RuleOfTree(rule, parameters, b);
  int64_t from = 0, by = 0;
  const Fault fault = Walk(forest.At(b), rule, noise, &from, &by);
  if (LaneIndex() == 0) {
    parent[b] = fault == kNoFault ? static_cast<int32_t>(from) : -static_cast<int32_t>(fault);
    action[b] = fault == kNoFault ? static_cast<int32_t>(by) : 0;
  }
  GatherRows(embeddings, b, forest.num_nodes, fault == kNoFault ? from : 0);
}

// The slot of an action, or -1.
__device__ int FindSlot(const Tree& tree, int64_t node, int64_t action) {
  const float* actions = tree.Edges(node, kActionOf);
  const float wanted = static_cast<float>(action);
  const int count = static_cast<int>(tree.num_actions);
  const int next = static_cast<int>(tree.Expanded(node));
  if (AnyLane(next < count && actions[Min(next, count - 1)] == wanted)) return next;
  int found = -1;
  for (int s = LaneIndex(); s < count; s += kWarpLanes) {
    if (found < 0 && actions[s] == wanted) found = s;
  }
  return FirstSlot(found);
}

// As FindPlace.
__device__ Fault FindPlaceOfWarp(const Tree& tree, int64_t parent, int64_t action, Place* place) {
  if (parent < 0 || parent >= tree.num_nodes) return kBadParent;
  if (action < 0 || action >= tree.num_actions) return kBadAction;
  place->slot = FindSlot(tree, parent, action);
  if (place->slot < 0) return kBrokenTree;
  place->node = tree.Child(parent, place->slot);
  place->is_new = place->node < 0;
  if (place->is_new) place->node = tree.NextNode();
  return place->node < 0 ? kTreeFull : kNoFault;
}

// A node's prior, by the slots that it has or, if it is new, slot = action.
// False, and nothing written, where a logit is NaN or +inf.
__device__ bool WritePrior(const Tree& tree, int64_t node, bool is_new, const float* prior_logits) {
  const int count = static_cast<int>(tree.num_actions);
  bool bad = false;
  float greatest = kLowestLogit, total = 0.0f;
  for (int a = LaneIndex(); a < count; a += kWarpLanes) {
    bad |= !(prior_logits[a] < kInfinity);
    greatest = Max(greatest, prior_logits[a]);
  }
  if (AnyLane(bad)) return false;
  greatest = WarpGreatest(greatest);
  for (int a = LaneIndex(); a < count; a += kWarpLanes) {
    const float x = prior_logits[a];
    total += x > kLowestLogit ? expf(x - greatest) : 0.0f;
  }
  total = WarpSum(total);
  for (int s = LaneIndex(); s < count; s += kWarpLanes) {
    const int64_t action = is_new ? s : tree.ActionOf(node, s);
    if (action < 0) continue;
    const float x = prior_logits[action];
    tree.Edges(node, kProb)[s] = x > kLowestLogit ? expf(x - greatest) / total : kIllegalProb;
    tree.Edges(node, kLogit)[s] = x;
    if (is_new) tree.Edges(node, kActionOf)[s] = static_cast<float>(s);
  }
  __syncwarp();
  return true;
}

// Brings the greatest prior among the unexpanded edges to the first of them.
__device__ void BringBestPrior(const Tree& tree, int64_t node) {
  const int expanded = static_cast<int>(tree.Expanded(node));
  const int count = static_cast<int>(tree.num_actions);
  LaneBest best;
  for (int s = expanded + LaneIndex(); s < count; s += kWarpLanes) {
    const float prob = tree.Edges(node, kProb)[s];
    best.Offer(prob >= 0.0f ? prob : -kInfinity, tree.Edges(node, kActionOf)[s], s);
  }
  const int slot = best.Slot();
  if (slot >= 0 && LaneIndex() == 0) SwapSlots(tree, node, expanded, slot);
  __syncwarp();
}

// Writes the node behind an edge, new or again.
__device__ Fault Expand(const Tree& tree, int64_t parent, int64_t action, const Evaluation& said,
                        int64_t* leaf) {
  Place place = {};
  Fault fault = FindPlaceOfWarp(tree, parent, action, &place);
  if (fault == kNoFault) fault = CheckEvaluation(said);
  if (fault != kNoFault) return fault;
  if (!WritePrior(tree, place.node, place.is_new, said.prior_logits)) return kBadPriorLogits;
  int joins = 0;
  if (LaneIndex() == 0) {
    joins = HangNode(tree, parent, &place);
    WriteRecord(tree, place.node, place.is_new, parent, place.slot, said);
    tree.stats[kNextNode] += 1.0f;
  }
  joins = FromFirstLane(joins);
  __syncwarp();
  if (joins) BringBestPrior(tree, parent);
  BringBestPrior(tree, place.node);
  *leaf = place.node;
  return kNoFault;
}

// The fault that a tree carries, or that the parent's number tells.
__device__ Fault EarlierFault(const Tree& tree, int32_t parent) {
  const float next = tree.stats[kNextNode];
  const int64_t code = next < 0.0f ? AsIndex(-next, kBrokenTree + 1) : -int64_t{parent};
  if (next >= 0.0f && parent >= 0) return kNoFault;
  return code > kNoFault && code <= kBrokenTree ? static_cast<Fault>(code) : kBadParent;
}

__device__ void KeepFault(const Tree& tree, Fault fault) {
  if (fault != kNoFault) tree.stats[kNextNode] = -static_cast<float>(fault);
}

__global__ void ExpandKernel(Forest forest, LookaheadAnswers said, LookaheadEmbeddings embeddings,
                             int32_t backward, int32_t* leaf) {
  const int64_t b = TreeIndex();
  if (b >= forest.batch) return;
  const Tree tree = forest.At(b);
  const Evaluation evaluation = {said.reward[b], said.discount[b], said.value[b],
                                 said.prior_logits + b * forest.num_actions};
  int64_t node = 0;
  const int64_t next = tree.NextNode();
  Fault fault = EarlierFault(tree, said.parent[b]);
  __syncwarp();  // before a lane changes what the others have read
  if (fault == kNoFault) fault = Expand(tree, said.parent[b], said.action[b], evaluation, &node);
  if (fault == kNoFault) StoreRows(embeddings, b, forest.num_nodes, node);
  if (fault == kNoFault && next >= 0 && next != node) {
    ClearRows(embeddings, b, forest.num_nodes, next);
  }
  __syncwarp();
  if (LaneIndex() != 0) return;
  if (fault == kNoFault && backward) fault = BackUp(tree, node);
  KeepFault(tree, fault);
  leaf[b] = static_cast<int32_t>(node);
}

__global__ void BackwardKernel(Forest forest, const int32_t* leaf) {
  const int64_t b = TreeIndex();
  if (b >= forest.batch || LaneIndex() != 0) return;
  const Tree tree = forest.At(b);
  Fault fault = EarlierFault(tree, 0);
  if (fault == kNoFault) fault = BackUp(tree, leaf[b]);
  KeepFault(tree, fault);
}

__global__ void PlantKernel(Forest forest, const float* prior_logits, const float* value,
                            LookaheadEmbeddings embeddings) {
  const int64_t b = TreeIndex();
  if (b >= forest.batch) return;
  const Tree tree = forest.At(b);
  for (int64_t i = LaneIndex(); i < tree.num_nodes * kNodeFields; i += kWarpLanes) {
    tree.nodes[i] = 0.0f;
  }
  __syncwarp();
  const Evaluation said = {0.0f, 0.0f, value[b], prior_logits + b * forest.num_actions};
  Fault fault = IsFinite(said.value) ? kNoFault : kBadValue;
  if (!WritePrior(tree, 0, true, said.prior_logits)) fault = kBadPriorLogits;
  if (LaneIndex() == 0) {
    WriteRecord(tree, 0, true, -1, 0, said);
    tree.stats[kNextNode] = 1.0f;
    tree.stats[kMinQvalue] = kInfinity;
    tree.stats[kMaxQvalue] = -kInfinity;
    KeepFault(tree, fault);
  }
  __syncwarp();
  if (fault == kNoFault) BringBestPrior(tree, 0);
  StoreRows(embeddings, b, forest.num_nodes, 0);
}

template <typename T>
struct As {
  typedef T Type;
};

// A warp a tree: one a block while a GPU has room for that many blocks.
template <typename... P>
int Launch(CUstream_st* stream, int64_t batch, void (*kernel)(P...), typename As<P>::Type... p) {
  if (batch == 0) return cudaSuccess;
  const unsigned warps = batch > 4096 ? 4 : 1;
  const unsigned blocks = static_cast<unsigned>((batch + warps - 1) / warps);
  void* arguments[] = {&p...};
  return cudaLaunchKernel(kernel, dim3(blocks), dim3(warps * kWarpLanes), arguments, 0, stream);
}

}  // namespace
}  // namespace mcts
}  // namespace lookahead

using lookahead::mcts::ConstForest;
using lookahead::mcts::Forest;
using lookahead::mcts::Launch;
using lookahead::mcts::RootNoise;
using lookahead::mcts::Rule;

int lookahead_mcts_cuda_plant(CUstream_st* stream, const Forest* forest, const float* prior_logits,
                              const float* value, const LookaheadEmbeddings* embeddings) {
  return Launch(stream, forest->batch, lookahead::mcts::PlantKernel, *forest, prior_logits, value,
                *embeddings);
}

int lookahead_mcts_cuda_simulate(CUstream_st* stream, const ConstForest* forest, const Rule* rule,
                                 const float* parameters, const RootNoise* noise,
                                 const LookaheadEmbeddings* embeddings, int32_t* parent,
                                 int32_t* action) {
  return Launch(stream, forest->batch, lookahead::mcts::SimulateKernel, *forest, *rule, parameters,
                *noise, *embeddings, parent, action);
}

int lookahead_mcts_cuda_expand(CUstream_st* stream, const Forest* forest,
                               const LookaheadAnswers* answers,
                               const LookaheadEmbeddings* embeddings, int32_t backward,
                               int32_t* leaf) {
  return Launch(stream, forest->batch, lookahead::mcts::ExpandKernel, *forest, *answers,
                *embeddings, backward, leaf);
}

int lookahead_mcts_cuda_backward(CUstream_st* stream, const Forest* forest, const int32_t* leaf) {
  return Launch(stream, forest->batch, lookahead::mcts::BackwardKernel, *forest, leaf);
}

const char* lookahead_mcts_cuda_error_text(int error) {
  return cudaGetErrorString(static_cast<cudaError_t>(error));
}

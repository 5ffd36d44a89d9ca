#include "ops/mcts/cc/kernels/in_flight.h"

#include "ops/mcts/cc/kernels/formulas.h"
#include "ops/mcts/cc/kernels/search_cpu.h"

namespace lookahead {
namespace mcts {
namespace {

// The edge into a node.
struct InEdge {
  int64_t parent;
  int64_t slot;
  float* visits;
  float* qvalue;
};

bool FindInEdge(const Tree& tree, int64_t node, InEdge* edge) {
  edge->parent = tree.Parent(node);
  edge->slot = tree.Slot(node);
  if (edge->parent < 0 || edge->slot < 0) return false;
  edge->visits = tree.Edges(edge->parent, kEdgeVisits) + edge->slot;
  edge->qvalue = tree.Edges(edge->parent, kQvalue) + edge->slot;
  return true;
}

// The edge's Q with `flying` visits that returned -virtual_loss among its own.
void Blend(const BusyTree& busy, int64_t node, const InEdge& edge) {
  const float* child = busy.tree.Node(node);
  const float flying = busy.through[node], real = *edge.visits - flying;
  const float q = child[kReward] + child[kDiscount] * child[kValue];
  *edge.qvalue = flying > 0.0f ? (real * q - flying * busy.virtual_loss) / (real + flying) : q;
}

// Counts one walk more, or one less, from the leaf up to the root.
Fault Count(const BusyTree& busy, int64_t leaf, float change) {
  int64_t node = leaf;
  for (int64_t steps = 0; steps <= busy.tree.num_nodes; ++steps) {
    busy.through[node] += change;
    busy.tree.Node(node)[kVisits] += change;
    if (node == 0) return kNoFault;
    InEdge edge;
    if (!FindInEdge(busy.tree, node, &edge)) return kBrokenTree;
    *edge.visits += change;
    Blend(busy, node, edge);
    node = edge.parent;
  }
  return kBrokenTree;
}

// One step of a backup as it is without the walks in flight.
Fault BackUpBusyEdge(const BusyTree& busy, int64_t* node, float* value) {
  const int64_t child = *node;
  InEdge edge;
  if (!FindInEdge(busy.tree, child, &edge)) return kBrokenTree;
  float* parent_visits = busy.tree.Node(edge.parent) + kVisits;
  *parent_visits -= busy.through[edge.parent];
  *edge.visits -= busy.through[child];
  const Fault fault = BackUpEdge(busy.tree, node, value);
  *parent_visits += busy.through[edge.parent];
  *edge.visits += busy.through[child];
  Blend(busy, child, edge);
  return fault;
}

// Gives the edge a node without legal actions, at which other walks end.
Fault Reserve(const BusyTree& busy, int64_t parent, int64_t action, int64_t slot,
              const float* nothing, float* scratch, int32_t* leaf) {
  const Tree& tree = busy.tree;
  // Where the tree was carried over without this node, its edge keeps its Q.
  const bool known = slot < tree.Expanded(parent) && IsFinite(tree.Edges(parent, kQvalue)[slot]);
  const Evaluation dropped = {known ? tree.Edges(parent, kQvalue)[slot] : 0.0f, 0.0f, 0.0f,
                              nothing};
  const Fault fault = Expand(tree, parent, action, dropped, scratch, leaf);
  if (fault == kNoFault) tree.Node(*leaf)[kVisits] = 0.0f;
  return fault;
}

// Makes the reserved node anew, now that the model has answered.
Fault Fill(const BusyTree& busy, int64_t parent, int64_t slot, int64_t action, int64_t leaf,
           const Evaluation& said, float* scratch) {
  const Tree& tree = busy.tree;
  const float next = tree.stats[kNextNode];
  tree.Edges(parent, kChild)[slot] = kUnvisited;
  tree.stats[kNextNode] = static_cast<float>(leaf);
  int32_t same;
  const Fault fault = Expand(tree, parent, action, said, scratch, &same);
  tree.stats[kNextNode] = next;
  if (fault == kNoFault) tree.Node(leaf)[kVisits] += busy.through[leaf];
  return fault;
}

}  // namespace

Fault Depart(const BusyTree& busy, const Rule& rule, const RootNoise& noise, const float* nothing,
             float* scratch, int32_t* parent, int32_t* action, int32_t* leaf) {
  const Tree& tree = busy.tree;
  Fault fault = Simulate(ReadOnly(tree), rule, noise, scratch, parent, action);
  if (fault != kNoFault) return fault;
  if (tree.NextNode() < 0) return kTreeFull;
  const int64_t slot = tree.SlotOf(*parent, *action);
  if (slot < 0) return kBrokenTree;
  const int64_t child = tree.Child(*parent, slot);
  if (child >= 0) {
    tree.stats[kNextNode] += 1.0f;
    *leaf = static_cast<int32_t>(child);
  } else {
    fault = Reserve(busy, *parent, *action, slot, nothing, scratch, leaf);
  }
  return fault == kNoFault ? Count(busy, *leaf, 1.0f) : fault;
}

Fault Answer(const BusyTree& busy, int64_t leaf, const Evaluation& said, float* scratch) {
  const Tree& tree = busy.tree;
  if (leaf < 1 || leaf >= tree.num_nodes) return kBadLeaf;
  const Fault fault = CheckEvaluation(said);
  if (fault != kNoFault) return fault;
  float* record = tree.Node(leaf);
  const float real = record[kVisits] - busy.through[leaf];
  if (real > 0.0f) {
    record[kValue] += (said.value - record[kValue]) / (real + 1.0f);
    record[kVisits] += 1.0f;
    return kNoFault;
  }
  const int64_t parent = tree.Parent(leaf), slot = tree.Slot(leaf);
  const int64_t action = parent < 0 || slot < 0 ? -1 : tree.ActionOf(parent, slot);
  if (action < 0) return kBrokenTree;
  return Fill(busy, parent, slot, action, leaf, said, scratch);
}

Fault Return(const BusyTree& busy, int64_t leaf, float value) {
  if (leaf < 1 || leaf >= busy.tree.num_nodes) return kBadLeaf;
  Fault fault = Count(busy, leaf, -1.0f);
  int64_t node = leaf;
  for (int64_t steps = 0; fault == kNoFault && node != 0; ++steps) {
    if (steps > busy.tree.num_nodes) return kBrokenTree;
    fault = BackUpBusyEdge(busy, &node, &value);
  }
  return fault;
}

}  // namespace mcts
}  // namespace lookahead
